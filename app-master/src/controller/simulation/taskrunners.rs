//! The driver's part for TaskManagers: their containers, taskrunners and JVMs, and the control server to
//! which taskrunners connect.

use std::time::Duration;

use taskrunner::cause::JvmExit;
use yarn_api::records::ContainerId;

use super::flink::{Jvm, LONGEST_WAY, Taskrunner};
use super::world::{Channel, What, World};
use crate::control::ControlEvent;
use crate::controller::event::Event;

/// How long a taskrunner waits for its launch command without a word of the ApplicationMaster.
const LAUNCH_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a TaskManager looks for a JobManager (`taskmanager.registration.timeout`).
const ALONE_TIMEOUT: Duration = Duration::from_secs(300);

impl World {
    /// Sends a command to the container's taskrunner, if one is connected; gives whether one is.
    pub(super) fn command(&mut self, container: ContainerId, what: fn(ContainerId, u64) -> What) -> bool {
        let link = self.taskrunners.get(&container).and_then(|taskrunner| taskrunner.link);
        if let Some(link) = link {
            self.send(Channel::ToTaskrunner(container), what(container, link));
        }
        link.is_some()
    }

    /// The controller has what runs in a container stopped.
    pub(super) fn stop(&mut self, container: ContainerId, started: bool) {
        if self.used.contains(&container) {
            self.fail(format!("{container} is stopped, and Flink uses it"));
        }
        let known = self.master.as_ref().is_some_and(|master| master.heard_of.contains_key(&container));
        if !self.command(container, What::Stop) && started && known {
            self.within(1000, What::Ends(container, 143));
        }
    }

    /// Some of the taskrunners that earlier attempts have started know the address of the new one at once,
    /// because it is the same; the new attempt tells it to the others.
    pub(super) fn taskrunners_find(&mut self, attempt: u32) {
        let containers: Vec<_> = self.taskrunners.keys().copied().collect();
        for container in containers {
            if self.random(2) == 0 {
                self.taskrunners.entry(container).and_modify(|taskrunner| taskrunner.home = attempt);
                self.within(20_000, What::Connect(container));
            }
        }
    }

    pub(super) fn tells(&mut self, container: ContainerId, event: ControlEvent) {
        if let Some(attempt) = self.master.as_ref().map(|master| master.attempt) {
            self.send(Channel::FromTaskrunner(container), What::Told(attempt, Event::Control(event)));
        }
    }

    /// The link of a taskrunner breaks.
    pub(super) fn link_breaks(&mut self, container: ContainerId) {
        let link = self.taskrunners.get_mut(&container).and_then(|taskrunner| taskrunner.link.take());
        if link.is_some() {
            self.tells(container, ControlEvent::Lost(container));
            self.within(10_000, What::Connect(container));
        }
    }

    /// The TaskManager's JVM ends, or the whole container if there is none. `report`: its taskrunner tells.
    pub(super) fn process_ends(&mut self, container: ContainerId, status: i32, report: bool) {
        let Some(taskrunner) = self.taskrunners.remove(&container) else { return };
        self.note(|| format!("{container} ends with status {status}"));
        self.used.remove(&container);
        self.yarn.process_ended(container, status);
        if taskrunner.link.is_some() {
            if report && taskrunner.jvm {
                let code = if status < 0 { 143 } else { status };
                let report = JvmExit { code: Some(code), ..JvmExit::default() };
                self.tells(container, ControlEvent::Exited { container, report });
            }
            self.tells(container, ControlEvent::Lost(container));
        }
        self.within(50_000, What::JobManagerNotices(container));
    }

    fn connects(&mut self, container: ContainerId) {
        let Some(master) = &self.master else { return };
        let launch = master.launches.contains(&container);
        let Some(taskrunner) = self.taskrunners.get_mut(&container) else { return };
        if taskrunner.home != master.attempt || taskrunner.link.is_some() {
            return;
        }
        self.links += 1;
        taskrunner.link = Some(self.links);
        let has_launch = taskrunner.jvm || launch;
        let sends = launch && !taskrunner.jvm;
        self.tells(container, ControlEvent::Connected { container, has_launch });
        if sends {
            self.command(container, What::Launch);
        }
    }

