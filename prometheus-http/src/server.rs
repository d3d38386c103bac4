//! A small HTTP server that only answers GET. Anybody can connect, so a connection has little time and little
//! memory, and there are only so many of them: one that comes when there are too many takes the place of the
//! oldest, as at the gate of the control server.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

/// Pause after a connection that could not be accepted, as a rule because no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);
/// The most bytes of a request's head. It is also the most that hyper keeps for a connection.
const HEAD: usize = 16 << 10;

/// What a server allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many connections there may be at a time.
    pub connections: usize,
    /// How long the head of a request may take.
    pub head: Duration,
    /// How long a connection may take in all.
    pub whole: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 32, head: Duration::from_secs(5), whole: Duration::from_secs(30) }
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The path, without a query.
    pub path: String,
    /// The header `Accept`; empty without one.
    pub accept: String,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// The value of the header `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A text of this type.
    pub fn ok(content_type: &'static str, body: String) -> Self {
        Self { status: 200, content_type, body }
    }

    /// There is nothing at the path that was asked for; `body` says where there is something.
    pub fn not_found(body: String) -> Self {
        Self { status: 404, content_type: "text/plain; charset=utf-8", body }
    }
}

/// Answers each request with what `handler` gives, until the future is dropped.
pub async fn serve<H, F>(listener: TcpListener, limits: Limits, handler: H) -> Infallible
where
    H: Fn(Question) -> F + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let handler = Arc::new(handler);
    let mut connections: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.retain(|connection| !connection.is_finished());
                if connections.len() >= limits.connections
                    && let Some(oldest) = connections.pop_front()
                {
                    oldest.abort();
                }
                let serving = timeout(limits.whole, connection(stream, limits, handler.clone()));
                let serving = tokio::spawn(async move {
                    if serving.await.is_err() {
                        tracing::debug!("a connection for metrics has taken too long");
                    }
                });
                connections.push_back(serving.abort_handle());
            }
            Err(error) => {
                tracing::debug!(%error, "a connection for metrics cannot be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection<H, F>(stream: TcpStream, limits: Limits, handler: Arc<H>)
where
    H: Fn(Question) -> F + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let handler = handler.clone();
        async move { Ok::<_, Infallible>(answer(request, &*handler).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        // A scraper comes every few seconds; what it costs to connect again is less than what an idle
        // connection costs here.
        .keep_alive(false)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection for metrics has broken");
    }
}

async fn answer<H, F>(request: Request<Incoming>, handler: &H) -> Response<Full<Bytes>>
where
    H: Fn(Question) -> F,
    F: Future<Output = Answer>,
{
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = Response::new(Full::default());
        *refused.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let question =
        Question { path: request.uri().path().to_owned(), accept: accept.unwrap_or_default().to_owned() };
    let Answer { status, content_type, body } = handler(question).await;
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Instant;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn server(limits: Limits) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let handler = |question: Question| async move {
            match question.path.as_str() {
                "/metrics" => Answer::ok("text/plain", format!("accepts {}\n", question.accept)),
                _ => Answer::not_found("see /metrics\n".into()),
            }
        };
        tokio::spawn(async move { match serve(listener, limits, handler).await {} });
        address
    }

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn only_get_is_answered() {
        let address = server(Limits::default()).await;
        let found = ask(address, "GET /metrics?x=1 HTTP/1.1\r\nhost: h\r\naccept: a/b\r\n\r\n").await;
        assert!(found.starts_with("HTTP/1.1 200 OK\r\n") && found.ends_with("accepts a/b\n"), "{found}");
        assert!(found.contains("content-type: text/plain\r\n"), "{found}");
        let missing = ask(address, "GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
        assert!(missing.starts_with("HTTP/1.1 404 "), "{missing}");
        let posted = ask(address, "POST /metrics HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n").await;
        assert!(posted.starts_with("HTTP/1.1 405 ") && posted.contains("allow: GET, HEAD"), "{posted}");
    }

    #[tokio::test]
    async fn whoever_says_nothing_is_put_out() {
        let head = Duration::from_millis(200);
        let address = server(Limits { connections: 2, head, ..Limits::default() }).await;
        let begin = Instant::now();
        let mut silent = TcpStream::connect(address).await.unwrap();
        assert_eq!(silent.read(&mut [0; 8]).await.unwrap_or(0), 0);
        assert!(begin.elapsed() < Duration::from_secs(20));
    }

    #[tokio::test]
    async fn the_oldest_makes_room() {
        let address = server(Limits { connections: 2, ..Limits::default() }).await;
        let mut silent = Vec::new();
        for _ in 0..2 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let found = ask(address, "GET /metrics HTTP/1.1\r\nhost: h\r\n\r\n").await;
        assert!(found.starts_with("HTTP/1.1 200 "), "{found}");
        let begin = Instant::now();
        assert_eq!(silent[0].read(&mut [0; 8]).await.unwrap_or(0), 0);
        assert!(begin.elapsed() < Duration::from_secs(4), "it was not put out before its time was over");
    }
}
