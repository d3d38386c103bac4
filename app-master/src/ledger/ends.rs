//! How containers end: given back, reported by their taskrunners, and completed as YARN tells it.

use taskrunner::cause::{ExitCause, JvmExit};
use taskrunner::words::given_back;
use yarn_api::records::{ContainerId, NodeId};

use super::line::Line;
use super::types::{Completed, LedgerEffect};
use super::{Entry, Ledger, State};

/// After this many refreshes without an answer a released container is taken for gone.
pub(super) const RELEASE_TRIES: u8 = 5;

/// After this many refreshes, which are 25 minutes, a taskrunner that still has something to do is not waited
/// for any longer: a heap dump may take 20 minutes at most.
pub(super) const BUSY_TRIES: u8 = 50;

/// How many ended containers are remembered, to recognise late and repeated messages about them.
const REMEMBERED: usize = 4096;

impl Ledger {
    /// The container goes back to the ResourceManager. Flink is not told.
    pub(super) fn give_back(&mut self, container: ContainerId, why: &str, out: &mut Vec<LedgerEffect>) {
        let Some(entry) = self.containers.get_mut(&container) else { return };
        match entry.state {
            State::Releasing { .. } => return,
            State::Granted(id) => drop(self.requests.remove(&id)),
            State::Spare | State::Starting | State::Running => {}
        }
        entry.state = State::Releasing { reported: false, refreshes: 0 };
        if entry.busy {
            return;
        }
        out.push(LedgerEffect::Stop { container, reason: why.to_owned(), started: entry.started });
    }

    pub(super) fn give_back_all(
        &mut self,
        which: impl Fn(&Entry) -> bool,
        why: &str,
        out: &mut Vec<LedgerEffect>,
    ) {
        self.ids(which).into_iter().for_each(|container| self.give_back(container, why, out));
    }

    /// YARN reports the end of a container.
    pub(super) fn completed(&mut self, completed: Completed, out: &mut Vec<LedgerEffect>) {
        let Completed { container, status, diagnostics } = completed;
        let Some(entry) = self.containers.remove(&container) else {
            return self.completed_late(container, status, &diagnostics, out);
        };
        if let State::Granted(id) = entry.state {
            self.requests.remove(&id);
        }
        let report = entry.report.as_ref();
        let (cause, unknown) = match entry.state {
            State::Releasing { .. } => match ExitCause::of_returned(status, &diagnostics, report) {
                Some(cause) => {
                    out.push(explained(container, Some(&entry.node), cause));
                    (None, None)
                }
                None => (Some(given_back(status)), None),
            },
            // Flink has never heard of it.
            State::Spare => {
                let cause = ExitCause::new(Some((status, &diagnostics)), report);
                (Some(cause.to_string()), Some(Box::new(cause)))
            }
            State::Granted(_) | State::Starting | State::Running => {
                let cause = ExitCause::new(Some((status, &diagnostics)), report);
                out.push(terminated(container, &entry.node, cause));
                (None, None)
            }
        };
        self.remember(container, true);
        out.push(LedgerEffect::Forget { container, cause, unknown });
    }

    /// YARN reports the end of a container that the ledger does not have any more, or never had.
    fn completed_late(
        &mut self,
        container: ContainerId,
        status: i32,
        diagnostics: &str,
        out: &mut Vec<LedgerEffect>,
    ) {
        match self.gone.get_mut(&container) {
            // The ResourceManager has repeated its answer.
            Some(true) => {}
            // It was taken for gone before YARN confirmed its end.
            Some(reported) => {
                *reported = true;
                let cause = ExitCause::of_returned(status, diagnostics, None);
                out.extend(cause.map(|cause| explained(container, None, cause)));
            }
            // Its grant was lost on the way, so one container less will come than was asked for.
            None => {
                self.remember(container, true);
                self.lines.iter_mut().for_each(Line::doubt);
            }
        }
    }

    /// Repeats what is open. Containers of which YARN has not confirmed the end for long are taken for gone.
    pub(super) fn refresh(&mut self, out: &mut Vec<LedgerEffect>) {
        self.lines.iter_mut().for_each(Line::doubt);
        for (container, entry) in &mut self.containers {
            let State::Releasing { reported, refreshes } = &mut entry.state else { continue };
            *reported = false;
            *refreshes += 1;
            if entry.busy && *refreshes > BUSY_TRIES {
                (entry.busy, *refreshes) = (false, 0);
                let reason = "its taskrunner does not end by itself".to_owned();
                out.push(LedgerEffect::Stop { container: *container, reason, started: entry.started });
            }
        }
        // The ResourceManager does not know yet that one whose taskrunner is busy is given back.
        let unconfirmed = |entry: &Entry| {
            let tries = if let State::Releasing { refreshes, .. } = entry.state { refreshes } else { 0 };
            tries > RELEASE_TRIES && !entry.busy
        };
        for container in self.ids(unconfirmed) {
            self.containers.remove(&container);
            self.remember(container, false);
            let cause = Some("given back; YARN never confirmed its end".to_owned());
            out.push(LedgerEffect::Forget { container, cause, unknown: None });
        }
    }

