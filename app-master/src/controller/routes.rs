//! What the controller's machines tell each other: each effect of one machine becomes the inputs of others,
//! or an action.

use tokio::time::Instant;
use yarn_api::records::NodeReport;

use super::Controller;
use super::allocation::AllocationInput;
use super::archive_container::{ArchiveContainer, TaskManagerDemand};
use super::bridge_message::Recipient;
use super::event::{Action, Cause, Heartbeat, HeartbeatAnswer, Output, Web};
use super::job_manager::{JobManagerEffect, JobManagerInput};
use super::observation::Observation;
use super::rm_session::{Demand, RmSessionEffect, RmSessionInput};
use super::submission::PerJob;
use super::tokens::TokensInput;
use crate::bridge::FromJvm;
use crate::ledger::types::{AnsweredHeartbeat, Outgoing};
use crate::submission::policy::SubmissionInput;

impl Controller {
    pub(super) fn job_manager_message(&mut self, message: FromJvm, now: Instant, out: &mut Output) {
        match Recipient::of(message) {
            Recipient::JobManager(input) => self.job_manager_step(input, now, out),
            Recipient::Allocation(input) => self.allocation.step(input, now, out),
            Recipient::Tokens(input) => self.tokens_step(input, now, out),
        }
    }

    pub(super) fn tokens_step(&mut self, input: TokensInput, now: Instant, out: &mut Output) {
        if let Some(tokens) = &mut self.tokens {
            tokens.step(input, now, out);
        }
    }

    pub(super) fn job_manager_step(&mut self, input: JobManagerInput, now: Instant, out: &mut Output) {
        match self.job_manager.step(input, now, out) {
            None => {}
            Some(JobManagerEffect::Ready { rest, first }) => self.job_manager_ready(rest, first, now, out),
            Some(JobManagerEffect::Lost) => self.job_manager_lost(now, out),
            Some(JobManagerEffect::Ended(end)) => {
                let decided = self.per_job.as_ref().and_then(PerJob::decided);
                let cause = decided.unwrap_or_else(|| Cause::JobManagerEnded(self.diagnostics.for_end(&end)));
                out.act(Action::End(cause));
            }
            Some(JobManagerEffect::Deregistered(status, flinks)) => {
                let diagnostics = self.diagnostics.for_status(status, &flinks);
                let (status, diagnostics) = match &self.per_job {
                    Some(per_job) => per_job.deregistered(status, diagnostics),
                    None => (status, diagnostics),
                };
                let diagnostics = self.diagnostics.with_memory(diagnostics);
                out.act(Action::End(Cause::Deregistered { status, diagnostics }));
            }
        }
    }

    /// The JobManager has ended, and another one is going to be started; unless it was asked to end.
    fn job_manager_lost(&mut self, now: Instant, out: &mut Output) {
        if let Some(cause) = self.per_job.as_ref().and_then(PerJob::decided) {
            out.act(Action::End(cause));
            return;
        }
        self.per_job.iter_mut().for_each(|per_job| per_job.step(SubmissionInput::JobManagerLost, now, out));
        self.allocation.step(AllocationInput::JobManagerLost, now, out);
    }

    /// The JobManager can be used. `first`: for the first time; it says so again when it leads again.
    fn job_manager_ready(&mut self, rest: String, first: bool, now: Instant, out: &mut Output) {
        self.per_job.iter_mut().for_each(|per_job| per_job.ready(&rest, now, out));
        if first {
            self.allocation.step(AllocationInput::JobManagerReady, now, out);
        }
        let registered = self.session.was_registered();
        self.session_step(RmSessionInput::JobManagerReady(Web::at(rest)), now, out);
        if registered {
            // It does not know of the registration yet: there was no JobManager then, or it leads again. It
            // need not know that the ResourceManager has forgotten the registration meanwhile.
            self.allocation.tell_registered(out);
        }
    }

    pub(super) fn session_step(&mut self, input: RmSessionInput, now: Instant, out: &mut Output) {
        let effects = self.session.step(input, now);
        effects.into_iter().for_each(|effect| self.session_effect(effect, now, out));
    }

