//! Real pipes, with programs of the system on their other ends.

use std::process::{Child, Command, Stdio};

use tokio::io::AsyncReadExt as _;

use super::*;

const HELLO: &str = r#"{"type":"hello","protocol":2,"flink":"x","pid":1}"#;

fn start() -> (Bridge, mpsc::UnboundedReceiver<BridgeEvent>) {
    let (sender, events) = mpsc::unbounded_channel();
    (Bridge::start(move |event| drop(sender.send(event))), events)
}

/// The JVM's ends in this process.
fn connect(bridge: &Bridge) -> (pipe::Receiver, pipe::Sender) {
    let (to_jvm, input) = pipe::pipe().unwrap();
    let (output, from_jvm) = pipe::pipe().unwrap();
    bridge.take_pipes()(Pipes { from_jvm, to_jvm });
    (input, output)
}

/// A shell in the place of the JVM, with the pipes as stdin and stdout.
fn shell(bridge: &Bridge, script: &str) -> Child {
    let (input, output) = connect(bridge);
    let (input, output) = (input.into_blocking_fd().unwrap(), output.into_blocking_fd().unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", script, HELLO]).stdin(Stdio::from(input)).stdout(Stdio::from(output));
    command.spawn().unwrap()
}

fn is_hello(event: &Option<BridgeEvent>) -> bool {
    matches!(event, Some(BridgeEvent::Line(FromJvm::Hello { .. })))
}

#[tokio::test]
async fn lines_go_both_ways_and_the_end_is_told() {
    let (bridge, mut events) = start();
    assert!(!bridge.send(ToJvm::Deregistered));
    let (mut input, mut output) = connect(&bridge);
    assert!(!bridge.send(ToJvm::Deregistered));
    output.write_all(format!("{HELLO}\n").as_bytes()).await.unwrap();
    assert!(is_hello(&events.recv().await));
    output.write_all(b"{\"type\":\"cancel\",\"id\":5}\n\n{\"type\":\"ne").await.unwrap();
    assert!(matches!(events.recv().await, Some(BridgeEvent::Line(FromJvm::Cancel { id: 5 }))));
    output.write_all(b"w\"}\n").await.unwrap();
    assert!(matches!(events.recv().await, Some(BridgeEvent::Line(FromJvm::Unknown))));
    assert!(bridge.send(ToJvm::Failed { id: 5, reason: "no".into() }));
    let expected = b"{\"type\":\"failed\",\"id\":5,\"reason\":\"no\"}\n";
    let mut line = vec![0; expected.len()];
    input.read_exact(&mut line).await.unwrap();
    assert_eq!(line, expected);
    drop((input, output));
    assert!(matches!(events.recv().await, Some(BridgeEvent::Closed(_))));
    assert!(!bridge.send(ToJvm::Deregistered));
}

#[tokio::test]
async fn what_a_program_has_said_before_it_died_is_heard() {
    let (bridge, mut events) = start();
    let mut child = shell(&bridge, r#"echo "$0"; echo '{"type":"pong"}'; kill -9 $$"#);
    assert!(is_hello(&events.recv().await));
    assert!(matches!(events.recv().await, Some(BridgeEvent::Line(FromJvm::Pong))));
    let end = events.recv().await;
    assert!(matches!(&end, Some(BridgeEvent::Closed(why)) if why.contains("closed")), "{end:?}");
    child.wait().unwrap();
}

#[tokio::test]
async fn the_end_of_the_bridge_is_the_end_of_the_programs_input() {
    let (bridge, mut events) = start();
    let mut child = shell(&bridge, r#"echo "$0"; cat > /dev/null; exit 7"#);
    assert!(is_hello(&events.recv().await));
    drop(bridge);
    let code = tokio::task::spawn_blocking(move || child.wait().unwrap().code()).await.unwrap();
    assert_eq!(code, Some(7));
    assert!(matches!(events.recv().await, Some(BridgeEvent::Closed(_))));
}

#[tokio::test]
async fn the_newest_pipes_count_even_if_somebody_holds_the_old_ones() {
    let (bridge, mut events) = start();
    let (_held, mut output) = connect(&bridge);
    output.write_all(format!("{HELLO}\n").as_bytes()).await.unwrap();
    assert!(is_hello(&events.recv().await));
    let mut child = shell(&bridge, r#"echo "$0"; read line; echo "$line" >&2; echo '{"type":"pong"}'"#);
    assert!(matches!(events.recv().await, Some(BridgeEvent::Closed(_))));
    assert!(is_hello(&events.recv().await));
    assert!(bridge.send(ToJvm::Ping));
    assert!(matches!(events.recv().await, Some(BridgeEvent::Line(FromJvm::Pong))));
    assert!(matches!(events.recv().await, Some(BridgeEvent::Closed(_))));
    child.wait().unwrap();
}

#[tokio::test]
async fn another_release_and_what_is_no_hello_are_refused() {
    let long = "x".repeat(10_000);
    let of_before = r#"{"type":"hello","secret":"s","protocol":1,"flink":"x","pid":1}"#;
    let (bridge, mut events) = start();
    for first in [of_before, &long, r#"{"type":"cancel","id":1}"#, "nonsense", "{\"type\":\"hello\"}"] {
        let (mut input, mut output) = connect(&bridge);
        output.write_all(format!("{first}\n").as_bytes()).await.unwrap();
        assert_eq!(input.read(&mut [0]).await.unwrap(), 0, "{first}");
        assert!(!bridge.send(ToJvm::Ping));
    }
    assert!(events.try_recv().is_err());
}

#[tokio::test]
async fn a_line_without_end_ends_the_connection() {
    let (bridge, mut events) = start();
    let mut child = shell(&bridge, r#"echo "$0"; tr '\0' x < /dev/zero"#);
    assert!(is_hello(&events.recv().await));
    let end = events.recv().await;
    assert!(matches!(&end, Some(BridgeEvent::Closed(why)) if why.contains("longer than")), "{end:?}");
    // SIGPIPE ends it.
    child.wait().unwrap();
}

#[tokio::test]
async fn a_program_that_does_not_read_gets_no_more() {
    let (to_jvm, input) = pipe::pipe().unwrap();
    let mut child =
        Command::new("sleep").arg("600").stdin(input.into_blocking_fd().unwrap()).spawn().unwrap();
    let (outbox, messages) = mpsc::unbounded_channel();
    outbox.send(ToJvm::Ping).unwrap();
    outbox.send(ToJvm::Fatal { reason: "r".repeat(1 << 20) }).unwrap();
    let writing = write_lines(to_jvm, messages, Duration::from_millis(100));
    tokio::time::timeout(Duration::from_secs(60), writing).await.unwrap();
    assert!(outbox.send(ToJvm::Ping).is_err());
    child.kill().unwrap();
    child.wait().unwrap();
}
