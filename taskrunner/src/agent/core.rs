//! The decisions of the taskrunner, as a state machine: each input makes one step and returns the effects
//! that `run.rs` is to carry out. It has no clock and does no I/O, so that tests can lead it into any state.
//! Times are in milliseconds by a monotonic clock of the caller.

use std::sync::Arc;

use crate::control::event::Event as EventKind;
use crate::control::{Event, Exited, Launch, Memory, ReporterPorts, Started};
use crate::exit::{ExitReport, FAILED, TERMINATED};

/// How long the taskrunner waits, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// Without contact to the ApplicationMaster, before the taskrunner stops the JVM or, if there is none
    /// yet, before it ends itself.
    pub(super) contact: u64,
    /// From SIGTERM to SIGKILL, if the ApplicationMaster has not said how long.
    pub(super) kill: u64,
    /// After the end of the JVM, for a lost link to come back.
    pub(super) report: u64,
    /// After the report, for the ApplicationMaster to close the link.
    pub(super) goodbye: u64,
}

/// What happened.
#[derive(Debug)]
pub(super) enum AgentInput {
    /// The ApplicationMaster has accepted the link.
    LinkUp,
    /// The link ended.
    LinkDown,
    /// The ApplicationMaster has refused this container, for this reason.
    Refused(String),
    /// The ApplicationMaster says that a launch may come later, because its JobManager is not ready.
    Wait,
    Launch(Box<Launch>),
    Stop {
        grace: u64,
    },
    Started {
        pid: u32,
        at_unix_ms: u64,
    },
    LaunchFailed(String),
    Ended(Arc<ExitReport>),
    Sample(Memory),
    /// Flink's reporters for Prometheus listen on these ports.
    Reporters(Vec<u16>),
    /// The taskrunner got a SIGTERM or SIGINT.
    Signal,
    /// A deadline may have passed.
    Tick,
}

/// What the taskrunner has to do. The effects of a step are carried out in their order.
#[derive(Debug, PartialEq)]
pub(super) enum AgentEffect {
    Send(Event),
    /// Close the sending half of the link, because nothing more will be sent.
    CloseLink,
    /// Write the files and start the JVM; the answer, `Started` or `LaunchFailed`, is the very next input.
    Launch(Box<Launch>),
    /// Report that the taskrunner got a signal, with the memory that the container's processes use now.
    TellSignal,
    Terminate,
    Kill,
    Finish {
        code: u8,
        message: String,
    },
}

#[derive(Debug)]
enum Phase {
    /// No JVM yet. Waiting => (Running | Ended | finished)
    Waiting,
    /// Running => (Stopping | Ended)
    Running,
    /// SIGTERM was sent. SIGKILL follows at `kill_at`, which is `None` once that is done. Stopping => Ended
    Stopping { kill_at: Option<u64> },
    /// The JVM has ended, or could not be started. The taskrunner ends once the report is delivered, and at
    /// `leave_at` at the latest. Ended => finished
    Ended { exited: Box<Exited>, code: u8, leave_at: u64, reported: bool },
}

pub(super) struct Agent {
    deadlines: Deadlines,
    phase: Phase,
    up: bool,
    /// When the link went up or down, or when the ApplicationMaster last said that a launch may come later.
    since: u64,
    /// Whether the JVM was stopped because the ApplicationMaster could not be reached.
    gave_up: bool,
    /// Whether the ApplicationMaster was told that the taskrunner got a signal.
    signal_told: bool,
    /// The ports of Flink's reporters. They are told on each link, because the ApplicationMaster of another
    /// attempt does not know them.
    reporters: Vec<u16>,
}

impl Agent {
    pub(super) fn new(deadlines: Deadlines, now: u64) -> Agent {
        Agent {
            deadlines,
            phase: Phase::Waiting,
            up: false,
            since: now,
            gave_up: false,
            signal_told: false,
            reporters: Vec::new(),
        }
    }

    /// When the next [`AgentInput::Tick`] is due.
    pub(super) fn deadline(&self) -> Option<u64> {
        match &self.phase {
            // There is a deadline even with a link, so that an ApplicationMaster that has forgotten this
            // container does not keep it for ever. An ApplicationMaster whose JobManager is slow says so,
            // which moves the deadline.
            Phase::Waiting => Some(self.since + self.deadlines.contact),
            Phase::Running => (!self.up).then_some(self.since + self.deadlines.contact),
            Phase::Stopping { kill_at } => *kill_at,
            Phase::Ended { leave_at, .. } => Some(*leave_at),
        }
    }

    pub(super) fn step(&mut self, now: u64, input: AgentInput) -> Vec<AgentEffect> {
        match input {
            AgentInput::LinkUp => self.link_up(now),
            AgentInput::LinkDown => self.link_down(now),
            AgentInput::Refused(why) => match self.phase {
                Phase::Waiting => {
                    vec![finish(FAILED, format!("the ApplicationMaster refused this container: {why}"))]
                }
                _ => self.link_down(now),
            },
            AgentInput::Wait => {
                // Once the JVM runs, the time counts from the end of the link.
                if matches!(self.phase, Phase::Waiting) {
                    self.since = now;
                }
                Vec::new()
            }
            AgentInput::Launch(launch) => match self.phase {
                Phase::Waiting => vec![AgentEffect::Launch(launch)],
                _ => Vec::new(),
            },
            AgentInput::Stop { grace } => {
                self.stop(now, grace, "stopped by the ApplicationMaster before the JVM was started")
            }
            AgentInput::Signal => self.signal(now),
            AgentInput::Started { pid, at_unix_ms } => {
                self.phase = Phase::Running;
                self.send(EventKind::Started(Started { jvm_pid: pid, at_unix_ms }))
            }
            AgentInput::LaunchFailed(summary) => {
                self.end(now, Exited { summary, launch_failed: true, ..Exited::default() }, FAILED)
            }
            AgentInput::Ended(report) => self.end(now, report.to_event(), report.shell_code()),
            AgentInput::Sample(memory) => self.send(EventKind::Memory(memory)),
            AgentInput::Reporters(ports) => {
                self.reporters = ports;
                self.tell_reporters()
            }
            AgentInput::Tick => self.tick(now),
        }
    }