    pub(super) fn session_effect(&mut self, effect: RmSessionEffect, now: Instant, out: &mut Output) {
        match effect {
            RmSessionEffect::Register(web) => out.act(Action::Register(web)),
            RmSessionEffect::Heartbeat if self.allocation.needs_nodes(&self.outgoing()) => {
                out.act(Action::ListNodes);
            }
            RmSessionEffect::Heartbeat => self.send_heartbeat(&[], out),
            RmSessionEffect::Registered(registration) => {
                self.archive_container.give_back_old(&registration.archive_containers);
                self.allocation.step(AllocationInput::Registered(registration), now, out);
                if self.job_manager.is_ready() {
                    self.allocation.tell_registered(out);
                }
            }
            RmSessionEffect::RegisteredAgain(maximum) => {
                self.allocation.step(AllocationInput::RegisteredAgain(maximum), now, out);
                self.archive_container.forgotten();
            }
            RmSessionEffect::Answered { sent, certain, answer } => {
                self.heartbeat_answered(sent, certain, answer, now, out);
            }
            RmSessionEffect::AsksRefused { sent, why } if ArchiveContainer::is_ask(&sent.asks) => {
                self.archive_container.refused(&why);
            }
            RmSessionEffect::AsksRefused { sent, why } => {
                self.allocation.step(AllocationInput::AsksRefused { sent, why }, now, out);
            }
            RmSessionEffect::RepeatOpen => self.allocation.step(AllocationInput::RepeatOpen, now, out),
            RmSessionEffect::End(cause) => out.act(Action::End(cause)),
            RmSessionEffect::Observe(observation) => out.observe(observation),
        }
    }

    /// The container for class data archives is taken out of the answer; all others are TaskManagers'.
    fn heartbeat_answered(
        &mut self,
        sent: Outgoing,
        certain: bool,
        mut answer: HeartbeatAnswer,
        now: Instant,
        out: &mut Output,
    ) {
        self.archive_container.heartbeat_answered(&sent, certain, &mut answer, now, out);
        let HeartbeatAnswer { granted, completed, late, news, .. } = answer;
        self.waits.heard(&news, now);
        // What becomes of a node explains the ends of its containers.
        self.allocation.step(AllocationInput::News(*news), now, out);
        let heartbeat = AnsweredHeartbeat { sent, certain, granted, completed };
        self.allocation.step(AllocationInput::HeartbeatAnswered(heartbeat), now, out);
        let served = self.job_manager.is_ready();
        self.allocation.step(AllocationInput::Late { containers: late, served }, now, out);
    }

    /// What follows from any event: the container for archives goes by what TaskManagers need, tokens go by
    /// the time, and diagnostics, the client of a per-job cluster and the JobManager's last word by what was
    /// observed of ends. Requests that stay open for long are observed.
    pub(super) fn settle(&mut self, now: Instant, out: &mut Output) {
        let counts = self.allocation.counts();
        let demand = TaskManagerDemand { waiting: counts.asked > 0, starting: counts.starting > 0 };
        self.archive_container.tick(demand, self.session.largest(), now, out);
        self.tokens_step(TokensInput::Tick, now, out);
        let reason_pending = self.allocation.is_reason_pending();
        self.diagnostics.observe(&out.observations);
        let changed = self.diagnostics.changed_memory_kills(reason_pending);
        changed.into_iter().for_each(|memory_kills| out.act(Action::MemoryKills(memory_kills)));
        self.job_manager_step(JobManagerInput::Tick { reason_pending }, now, out);
        let granted = out.observations.iter().any(|seen| matches!(seen, Observation::Granted { .. }));
        let waits = self.waits.step(self.allocation.open(), granted, now);
        waits.into_iter().for_each(|observation| out.observe(observation));
    }

    /// What the next heartbeat has to carry.
    fn outgoing(&self) -> Outgoing {
        let mut outgoing = self.allocation.outgoing();
        self.archive_container.add_to(&mut outgoing);
        outgoing
    }

    pub(super) fn demand(&self) -> Demand {
        if self.outgoing() != Outgoing::default() {
            Demand::News
        } else if self.allocation.is_busy() || self.archive_container.is_busy() {
            Demand::Answers
        } else {
            Demand::Nothing
        }
    }

    /// `nodes`: those of the cluster, as far as they are known.
    pub(super) fn send_heartbeat(&mut self, nodes: &[NodeReport], out: &mut Output) {
        let sent = self.outgoing();
        let requests = self.allocation.requests(&sent, nodes);
        let progress = self.job_manager.progress();
        out.act(Action::SendHeartbeat(Heartbeat { sent, requests, progress }));
    }
}
