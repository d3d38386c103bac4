//! Reads along what Flink's SQL client prints while it runs a script, to find out whether a class of Hadoop
//! was missing. Flink prints that, and ends with 0.

use std::io::{PipeWriter, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use yarn_client::client_failure::lacks_hadoop;
use yarn_client::error::Failure;

/// How long the output is still read after the end of the program. It is not read to its end, because a
/// process that the program has left behind may keep the pipe open.
const DRAIN: Duration = Duration::from_secs(2);
/// The number of bytes that are looked at again with those that follow them, because the name of a class may
/// come in two parts.
const KEPT: usize = 1 << 10;

/// The output of a program, which is passed on to the standard output.
#[derive(Debug)]
pub(super) struct Overheard {
    lacks_hadoop: oneshot::Receiver<bool>,
    /// Whether a piece is being written. Whoever reads it may take any time.
    writing: Arc<AtomicBool>,
}

impl Overheard {
    /// The reader, and the pipe that must be the standard output of the program. Fails if no pipe can be
    /// made.
    pub(super) fn start() -> Result<(Self, PipeWriter), Failure> {
        let (reader, writer) = std::io::pipe()
            .map_err(|e| Failure::because("cannot make a pipe for the output of Flink's SQL client", e))?;
        let (tell, lacks_hadoop) = oneshot::channel();
        let writing = Arc::new(AtomicBool::new(false));
        let writes = Arc::clone(&writing);
        std::thread::spawn(move || {
            // If nobody waits for the answer, the command was given up.
            let _ = tell.send(pass_on(reader, std::io::stdout(), &writes));
        });
        Ok((Self { lacks_hadoop, writing }, writer))
    }

    /// Whether the program has said that a class of Hadoop is missing. It must have ended.
    pub(super) async fn lacks_hadoop(mut self) -> bool {
        loop {
            match timeout(DRAIN, &mut self.lacks_hadoop).await {
                Ok(told) => return told.unwrap_or(false),
                Err(_) if self.writing.load(Ordering::Acquire) => {}
                Err(_) => return false,
            }
        }
    }
}

/// Passes everything on at once. When nobody reads it any more, the pipe is closed, so that the program
/// notices it, too.
fn pass_on(mut from: impl Read, mut to: impl Write, writing: &AtomicBool) -> bool {
    let (mut piece, mut seen, mut found) = (vec![0; 16 << 10], Vec::new(), false);
    while let Ok(length @ 1..) = from.read(&mut piece) {
        let new = piece.get(..length).unwrap_or_default();
        writing.store(true, Ordering::Release);
        let written = to.write_all(new).and_then(|()| to.flush());
        writing.store(false, Ordering::Release);
        if written.is_err() {
            break;
        }
        seen.extend_from_slice(new);
        found = found || lacks_hadoop(&String::from_utf8_lossy(&seen));
        seen.drain(..seen.len().saturating_sub(KEPT));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a text in pieces of so many bytes.
    struct InPieces<'a>(&'a [u8], usize);

    impl Read for InPieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let (now, later) = self.0.split_at(self.1.min(self.0.len()));
            buffer[..now.len()].copy_from_slice(now);
            self.0 = later;
            Ok(now.len())
        }
    }

    #[test]
    fn a_missing_class_is_heard_of_in_any_pieces() {
        let said = "[INFO] Execute statement succeeded.\n[ERROR] Could not execute SQL statement. Reason:\n\
            java.lang.ClassNotFoundException: org.apache.hadoop.conf.Configuration\n\nShutting down the session...\ndone.\n";
        for size in [1, 7, 64, 10_000] {
            let mut passed = Vec::new();
            assert!(pass_on(InPieces(said.as_bytes(), size), &mut passed, &AtomicBool::default()), "{size}");
            assert_eq!(String::from_utf8(passed).unwrap(), said);
        }
        let other = said.replace("org.apache.hadoop.conf", "com.example");
        assert!(!pass_on(InPieces(other.as_bytes(), 64), Vec::new(), &AtomicBool::default()));
    }

    #[tokio::test]
    async fn output_that_does_not_end_holds_nothing_up() {
        let (overheard, _output) = Overheard::start().unwrap();
        assert!(!overheard.lacks_hadoop().await);
    }
}
