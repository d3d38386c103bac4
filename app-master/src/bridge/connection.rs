//! Carries lines between the controller and the JobManager, over the pipes of its JVM.

use std::sync::Arc;
use std::time::Duration;

use taskrunner::jvm::TakePipes;
use taskrunner::pipes::Pipes;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::message::{FromJvm, PROTOCOL, ToJvm, decode, encode};

/// How long the JVM may take to read a line. After that it counts as dead.
const WRITE_WAIT: Duration = Duration::from_secs(60);
/// The greatest length of a line, in bytes.
const MAX_LINE: u64 = 16 << 20;
/// The greatest length of the first line, in bytes. This line says which protocol the bridge speaks.
const MAX_HELLO: u64 = 4096;

/// What the connection with the bridge reports.
#[derive(Debug)]
pub enum BridgeEvent {
    /// A line has come; the first one is `hello`.
    Line(FromJvm),
    /// The connection of a JVM that has said hello has ended.
    Closed(String),
}

type Outbox = watch::Sender<Option<mpsc::UnboundedSender<ToJvm>>>;

/// The connection with one JobManager.
#[derive(Debug)]
pub struct Bridge {
    pipes: mpsc::UnboundedSender<Pipes>,
    outbox: Outbox,
    task: AbortHandle,
}

impl Drop for Bridge {
    /// Ends the connection. A JobManager that is started later gets another one.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Bridge {
    /// Waits for the pipes of a JVM, which [`Bridge::take_pipes`] passes on. `events` is called with each
    /// event, in their order. It must be called inside a tokio runtime.
    pub fn start<F>(events: F) -> Self
    where
        F: Fn(BridgeEvent) + Send + Sync + 'static,
    {
        let (pipes, mut inbox) = mpsc::unbounded_channel();
        let outbox = Outbox::new(None);
        let serving = Serving { events, outbox: outbox.clone() };
        let task = tokio::spawn(async move {
            let mut next = inbox.recv().await;
            while let Some(pipes) = next {
                next = tokio::select! {
                    // The JVM has crashed early and was started once more. If a process still has the old
                    // pipes, it is not the JobManager.
                    newer = inbox.recv() => newer,
                    () = serving.serve(pipes) => inbox.recv().await,
                };
            }
        });
        Self { pipes, outbox, task: task.abort_handle() }
    }

    /// A function that takes the pipes of a JVM that is started. If it is called again, the newest pipes
    /// count.
    pub fn take_pipes(&self) -> TakePipes {
        let pipes = self.pipes.clone();
        // After the bridge is dropped nobody receives the pipes. Then they are closed, and the JVM ends.
        Arc::new(move |made| drop(pipes.send(made)))
    }

    /// Sends a line to the JVM. It is `false` if no JVM has sent `hello` yet.
    pub fn send(&self, message: ToJvm) -> bool {
        self.outbox.borrow().as_ref().is_some_and(|outbox| outbox.send(message).is_ok())
    }
}

struct Serving<F> {
    events: F,
    outbox: Outbox,
}

impl<F: Fn(BridgeEvent)> Serving<F> {
    /// Reads and writes lines until the connection ends. The future may be dropped earlier.
    async fn serve(&self, Pipes { from_jvm, to_jvm }: Pipes) {
        let mut read = BufReader::new(from_jvm);
        let hello = match next_line(&mut read, MAX_HELLO).await {
            Ok(Some(hello)) => hello,
            Ok(None) => return,
            Err(error) => {
                return tracing::error!(error, "refused the JobManager: its first line is no hello");
            }
        };
        match &hello {
            FromJvm::Hello { protocol, .. } if *protocol != PROTOCOL => {
                return tracing::error!(
                    "refused the JobManager: its bridge speaks protocol {protocol}, this heddle-am {}; \
                     flink-bridge.jar and heddle-am must be of one release",
                    PROTOCOL
                );
            }
            FromJvm::Hello { .. } => {}
            _ => return tracing::error!("refused the JobManager: its first line is no hello"),
        }
        let (outbox, messages) = mpsc::unbounded_channel();
        self.outbox.send_replace(Some(outbox));
        let mut end = End { serving: self, why: "the JobManager was started once more".to_owned() };
        (self.events)(BridgeEvent::Line(hello));
        let reading = async {
            loop {
                match next_line(&mut read, MAX_LINE).await {
                    Ok(Some(message)) => (self.events)(BridgeEvent::Line(message)),
                    Ok(None) => return "the JobManager closed the connection".to_owned(),
                    Err(error) => return error,
                }
            }
        };
        // Lines of the JVM are read also when it does not take lines any more.
        let writing = async {
            write_lines(to_jvm, messages, WRITE_WAIT).await;
            std::future::pending().await
        };
        end.why = tokio::select! { why = reading => why, why = writing => why };
    }
}

/// Reports the end of the connection when it is dropped.
struct End<'a, F: Fn(BridgeEvent)> {
    serving: &'a Serving<F>,
    why: String,
}

impl<F: Fn(BridgeEvent)> Drop for End<'_, F> {
    fn drop(&mut self) {
        self.serving.outbox.send_replace(None);
        (self.serving.events)(BridgeEvent::Closed(std::mem::take(&mut self.why)));
    }
}

/// The next line that is not empty; `None` if the JVM has closed its pipe.
async fn next_line(read: &mut BufReader<pipe::Receiver>, limit: u64) -> Result<Option<FromJvm>, String> {
    loop {
        let mut line = String::new();
        let length = (&mut *read).take(limit).read_line(&mut line).await;
        match length.map_err(|error| format!("cannot read from the JobManager: {error}"))? {
            0 => return Ok(None),
            length if length as u64 == limit && !line.ends_with('\n') => {
                return Err(format!("a line of the JobManager is longer than {limit} bytes"));
            }
            _ if line.trim().is_empty() => {}
            _ => return decode(&line).map(Some).map_err(|error| error.to_string()),
        }
    }
}

/// Writes the messages until the JVM has not taken a line within `wait`. Then the end of the pipe is closed.
async fn write_lines(mut write: pipe::Sender, mut messages: mpsc::UnboundedReceiver<ToJvm>, wait: Duration) {
    while let Some(message) = messages.recv().await {
        let line = match encode(&message) {
            Ok(line) => line + "\n",
            Err(error) => {
                tracing::error!(%error, "cannot encode a message to the JobManager");
                continue;
            }
        };
        let written = tokio::time::timeout(wait, write.write_all(line.as_bytes())).await;
        if !matches!(written, Ok(Ok(()))) {
            return tracing::warn!("the JobManager takes no more messages");
        }
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
