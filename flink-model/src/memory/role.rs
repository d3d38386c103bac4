//! The two processes whose memory is divided.

/// Which of the two processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The JobManager, which the ApplicationMaster's container holds.
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
    /// How this role's keys begin.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::JobManager => "jobmanager.memory",
            Self::TaskManager => "taskmanager.memory",
        }
    }
}
