//! The log of heddle's programs in a container: their standard error stream, which YARN keeps in a file.

use tracing_subscriber::EnvFilter;

/// Begins to log. The variable `HEDDLE_LOG` says what is logged; without it, everything from the level INFO
/// on.
pub fn start() {
    let filter = EnvFilter::try_from_env("HEDDLE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        // It would tell of a line that could not be written on the same full disk, and panic.
        .log_internal_errors(false)
        .init();
}
