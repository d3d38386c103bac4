//! The log of heddle's programs in a container: their standard error stream, which YARN keeps in a file.

use tracing_subscriber::EnvFilter;

/// Everything from the level INFO on. Of the libraries that read what strangers send only errors count: their
/// warnings have no limit, so anybody could fill the disk with them.
const USUAL: &str = "info,h2=error,hyper=error,hyper_util=error,tonic=error,rustls=error";

/// Begins to log. The variable `HEDDLE_LOG` says what is logged.
pub fn start() {
    let filter = EnvFilter::try_from_env("HEDDLE_LOG").unwrap_or_else(|_| EnvFilter::new(USUAL));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        // It would tell of a line that could not be written on the same full disk, and panic.
        .log_internal_errors(false)
        .init();
}