    fn send(&self, kind: EventKind) -> Vec<AgentEffect> {
        if self.up { vec![AgentEffect::Send(Event { event: Some(kind) })] } else { Vec::new() }
    }

    fn link_up(&mut self, now: u64) -> Vec<AgentEffect> {
        self.up = true;
        self.since = now;
        let mut effects = self.tell_reporters();
        effects.extend(self.report(now));
        effects
    }

    /// Sends the ports of Flink's reporters, as long as the JVM runs.
    fn tell_reporters(&self) -> Vec<AgentEffect> {
        if self.reporters.is_empty() || matches!(self.phase, Phase::Waiting | Phase::Ended { .. }) {
            return Vec::new();
        }
        let ports = self.reporters.iter().copied().map(u32::from).collect();
        self.send(EventKind::ReporterPorts(ReporterPorts { ports }))
    }

    fn link_down(&mut self, now: u64) -> Vec<AgentEffect> {
        if self.up {
            self.up = false;
            self.since = now;
        }
        match &self.phase {
            Phase::Ended { reported: true, code, exited, .. } => vec![finish(*code, exited.summary.clone())],
            _ => Vec::new(),
        }
    }

    fn stop(&mut self, now: u64, grace: u64, unstarted: &str) -> Vec<AgentEffect> {
        let new = now + grace;
        match &mut self.phase {
            Phase::Waiting => vec![finish(TERMINATED, unstarted.to_owned())],
            Phase::Running => {
                self.phase = Phase::Stopping { kill_at: Some(new) };
                vec![AgentEffect::Terminate]
            }
            Phase::Stopping { kill_at } => {
                // A second stop can only shorten the time until SIGKILL.
                *kill_at = kill_at.map(|old| old.min(new));
                Vec::new()
            }
            Phase::Ended { .. } => Vec::new(),
        }
    }

    fn signal(&mut self, now: u64) -> Vec<AgentEffect> {
        if let Phase::Ended { code, exited, .. } = &self.phase {
            return vec![finish(*code, exited.summary.clone())];
        }
        let stop = self.stop(now, self.deadlines.kill, "ended by a signal before the JVM was started");
        // The report is sent before the JVM is stopped, so that the ApplicationMaster has it before the
        // JobManager learns that the TaskManager ends. The JVM may have got the signal, too.
        let tell = self.up && !self.signal_told && !matches!(self.phase, Phase::Waiting);
        self.signal_told |= tell;
        tell.then_some(AgentEffect::TellSignal).into_iter().chain(stop).collect()
    }

    fn end(&mut self, now: u64, exited: Exited, code: u8) -> Vec<AgentEffect> {
        let wait = if self.gave_up { 0 } else { self.deadlines.report };
        self.phase = Phase::Ended { exited: Box::new(exited), code, leave_at: now + wait, reported: false };
        self.report(now)
    }

    /// Sends the report, if there is one and there is a link.
    fn report(&mut self, now: u64) -> Vec<AgentEffect> {
        match &mut self.phase {
            Phase::Ended { exited, leave_at, reported, .. } if self.up => {
                *reported = true;
                *leave_at = now + self.deadlines.goodbye;
                vec![
                    AgentEffect::Send(Event { event: Some(EventKind::Exited((**exited).clone())) }),
                    AgentEffect::CloseLink,
                ]
            }
            _ => Vec::new(),
        }
    }

    fn tick(&mut self, now: u64) -> Vec<AgentEffect> {
        if self.deadline().is_none_or(|at| now < at) {
            return Vec::new();
        }
        let seconds = self.deadlines.contact / 1000;
        match &mut self.phase {
            Phase::Waiting => {
                let what = if self.up {
                    "the ApplicationMaster sent no launch"
                } else {
                    "the ApplicationMaster cannot be reached"
                };
                vec![finish(FAILED, format!("{what} for {seconds} s; giving up"))]
            }
            Phase::Running => {
                self.gave_up = true;
                self.phase = Phase::Stopping { kill_at: Some(now + self.deadlines.kill) };
                vec![AgentEffect::Terminate]
            }
            Phase::Stopping { kill_at } => {
                *kill_at = None;
                vec![AgentEffect::Kill]
            }
            Phase::Ended { code, exited, .. } => {
                let mut message = exited.summary.clone();
                if self.gave_up {
                    message.push_str(&format!(
                        "; stopped because the ApplicationMaster could not be reached for {seconds} s"
                    ));
                }
                vec![finish(*code, message)]
            }
        }
    }
}

fn finish(code: u8, message: String) -> AgentEffect {
    AgentEffect::Finish { code, message }
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
