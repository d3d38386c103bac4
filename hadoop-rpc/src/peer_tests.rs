//! The connection against peers that behave badly: raw sockets that follow a script.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{BufMut as _, Bytes};
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::proto::rpc_response_header::Status;
use crate::proto::rpc_sasl::{Auth, State};
use crate::proto::{IpcConnectionContext, RequestHeader, RpcRequestHeader, RpcResponseHeader, RpcSasl};
use crate::{
    AuthPolicy, KerberosProblem, Mechanism, MechanismFactory, SaslConnection, SaslError, SaslMethod,
    SaslOffer, SecurityLayer,
};
use crate::{
    CallOptions, ClientOptions, Endpoint, ErrorKind, HadoopConf, Login, Protocol, RemoteKind, Retry,
    RpcClient,
};
use crate::{RetryPolicy, RpcError, RpcGroup, Sent, UserIdentity};

const PROTOCOL: Protocol = Protocol { name: "org.example.Echo", version: 7, security: None };

#[derive(Clone, PartialEq, prost::Message)]
struct Text {
    #[prost(string, required, tag = "1")]
    text: String,
}

fn text(text: &str) -> Text {
    Text { text: text.into() }
}

struct Peer {
    listener: TcpListener,
}

struct Accepted {
    stream: TcpStream,
}

impl Peer {
    async fn new() -> (Self, RpcClient) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint::new("127.0.0.1", listener.local_addr().unwrap().port());
        let options = ClientOptions {
            deadline: Duration::from_secs(5),
            max_frame: 1 << 20,
            ..ClientOptions::simple(
                &HadoopConf::default(),
                Login::simple(UserIdentity::proxied("ann", "bob")),
            )
            .unwrap()
        };
        (Self { listener }, RpcClient::new(endpoint, PROTOCOL, options))
    }

    /// Takes a connection with its preamble and context.
    async fn accept(&self) -> Accepted {
        let mut accepted = Accepted { stream: self.listener.accept().await.unwrap().0 };
        let mut preamble = [0; 7];
        accepted.stream.read_exact(&mut preamble).await.unwrap();
        assert_eq!(&preamble, b"hrpc\x09\0\0");
        let mut frame = accepted.frame().await;
        let header = RpcRequestHeader::decode_length_delimited(&mut frame).unwrap();
        let context = IpcConnectionContext::decode_length_delimited(&mut frame).unwrap();
        assert_eq!((header.call_id, header.client_id.len()), (-3, 16));
        let user = context.user_info.unwrap();
        assert_eq!((user.effective_user(), user.real_user()), ("ann", "bob"));
        assert_eq!(context.protocol.as_deref(), Some(PROTOCOL.name));
        accepted
    }
}

impl Accepted {
    async fn frame(&mut self) -> Bytes {
        let length = self.stream.read_u32().await.unwrap();
        let mut frame = vec![0; length as usize];
        self.stream.read_exact(&mut frame).await.unwrap();
        frame.into()
    }

    async fn request(&mut self) -> (i32, String) {
        let mut frame = self.frame().await;
        let header = RpcRequestHeader::decode_length_delimited(&mut frame).unwrap();
        let method = RequestHeader::decode_length_delimited(&mut frame).unwrap();
        assert_eq!((method.method_name.as_str(), method.client_protocol_version), ("echo", 7));
        (header.call_id, Text::decode_length_delimited(&mut frame).unwrap().text)
    }

    async fn send(&mut self, header: RpcResponseHeader, body: Option<Text>) {
        let mut bytes = header.encode_length_delimited_to_vec();
        bytes.extend(body.iter().flat_map(|b| b.encode_length_delimited_to_vec()));
        let mut out = Vec::new();
        out.put_u32(bytes.len() as u32);
        out.extend(bytes);
        self.stream.write_all(&out).await.unwrap();
    }

