//! Whoever has started `heddle deploy`, as the standard input tells of it. It is held open by the caller for
//! as long as that needs this process. Its end before the cluster is ready means that the caller has gone.
//! Later, for a per-job cluster, it means that the caller's `main()` has ended: with exit code 0, or with the
//! one of the last line `{"exit": N}` before it.

use std::io::{BufRead, IsTerminal, Read};
use std::sync::Arc;

use rustix::fs::FileType;
use serde::Deserialize;
use tokio::sync::oneshot;
use yarn_client::error::Failure;
use yarn_client::report::Report;

/// The most bytes of a line that are read at once.
const LONGEST: u64 = 64 << 10;

/// What the standard input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// A pipe or a socket, which ends with the process at its other end.
    Pipe,
    /// A file or a terminal.
    Other,
    /// `/dev/null` or another device. The runtime of Rust opens it in the place of a standard input that is
    /// closed.
    Nobody,
}

impl Input {
    /// That of this process.
    pub(super) fn of_process() -> Self {
        let input = std::io::stdin();
        match rustix::fs::fstat(&input).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
            Ok(FileType::Fifo | FileType::Socket) => Self::Pipe,
            Ok(FileType::CharacterDevice) if !input.is_terminal() => Self::Nobody,
            Ok(_) => Self::Other,
            Err(_) => Self::Nobody,
        }
    }
}

/// What the caller has told last.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    exit: u8,
}

/// Hears the end of the standard input.
pub(super) struct Listener(oneshot::Receiver<u8>);

impl Listener {
    /// Waits for the end, and returns the exit code.
    pub(super) async fn ended(self) -> u8 {
        // The thread sends a code in any case.
        self.0.await.unwrap_or_default()
    }
}

/// Reads the standard input to its end. `report` hears of lines that are not understood.
pub(super) fn listen(report: Arc<dyn Report>) -> Result<Listener, Failure> {
    let (tell, told) = oneshot::channel();
    let read = move || {
        // If nobody waits any more, the command is over.
        let _ = tell.send(exit_code(std::io::stdin().lock(), &*report));
    };
    // A separate thread reads, because the process does not wait for it when it ends.
    let thread = std::thread::Builder::new().name("caller".to_owned());
    thread.spawn(read).map_err(|e| Failure::because("cannot read the standard input", e))?;
    Ok(Listener(told))
}

/// The exit code that the last line has told, once the input ends.
fn exit_code(mut input: impl BufRead, report: &dyn Report) -> u8 {
    let mut code = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        match input.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
            // An input that cannot be read any more has ended, too.
            Ok(0) | Err(_) => return code,
            Ok(_) if line.trim_ascii().is_empty() => {}
            Ok(_) => match serde_json::from_slice(&line) {
                Ok(Line { exit }) => code = exit,
                Err(error) => report.warn(&format!(
                    "a line of the standard input is not understood, and has no effect: {error}; {{\"exit\": N}} is"
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Told(Mutex<usize>);

    impl Report for Told {
        fn info(&self, _: &str) {}
        fn warn(&self, _: &str) {
            *self.0.lock().unwrap() += 1;
        }
    }

    #[test]
    fn the_last_line_tells_the_exit_code() {
        let of = |text: &str| {
            let told = Told::default();
            let code = exit_code(text.as_bytes(), &told);
            (code, *told.0.lock().unwrap())
        };
        assert_eq!(of(""), (0, 0));
        assert_eq!(of("\n \n"), (0, 0));
        assert_eq!(of("{\"exit\": 3}"), (3, 0));
        assert_eq!(of("{\"exit\": 3}\n{\"exit\": 0}\n"), (0, 0));
        for strange in ["stop\n", "{\"exit\": 300}\n", "{\"exit\": 1, \"why\": 2}\n", "{}\n"] {
            assert_eq!(of(&format!("{{\"exit\": 2}}\n{strange}")), (2, 1), "{strange}");
        }
        let long = "x".repeat(LONGEST as usize + 10);
        assert_eq!(of(&long), (0, 2));
    }

    #[tokio::test]
    async fn a_thread_that_is_gone_ends_the_wait() {
        let (tell, told) = oneshot::channel();
        drop(tell);
        assert_eq!(Listener(told).ended().await, 0);
    }
}
