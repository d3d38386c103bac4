//! Sends HTTP requests to a JobManager: sets their deadlines, repeats them where that is harmless, and turns
//! failures into [`RestError`]s.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use bytes::{Bytes, BytesMut};
use reqwest::header::{LOCATION, WWW_AUTHENTICATE};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use crate::address::RestAddress;
use crate::error::{RestError, tls_error};
use crate::tls::{Tls, no_certificates};

/// The largest answer. Flink's own have some megabytes at most; the largest are logs and lists of many jobs.
const LARGEST_ANSWER: usize = 64 << 20;
/// The same for the ApplicationMaster, which has little memory.
const LARGEST_ANSWER_OF_OWN: usize = 16 << 20;
/// How much is read of an answer that only says why there is nothing to [open](RestClient::open).
const LARGEST_REFUSAL: usize = 64 << 10;

/// How long calls to a JobManager may take.
#[derive(Debug, Clone, Copy)]
pub struct RestTimeouts {
    /// The deadline of one call, which includes the time for its answer.
    pub call: Duration,
    /// For how long a call is repeated if the connection is refused or broken. A JobManager that is being
    /// replaced is usually back by then.
    pub connect_tries: Duration,
    /// For how long a call is repeated while the JobManager has no leader.
    pub leader_tries: Duration,
}

impl RestTimeouts {
    /// One try, with an answer within `call`. This is for a JobManager that may have ended.
    pub fn one_try(call: Duration) -> Self {
        Self { call, connect_tries: Duration::ZERO, leader_tries: Duration::ZERO }
    }
}

impl Default for RestTimeouts {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(30),
            connect_tries: Duration::from_secs(5),
            leader_tries: Duration::from_secs(30),
        }
    }
}

/// A client of one JobManager's REST interface. Clones share their connections.
#[derive(Debug, Clone)]
pub struct RestClient {
    http: reqwest::Client,
    base: String,
    tls: Option<Tls>,
    largest: usize,
    timeouts: RestTimeouts,
}

/// The body of an answer with which Flink reports errors.
#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