    async fn answer(&mut self, id: i32, body: &str) {
        let header = RpcResponseHeader { call_id: id as u32, ..Default::default() };
        self.send(header, Some(text(body))).await;
    }

    async fn refuse(&mut self, id: i32, status: Status, class: &str) {
        let header = RpcResponseHeader {
            call_id: id as u32,
            status: status.into(),
            exception_class_name: Some(class.into()),
            error_msg: Some(format!("{class}: no\n\tat org.Example(1)")),
            ..Default::default()
        };
        self.send(header, None).await;
    }
}

async fn echo(client: &RpcClient, what: &str) -> Result<String, RpcError> {
    client.call::<_, Text>("echo", &text(what)).await.map(|t| t.text)
}

fn spawn_echo(client: &RpcClient, what: &'static str) -> tokio::task::JoinHandle<Result<String, RpcError>> {
    let client = client.clone();
    tokio::spawn(async move { echo(&client, what).await })
}

#[tokio::test]
async fn answers_in_any_order() {
    let (peer, client) = Peer::new().await;
    let calls = ["a", "b", "c"].map(|t| (t, spawn_echo(&client, t)));
    let mut server = peer.accept().await;
    let mut requests = Vec::new();
    for _ in 0..3 {
        requests.push(server.request().await);
    }
    server.answer(77, "nobody asked").await;
    for (id, text) in requests.into_iter().rev() {
        server.answer(id, &text).await;
    }
    for (text, call) in calls {
        assert_eq!(call.await.unwrap().unwrap(), text);
    }
}

#[tokio::test]
async fn an_error_keeps_the_connection_and_a_fatal_one_ends_all() {
    let (peer, client) = Peer::new().await;
    let server = async {
        let mut server = peer.accept().await;
        let (id, _) = server.request().await;
        server.refuse(id, Status::Error, "org.apache.hadoop.ipc.StandbyException").await;
        server.request().await;
        server.request().await;
        server.refuse(-1, Status::Fatal, "org.apache.hadoop.security.AccessControlException").await;
    };
    let calls = async {
        let e = echo(&client, "a").await.unwrap_err();
        assert_eq!(e.to_string(), format!("echo on {}: no (StandbyException)", client.endpoint()));
        assert_eq!((e.retry(), e.remote().unwrap().fatal), (Retry::OtherServer, false));
        let (a, b) = tokio::join!(echo(&client, "b"), echo(&client, "c"));
        for e in [a.unwrap_err(), b.unwrap_err()] {
            assert!(e.is_remote(RemoteKind::AccessControl) && e.remote().unwrap().fatal);
        }
    };
    tokio::join!(server, calls);
}

#[tokio::test]
async fn a_fatal_error_of_one_call_leaves_the_others_uncertain() {
    let (peer, client) = Peer::new().await;
    let server = async {
        let mut server = peer.accept().await;
        let first = server.request().await;
        let second = server.request().await;
        let bad = [first, second].into_iter().find(|(_, text)| text == "bad").unwrap();
        server.refuse(bad.0, Status::Fatal, "org.apache.hadoop.ipc.RetriableException").await;
    };
    let (bad, other, ()) = tokio::join!(echo(&client, "bad"), echo(&client, "other"), server);
    assert_eq!(bad.unwrap_err().retry(), Retry::Later);
    let other = other.unwrap_err();
    assert!(matches!(other.kind(), ErrorKind::Disconnected { sent: Sent::Maybe, .. }), "{other}");
}

