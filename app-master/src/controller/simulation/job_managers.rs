//! The driver's part for JobManagers: how their JVMs start and end, and the bridge.

use super::flink::{JobManager, Jvm};
use super::world::{Channel, What, World};
use crate::bridge::{BridgeEvent, FromJvm, ToJvm, ZooKeeperSession};
use crate::controller::event::Event;
use crate::jobmanager::JobManagerEnd;

impl World {
    pub(super) fn tell(&mut self, message: ToJvm) {
        let Some(jvm) = self.job_manager.as_ref().map(|job_manager| job_manager.jvm) else { return };
        match &message {
            ToJvm::Allocated { id, worker } if !self.answered_requests.insert((jvm, *id)) => {
                self.fail(format!("request {id} gets a second container, {}", worker.worker));
            }
            ToJvm::Terminated { worker, .. } if self.used.contains(&worker.parse().unwrap()) => {
                self.fail(format!("Flink is told that {worker} has ended, and it has not"));
            }
            _ => {}
        }
        self.send(Channel::ToJobManager(jvm), What::ToJobManager(jvm, message));
    }

    pub(super) fn start_job_manager(&mut self, jvm: Jvm) {
        self.job_manager = Some(JobManager::new(jvm));
        self.within(8000, What::JobManagerConnects(jvm));
    }

    pub(super) fn job_manager_dies(&mut self) {
        let Some(JobManager { jvm: (attempt, generation), .. }) = self.job_manager.take() else { return };
        self.note(|| format!("JobManager {generation} is dead"));
        let end =
            JobManagerEnd { summary: "killed".to_owned(), last_lines: String::new(), port_taken: false };
        self.within(1000, What::Told(attempt, Event::JobManagerEnded { generation, end }));
        let event = Event::Bridge { generation, event: BridgeEvent::Closed("reset".to_owned()) };
        self.send(Channel::FromJobManager((attempt, generation)), What::Told(attempt, event));
    }

    pub(super) fn job_manager_says(&mut self, messages: Vec<FromJvm>) {
        let Some(job_manager) = &self.job_manager else { return };
        let (attempt, generation) = job_manager.jvm;
        for message in messages {
            if let FromJvm::Release { worker } = &message {
                self.used.remove(worker);
            }
            self.note(|| format!("JobManager {generation}: {message:?}"));
            let event = Event::Bridge { generation, event: BridgeEvent::Line(message) };
            self.send(Channel::FromJobManager((attempt, generation)), What::Told(attempt, event));
        }
    }

    pub(super) fn job_manager_connects(&mut self) {
        let hello = FromJvm::Hello { protocol: 2, flink: String::new(), pid: 1 };
        self.job_manager_says(vec![hello]);
    }

    /// It becomes leader, unless it fails before.
    pub(super) fn job_manager_leads(&mut self, jvm: Jvm) {
        if self.failing_job_managers > 0 {
            self.failing_job_managers -= 1;
            return self.job_manager_dies();
        }
        let session = ZooKeeperSession { id: format!("{jvm:?}"), password: String::new() };
        self.zookeeper = Some(session.clone());
        if let Some(job_manager) = &mut self.job_manager {
            job_manager.leads(self.now);
        }
        let ready = FromJvm::Ready { rest: Some("http://n0:4567".to_owned()), rpc: String::new() };
        self.job_manager_says(vec![FromJvm::ZookeeperSession(session), ready]);
    }

    pub(super) fn job_manager_hears(&mut self, jvm: Jvm, message: ToJvm) {
        let Some(job_manager) = &mut self.job_manager else { return };
        if let Some(until) = job_manager.hangs_until.filter(|until| self.now < *until) {
            return self.at(until, What::ToJobManager(jvm, message));
        }
        if let ToJvm::Start { previous_session } = &message {
            // The session of a JobManager that is gone lives on, unless this one can end it.
            let ended = self.zookeeper.is_none() || *previous_session == self.zookeeper;
            return self.within(if ended { 5000 } else { 45_000 }, What::JobManagerLeads(jvm));
        }
        let said = job_manager.hear(message, self.now);
        self.job_manager_says(said);
    }
}
