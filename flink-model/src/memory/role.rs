//! The two kinds of processes whose memory is divided.

/// A kind of process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The JobManager, which runs in the ApplicationMaster's container.
    JobManager,
    /// A TaskManager.
    TaskManager,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::JobManager => "JobManager",
            Self::TaskManager => "TaskManager",
        })
    }
}

impl Role {
    /// What the keys for this role's memory begin with.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::JobManager => "jobmanager.memory",
            Self::TaskManager => "taskmanager.memory",
        }
    }
}