    pub(super) fn taskrunner_happens(&mut self, what: What) {
        match what {
            What::Start(attempt, container) => self.starts(attempt, container),
            What::Connect(container) => self.connects(container),
            What::Address(attempt, container) => {
                let Some(taskrunner) = self.taskrunners.get_mut(&container) else { return };
                taskrunner.home = taskrunner.home.max(attempt);
                self.connects(container);
            }
            What::Launch(container, link) | What::Wait(container, link) | What::Stop(container, link) => {
                let Some(taskrunner) = self.taskrunners.get_mut(&container) else { return };
                if taskrunner.link != Some(link) {
                    return;
                }
                taskrunner.waits_since = self.now;
                match what {
                    What::Launch(..) if !taskrunner.jvm => self.within(4000, What::JvmStarts(container)),
                    What::Stop(..) if !std::mem::replace(&mut taskrunner.stops, true) => {
                        self.within(5000, What::Ends(container, 143));
                    }
                    _ => {}
                }
            }
            What::JvmStarts(container) => {
                let Some(taskrunner) = self.taskrunners.get_mut(&container) else { return };
                if !taskrunner.jvm && !taskrunner.stops {
                    (taskrunner.jvm, taskrunner.alone_since) = (true, self.now);
                    self.tells(container, ControlEvent::Started { container, pid: 1 });
                }
            }
            What::Ends(container, status) => self.process_ends(container, status, true),
            other => self.fail(format!("nobody takes {other:?}")),
        }
    }

    /// A NodeManager is asked to start a container.
    fn starts(&mut self, attempt: u32, container: ContainerId) {
        let fails = self.failing_starts > 0;
        self.failing_starts = self.failing_starts.saturating_sub(1);
        // The answer may be lost although the NodeManager has started the container.
        let starts = (!fails || self.random(2) == 0) && self.yarn.start(container);
        if starts {
            self.taskrunners.insert(container, Taskrunner::new(attempt, self.now));
            self.within(3000, What::Connect(container));
        }
        let event = match starts && !fails {
            true => Event::StartAccepted(container),
            false => Event::StartFailed(container, "refused".to_owned()),
        };
        self.within(200, What::Told(attempt, event));
    }

    /// What happens each second.
    pub(super) fn second(&mut self) {
        for container in self.yarn.nodes_beat() {
            self.process_ends(container, 137, self.case.seed.is_multiple_of(2));
        }
        for container in self.taskrunners.keys().copied().collect::<Vec<_>>() {
            self.taskrunner_second(container);
        }
        let (now, wanted) = (self.now, self.wanted);
        if let Some(job_manager) =
            self.job_manager.as_mut().filter(|flink| flink.hangs_until.is_none_or(|until| now >= until))
        {
            let said = job_manager.beat(wanted, now);
            self.job_manager_says(said);
        }
    }

    fn taskrunner_second(&mut self, container: ContainerId) {
        let now = self.now;
        let flink = self.job_manager.as_ref().filter(|flink| flink.serves(now)).map(|flink| flink.jvm);
        let tries = self.random(5) == 0;
        let Some(taskrunner) = self.taskrunners.get_mut(&container) else { return };
        if !taskrunner.jvm {
            if now - taskrunner.waits_since >= LAUNCH_TIMEOUT {
                self.process_ends(container, 1, false);
            }
            return;
        }
        match flink {
            Some(jvm) if taskrunner.registered == Some(jvm) => taskrunner.alone_since = now,
            Some(jvm) if tries => self.registers(container, jvm),
            _ if now - taskrunner.alone_since >= ALONE_TIMEOUT => self.process_ends(container, 1, true),
            _ => {}
        }
        if tries {
            self.connects(container);
        }
    }

    /// A TaskManager registers with the JobManager. One that the JobManager does not know is rejected, and
    /// ends.
    fn registers(&mut self, container: ContainerId, jvm: Jvm) {
        let Some(job_manager) = &mut self.job_manager else { return };
        if job_manager.register(container) {
            self.used.insert(container);
            self.taskrunners.entry(container).and_modify(|taskrunner| taskrunner.registered = Some(jvm));
            return;
        }
        let heard = self.master.as_ref().and_then(|master| master.heard_of.get(&container).copied());
        let late = job_manager.hung(self.now) || heard.is_none_or(|at| self.now - at <= LONGEST_WAY);
        if self.used.contains(&container) && !late {
            self.fail(format!("{container} is rejected: the JobManager was not told of it"));
        }
        self.process_ends(container, 1, true);
    }
}
