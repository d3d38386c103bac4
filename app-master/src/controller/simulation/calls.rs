//! The driver's part for the ResourceManager: calls to it, of which something may be lost, and its restarts.

use yarn_api::records::ContainerId;

use super::world::{Answer, Call, Loss, What, World};
use super::yarn::{NODES, unavailable};
use crate::controller::event::{Event, HeartbeatAnswer};

impl World {
    pub(super) fn call(&mut self, call: Call) {
        let Some(master) = &mut self.master else { return };
        let attempt = master.attempt;
        if std::mem::replace(&mut master.calls, true) {
            self.fail("a call to the ResourceManager is made while another one is under way".to_owned());
        }
        self.within(20, What::Called(attempt, call));
    }

    /// A call has reached the ResourceManager, unless it is lost.
    pub(super) fn called(&mut self, attempt: u32, call: Call) {
        let registers = matches!(call, Call::Register);
        let lost = self.losses.iter().position(|loss| *loss != Loss::RegistrationAnswer || registers);
        let lost = lost.filter(|_| self.yarn.up).map(|index| self.losses.remove(index));
        let arrives = self.yarn.up && lost != Some(Loss::Call);
        let mut answer = match &call {
            Call::Register if arrives => Answer::Registered(self.yarn.register(attempt)),
            Call::Heartbeat(sent) if arrives => {
                // The client holds the number while it waits.
                let id = self.master.as_ref().map_or(0, |master| master.response_id.get());
                Answer::Heartbeat(sent.clone(), self.yarn.allocate(attempt, id, sent))
            }
            Call::Register => Answer::Registered(Err(unavailable())),
            Call::Heartbeat(sent) => Answer::Heartbeat(sent.clone(), Err(unavailable())),
        };
        let empty =
            matches!(&answer, Answer::Heartbeat(_, Ok((_, answer))) if *answer == HeartbeatAnswer::default());
        if lost.is_some() || !empty {
            self.note(|| format!("ResourceManager (lost: {lost:?}): {answer:?}"));
        }
        if lost.is_some() {
            match &mut answer {
                Answer::Registered(answer) => *answer = Err(unavailable()),
                Answer::Heartbeat(_, answer) => *answer = Err(unavailable()),
            }
        }
        let wait = if lost.is_some() { 15_000 } else { 20 };
        self.within(wait, What::Answered(attempt, answer));
    }

    pub(super) fn answered(&mut self, attempt: u32, answer: Answer) {
        let Some(master) = self.master.as_mut().filter(|master| master.attempt == attempt) else { return };
        master.calls = false;
        let mut hear = |containers: &mut dyn Iterator<Item = ContainerId>| {
            containers.for_each(|container| {
                master.heard_of.entry(container).or_insert(self.now);
            });
        };
        let event = match answer {
            Answer::Registered(answer) => {
                // Containers that it names to an attempt which registers again come with a heartbeat, too.
                let first = !master.was_registered;
                let previous = answer.iter().flat_map(|answer| &answer.previous).filter(|_| first);
                hear(&mut previous.map(|(container, _)| *container));
                Event::Registered(answer)
            }
            Answer::Heartbeat(sent, answer) => {
                let answer = answer.map(|(number, answer)| {
                    master.response_id.answered(number);
                    hear(&mut answer.late.iter().map(|(container, _)| *container));
                    hear(&mut answer.granted.iter().map(|grant| grant.container));
                    answer
                });
                Event::HeartbeatAnswered { sent, answer }
            }
        };
        self.handle(attempt, event);
        if let Some(master) = &mut self.master {
            master.was_registered |= master.controller.is_registered();
        }
    }

    /// The ResourceManager is killed and started again; its NodeManagers are back after `late` seconds.
    pub(super) fn resource_manager_restarts(&mut self, down: u64, late: [u64; NODES]) {
        self.note(|| "the ResourceManager is dead".to_owned());
        self.yarn.dies();
        let epoch = self.yarn.epoch;
        self.after(down * 1000, What::ResourceManagerStarts(epoch));
        for (node, late) in late.into_iter().enumerate() {
            self.after((down + late) * 1000 + 1, What::NodeRegisters(epoch, node));
        }
    }
}
