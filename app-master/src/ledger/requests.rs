//! Requests: what Flink wants, what YARN is asked for, and which container answers which request.

use super::line::Line;
use super::types::{Ask, Grant, LedgerEffect, Profile, TaskManagerArguments};
use super::{Entry, Ledger, Request, State, Taskrunner};
use yarn_api::records::ContainerId;

impl Ledger {
    /// Why the cluster can never give a container of this size.
    pub fn refusal(&self, profile: &Profile) -> Option<String> {
        self.maximum.as_ref().and_then(|maximum| too_large(profile, maximum))
    }

    /// Flink requests a TaskManager: a spare of its size answers at once, else YARN is asked.
    pub(super) fn request(
        &mut self,
        id: u64,
        profile: Profile,
        arguments: TaskManagerArguments,
        out: &mut Vec<LedgerEffect>,
    ) {
        if self.requests.contains_key(&id) {
            return;
        }
        if let Some(reason) = self.refusal(&profile) {
            out.push(LedgerEffect::Failed { id, reason });
            return;
        }
        let line = self.line_of(profile);
        self.requests.insert(id, Request { line, arguments });
        let spares = self.containers.iter_mut();
        let spares = spares.filter(|(_, entry)| entry.state == State::Spare && entry.line == line);
        // One whose taskrunner is connected can start its TaskManager at once.
        match spares.max_by_key(|(_, entry)| entry.ahead == Some(Taskrunner::Connected)) {
            Some((container, entry)) => {
                entry.state = State::Granted(id);
                out.push(LedgerEffect::Allocated { id, container: *container, node: entry.node.clone() });
            }
            None => self.lines[line].push(id),
        }
    }

    /// The line for a size. Each has a priority of its own, because YARN knows requests by their priorities.
    fn line_of(&mut self, profile: Profile) -> usize {
        self.lines.iter().position(|line| line.profile == profile).unwrap_or_else(|| {
            let priority = i32::try_from(self.lines.len() + 1).unwrap_or(i32::MAX);
            self.lines.push(Line::new(profile, priority));
            self.lines.len() - 1
        })
    }

    /// Asks for containers ahead of Flink's requests. A size that the cluster cannot give is not asked for:
    /// Flink's own request for it will be told why it fails.
    pub(super) fn prewarm(&mut self, profile: Profile, count: u32) {
        if self.refusal(&profile).is_none() {
            let line = self.line_of(profile);
            self.lines[line].ask_ahead(count);
        }
    }

    pub(super) fn prewarm_over(&mut self, out: &mut Vec<LedgerEffect>) {
        self.lines.iter_mut().for_each(|line| line.ask_ahead(0));
        self.give_back_all(|entry| entry.state == State::Spare, "no job needed it in time", out);
    }

    pub(super) fn cancel(&mut self, id: u64, out: &mut Vec<LedgerEffect>) {
        let Some(request) = self.requests.remove(&id) else { return };
        self.lines[request.line].remove(id);
        let granted = self.ids(|entry| entry.state == State::Granted(id));
        granted.into_iter().for_each(|granted| self.give_back(granted, "its request was cancelled", out));
    }

    /// Flink knows the container that answers its request. A request that was cancelled meanwhile has none.
    pub(super) fn launch(&mut self, id: u64, container: ContainerId, out: &mut Vec<LedgerEffect>) {
        let Some(entry) = self.containers.get_mut(&container) else { return };
        if entry.state != State::Granted(id) {
            return;
        }
        if let Some(Request { arguments, .. }) = self.requests.remove(&id) {
            let connected = entry.ahead == Some(Taskrunner::Connected);
            entry.state = if connected { State::Running } else { State::Starting };
            let started = std::mem::replace(&mut entry.started, true);
            out.push(LedgerEffect::Launch { container, arguments, started });
        }
    }