#[tokio::test]
async fn a_broken_connection_fails_all_calls_at_once_and_is_replaced() {
    let (peer, client) = Peer::new().await;
    let calls = ["a", "b"].map(|t| spawn_echo(&client, t));
    let mut server = peer.accept().await;
    server.request().await;
    server.request().await;
    let begun = Instant::now();
    server.stream.set_zero_linger().unwrap();
    drop(server);
    for call in calls {
        let e = call.await.unwrap().unwrap_err();
        assert!(matches!(e.kind(), ErrorKind::Disconnected { sent: Sent::Maybe, .. }), "{e}");
        assert_eq!(e.retry(), Retry::IfIdempotent);
    }
    assert!(begun.elapsed() < Duration::from_secs(1));

    let again = spawn_echo(&client, "again");
    let mut server = peer.accept().await;
    let (id, text) = server.request().await;
    server.answer(id, &text).await;
    assert_eq!(again.await.unwrap().unwrap(), "again");
    // Closed while nobody waits: the next call does not notice.
    drop(server);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let quiet = spawn_echo(&client, "quiet");
    let mut server = peer.accept().await;
    let (id, text) = server.request().await;
    server.answer(id, &text).await;
    assert_eq!(quiet.await.unwrap().unwrap(), "quiet");
}

#[tokio::test]
async fn a_mute_server_costs_the_deadline_and_its_connection() {
    let (peer, client) = Peer::new().await;
    let quick = CallOptions { deadline: Some(Duration::from_millis(100)), ..Default::default() };
    let e = client.call_with::<_, Text>("echo", &text("a"), quick).await.unwrap_err();
    assert_eq!(e.to_string(), format!("echo on {}: no answer within 0.1 s", client.endpoint()));
    let mut mute = peer.accept().await;
    mute.request().await;
    let next = spawn_echo(&client, "b");
    let mut server = peer.accept().await;
    let (id, text) = server.request().await;
    server.answer(id, &text).await;
    assert_eq!(next.await.unwrap().unwrap(), "b");
}

#[tokio::test]
async fn a_late_answer_to_a_call_that_gave_up_harms_nobody() {
    let (peer, client) = Peer::new().await;
    let slow = spawn_echo(&client, "slow");
    let mut server = peer.accept().await;
    let (slow_id, _) = server.request().await;
    slow.abort();
    let next = spawn_echo(&client, "next");
    let (id, _) = server.request().await;
    server.answer(slow_id, "late").await;
    server.answer(id, "next").await;
    assert_eq!(next.await.unwrap().unwrap(), "next");
}

