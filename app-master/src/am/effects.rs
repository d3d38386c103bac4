//! Hands each action of the controller to the component that carries it out. What comes of it returns as an
//! [`Event`](crate::controller::event::Event).

use taskrunner::control::OpenRequest;
use yarn_api::records::ContainerId;

use crate::bridge::{ObtainedTokens, ToJvm, ZooKeeperSession};
use crate::controller::event::{Action, Heartbeat, RequestEvent, Web};
use crate::ledger::types::TaskManagerArguments;
use crate::submission::policy::SubmissionRecord;
use crate::submission::service::MemoryKills;

/// Calls to the ResourceManager; the controller makes one at a time.
pub(super) trait ResourceManager: Send {
    /// The answer is [`Event::Registered`](crate::controller::event::Event::Registered).
    fn register(&self, web: Web);
    /// The answer is [`Event::Nodes`](crate::controller::event::Event::Nodes).
    fn list_nodes(&self);
    /// The answer is [`Event::HeartbeatAnswered`](crate::controller::event::Event::HeartbeatAnswered).
    fn send_heartbeat(&self, heartbeat: Heartbeat);
}

/// What is done with containers, through NodeManagers and taskrunners.
pub(super) trait TaskManagers: Send {
    /// Has the NodeManager start the taskrunner.
    fn start(&self, container: ContainerId);
    /// Gives the taskrunner its launch command, as soon as it is connected.
    fn launch(&self, container: ContainerId, arguments: TaskManagerArguments);
    /// Tells the taskrunner that its launch command may come later.
    fn keep_waiting(&self, container: ContainerId);
    /// Has the taskrunner end its JVM, or the NodeManager the container if that was `started`.
    fn stop(&self, container: ContainerId, reason: &str, started: bool);
    /// Lets the taskrunner, which an earlier attempt has started, know where this ApplicationMaster is.
    fn send_address(&self, container: ContainerId);
    /// Forgets what is kept for the container.
    fn forget(&self, container: ContainerId);
}

/// The JobManager's JVM.
pub(super) trait JobManager: Send {
    /// Sends it a line.
    fn tell(&self, message: ToJvm);
    /// Sends it SIGKILL.
    fn kill(&self);
    /// Starts its JVM once more, with this generation.
    fn start(&self, generation: u32);
}

/// What the next attempt finds.
pub(super) trait NextAttempt: Send {
    /// Keeps the JobManager's session with ZooKeeper.
    fn keep_session(&self, session: ZooKeeperSession);
    /// Keeps what is known of the submission of a per-job cluster.
    fn keep_submission(&self, record: SubmissionRecord);
}

/// The JobManager's REST interface, which is at the URL that each call names.
pub(super) trait FlinkRest: Send {
    /// Asks for all jobs.
    fn look_at_jobs(&self, url: &str);
    /// Asks why a job failed.
    fn explain_job(&self, url: &str, job: String);
    /// Asks the JobManager to end.
    fn shut_down(&self, url: &str);
}

/// Parts of the ApplicationMaster that wait for what the controller has to say.
pub(super) trait Listeners: Send {
    /// The builder of class data archives hears of its container.
    fn archive(&self, event: RequestEvent);
    /// The client of a per-job cluster hears of TaskManagers that were killed for their memory.
    fn memory_kills(&self, memory_kills: MemoryKills);
    /// The same client hears of containers of one size that are asked for and not granted, or, if their
    /// number is 0, that they are not asked for any more.
    fn open_request(&self, request: OpenRequest);
}

/// The application's delegation tokens.
pub(super) trait Tokens: Send {
    /// Puts these in the place of those for the same services. The answer is
    /// [`Event::TokensInUse`](crate::controller::event::Event::TokensInUse).
    fn replace(&self, obtained: ObtainedTokens);
}

/// The components.
pub(super) struct Effects {
    pub(super) resource_manager: Box<dyn ResourceManager>,
    pub(super) task_managers: Box<dyn TaskManagers>,
    pub(super) job_manager: Box<dyn JobManager>,
    pub(super) next_attempt: Box<dyn NextAttempt>,
    pub(super) tokens: Box<dyn Tokens>,
    pub(super) rest: Box<dyn FlinkRest>,
    pub(super) listeners: Box<dyn Listeners>,
}