    pub(super) fn job_manager_lost(&mut self, out: &mut Vec<LedgerEffect>) {
        let unused = |entry: &Entry| matches!(entry.state, State::Granted(_) | State::Spare);
        self.give_back_all(unused, "the JobManager that asked for it is gone", out);
        self.requests.clear();
        self.lines.iter_mut().for_each(Line::clear);
    }

    /// The ResourceManager has granted a container. It is for the oldest request that waits for its size,
    /// else a spare if one was asked for ahead, else it goes back. `grants` counts the grants of each line.
    pub(super) fn granted(&mut self, grant: Grant, grants: &mut [u32], out: &mut Vec<LedgerEffect>) {
        let Grant { container, node, priority, allocation_request, .. } = grant;
        if self.gone.contains_key(&container) || self.containers.contains_key(&container) {
            return; // The ResourceManager has repeated its answer.
        }
        let number = allocation_request.filter(|id| *id > 0).unwrap_or(i64::from(priority));
        let line = self.lines.iter().position(|line| i64::from(line.priority) == number);
        let request = line.and_then(|line| {
            grants[line] += 1;
            self.lines[line].pop()
        });
        let ahead = request.is_none() && line.is_some_and(|line| self.lines[line].pop_ahead());
        let mut entry = Entry::new(node.clone(), State::Spare);
        entry.line = line.unwrap_or_default();
        out.push(match request {
            Some(id) => {
                entry.state = State::Granted(id);
                LedgerEffect::Allocated { id, container, node }
            }
            None if ahead => {
                entry.ahead = Some(Taskrunner::Starting);
                entry.started = true;
                LedgerEffect::StartTaskrunner { container, node }
            }
            None => {
                entry.state = State::Releasing { reported: false, refreshes: 0 };
                let reason = "surplus: no request waits for it".to_owned();
                LedgerEffect::Stop { container, reason, started: false }
            }
        });
        self.containers.insert(container, entry);
    }

    /// Which of the asks is at fault is not known, so all requests that wait for one of them fail. Flink
    /// requests anew at its own pace. A heartbeat that is refused has changed nothing: what the
    /// ResourceManager knew of each line before, it still knows.
    pub(super) fn asks_refused(&mut self, sent: &[Ask], reason: &str, out: &mut Vec<LedgerEffect>) {
        for line in &mut self.lines {
            match sent.iter().find(|ask| ask.priority == line.priority) {
                None => continue,
                Some(Ask { count: 0, .. }) => {
                    line.cannot_be_cancelled();
                    continue;
                }
                Some(_) => line.ask_ahead(0),
            }
            while let Some(id) = line.pop() {
                self.requests.remove(&id);
                let reason = format!("YARN refuses the request: {reason}");
                out.push(LedgerEffect::Failed { id, reason });
            }
        }
    }
}

/// Why the cluster can never give a container of this size, with both numbers; none if it can.
fn too_large(profile: &Profile, maximum: &Profile) -> Option<String> {
    if profile.memory_mb > maximum.memory_mb {
        return Some(format!(
            "a TaskManager of {} MB is larger than the cluster's largest container, {} MB \
             (taskmanager.memory.process.size; YARN: yarn.scheduler.maximum-allocation-mb)",
            profile.memory_mb, maximum.memory_mb
        ));
    }
    if profile.vcores > maximum.vcores {
        return Some(format!(
            "a TaskManager of {} vcores is larger than the cluster's largest container, {} vcores \
             (yarn.containers.vcores, taskmanager.cpu.cores; YARN: yarn.scheduler.maximum-allocation-vcores)",
            profile.vcores, maximum.vcores
        ));
    }
    profile.resources.iter().filter(|(_, amount)| **amount > 0).find_map(|(name, amount)| {
        match maximum.resources.get(name) {
            None => {
                Some(format!("the cluster defines no resource type {name} (a TaskManager wants {amount})"))
            }
            Some(most) if amount > most => Some(format!(
                "a TaskManager with {amount} of {name} is larger than the cluster's largest container, {most}"
            )),
            Some(_) => None,
        }
    })
}
