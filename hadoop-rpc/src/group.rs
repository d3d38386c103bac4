//! Trying calls again: how often, and on which server. The connection knows nothing of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use backon::Retryable as _;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep};

use crate::client::RpcClient;
use crate::error::RpcError;
use crate::options::CallOptions;
use crate::retry::{Retry, RetryPolicy};
use crate::round::Round;

/// Index of no server: none has answered yet.
const UNKNOWN: usize = usize::MAX;

/// Servers of which one is active (or a single server), with a policy for trying again. Clones share the
/// memory of which server answered last.
#[derive(Debug, Clone)]
pub struct RpcGroup {
    first: RpcClient,
    others: Vec<RpcClient>,
    policy: RetryPolicy,
    current: Arc<AtomicUsize>,
    listener: Listener,
    on_active: OnActiveListener,
}

/// Is called with the index of a server when it answers as only the active one does, and another one (or
/// none) did so before.
pub type OnActive = Arc<dyn Fn(usize) + Send + Sync>;

#[derive(Clone, Default)]
struct OnActiveListener(Option<OnActive>);

impl std::fmt::Debug for OnActiveListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "OnActive" } else { "no listener" })
    }
}

/// Is called with a failed try before the next one is waited for.
pub type OnWait = Arc<dyn Fn(&RpcError) + Send + Sync>;

#[derive(Clone, Default)]
struct Listener(Option<OnWait>);

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Listener" } else { "no listener" })
    }
}

impl RpcGroup {
    /// The clients are tried in their order, beginning with the one that answered last.
    pub fn new(first: RpcClient, others: Vec<RpcClient>, policy: RetryPolicy) -> Self {
        let current = Arc::new(AtomicUsize::new(UNKNOWN));
        let (listener, on_active) = Default::default();
        Self { first, others, policy, current, listener, on_active }
    }

    /// The same, and the server with this index is taken for the one that answered last.
    pub fn with_active(self, index: usize) -> Self {
        Self { current: Arc::new(AtomicUsize::new(index)), ..self }
    }

    /// The same, and `listener` hears which server answers.
    pub fn on_active(self, listener: OnActive) -> Self {
        Self { on_active: OnActiveListener(Some(listener)), ..self }
    }

    /// The same, and `listener` hears of each failed try that is followed by another.
    pub fn on_wait(self, listener: OnWait) -> Self {
        Self { listener: Listener(Some(listener)), ..self }
    }

    /// The client that answered last (the first one before any answer).
    pub fn current(&self) -> &RpcClient {
        self.client(self.known().unwrap_or_default())
    }

    /// Index of the server that answered last.
    fn known(&self) -> Option<usize> {
        let index = self.current.load(Ordering::Relaxed);
        (index <= self.others.len()).then_some(index)
    }

    /// All clients.
    pub fn clients(&self) -> impl Iterator<Item = &RpcClient> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn client(&self, index: usize) -> &RpcClient {
        let index = index % (self.others.len() + 1);
        index.checked_sub(1).and_then(|i| self.others.get(i)).unwrap_or(&self.first)
    }

