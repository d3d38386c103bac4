//! The errors of calls to Flink's REST interface.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A call has failed. The error's text is one line; its source, if there is one, is the JobManager's whole
/// answer.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// There was no connection, so the call was not sent.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// The address that was to be called, `host:port`.
        address: String,
        /// The innermost cause.
        reason: String,
        /// Whether the host was reached, but nobody listens at the port.
        refused: bool,
    },
    /// The JobManager answers, but has no leader at the moment.
    #[error("the JobManager at {address} is not ready: {reason}")]
    Unavailable {
        /// The address that was called, `host:port`.
        address: String,
        /// The line of the JobManager's answer that says most.
        reason: String,
    },
    /// No answer came before the deadline.
    #[error("no answer from {address} within {} s", after.as_secs_f32())]
    Deadline {
        /// The address that was called, `host:port`.
        address: String,
        /// The time from the call to the deadline.
        after: Duration,
    },
    /// The connection broke. The JobManager may have carried out the call nevertheless.
    #[error("the connection to {address} broke: {reason}")]
    Broken {
        /// The address that was called, `host:port`.
        address: String,
        /// The innermost cause.
        reason: String,
    },
    /// The JobManager refused the call, or the operation that the call had started failed.
    #[error("{reason}")]
    Remote {
        /// The HTTP status of the answer; 200 if an operation failed after its start.
        status: u16,
        /// The line of the answer that says most about the cause.
        reason: String,
        /// The whole answer, with stack traces.
        #[source]
        full: FullText,
    },
    /// The answer does not come from Flink's REST interface, or it is not of the expected form.
    #[error("{address} does not answer as Flink's REST interface does (HTTP {status}): {reason}")]
    NotFlink {
        /// The address that was called, `host:port`.
        address: String,
        /// The HTTP status of the answer.
        status: u16,
        /// What is wrong with the answer, or its first line.
        reason: String,
    },
    /// The server's certificate does not count, so nothing was sent.
    #[error("{address} shows a certificate that does not count by {trusted}: {reason}")]
    Certificate {
        /// The address that was to be called, `host:port`.
        address: String,
        /// What decides which certificates count.
        trusted: String,
        /// What is wrong with the certificate.
        reason: String,
        /// What helps, where that is known.
        advice: Option<&'static str>,
    },
    /// Client and server could not agree on TLS, so nothing was carried out.
    #[error("cannot speak TLS with {address}: {reason}")]
    Handshake {
        /// The address that was to be called, `host:port`.
        address: String,
        /// Why.
        reason: String,
    },
    /// The server redirects to another address.
    #[error("{address} redirects{}, where heddle does not go", to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default())]
    Redirected {
        /// The address that was called, `host:port`.
        address: String,
        /// Where it redirects to, if it says so.
        to: Option<String>,
    },
    /// The server, or a proxy in front of it, wants a ticket of Kerberos by HTTP (SPNEGO): its answer has the
    /// status 401 and `WWW-Authenticate: Negotiate`.
    #[error("{address} wants to know by Kerberos who calls (SPNEGO), which heddle does not do over HTTP")]
    Negotiate {
        /// The address that was called, `host:port`.
        address: String,
    },
    /// The answer is too large.
    #[error("the answer of {address} is larger than {limit_mb} MiB, which is the most that heddle reads")]
    TooLarge {
        /// The address that was called, `host:port`.
        address: String,
        /// The size of the largest answer, in MiB.
        limit_mb: usize,
    },
    /// An operation has not ended in time. It continues in the JobManager.
    #[error("it has not ended within {} s (client.timeout)", after.as_secs_f32())]
    StillRunning {
        /// The time that was waited.
        after: Duration,
        /// The trigger id of the operation.
        trigger: String,
    },
    /// Something failed on this machine, so nothing was sent. The text says what.
    #[error("{0}")]
    Local(String),
}

/// The whole answer of a JobManager, which is shown only on request.
#[derive(Debug)]
pub struct FullText(pub String);

impl fmt::Display for FullText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for FullText {}

impl RestError {
    /// The error for an answer with this HTTP status and these texts.
    pub fn remote(status: u16, texts: &[String]) -> Self {
        let full = texts.join("\n");
        Self::Remote { status, reason: telling_line(texts), full: FullText(full) }
    }