/// The body of a call.
pub(crate) enum Body<'a> {
    None,
    Json(&'a Value),
    /// A jar file, sent as a field of a form. It is read while it is sent, once for each try.
    Jar(&'a std::path::Path),
}

impl RestClient {
    /// A client that calls `address`, without proxies. It opens no connection yet. It fails with
    /// [`RestError::Local`] if HTTP cannot be set up.
    pub fn new(address: &RestAddress, timeouts: RestTimeouts) -> Result<Self, RestError> {
        Self::with(address.url(), address.tls.clone(), LARGEST_ANSWER, timeouts)
    }

    /// A client for a JobManager that the caller has started on this machine. `url` is what the JobManager
    /// has told the caller. It fails as [`RestClient::new`] does, and if the JobManager speaks TLS and there
    /// is no `tls`.
    pub fn of_own_job_manager(
        url: &str,
        tls: Option<&Tls>,
        timeouts: RestTimeouts,
    ) -> Result<Self, RestError> {
        let url = url.trim_end_matches('/').to_owned();
        if url.starts_with("https:") && tls.is_none() {
            return Err(RestError::Local(format!("{url} speaks TLS, which the configuration does not say")));
        }
        Self::with(url, tls.cloned(), LARGEST_ANSWER_OF_OWN, timeouts)
    }

    /// A client with the same connections and other time limits.
    pub fn with_timeouts(&self, timeouts: RestTimeouts) -> Self {
        Self { timeouts, ..self.clone() }
    }

    fn with(
        base: String,
        tls: Option<Tls>,
        largest: usize,
        timeouts: RestTimeouts,
    ) -> Result<Self, RestError> {
        let config = match &tls {
            Some(tls) => Ok(tls.config()),
            None => no_certificates(),
        };
        let http = reqwest::Client::builder()
            .no_proxy()
            // Flink redirects nobody, except from HTTP to TLS. Whoever follows is led wherever somebody
            // likes.
            .redirect(reqwest::redirect::Policy::none())
            // The deadline for connecting is shorter than that of the call. So if a call reaches its
            // deadline, it has reached the host.
            .connect_timeout((timeouts.call * 3 / 4).min(Duration::from_secs(10)))
            .tcp_nodelay(true)
            .tls_backend_preconfigured(
                config.map_err(|e| RestError::Local(format!("cannot set up TLS: {e}")))?,
            )
            .user_agent(concat!("heddle/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| RestError::Local(format!("cannot set up HTTP: {}", innermost(&e))))?;
        Ok(Self { http, base, tls, largest, timeouts })
    }

    /// The URL of the REST interface, without a path.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The address for messages, `host:port`.
    pub(crate) fn address(&self) -> &str {
        self.base.split_once("://").map_or(self.base.as_str(), |(_, address)| address)
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, RestError> {
        self.call(Method::GET, path, Body::None, self.timeouts.call).await
    }

    /// The text that the JobManager has at `path`. The call is not repeated.
    pub async fn text(&self, path: &str) -> Result<String, RestError> {
        let request = self.http.get(format!("{}{path}", self.base));
        let (status, text) = self.exchange(request, self.timeouts.call).await?;
        let text = String::from_utf8_lossy(&text).into_owned();
        if status.is_success() { Ok(text) } else { Err(RestError::remote(status.as_u16(), &[text])) }
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, RestError> {
        let json = serde_json::to_value(body)
            .map_err(|e| RestError::Local(format!("cannot write the request: {e}")))?;
        self.call(Method::POST, path, Body::Json(&json), self.timeouts.call).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str) -> Result<(), RestError> {
        self.call::<Value>(method, path, Body::None, self.timeouts.call).await.map(drop)
    }

    pub(crate) async fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        file: &std::path::Path,
        deadline: Duration,
    ) -> Result<T, RestError> {
        self.call(Method::POST, path, Body::Jar(file), deadline).await
    }

    /// Makes a call, and repeats it where that is harmless: if the JobManager has not accepted it, or if the
    /// connection broke during a call that only reads.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Body<'_>,
        deadline: Duration,
    ) -> Result<T, RestError> {
        let begin = Instant::now();
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(2))
            .with_jitter()
            .without_max_times();
        let reads = method == Method::GET;
        let again = |error: &RestError| match error {
            RestError::Connect { .. } => begin.elapsed() < self.timeouts.connect_tries,
            RestError::Unavailable { .. } => begin.elapsed() < self.timeouts.leader_tries,
            RestError::Broken { .. } => reads && begin.elapsed() < self.timeouts.connect_tries,
            _ => false,
        };
        (|| self.call_once(&method, path, &body, deadline))
            .retry(backoff)
            .when(again)
            .notify(|error, wait| tracing::debug!(%error, ?wait, path, "calling again"))
            .await
    }

    async fn call_once<T: DeserializeOwned>(
        &self,
        method: &Method,
        path: &str,
        body: &Body<'_>,
        deadline: Duration,
    ) -> Result<T, RestError> {
        let request = self.http.request(method.clone(), format!("{}{path}", self.base));
        let request = match body {
            Body::None => request,
            Body::Json(json) => request.json(json),
            Body::Jar(file) => request.multipart(jar_form(file).await?),
        };
        let (status, answer) = self.exchange(request, deadline).await?;
        read_answer(self.address(), status, &answer)
    }

    /// Sends a request and reads the whole answer before the deadline.
    async fn exchange(
        &self,
        request: RequestBuilder,
        deadline: Duration,
    ) -> Result<(StatusCode, Bytes), RestError> {
        let failed = |error| self.transport(&error, deadline);
        #[expect(clippy::disallowed_methods, reason = "this is where each request gets its deadline")]
        let mut answer = request.timeout(deadline).send().await.map_err(failed)?;
        let status = answer.status();
        self.refuse_redirection(&answer)?;
        self.refuse_negotiation(&answer)?;
        let mut body = BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            if body.len() + piece.len() > self.largest {
                let (address, limit_mb) = (self.address().to_owned(), self.largest >> 20);
                return Err(RestError::TooLarge { address, limit_mb });
            }
            body.extend_from_slice(&piece);
        }
        Ok((status, body.freeze()))
    }

    /// Opens what the server has at `path`, which is read in pieces, so that it may be of any size. The
    /// deadline of a call is that of the beginning of the answer, and of each piece. An answer with another
    /// status than one of success is an error of [`RestError::Remote`]. The call is not repeated.
    pub async fn open(&self, path: &str) -> Result<Download, RestError> {
        let deadline = self.timeouts.call;
        let request = self.http.get(format!("{}{path}", self.base));
        #[expect(clippy::disallowed_methods, reason = "its deadline is in the next line")]
        let sent = request.send();
        let Ok(sent) = tokio::time::timeout(deadline, sent).await else {
            return Err(RestError::Deadline { address: self.address().to_owned(), after: deadline });
        };
        let answer = sent.map_err(|error| self.transport(&error, deadline))?;
        self.refuse_redirection(&answer)?;
        self.refuse_negotiation(&answer)?;
        let status = answer.status();
        let mut download = Download { client: self.clone(), answer };
        if status.is_success() {
            return Ok(download);
        }
        let mut text = Vec::new();
        while text.len() < LARGEST_REFUSAL
            && let Some(piece) = download.next().await?
        {
            text.extend_from_slice(&piece);
        }
        Err(RestError::remote(status.as_u16(), &[String::from_utf8_lossy(&text).into_owned()]))
    }

    fn refuse_redirection(&self, answer: &reqwest::Response) -> Result<(), RestError> {
        if !answer.status().is_redirection() {
            return Ok(());
        }
        let to = answer.headers().get(LOCATION);
        let to = to.map(|to| String::from_utf8_lossy(to.as_bytes()).chars().take(200).collect());
        Err(RestError::Redirected { address: self.address().to_owned(), to })
    }

    /// Nobody here has a ticket to show: the interfaces that are called ask for none, unless a proxy stands
    /// in front of Flink's, or the cluster has SPNEGO for the web services of Hadoop.
    fn refuse_negotiation(&self, answer: &reqwest::Response) -> Result<(), RestError> {
        let mut wanted = answer.headers().get_all(WWW_AUTHENTICATE).iter();
        if answer.status() == StatusCode::UNAUTHORIZED && wanted.any(|value| names_spnego(value.as_bytes())) {
            return Err(RestError::Negotiate { address: self.address().to_owned() });
        }
        Ok(())
    }

    fn transport(&self, error: &reqwest::Error, deadline: Duration) -> RestError {
        let address = self.address().to_owned();
        if let (Some(tls), Some(error)) = (&self.tls, sources(error).find_map(tls_error)) {
            return tls.refusal(address, error);
        }
        let reason = innermost(error);
        // The server has closed a connection during the handshake of TLS, as one that ends does.
        let torn = self.tls.is_some() && sources(error).any(is_torn);
        if error.is_connect() && !torn {
            let refused = sources(error)
                .filter_map(|e| e.downcast_ref::<std::io::Error>())
                .any(|e| e.kind() == std::io::ErrorKind::ConnectionRefused);
            RestError::Connect { address, reason, refused }
        } else if error.is_timeout() {
            RestError::Deadline { address, after: deadline }
        } else if error.is_builder() {
            RestError::Local(format!("{address} is not an address: {reason}"))
        } else {
            RestError::Broken { address, reason }
        }
    }
}

/// An answer that is read in pieces.
#[derive(Debug)]
pub struct Download {
    client: RestClient,
    answer: reqwest::Response,
}

impl Download {
    /// The next bytes; `None` at the end. It is an error if they do not come within the deadline of a call.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RestError> {
        let deadline = self.client.timeouts.call;
        match tokio::time::timeout(deadline, self.answer.chunk()).await {
            Ok(piece) => piece.map_err(|error| self.client.transport(&error, deadline)),
            Err(_) => Err(RestError::Deadline { address: self.client.address().to_owned(), after: deadline }),
        }
    }
}