    /// The NodeManager has refused to start the container.
    pub(super) fn start_failed(
        &mut self,
        container: ContainerId,
        reason: String,
        out: &mut Vec<LedgerEffect>,
    ) {
        let Some(entry) = self.containers.get(&container) else { return };
        match (&entry.state, entry.ahead) {
            // Flink has never heard of it.
            (State::Spare, _) => {}
            (State::Starting, _) | (State::Granted(_), Some(_)) => {
                let cause = ExitCause::not_started(reason);
                out.push(terminated(container, &entry.node, cause));
            }
            (State::Granted(_), None) | (State::Running | State::Releasing { .. }, _) => return,
        }
        self.give_back(container, "it could not be started", out);
    }

    /// The container was sent a signal to end. It may be YARN's doing, so YARN's reason is waited for; unless
    /// the container was given back to the ResourceManager, which is then the reason.
    pub(super) fn signalled(&mut self, container: ContainerId, out: &mut Vec<LedgerEffect>) {
        match self.containers.get_mut(&container) {
            None | Some(Entry { state: State::Releasing { reported: true, .. }, .. }) => {}
            Some(entry) => await_reason(container, entry, out),
        }
    }

    /// The taskrunner still has something to do, and ends by itself. YARN tells the end of its container
    /// then.
    pub(super) fn busy(&mut self, container: ContainerId) {
        if let Some(entry) = self.containers.get_mut(&container) {
            entry.busy = true;
        }
    }

    /// The taskrunner reports the end of its JVM.
    pub(super) fn exited(&mut self, container: ContainerId, report: JvmExit, out: &mut Vec<LedgerEffect>) {
        let Some(entry) = self.containers.get_mut(&container) else { return };
        let wait = report.may_be_yarns_kill();
        entry.report = Some(report);
        match entry.state {
            State::Spare | State::Releasing { .. } | State::Granted(_) => {}
            State::Starting | State::Running if wait => await_reason(container, entry, out),
            State::Starting | State::Running => self.ended_by_report(container, out),
        }
    }

    /// YARN has not told its reason in time.
    pub(super) fn report_wait_over(&mut self, container: ContainerId, out: &mut Vec<LedgerEffect>) {
        let Some(entry) = self.containers.get_mut(&container) else { return };
        entry.reason_pending = false;
        if entry.report.is_some() && matches!(entry.state, State::Starting | State::Running) {
            self.ended_by_report(container, out);
        }
    }

    /// The JVM is gone and there is no more to learn about it. Flink is told without waiting for the
    /// ResourceManager, so that it can replace the TaskManager.
    fn ended_by_report(&mut self, container: ContainerId, out: &mut Vec<LedgerEffect>) {
        if let Some(entry) = self.containers.get(&container) {
            out.push(terminated(container, &entry.node, ExitCause::new(None, entry.report.as_ref())));
        }
        self.give_back(container, "its JVM has ended", out);
    }

    /// Remembers an ended container, and whether YARN has reported how it ended.
    fn remember(&mut self, container: ContainerId, reported: bool) {
        if self.gone.insert(container, reported).is_some() {
            return;
        }
        self.gone_order.push_back(container);
        if self.gone_order.len() > REMEMBERED
            && let Some(oldest) = self.gone_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }
}

/// Waits for YARN's reason, unless that is done already.
fn await_reason(container: ContainerId, entry: &mut Entry, out: &mut Vec<LedgerEffect>) {
    if !std::mem::replace(&mut entry.reason_pending, true) {
        out.push(LedgerEffect::AwaitCompletion(container));
    }
}

fn terminated(container: ContainerId, node: &NodeId, cause: ExitCause) -> LedgerEffect {
    let reason = format!("{container} on {node}: {cause}");
    LedgerEffect::Terminated { container, reason, cause: Box::new(cause), node: Some(node.clone()) }
}

fn explained(container: ContainerId, node: Option<&NodeId>, cause: ExitCause) -> LedgerEffect {
    let place = node.map(|node| format!(" on {node}")).unwrap_or_default();
    let reason = format!("{container}{place}: {cause}");
    LedgerEffect::Explained { container, reason, cause: Box::new(cause), node: node.cloned() }
}