    /// Whether the same call may succeed later.
    pub fn retry_helps(&self) -> bool {
        match self {
            // Flink answers 500 for every error in the JobManager or in the user's program. The status is 200
            // if an operation was started and failed later. Neither of them means that the error is
            // temporary.
            Self::Remote { status, .. } => matches!(status, 502..=504),
            Self::NotFlink { .. }
            | Self::Local(_)
            | Self::StillRunning { .. }
            | Self::Certificate { .. }
            | Self::Handshake { .. }
            | Self::Redirected { .. }
            | Self::Negotiate { .. }
            | Self::TooLarge { .. } => false,
            _ => true,
        }
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Remote { status, .. } | Self::NotFlink { status, .. } => Some(*status),
            Self::Negotiate { .. } => Some(401),
            _ => None,
        }
    }
}

/// The line of Flink's error texts that says most: the message of the innermost cause, without the names of
/// exception classes, and at most 400 characters of it.
///
/// Flink sends general words first ("Internal server error."), and then a stack trace between two marker
/// lines.
pub fn telling_line(texts: &[String]) -> String {
    let lines = || texts.iter().flat_map(|text| text.lines()).map(str::trim);
    let innermost =
        lines().filter_map(|line| line.strip_prefix("Caused by: ")).filter_map(message).next_back();
    let general =
        |line: &str| line == "Internal server error." || line.starts_with("<Exception on server side");
    let first = || lines().filter(|line| !line.is_empty() && !general(line)).find_map(message);
    let line = innermost.or_else(first).or_else(|| lines().find(|line| !line.is_empty()));
    let text: String = line.unwrap_or("no reason given").chars().take(400).collect();
    text
}

/// What a line of a stack trace says besides the names of exception classes; `None` if it says nothing else.
/// A message of one word keeps the name of its class without the package, because "ClassNotFoundException:
/// Job" says more than "Job".
fn message(line: &str) -> Option<&str> {
    let mut rest = line;
    let mut class_at = 0;
    loop {
        let (head, tail) = rest.split_once(": ").unwrap_or((rest.trim_end_matches(':'), ""));
        let is_class = head.ends_with("Exception") || head.ends_with("Error") || head.ends_with("Throwable");
        if !is_class || !head.contains('.') || head.contains(char::is_whitespace) {
            break;
        }
        class_at = line.len() - rest.len() + head.rfind('.').map_or(0, |dot| dot + 1);
        rest = tail;
    }
    match rest.trim() {
        "" => None,
        words if words.contains(char::is_whitespace) => Some(words),
        _ => Some(&line[class_at..]),
    }
}

/// The error of TLS in an error of a connection, if it is one. An error of input or output does not name the
/// error in it as its source, and there may be several around each other.
pub(crate) fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref().or_else(|| tls_error(error.downcast_ref::<std::io::Error>()?.get_ref()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(texts: &[&str]) -> String {
        telling_line(&texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_innermost_message_is_told() {
        let trace = "<Exception on server side:\njava.util.concurrent.CompletionException: \
                     org.apache.flink.util.FlinkException: outer\n\tat x.Y.z(Y.java:1)\nCaused by: \
                     org.apache.flink.util.FlinkException: inner: with colon\n\tat a.B.c(B.java)\nCaused by: \
                     java.lang.NullPointerException\n\tat d\nEnd of exception on server side>";
        assert_eq!(line(&["Internal server error.", trace]), "inner: with colon");
        assert_eq!(
            line(&["org.apache.flink.runtime.rest.NotFoundException: Job 1 not found\n\tat x"]),
            "Job 1 not found"
        );
        assert_eq!(
            line(&["Config key [state.savepoints.dir] is not set."]),
            "Config key [state.savepoints.dir] is not set."
        );
        assert_eq!(line(&["java.lang.NullPointerException"]), "java.lang.NullPointerException");
        assert_eq!(
            line(&["x\nCaused by: java.lang.ClassNotFoundException: Job\n\tat a"]),
            "ClassNotFoundException: Job"
        );
        assert_eq!(line(&["a.AException: b.BException: Job"]), "BException: Job");
        assert_eq!(line(&["Internal server error."]), "Internal server error.");
        assert_eq!(line(&[]), "no reason given");
    }

    #[test]
    fn retry_is_offered_only_where_it_may_help() {
        let remote = |status| RestError::remote(status, &["x".into()]);
        assert!(!remote(404).retry_helps() && !remote(200).retry_helps());
        assert!(remote(502).retry_helps() && !remote(500).retry_helps());
    }
}
