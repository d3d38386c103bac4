//! The log of what the controller has observed, for people and for whoever reads `heddle-am.log`.

use yarn_api::records::ContainerId;

use crate::controller::observation::Observation;

/// Writes the line for an observation, if it has one.
pub(super) fn log(observation: &Observation) {
    log_session(observation);
    log_job_manager(observation);
    log_container(observation);
}

fn log_session(observation: &Observation) {
    match observation {
        Observation::Registered { largest, previous } => {
            tracing::info!(largest = %largest, previous, "registered with YARN");
        }
        Observation::RegisteredAgain => tracing::info!("registered anew; asking again for what is open"),
        Observation::Forgotten => {
            tracing::warn!("the ResourceManager has forgotten this attempt; registering anew");
        }
        Observation::NoAnswer { error, retry_in } => tracing::warn!(
            error,
            retry_in_ms = retry_in.as_millis() as u64,
            "no answer from the ResourceManager"
        ),
        Observation::AnswersAgain => tracing::info!("the ResourceManager answers again"),
        _ => {}
    }
}

fn log_job_manager(observation: &Observation) {
    match observation {
        Observation::JobManagerConnected { flink, pid } => {
            tracing::info!(flink, pid, "the JobManager is connected");
        }
        Observation::JobManagerReady { rest, rpc } => tracing::info!(rest, rpc, "the JobManager is ready"),
        Observation::OtherAddress { told } => {
            tracing::error!(told, "YARN was told another address of the JobManager");
        }
        Observation::JobManagerDisconnected { why } => {
            tracing::warn!(why, "the JobManager's connection ended");
        }
        Observation::JobManagerRestarts { summary, after } => {
            tracing::error!(
                summary,
                ?after,
                "the JobManager has ended; starting it again, its TaskManagers stay"
            );
        }
        Observation::JobManagerHangs { silence } => {
            tracing::error!(?silence, "the JobManager does not answer; killing it");
        }
        Observation::JobManagerDoesNotConnect { within } => {
            tracing::error!(?within, "the JobManager was started and has not connected; killing it");
        }
        Observation::JobManagerFailure { text } => tracing::error!("{text}"),
        Observation::UnknownMessage => {
            tracing::warn!("ignoring a message of an unknown type from the JobManager");
        }
        Observation::TokensReplaced { count, again_in } => {
            let again_in_s = again_in.as_secs();
            tracing::info!(count, again_in_s, "the JobManager has obtained new delegation tokens");
        }
        Observation::TokensNotReplaced { why, retry_in } => {
            let retry_in_s = retry_in.as_secs();
            tracing::warn!(
                why,
                retry_in_s,
                "not all delegation tokens could be replaced; this is tried again, with longer pauses"
            );
        }
        Observation::JobsUnknown { why } => {
            tracing::warn!(why, "cannot look at the jobs; trying again");
        }
        Observation::SubmissionOver { status, text } => {
            tracing::info!(%status, text, "the submission is over; asking the JobManager to end");
        }
        Observation::NotDeregistered => {
            tracing::warn!("the JobManager does not deregister; ending without it");
        }
        _ => {}
    }
}

fn log_container(observation: &Observation) {
    match observation {
        Observation::Requested { request, size } => tracing::info!(request, %size, "worker requested"),
        Observation::Cancelled { request } => tracing::info!(request, "request cancelled"),
        Observation::Refused { request, reason } => {
            tracing::error!(request, reason, "request cannot be met");
        }
        Observation::CancellationRefused { why } => {
            tracing::debug!(reason = why, "YARN does not take an ask back");
        }
        Observation::AskedAhead { count, size } => {
            tracing::info!(workers = count, %size, "asking for workers that will be needed");
        }
        Observation::Granted { request: Some(request), container, node } => {
            tracing::info!(request, worker = %container, %node, "container granted");
        }
        Observation::Granted { request: None, container, .. } => {
            tracing::info!(
                worker = %container,
                "container granted ahead of its request; starting its taskrunner"
            );
        }
        Observation::Adopted { container, node } => {
            tracing::info!(worker = %container, %node, "a TaskManager of an earlier attempt is taken over");
        }
        Observation::NodeChanged { node, state, containers } => {
            tracing::warn!(%node, state, containers = list(containers), "YARN says that a node has changed");
        }
        Observation::NodeAvoided { name, why } => tracing::warn!(
            node = name,
            why,
            "TaskManagers fail on this node; YARN is asked for others on other nodes"
        ),
        Observation::NodesWantedAgain { names } => {
            tracing::info!(nodes = names.join(", "), "no longer avoided");
        }
        Observation::PreemptionAnnounced { containers, certain } => tracing::warn!(
            containers = list(containers),
            certain,
            "YARN's scheduler is going to preempt containers for other applications"
        ),
        // The client reads these two lines (`yarn_client::waiting`).
        Observation::ContainersWait { size, count, label, open_for, text } => tracing::warn!(
            count,
            memory_mb = size.memory_mb,
            vcores = size.vcores,
            label = label.as_deref().unwrap_or_default(),
            open_s = open_for.as_secs(),
            why = text,
            "containers wait"
        ),
        Observation::ContainersWaitNoLonger { size, label, open_for, granted, .. } => tracing::info!(
            memory_mb = size.memory_mb,
            vcores = size.vcores,
            label = label.as_deref().unwrap_or_default(),
            open_s = open_for.as_secs(),
            granted,
            "containers no longer wait"
        ),
        Observation::NodeGaveTooMuch { node } => {
            tracing::info!(node, "it gave more than its share: asks name no nodes any more");
        }
        Observation::Launching { container, .. } => tracing::info!(worker = %container, "launching"),
        Observation::StartAccepted { container } => {
            tracing::info!(worker = %container, "the NodeManager starts the container");
        }
        Observation::StartFailed { container, why, .. } => {
            tracing::warn!(worker = %container, why, "the container could not be started");
        }
        Observation::TaskrunnerConnected { container, .. } => {
            tracing::info!(worker = %container, "taskrunner connected");
        }
        Observation::TaskrunnerLost { container } => {
            tracing::info!(worker = %container, "taskrunner disconnected");
        }
        Observation::TaskManagerStarted { container, pid } => {
            tracing::info!(worker = %container, pid, "TaskManager started");
        }
        Observation::Signalled { container } => {
            tracing::info!(worker = %container, "something tells the container to end");
        }
        Observation::TaskrunnerBusy { container, what } => {
            tracing::info!(worker = %container, what, "the container is kept until its taskrunner has ended");
        }
        Observation::TaskManagerEnded { container, report, .. } => {
            tracing::info!(worker = %container, summary = report.summary, "TaskManager ended");
        }
        // The client reads these two lines (`yarn_client::memory_kills`).
        Observation::ContainerEnded { container, reason, explained: false, .. } => {
            tracing::warn!(worker = %container, reason, "worker ended");
        }
        Observation::ContainerEnded { container, reason, explained: true, .. } => {
            tracing::warn!(worker = %container, reason, "why the worker ended");
        }
        Observation::Stopping { container, reason } => {
            tracing::info!(worker = %container, reason, "stopping");
        }
        Observation::ContainerGone { container, cause: Some(cause), .. } => {
            tracing::info!(worker = %container, cause, "container gone");
        }
        Observation::ContainerGone { container, cause: None, .. } => {
            tracing::info!(worker = %container, "container gone");
        }
        Observation::ArchiveContainerAsked => {
            tracing::info!("asking YARN for a container in which to make a class data archive");
        }
        _ => {}
    }
}

fn list(containers: &[ContainerId]) -> String {
    containers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