impl Effects {
    /// Carries the action out, or begins to.
    pub(super) fn act(&self, action: Action) {
        match action {
            Action::Tell(message) => self.job_manager.tell(message),
            Action::KillJobManager => self.job_manager.kill(),
            Action::StartJobManager { generation } => self.job_manager.start(generation),
            Action::KeepZooKeeperSession(session) => self.next_attempt.keep_session(session),
            Action::KeepSubmission(record) => self.next_attempt.keep_submission(record),
            Action::UseTokens(obtained) => self.tokens.replace(obtained),
            Action::Register(web) => self.resource_manager.register(web),
            Action::ListNodes => self.resource_manager.list_nodes(),
            Action::SendHeartbeat(heartbeat) => self.resource_manager.send_heartbeat(heartbeat),
            Action::Start(container) => self.task_managers.start(container),
            Action::Launch(container, arguments) => self.task_managers.launch(container, arguments),
            Action::KeepWaiting(container) => self.task_managers.keep_waiting(container),
            Action::Stop { container, reason, started } => {
                self.task_managers.stop(container, &reason, started);
            }
            Action::SendAddress(container) => self.task_managers.send_address(container),
            Action::Forget(container) => self.task_managers.forget(container),
            Action::LookAtJobs(url) => self.rest.look_at_jobs(&url),
            Action::ExplainJob(url, job) => self.rest.explain_job(&url, job),
            Action::ShutDownJobManager(url) => self.rest.shut_down(&url),
            Action::Archive(event) => self.listeners.archive(event),
            Action::MemoryKills(memory_kills) => self.listeners.memory_kills(memory_kills),
            // The loop ends with it.
            Action::End(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::ledger::types::container_id;

    /// Stands for every component, and writes down what it was asked to do.
    #[derive(Clone, Default)]
    struct Recorder(Arc<Mutex<Vec<String>>>);

    impl Recorder {
        fn note(&self, what: impl Into<String>) {
            self.0.lock().unwrap().push(what.into());
        }
    }

    impl ResourceManager for Recorder {
        fn register(&self, web: Web) {
            self.note(format!("register {}", web.url));
        }
        fn list_nodes(&self) {
            self.note("list nodes");
        }
        fn send_heartbeat(&self, heartbeat: Heartbeat) {
            self.note(format!("heartbeat {}", heartbeat.progress));
        }
    }

    impl TaskManagers for Recorder {
        fn start(&self, container: ContainerId) {
            self.note(format!("start {}", container.sequence()));
        }
        fn launch(&self, container: ContainerId, arguments: TaskManagerArguments) {
            self.note(format!("launch {} {:?}", container.sequence(), arguments.args));
        }
        fn keep_waiting(&self, container: ContainerId) {
            self.note(format!("keep waiting {}", container.sequence()));
        }
        fn stop(&self, container: ContainerId, reason: &str, started: bool) {
            self.note(format!("stop {} {started}: {reason}", container.sequence()));
        }
        fn send_address(&self, container: ContainerId) {
            self.note(format!("send address {}", container.sequence()));
        }
        fn forget(&self, container: ContainerId) {
            self.note(format!("forget {}", container.sequence()));
        }
    }

    impl JobManager for Recorder {
        fn tell(&self, message: ToJvm) {
            self.note(format!("tell {message:?}"));
        }
        fn kill(&self) {
            self.note("kill");
        }
        fn start(&self, generation: u32) {
            self.note(format!("start JobManager {generation}"));
        }
    }

    impl NextAttempt for Recorder {
        fn keep_session(&self, session: ZooKeeperSession) {
            self.note(format!("keep {session:?}"));
        }
        fn keep_submission(&self, record: SubmissionRecord) {
            self.note(format!("keep exit code {:?}", record.exit_code));
        }
    }

    impl Tokens for Recorder {
        fn replace(&self, obtained: ObtainedTokens) {
            self.note(format!("use tokens until {:?}", obtained.expires));
        }
    }

    impl FlinkRest for Recorder {
        fn look_at_jobs(&self, url: &str) {
            self.note(format!("jobs {url}"));
        }
        fn explain_job(&self, url: &str, job: String) {
            self.note(format!("explain {job} {url}"));
        }
        fn shut_down(&self, url: &str) {
            self.note(format!("shut down {url}"));
        }
    }

    impl Listeners for Recorder {
        fn archive(&self, event: RequestEvent) {
            self.note(format!("archive {event:?}"));
        }
        fn memory_kills(&self, memory_kills: MemoryKills) {
            self.note(format!("memory kills {}", memory_kills.text));
        }
        fn open_request(&self, request: OpenRequest) {
            self.note(format!("{} open requests", request.count));
        }
    }

    #[test]
    fn every_action_reaches_its_component() {
        let recorder = Recorder::default();
        let effects = Effects {
            resource_manager: Box::new(recorder.clone()),
            task_managers: Box::new(recorder.clone()),
            job_manager: Box::new(recorder.clone()),
            next_attempt: Box::new(recorder.clone()),
            tokens: Box::new(recorder.clone()),
            rest: Box::new(recorder.clone()),
            listeners: Box::new(recorder.clone()),
        };
        let (c1, url) = (|| container_id("c1"), || "u".to_owned());
        for action in [
            Action::Register(Web { url: url(), port: 1 }),
            Action::ListNodes,
            Action::SendHeartbeat(Heartbeat { sent: Default::default(), requests: vec![], progress: 1.0 }),
            Action::Launch(c1(), TaskManagerArguments { jvm_args: vec![], args: vec!["a".into()] }),
            Action::Start(c1()),
            Action::KeepWaiting(c1()),
            Action::Stop { container: c1(), reason: "why".into(), started: true },
            Action::SendAddress(c1()),
            Action::Forget(c1()),
            Action::Tell(ToJvm::Deregistered),
            Action::KillJobManager,
            Action::StartJobManager { generation: 1 },
            Action::KeepZooKeeperSession(ZooKeeperSession { id: "1f".into(), password: "p".into() }),
            Action::KeepSubmission(SubmissionRecord { exit_code: Some(1), ..SubmissionRecord::default() }),
            Action::UseTokens(ObtainedTokens { expires: Some(7), ..ObtainedTokens::default() }),
            Action::LookAtJobs(url()),
            Action::ExplainJob(url(), "j".into()),
            Action::ShutDownJobManager(url()),
            Action::Archive(RequestEvent::Over("x".into())),
            Action::MemoryKills(MemoryKills { reason_pending: false, text: "y".into() }),
        ] {
            effects.act(action);
        }
        assert_eq!(
            *recorder.0.lock().unwrap(),
            [
                "register u",
                "list nodes",
                "heartbeat 1",
                "launch 1 [\"a\"]",
                "start 1",
                "keep waiting 1",
                "stop 1 true: why",
                "send address 1",
                "forget 1",
                "tell Deregistered",
                "kill",
                "start JobManager 1",
                "keep ZooKeeper session 0x1f",
                "keep exit code Some(1)",
                "use tokens until Some(7)",
                "jobs u",
                "explain j u",
                "shut down u",
                "archive Over(\"x\")",
                "memory kills y",
            ]
        );
    }
}
