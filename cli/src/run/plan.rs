//! Finds the plan of a program in what Flink's client prints for `info`, for the JSON answer of the command.

use std::io::PipeWriter;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::timeout;
use yarn_client::error::{CauseClass, Failure};

use crate::jobs::pass_on;

/// The words in the line above the plan. The line below it has only dashes.
const TITLE: &str = " Execution Plan ";
/// How long the output is still read after the end of the JVM, which may have left a process behind that
/// keeps the pipe open.
const DRAIN: Duration = Duration::from_secs(2);

/// Passes the standard output of a JVM on to stderr, and finds the plan in it.
#[derive(Debug)]
pub(super) struct Plan(UnboundedReceiver<Value>);

impl Plan {
    /// The reader, and the pipe that must be the standard output of the JVM. Fails if no pipe can be made.
    pub(super) fn read() -> Result<(Self, PipeWriter), Failure> {
        let (reader, writer) = std::io::pipe()
            .map_err(|e| Failure::because("cannot make a pipe for the output of Flink's client", e))?;
        let (send, plan) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let mut finder = Finder::default();
            pass_on(reader, std::io::stderr(), &mut |line| {
                if let Some(plan) = finder.line(line) {
                    // Nobody waits for it if the command was given up.
                    let _ = send.send(plan);
                }
            });
        });
        Ok((Self(plan), writer))
    }

    /// The plan, once the JVM has ended.
    pub(super) async fn found(mut self) -> Result<Value, Failure> {
        timeout(DRAIN, self.0.recv()).await.ok().flatten().ok_or_else(|| {
            Failure::new("Flink's client has printed no plan of the program")
                .of_class(CauseClass::Program)
                .hint("what it has printed instead stands above")
        })
    }
}

/// Finds the plan between its two lines.
#[derive(Debug, Default)]
struct Finder {
    /// The lines of the plan up to now; `None` outside of it.
    text: Option<String>,
}

impl Finder {
    /// Takes the next line. Returns the plan behind its last line.
    fn line(&mut self, line: &str) -> Option<Value> {
        let is_rule = line.len() > TITLE.len() && line.starts_with('-') && line.ends_with('-');
        if is_rule && line.contains(TITLE) {
            self.text = Some(String::new());
            return None;
        }
        if is_rule && line.bytes().all(|sign| sign == b'-') {
            return self.text.take().and_then(|text| serde_json::from_str(&text).ok());
        }
        if let Some(text) = &mut self.text {
            text.push_str(line);
            text.push('\n');
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(text: &str) -> Vec<Value> {
        let mut finder = Finder::default();
        text.lines().filter_map(|line| finder.line(line)).collect()
    }

    #[test]
    fn the_plan_stands_between_two_lines() {
        let rule = "-".repeat(62);
        let title = "----------------------- Execution Plan -----------------------";
        let plan = "{\n  \"nodes\" : [ {\n    \"id\" : 1\n  } ]\n}";
        let said = format!("hello\n{title}\n{plan}\n{rule}\n\nNo description provided.\n{rule}");
        assert_eq!(found(&said), [json!({"nodes": [{"id": 1}]})]);
        assert!(found(&format!("{rule}\n{plan}\n{rule}")).is_empty());
        assert!(found("JSON plan could not be generated.").is_empty());
        assert!(found(&format!("{title}\nno JSON\n{rule}")).is_empty());
    }
}
