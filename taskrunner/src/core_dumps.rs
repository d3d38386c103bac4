//! Keeps the programs of heddle from leaving core dumps, which would hold tokens, secrets and Flink's
//! configuration in a file that lives longer than the process. The JVMs that they start may still leave core
//! dumps, as far as the limits allow with which heddle itself was started: what a JVM does is up to the user
//! and the administrator.

use std::io;
use std::sync::{Mutex, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit with which this process was started, once [`forbid`] has lowered it.
static BEFORE: Mutex<Option<Rlimit>> = Mutex::new(None);

/// The size at which the kernel makes no core dump at all. With 0, it makes none in a file, but still gives
/// one to a program that `kernel.core_pattern` may name (core(5)).
const NONE: u64 = 1;

/// Keeps this process from leaving a core dump. If that fails, the log says so, and the process goes on.
pub fn forbid() {
    if let Err(error) = lower() {
        tracing::warn!(%error, "core dumps of this process cannot be forbidden; one would hold its secrets");
    }
}

/// Lowers only the soft limit, which can be raised again for children.
fn lower() -> io::Result<()> {
    let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
    if before.is_none() {
        let limit = getrlimit(Resource::Core);
        let current = limit.maximum.map_or(NONE, |maximum| maximum.min(NONE));
        setrlimit(Resource::Core, Rlimit { current: Some(current), maximum: limit.maximum })?;
        *before = Some(limit);
    }
    Ok(())
}

/// Does `start`, which starts a process that then has the limit with which this process was started. For that
/// moment this process has it too, because the kernel has one limit for all threads of a process.
pub(crate) fn allowed_in_children<T>(start: impl FnOnce() -> T) -> T {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(limit) = *before else { return start() };
    let forbidden = getrlimit(Resource::Core);
    // Only raising a soft limit above the hard one can fail, and this one was in force before.
    let _ = setrlimit(Resource::Core, limit);
    let started = start();
    let _ = setrlimit(Resource::Core, forbidden);
    started
}
