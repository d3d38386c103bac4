//! What a NodeManager tells of the logs of containers that it still has. Its web services are those of
//! `org.apache.hadoop.yarn.server.nodemanager.webapp.NMWebServices`: below `/ws/v1/node`, the list of a
//! container's log files is at `containers/<container>/logs`, and a file at
//! `containerlogs/<container>/<file>`. The parameter `size` limits the answer, to the last bytes if it is
//! negative.
//!
//! A file comes with some lines in front, the last of which is `LogContents:`. They also tell the size of the
//! whole file, from which it follows where the text ends; behind it there are further lines.
//!
//! How a container has ended is at `containers/<container>`, until the ApplicationMaster has heard of it and
//! has said so by its next heartbeat.

use serde_json::Value;

/// A log file that a NodeManager has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveLog {
    /// Its name, without a directory.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was modified last, in the node's own words.
    pub modified: Option<String>,
}

/// Where the list of a container's log files is, on the NodeManager.
pub fn list_path(container: &str) -> String {
    format!("/ws/v1/node/containers/{container}/logs")
}

/// Where a log file is, on the NodeManager: all of it, or its last bytes.
pub fn log_path(container: &str, name: &str, last: Option<u64>) -> String {
    let name = escaped(name);
    match last {
        Some(last) => format!("/ws/v1/node/containerlogs/{container}/{name}?size=-{last}"),
        None => format!("/ws/v1/node/containerlogs/{container}/{name}"),
    }
}

/// Where the state of a container is, on the NodeManager.
pub fn container_path(container: &str) -> String {
    format!("/ws/v1/node/containers/{container}")
}

/// How a container has ended, as its NodeManager tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// YARN's exit status.
    pub status: i32,
    /// YARN's diagnostics.
    pub diagnostics: String,
}

/// The exit status of a container that has not ended, and of one that could not be started
/// (`ContainerExitStatus.INVALID`).
const INVALID: i32 = -1000;

/// How a container has ended, by the answer of its NodeManager. `None` if it has not ended, or if the answer
/// is about no container.
pub fn ended(answer: &[u8]) -> Option<Ended> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let container = answer.get("container").unwrap_or(&answer);
    let text = |key: &str| container.get(key).and_then(Value::as_str).unwrap_or_default();
    let status = container.get("exitCode")?;
    // A number, or a text with one.
    let status = status.as_i64().or_else(|| status.as_str()?.trim().parse().ok())?;
    let status = i32::try_from(status).ok()?;
    let is_over = status != INVALID || text("state") == "DONE";
    is_over.then(|| Ended { status, diagnostics: text("diagnostics").to_owned() })
}

/// A part of a path, with all characters escaped that could mean something else.
pub fn escaped(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for byte in part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The log files in an answer of a NodeManager. `None` if the answer is no list of log files.
///
/// The form differs between releases: what is a list may be a single object, and Hadoop 3.5 has another
/// object around it. Log files that were collected already are in the list, too; they are left out, because
/// the NodeManager does not have them.
pub fn list(answer: &[u8]) -> Option<Vec<LiveLog>> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let around = answer.get("containerLogsInfo").or_else(|| answer.get("containerLogsInfoes"))?;
    let groups = around.get("containerLogsInfo").unwrap_or(around);
    let mut found: Vec<LiveLog> = Vec::new();
    for group in each(groups) {
        let kind = group.get("logAggregationType").and_then(Value::as_str).unwrap_or("LOCAL");
        let files = group.get("containerLogInfo").filter(|_| kind == "LOCAL");
        for log in files.into_iter().flat_map(each).filter_map(log) {
            if !found.iter().any(|other| other.name == log.name) {
                found.push(log);
            }
        }
    }
    Some(found)
}