/// Whether a value of `WWW-Authenticate`, which can name several ways to authenticate, names SPNEGO.
fn names_spnego(value: &[u8]) -> bool {
    const SCHEME: &[u8] = b"negotiate";
    let begins = |part: &[u8]| part.get(..SCHEME.len()).is_some_and(|word| word.eq_ignore_ascii_case(SCHEME));
    value.split(|byte| *byte == b',').any(|part| begins(part.trim_ascii()))
}

/// Whether the other side has closed the connection.
fn is_torn(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    let Some(error) = error.downcast_ref::<std::io::Error>() else { return false };
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
        || error.get_ref().is_some_and(|inner| is_torn(inner))
}

async fn jar_form(file: &std::path::Path) -> Result<reqwest::multipart::Form, RestError> {
    let failed = |e: &dyn std::fmt::Display| RestError::Local(format!("cannot read {}: {e}", file.display()));
    let part = reqwest::multipart::Part::file(file).await.map_err(|e| failed(&e))?;
    let part = part.mime_str("application/x-java-archive").map_err(|e| failed(&e))?;
    Ok(reqwest::multipart::Form::new().part("jarfile", part))
}

/// The text of the innermost cause. The texts of reqwest itself repeat the URL and say little else.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    sources(error).last().map(ToString::to_string).unwrap_or_default()
}

