//! The container in which an archive is made: the ApplicationMaster's own, or one that YARN gave for this
//! alone.

use std::path::PathBuf;

use hadoop_rpc::{HadoopConf, Login};
use taskrunner::spawn::SpawnThread;

use super::memory_budget::{MemoryLimits, MemoryUse, used_by};

/// What is known of that container.
pub(super) struct BuildContainer {
    /// Its working directory.
    pub(super) dir: PathBuf,
    /// The path of this program.
    pub(super) self_exe: PathBuf,
    pub(super) conf: HadoopConf,
    pub(super) login: Login,
    /// Its container id.
    pub(super) id: String,
    /// URL of the application's directory.
    pub(super) staging_dir: Option<String>,
    pub(super) limits: MemoryLimits,
    /// The other process that runs in it, if there is one.
    pub(super) other_process: Option<u32>,
    pub(super) thread: SpawnThread,
}

impl BuildContainer {
    /// What its processes use.
    pub(super) fn used(&self) -> MemoryUse {
        self.other_process.map(used_by).unwrap_or_default() + used_by(std::process::id())
    }

    /// Why it has not enough memory for another JVM; none if it has.
    pub(super) fn shortage(&self) -> Option<String> {
        self.limits.shortage(self.used())
    }
}