fn each(value: &Value) -> &[Value] {
    match value {
        Value::Array(list) => list,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

fn log(value: &Value) -> Option<LiveLog> {
    let size = value.get("fileSize")?;
    Some(LiveLog {
        name: value.get("fileName")?.as_str()?.to_owned(),
        // A number, or a text with one.
        size: size.as_u64().or_else(|| size.as_str()?.trim().parse().ok())?,
        modified: value.get("lastModifiedTime").and_then(Value::as_str).map(str::to_owned),
    })
}

/// The most that is in front of the text of a log file, in bytes.
const LARGEST_HEAD: usize = 16 << 10;

/// How an answer with a log file begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// More bytes are needed to know.
    More,
    /// With the lines in front of the text.
    Head {
        /// The size of the whole file, in bytes.
        size: u64,
        /// Where the text begins.
        text_at: usize,
    },
    /// The file is empty, so there is no text.
    Empty,
    /// With the text itself, as it is with other servers.
    Text,
}

/// How an answer begins of which these are the first bytes. `is_all` says that there are no more.
pub fn begin(bytes: &[u8], is_all: bool) -> Begin {
    const FIRST: [&str; 2] = ["Container: ", "LogType:"];
    const NO_TEXT: &str = "End of LogType:";
    let begins = |with: &str| bytes.starts_with(with.as_bytes());
    let may_begin = |with: &str| with.as_bytes().starts_with(bytes);
    if begins(NO_TEXT) {
        return Begin::Empty;
    }
    if !FIRST.iter().any(|first| begins(first)) {
        let undecided = FIRST.iter().any(|first| may_begin(first)) || may_begin(NO_TEXT);
        return if undecided && !is_all { Begin::More } else { Begin::Text };
    }
    let mut at = 0;
    let mut size = None;
    for line in
        bytes.get(..bytes.len().min(LARGEST_HEAD)).unwrap_or_default().split_inclusive(|b| *b == b'\n')
    {
        at += line.len();
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let line = String::from_utf8_lossy(line);
        if let Some(length) = line.strip_prefix("LogLength:") {
            size = length.trim().parse().ok();
        }
        if matches!(line.trim_end(), "LogContents:" | "Log Contents:") {
            return size.map_or(Begin::Text, |size| Begin::Head { size, text_at: at });
        }
    }
    if is_all || bytes.len() >= LARGEST_HEAD { Begin::Text } else { Begin::More }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "Container: container_1_0001_01_000001 on h:1\nLogAggregationType: LOCAL\n\
                        ====\nLogType:a.log\nLogLastModifiedTime:Mon Jan 01\nLogLength:12\nLogContents:\n";

    #[test]
    fn the_lists_of_all_releases() {
        let log = |name: &str, size| LiveLog { name: name.into(), size, modified: None };
        let both = [log("a.log", 12), log("b.out", 0)];
        for answer in [
            // Hadoop 2.10 to 3.4, where there are collected files, too.
            r#"{"containerLogsInfo":[
                {"containerLogInfo":[{"fileName":"a.log","fileSize":"12"},{"fileName":"b.out","fileSize":"0"}],
                 "logAggregationType":"LOCAL","containerId":"c","nodeId":"h:1"},
                {"containerLogInfo":{"fileName":"old.log","fileSize":"7"},"logAggregationType":"AGGREGATED"}]}"#,
            r#"{"containerLogsInfo":{"containerLogInfo":[{"fileName":"a.log","fileSize":12},
                {"fileName":"b.out","fileSize":0}],"logAggregationType":"LOCAL"}}"#,
            // Hadoop 3.5.
            r#"{"containerLogsInfoes":{"containerLogsInfo":[{"containerLogInfo":[
                {"fileName":"a.log","fileSize":"12"},{"fileName":"b.out","fileSize":"0"}],
                "logAggregationType":"LOCAL"}]}}"#,
        ] {
            assert_eq!(list(answer.as_bytes()).unwrap(), both, "{answer}");
        }
        let one = r#"{"containerLogsInfo":{"containerLogInfo":{"fileName":"a.log","fileSize":"12",
            "lastModifiedTime":"Mon"},"logAggregationType":"LOCAL"}}"#;
        assert_eq!(list(one.as_bytes()).unwrap()[0].modified.as_deref(), Some("Mon"));
        assert_eq!(list(br#"{"containerLogsInfo":{"logAggregationType":"LOCAL"}}"#), Some(Vec::new()));
        for no_list in [&b"<html>"[..], b"{}", b"[]", b"null", br#"{"RemoteException":{}}"#] {
            assert_eq!(list(no_list), None);
        }
    }

    #[test]
    fn how_a_container_has_ended() {
        let of = |json: &str| ended(json.as_bytes()).map(|ended| (ended.status, ended.diagnostics));
        let killed = r#"{"container":{"id":"container_1_0001_01_000002","state":"DONE","exitCode":-104,
            "diagnostics":"[2026-11-28 14:25:10.123]Container is running 5B beyond\nDump","user":"a"}}"#;
        let told = "[2026-11-28 14:25:10.123]Container is running 5B beyond\nDump".to_owned();
        assert_eq!(of(killed), Some((-104, told)));
        assert_eq!(of(r#"{"state":"DONE","exitCode":"143"}"#), Some((143, String::new())));
        assert_eq!(of(r#"{"container":{"state":"RUNNING","exitCode":-1000}}"#), None);
        assert_eq!(of(r#"{"container":{"state":"DONE","exitCode":-1000}}"#), Some((-1000, String::new())));
        for other in ["", "[]", "{}", r#"{"RemoteException":{}}"#, r#"{"container":{"exitCode":1e99}}"#] {
            assert_eq!(of(other), None, "{other}");
        }
        assert_eq!(container_path("c"), "/ws/v1/node/containers/c");
    }

    #[test]
    fn what_is_in_front_of_a_text() {
        let answer = format!("{HEAD}Container: text\nEnd of LogType:a.log.");
        assert_eq!(begin(answer.as_bytes(), false), Begin::Head { size: 12, text_at: HEAD.len() });
        for cut in 0..HEAD.len() {
            assert_eq!(begin(&HEAD.as_bytes()[..cut], false), Begin::More, "{cut}");
        }
        assert_eq!(begin(b"End of LogType:a.log.\n", false), Begin::Empty);
        assert_eq!(begin(b"2026-01-01 INFO x\n", false), Begin::Text);
        assert_eq!(begin(b"Cont", true), Begin::Text);
        assert_eq!(begin(b"", true), Begin::Text);
        let long = format!("Container: {}", "x".repeat(LARGEST_HEAD));
        assert_eq!(begin(long.as_bytes(), false), Begin::Text);
    }

    #[test]
    fn paths() {
        assert_eq!(
            log_path("c", "a b/../%.log", Some(5)),
            "/ws/v1/node/containerlogs/c/a%20b%2F..%2F%25.log?size=-5"
        );
        assert_eq!(log_path("c", "größe", None), "/ws/v1/node/containerlogs/c/gr%C3%B6%C3%9Fe");
    }

    proptest! {
        #[test]
        fn any_answer(bytes: Vec<u8>, text in "\\PC{0,60}", is_all: bool) {
            let _ = (list(&bytes), list(text.as_bytes()), ended(&bytes));
            let _ = (begin(&bytes, is_all), begin(&[HEAD.as_bytes(), &bytes].concat(), is_all));
        }
    }
}