#[tokio::test]
async fn strange_answers_are_named() {
    for (bytes, expect) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "this is not a Hadoop RPC port: it answers as a web server",
        ),
        (
            b"",
            "the connection broke before the answer came: the server closed the connection without an answer",
        ),
        (b"\0\0\0\x05\x03\x08", "inside a message"),
        (b"\x10\0\0\0", "a message of 268435456 bytes is larger than the limit of 1048576 bytes"),
        (b"\0\0\0\x02\xff\xff", "the answer cannot be understood: header"),
    ] {
        let (peer, client) = Peer::new().await;
        let call = spawn_echo(&client, "a");
        let mut server = peer.accept().await;
        server.request().await;
        server.stream.write_all(bytes).await.unwrap();
        drop(server);
        let e = call.await.unwrap().unwrap_err().to_string();
        assert!(e.contains(expect), "{e}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_fit_fails_only_its_call() {
    let (peer, client) = Peer::new().await;
    let call = spawn_echo(&client, "a");
    let mut server = peer.accept().await;
    let (id, _) = server.request().await;
    let header = RpcResponseHeader { call_id: id as u32, ..Default::default() };
    let mut bytes = header.encode_length_delimited_to_vec();
    bytes.extend([3, 0xff, 0xff, 0xff]);
    server.stream.write_u32(bytes.len() as u32).await.unwrap();
    server.stream.write_all(&bytes).await.unwrap();
    let e = call.await.unwrap().unwrap_err();
    assert!(matches!(e.kind(), ErrorKind::Malformed(_)), "{e}");
    let next = spawn_echo(&client, "b");
    let (id, _) = server.request().await;
    server.answer(id, "b").await;
    assert_eq!(next.await.unwrap().unwrap(), "b");
}

#[tokio::test]
async fn the_first_caller_may_give_up_while_others_wait() {
    let (peer, client) = Peer::new().await;
    let first = spawn_echo(&client, "first");
    tokio::task::yield_now().await;
    first.abort();
    let second = spawn_echo(&client, "second");
    let mut server = peer.accept().await;
    loop {
        let (id, text) = server.request().await;
        server.answer(id, &text).await;
        if text == "second" {
            break;
        }
    }
    assert_eq!(second.await.unwrap().unwrap(), "second");
    // The last client is gone, so the connection is closed, too.
    drop(client);
    assert_eq!(server.stream.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn only_harmless_calls_are_repeated_after_an_uncertain_end() {
    for idempotent in [false, true] {
        let (peer, client) = Peer::new().await;
        let policy = RetryPolicy {
            max_attempts: 3,
            min_delay: Duration::from_millis(1),
            max_delay: Duration::from_millis(2),
            max_elapsed: Duration::from_secs(5),
        };
        let group = RpcGroup::new(client, vec![], policy);
        let options = CallOptions { idempotent, ..Default::default() };
        let call = tokio::spawn(async move { group.call_with::<_, Text>("echo", &text("a"), options).await });
        let mut server = peer.accept().await;
        server.request().await;
        drop(server);
        if idempotent {
            let mut server = peer.accept().await;
            let (id, text) = server.request().await;
            server.answer(id, &text).await;
            assert!(call.await.unwrap().is_ok());
        } else {
            let e = call.await.unwrap().unwrap_err();
            assert_eq!((e.retry(), e.attempts()), (Retry::IfIdempotent, 1));
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_waited_for_and_a_name_that_nobody_has_is_not() {
    let policy = RetryPolicy {
        max_attempts: u32::MAX,
        min_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(10),
        max_elapsed: Duration::from_millis(300),
    };
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (host, waited) in [("127.0.0.1", true), ("no-such-host.invalid", false)] {
        let endpoint = Endpoint::new(host, closed.port());
        let client = RpcClient::new(
            endpoint,
            PROTOCOL,
            ClientOptions::simple(&HadoopConf::default(), Login::simple(UserIdentity::new("ann"))).unwrap(),
        );
        let heard = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&heard);
        let listener = move |_: &RpcError| {
            count.fetch_add(1, Ordering::Relaxed);
        };
        let group = RpcGroup::new(client, vec![], policy.clone()).on_wait(Arc::new(listener));
        let error = group.call::<_, Text>("echo", &text("a")).await.unwrap_err();
        assert_eq!(error.is_unknown_host(), !waited, "{error}");
        assert_eq!((error.attempts() > 3, heard.load(Ordering::Relaxed) > 3), (waited, waited), "{error}");
    }
}

/// Two servers, of which one is active, and what the client has heard.
async fn pair(known: Option<usize>) -> ([Peer; 2], RpcGroup, Arc<AtomicUsize>) {
    let ((first, one), (second, two)) = (Peer::new().await, Peer::new().await);
    let active = Arc::new(AtomicUsize::new(9));
    let heard = Arc::clone(&active);
    let group = RpcGroup::new(one, vec![two], RetryPolicy::NONE)
        .on_active(Arc::new(move |index| heard.store(index, Ordering::Relaxed)));
    let group = match known {
        Some(index) => group.with_active(index),
        None => group,
    };
    ([first, second], group, active)
}

const HARMLESS: CallOptions = CallOptions { deadline: None, idempotent: true };

#[tokio::test]
async fn all_are_asked_at_once_as_long_as_none_has_answered() {
    let ([silent, active], group, heard) = pair(None).await;
    let call = tokio::spawn({
        let group = group.clone();
        async move { group.call_with::<_, Text>("echo", &text("a"), HARMLESS).await }
    });
    let mut server = active.accept().await;
    let (id, asked) = server.request().await;
    let mut hung = silent.accept().await;
    hung.request().await;
    server.answer(id, &asked).await;
    assert!(call.await.unwrap().is_ok());
    assert_eq!(
        (heard.load(Ordering::Relaxed), group.current().endpoint().port()),
        (1, active.listener.local_addr().unwrap().port())
    );
}

#[tokio::test]
async fn the_one_that_is_known_is_asked_alone_while_it_answers() {
    let ([first, second], group, heard) = pair(Some(1)).await;
    let call = tokio::spawn({
        let group = group.clone();
        async move { group.call_with::<_, Text>("echo", &text("a"), HARMLESS).await }
    });
    let mut server = second.accept().await;
    let (id, asked) = server.request().await;
    server.answer(id, &asked).await;
    assert!(call.await.unwrap().is_ok());
    assert_eq!(heard.load(Ordering::Relaxed), 9, "it is the same as before");
    // It is cut off: the other one takes over.
    let call = tokio::spawn(async move { group.call_with::<_, Text>("echo", &text("b"), HARMLESS).await });
    server.request().await;
    let mut other = first.accept().await;
    let (id, asked) = other.request().await;
    other.answer(id, &asked).await;
    assert!(call.await.unwrap().is_ok());
    assert_eq!(heard.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn another_one_that_becomes_active_is_found_while_the_known_one_hangs() {
    let ([hung, standby], group, heard) = pair(Some(0)).await;
    let call = tokio::spawn(async move { group.call_with::<_, Text>("echo", &text("a"), HARMLESS).await });
    let mut silent = hung.accept().await;
    silent.request().await;
    let mut server = standby.accept().await;
    for _ in 0..2 {
        let (id, _) = server.request().await;
        server.refuse(id, Status::Error, "org.apache.hadoop.ipc.StandbyException").await;
    }
    assert_eq!(heard.load(Ordering::Relaxed), 9, "none is active");
    let (id, asked) = server.request().await;
    server.answer(id, &asked).await;
    // The deadline of a try, for which the one that hangs could be waited for, is five seconds.
    assert!(call.await.unwrap().is_ok());
    assert_eq!(heard.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_call_ends_when_none_answers() {
    let ([_first, _second], group, heard) = pair(Some(0)).await;
    // The second one is asked half a second after the first one, and is late when that one is over already.
    let options = CallOptions { deadline: Some(Duration::from_millis(600)), idempotent: true };
    let asked = text("a");
    let call = group.call_with::<_, Text>("echo", &asked, options);
    let error = tokio::time::timeout(Duration::from_secs(4), call).await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Deadline { .. }), "{error}");
    assert_eq!((error.attempts(), heard.load(Ordering::Relaxed)), (2, 9), "{error}");
}

#[tokio::test]
async fn the_active_one_is_known_by_what_it_refuses_too() {
    let ([first, second], group, heard) = pair(Some(0)).await;
    let call = tokio::spawn({
        let group = group.clone();
        async move { group.call_with::<_, Text>("echo", &text("a"), HARMLESS).await }
    });
    let mut server = first.accept().await;
    let (id, _) = server.request().await;
    server.refuse(id, Status::Error, "org.apache.hadoop.ipc.StandbyException").await;
    let mut other = second.accept().await;
    let (id, _) = other.request().await;
    let class = "org.apache.hadoop.yarn.exceptions.ApplicationMasterNotRegisteredException";
    other.refuse(id, Status::Error, class).await;
    assert!(call.await.unwrap().unwrap_err().is_remote(RemoteKind::MasterNotRegistered));
    assert_eq!(heard.load(Ordering::Relaxed), 1);
    // What follows goes there at once, also if it must not be executed twice.
    let call = tokio::spawn(async move { group.call::<_, Text>("echo", &text("b")).await });
    let (id, asked) = other.request().await;
    other.answer(id, &asked).await;
    assert!(call.await.unwrap().is_ok());
}

/// Kerberos that is believed, after the time that it takes.
#[derive(Clone, Copy)]
struct Slow(Duration);

impl MechanismFactory for Slow {
    fn method(&self) -> &str {
        "KERBEROS"
    }
    fn start(&self, _: &SaslOffer, _: SaslConnection<'_>) -> Result<Option<Box<dyn Mechanism>>, SaslError> {
        std::thread::sleep(self.0);
        Ok(Some(Box::new(*self)))
    }
}

impl Mechanism for Slow {
    fn step(&mut self, _: Option<&[u8]>) -> Result<Vec<u8>, SaslError> {
        Ok(b"proof".to_vec())
    }
    fn finish(&mut self, _: Option<&[u8]>) -> Result<Option<SecurityLayer>, SaslError> {
        Ok(None)
    }
}

/// Calls a server that offers Kerberos. Returns the user of the connection's context, or the error.
async fn with_kerberos(slow: Duration, user: UserIdentity) -> Result<Option<(String, String)>, ErrorKind> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::new("127.0.0.1", listener.local_addr().unwrap().port());
    let auth = AuthPolicy::Sasl(vec![SaslMethod::Other(Arc::new(Slow(slow)))]);
    let options = ClientOptions::simple(&HadoopConf::default(), Login::simple(user)).unwrap().with_auth(auth);
    let options = ClientOptions { connect_timeout: Duration::from_millis(500), ..options };
    let call = spawn_echo(&RpcClient::new(endpoint, PROTOCOL, options), "a");
    let mut server = Accepted { stream: listener.accept().await.unwrap().0 };
    server.stream.read_exact(&mut [0; 7]).await.unwrap();
    let offer = Auth { method: "KERBEROS".into(), mechanism: "GSSAPI".into(), ..Default::default() };
    for (state, auths) in [(State::Negotiate, vec![offer]), (State::Success, Vec::new())] {
        let Ok(length) = server.stream.read_u32().await else {
            return Err(call.await.unwrap().unwrap_err().kind().clone());
        };
        server.stream.read_exact(&mut vec![0; length as usize]).await.unwrap();
        let answer = RpcSasl { state: state.into(), auths, ..Default::default() };
        let header = RpcResponseHeader { call_id: (-33_i32).cast_unsigned(), ..Default::default() };
        let mut bytes = header.encode_length_delimited_to_vec();
        bytes.extend(answer.encode_length_delimited_to_vec());
        server.stream.write_u32(bytes.len() as u32).await.unwrap();
        server.stream.write_all(&bytes).await.unwrap();
    }
    let mut frame = server.frame().await;
    RpcRequestHeader::decode_length_delimited(&mut frame).unwrap();
    let context = IpcConnectionContext::decode_length_delimited(&mut frame).unwrap();
    Ok(context.user_info.map(|user| (user.effective_user().to_owned(), user.real_user().to_owned())))
}

#[tokio::test]
async fn a_mechanism_that_blocks_holds_up_nobody_and_has_a_deadline() {
    let before = Instant::now();
    let user = || UserIdentity::new("ann");
    // The runtime of this test has one thread.
    let (slow, quick) =
        tokio::join!(with_kerberos(Duration::from_secs(3), user()), with_kerberos(Duration::ZERO, user()),);
    assert_eq!(quick.unwrap(), None);
    let slow = slow.unwrap_err();
    assert!(matches!(slow, ErrorKind::Kerberos { problem: KerberosProblem::KdcUnreachable, .. }), "{slow}");
    assert!(slow.to_string().ends_with("no KDC has answered within 0.5 s"), "{slow}");
    assert!(before.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn with_kerberos_only_somebody_else_is_named() {
    let named = async |user| with_kerberos(Duration::ZERO, user).await.unwrap();
    assert_eq!(named(UserIdentity::new("ann")).await, None);
    let proxied = named(UserIdentity::proxied("ann", "bob")).await;
    assert_eq!(proxied, Some(("ann".into(), String::new())));
}