    /// Calls with the default options of the current client. See [`call_with`](Self::call_with).
    pub async fn call<Req, Resp>(&self, method: &'static str, request: &Req) -> Result<Resp, RpcError>
    where
        Req: prost::Message,
        Resp: prost::Message + Default,
    {
        self.call_with(method, request, CallOptions::default()).await
    }

    /// Calls, and tries again as the policy and [`RpcError::retry`] say; an uncertain end is tried again only
    /// if `options.idempotent`. `options.deadline` bounds each try. Servers of a group are tried without a
    /// wait: one after the other, or, if executing the call twice does no harm, at the same time as long as
    /// none has answered. The wait comes when all of them have failed.
    pub async fn call_with<Req, Resp>(
        &self,
        method: &'static str,
        request: &Req,
        options: CallOptions,
    ) -> Result<Resp, RpcError>
    where
        Req: prost::Message,
        Resp: prost::Message + Default,
    {
        let begun = Instant::now();
        let attempts = AtomicU32::new(0);
        let round = || self.round(method, request, options, &attempts);
        let again = |e: &RpcError| {
            let more = attempts.load(Ordering::Relaxed) < self.policy.max_attempts;
            more && begun.elapsed() < self.policy.max_elapsed && may_repeat(e, options.idempotent)
        };
        let result = round
            .retry(self.policy.backoff())
            .when(again)
            .notify(|e, wait| {
                tracing::info!(retry_in_ms = wait.as_millis() as u64, "{e}");
                if let Some(listener) = &self.listener.0 {
                    listener(e);
                }
            })
            .await;
        result.map_err(|e| e.after(attempts.load(Ordering::Relaxed), begun.elapsed()))
    }

    /// One try on each server, until one gives an answer that does not send the client to another. The server
    /// that answered last is asked first.
    ///
    /// If executing the call twice does no harm, the others are asked as soon as that one does not answer in
    /// time, and all are asked at once if none has answered yet: one that is cut off would take all of the
    /// deadline. For the same reason those that have sent the client on are asked again as long as one does
    /// not answer, but for those that have used up a deadline; these further tries do not count as attempts.
    /// Otherwise each is asked when the one before it has sent the client on.
    async fn round<Req, Resp>(
        &self,
        method: &'static str,
        request: &Req,
        options: CallOptions,
        attempts: &AtomicU32,
    ) -> Result<Resp, RpcError>
    where
        Req: prost::Message,
        Resp: prost::Message + Default,
    {
        let known = self.known();
        let from = known.unwrap_or_default();
        let mut round = Round::new(self.others.len() + 1, known.is_some(), options.idempotent);
        let ask = move |server: usize| async move {
            (server, self.attempt(from + server, method, request, options).await)
        };
        attempts.fetch_add(1, Ordering::Relaxed);
        let mut asked = FuturesUnordered::from_iter([ask(0)]);
        let mut last = None;
        loop {
            let pause = round.pause();
            let answer = tokio::select! {
                Some(answer) = asked.next() => answer,
                () = sleep(pause.unwrap_or_default()), if pause.is_some() => {
                    let more = round.ask_more();
                    let first = more.iter().filter(|server| round.is_first(**server)).count();
                    attempts.fetch_add(u32::try_from(first).unwrap_or(u32::MAX), Ordering::Relaxed);
                    asked.extend(more.into_iter().map(ask));
                    continue;
                }
            };
            match answer {
                (server, Err(e)) if elsewhere(&e, options.idempotent) => {
                    tracing::debug!("{e}");
                    let has_address = !e.is_unknown_host();
                    let may_change = has_address && !e.is_late();
                    // That another server's name has no address says less than that this server is not there
                    // yet.
                    if last.is_none() || has_address {
                        last = Some(e);
                    }
                    let more = round.sent_on(server, may_change);
                    attempts.fetch_add(u32::try_from(more.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
                    asked.extend(more.into_iter().map(ask));
                    if let Some(e) = last.take_if(|_| asked.is_empty()) {
                        return Err(e);
                    }
                }
                (_, answer) => return answer,
            }
        }
    }

    async fn attempt<Req, Resp>(
        &self,
        index: usize,
        method: &'static str,
        request: &Req,
        options: CallOptions,
    ) -> Result<Resp, RpcError>
    where
        Req: prost::Message,
        Resp: prost::Message + Default,
    {
        let result = self.client(index).call_with(method, request, options).await;
        if is_of_the_active_one(&result) {
            let index = index % (self.others.len() + 1);
            let before = self.current.swap(index, Ordering::Relaxed);
            if let Some(listener) = self.on_active.0.as_ref().filter(|_| before != index) {
                listener(index);
            }
        }
        result
    }
}

/// Whether the active server has answered. An exception of a server that does not send the client to another
/// one comes from the active one, too: it says for example that it does not know an ApplicationMaster, and
/// the registration that follows has to go there.
fn is_of_the_active_one<T>(result: &Result<T, RpcError>) -> bool {
    match result {
        Ok(_) => true,
        Err(e) => e.remote().is_some_and(|remote| !remote.fatal) && e.retry() == Retry::No,
    }
}

/// Whether another server of the group should be asked.
fn elsewhere(e: &RpcError, idempotent: bool) -> bool {
    e.retry() == Retry::OtherServer || (e.retry() == Retry::IfIdempotent && idempotent)
}

fn may_repeat(e: &RpcError, idempotent: bool) -> bool {
    match e.retry() {
        // A name without an address will have none at the next try, either.
        _ if e.is_unknown_host() => false,
        Retry::No => false,
        Retry::Later | Retry::OtherServer => true,
        Retry::IfIdempotent => idempotent,
    }
}
