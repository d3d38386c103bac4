//! Which machine a message of the JobManager is for.

use yarn_api::records::FinalStatus;

use super::allocation::AllocationInput;
use super::diagnostics;
use super::job_manager::JobManagerInput;
use super::tokens::TokensInput;
use crate::bridge::{FromJvm, Status};
use crate::ledger::types::{Profile, TaskManagerArguments};

/// How the bridge begins a failure of the user's `main()`.
const BY_MAIN: &str = "main() of ";

/// The machine, with the message as its input.
#[derive(Debug)]
pub(super) enum Recipient {
    JobManager(JobManagerInput),
    Allocation(AllocationInput),
    Tokens(TokensInput),
}

impl Recipient {
    pub(super) fn of(message: FromJvm) -> Self {
        let for_job_manager = match message {
            FromJvm::Hello { flink, pid, .. } => JobManagerInput::Connected { flink, pid },
            FromJvm::Ready { rest, rpc } => JobManagerInput::Ready { rest: rest.unwrap_or_default(), rpc },
            FromJvm::Deregister { status, diagnostics } => {
                JobManagerInput::Deregister(final_status(status), diagnostics)
            }
            FromJvm::Failure { what, trace } => {
                let by_main = what.starts_with(BY_MAIN);
                JobManagerInput::Failed { text: diagnostics::failure(&what, &trace), by_main }
            }
            FromJvm::Pong => JobManagerInput::Pong,
            FromJvm::ZookeeperSession(session) => JobManagerInput::Session(session),
            FromJvm::Unknown => JobManagerInput::UnknownMessage,
            FromJvm::Request { id, memory_mb, vcores, resources, jvm_args, args } => {
                let size = Profile { memory_mb, vcores, resources };
                let arguments = TaskManagerArguments { jvm_args, args };
                return Self::Allocation(AllocationInput::Request { id, size, arguments });
            }
            FromJvm::Cancel { id } => return Self::Allocation(AllocationInput::Cancel(id)),
            FromJvm::Launch { id, worker } => {
                return Self::Allocation(AllocationInput::Launch { id, container: worker });
            }
            FromJvm::Release { worker } => return Self::Allocation(AllocationInput::Release(worker)),
            FromJvm::CanObtainTokens => return Self::Tokens(TokensInput::Possible),
            FromJvm::Tokens(obtained) => return Self::Tokens(TokensInput::Answered(obtained)),
        };
        Self::JobManager(for_job_manager)
    }
}

fn final_status(status: Status) -> FinalStatus {
    match status {
        Status::Succeeded => FinalStatus::Succeeded,
        Status::Failed => FinalStatus::Failed,
        Status::Killed => FinalStatus::Killed,
        Status::Undefined => FinalStatus::Undefined,
    }
}
