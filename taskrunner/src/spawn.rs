//! The thread from which a program of heddle starts its JVMs.
//!
//! The kernel sends a parent-death signal when the *thread* that forked ends, not the process. A worker
//! thread of the runtime may end at any time, so all JVMs are started from a separate thread, which does not
//! end before the JVMs that it has started.

use std::io;
use std::process::Command;
use std::sync::mpsc;

use tokio::process::Child;
use tokio::sync::oneshot;

use crate::core_dumps;

struct SpawnRequest {
    command: Command,
    runtime: tokio::runtime::Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// A handle of the thread, which ends when all handles are dropped. The task that watches a running JVM keeps
/// one, so that the thread does not end before the JVM.
#[derive(Debug, Clone)]
pub struct SpawnThread {
    requests: mpsc::Sender<SpawnRequest>,
}

impl SpawnThread {
    /// Starts the thread. One per process is enough.
    pub fn start() -> io::Result<SpawnThread> {
        let (requests, inbox) = mpsc::channel::<SpawnRequest>();
        std::thread::Builder::new().name("jvm-spawn".to_owned()).spawn(move || {
            while let Ok(request) = inbox.recv() {
                let _runtime = request.runtime.enter();
                let mut command = tokio::process::Command::from(request.command);
                let child = core_dumps::allowed_in_children(|| command.spawn());
                // If nobody waits for the answer any more, the child is dropped, and the runtime reaps it
                // when it ends.
                let _ = request.reply.send(child);
            }
        })?;
        Ok(SpawnThread { requests })
    }

    /// Starts a process from the thread. Must be called inside a tokio runtime with I/O enabled. Fails if the
    /// process cannot be started.
    pub async fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = |_| io::Error::other("the thread that starts JVMs is gone");
        let (reply, answer) = oneshot::channel();
        let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        self.requests.send(SpawnRequest { command, runtime, reply }).map_err(|_| gone(()))?;
        answer.await.map_err(|_| gone(()))?
    }
}