/// The error and the chain of its causes.
fn sources<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |e| e.source())
}

/// Decides whether an answer is the expected one, an error that Flink reports, or not an answer of Flink's.
fn read_answer<T: DeserializeOwned>(address: &str, status: StatusCode, body: &[u8]) -> Result<T, RestError> {
    let not_flink =
        |reason: String| RestError::NotFlink { address: address.to_owned(), status: status.as_u16(), reason };
    if status.is_success() {
        let body = if body.iter().all(u8::is_ascii_whitespace) { b"null" } else { body };
        return serde_json::from_slice(body).map_err(|e| not_flink(format!("unreadable answer: {e}")));
    }
    match serde_json::from_slice::<Errors>(body) {
        Ok(Errors { errors }) if status == StatusCode::SERVICE_UNAVAILABLE => {
            let reason = crate::error::telling_line(&errors);
            Err(RestError::Unavailable { address: address.to_owned(), reason })
        }
        Ok(Errors { errors }) => Err(RestError::remote(status.as_u16(), &errors)),
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("empty answer");
            Err(not_flink(line.chars().take(200).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<Value, RestError> {
        read_answer("h:1", StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn answers_and_refusals_are_told_apart() {
        assert_eq!(read(200, r#"{"a":1}"#).unwrap()["a"], 1);
        assert_eq!(read(202, "").unwrap(), Value::Null);
        let error = read(404, r#"{"errors":["Job not found"]}"#).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.status()), ("Job not found", Some(404)));
        let error = read(503, r#"{"errors":["leader election"]}"#).unwrap_err();
        assert!(matches!(error, RestError::Unavailable { .. }), "{error}");
        let error = read(502, "<html>\n<b>Bad Gateway</b>").unwrap_err();
        assert_eq!(
            error.to_string(),
            "h:1 does not answer as Flink's REST interface does (HTTP 502): <html>"
        );
        assert!(read(200, "<html>").unwrap_err().to_string().contains("unreadable answer"));
    }

    #[tokio::test]
    async fn a_closed_port_is_tried_for_a_while_then_told() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = RestAddress::plain("127.0.0.1", listener.local_addr().unwrap().port());
        drop(listener);
        let timeouts = RestTimeouts { connect_tries: Duration::from_millis(300), ..RestTimeouts::default() };
        let client = RestClient::new(&address, timeouts).unwrap();
        let begin = Instant::now();
        let error = client.get::<Value>("/config").await.unwrap_err();
        assert!(matches!(&error, RestError::Connect { reason, .. } if reason.contains("refused")), "{error}");
        assert!(begin.elapsed() >= Duration::from_millis(300));
    }

    #[tokio::test]
    async fn a_mute_server_meets_the_deadline() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = RestAddress::plain("127.0.0.1", listener.local_addr().unwrap().port());
        let timeouts = RestTimeouts { call: Duration::from_millis(200), ..RestTimeouts::default() };
        let error = RestClient::new(&address, timeouts).unwrap().get::<Value>("/config").await.unwrap_err();
        assert!(matches!(error, RestError::Deadline { .. }), "{error}");
    }

    /// A server that sends `answer` to the first call.
    async fn answering(answer: Vec<u8>) -> RestError {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = RestAddress::plain("127.0.0.1", listener.local_addr().unwrap().port());
        let mut client = RestClient::new(&address, RestTimeouts::one_try(Duration::from_secs(20))).unwrap();
        client.largest = 1 << 20;
        let served = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
            // The client hangs up in the middle of a large answer.
            let _ = stream.write_all(&answer).await;
            drop(stream.shutdown().await);
        };
        tokio::join!(client.get::<Value>("/config"), served).0.unwrap_err()
    }

    #[tokio::test]
    async fn an_answer_is_not_larger_than_it_may_be() {
        let head = |length: &str| format!("HTTP/1.1 200 OK\r\n{length}\r\n");
        let body = vec![b'1'; (1 << 20) + 1];
        for head in [head(&format!("content-length: {}\r\n", body.len())), head("connection: close\r\n")] {
            let error = answering([head.as_bytes(), &body].concat()).await;
            assert!(
                error.to_string().ends_with("is larger than 1 MiB, which is the most that heddle reads"),
                "{error}"
            );
            assert!(!error.retry_helps());
        }
    }

    #[tokio::test]
    async fn a_server_that_wants_a_ticket_is_told_by_name() {
        let answer = |wanted: &str| {
            let head = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 6\r\n";
            answering(format!("{head}{wanted}\r\n<html>").into_bytes())
        };
        for wanted in [
            "Negotiate",
            "negotiate YII=",
            "Basic realm=\"x\", Negotiate",
            "Basic\r\nWWW-Authenticate: Negotiate",
        ] {
            let error = answer(&format!("WWW-Authenticate: {wanted}\r\n")).await;
            assert!(matches!(error, RestError::Negotiate { .. }), "{wanted}: {error}");
            assert!(error.to_string().contains("SPNEGO") && !error.retry_helps(), "{error}");
            assert_eq!(error.status(), Some(401));
        }
        for other in ["", "WWW-Authenticate: Basic realm=\"Negotiate\"\r\n"] {
            let error = answer(other).await;
            assert!(matches!(error, RestError::NotFlink { status: 401, .. }), "{other}: {error}");
        }
    }

    #[tokio::test]
    async fn nobody_is_followed() {
        let head = "HTTP/1.1 302 Found\r\nlocation: https://h:1/config\r\ncontent-length: 0\r\n\r\n";
        let error = answering(head.as_bytes().to_vec()).await;
        assert!(
            error.to_string().ends_with("redirects to https://h:1/config, where heddle does not go"),
            "{error}"
        );
        let head = "HTTP/1.1 301 Moved\r\ncontent-length: 0\r\n\r\n";
        let error = answering(head.as_bytes().to_vec()).await;
        assert!(matches!(error, RestError::Redirected { to: None, .. }), "{error}");
    }
}
