//! Stays attached to a session: reads the user's commands, watches the application, and stops it when the
//! user or a signal asks for that.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flink_rest::{RestAddress, RestClient, RestError, RestTimeouts};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationState, FinalStatus};

use yarn_client::application::{report_address, with_extract};
use yarn_client::diagnose::{Inquiry, explained};
use yarn_client::error::{CauseClass, Failure, RestFailure, yarn_failure};
use yarn_client::interrupt::{Cause, Interrupt};
use yarn_client::properties;
use yarn_client::report::Report;
use yarn_client::rest_security::RestSecurity;
use yarn_client::session::{STOP_WITHIN, kill};
use yarn_client::waiting;

const POLL: Duration = Duration::from_secs(1);
/// How long after the end of its input (Ctrl-D) a terminal is read again. Each read of a terminal that no
/// longer exists ends at once, and without this pause such reads would keep the processor busy.
const AFTER_EOF: Duration = Duration::from_millis(500);

const HELP: &str = "Available commands:\nhelp - show these commands\nstop - stop the YARN session";

/// A session that this client is attached to.
pub(crate) struct Attached<'a> {
    /// The ResourceManager.
    pub(crate) yarn: &'a ApplicationClient,
    /// The session.
    pub(crate) id: ApplicationId,
    /// The address of its REST interface.
    pub(crate) address: RestAddress,
    /// How REST interfaces are spoken to.
    pub(crate) security: RestSecurity,
    /// The properties file, which is removed when the session ends.
    pub(crate) properties: PathBuf,
    /// What its witnesses are asked with, if it fails.
    pub(crate) inquiry: &'a Inquiry,
}

/// Why the client stops reading commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The user wants the session stopped.
    Stop,
    /// This process got a signal.
    Interrupted(Cause),
    /// The application has ended by itself.
    Over,
    /// The state of the application is not known, because the ResourceManager does not answer.
    Unknown,
}

/// What a line at the prompt means.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    Stop,
    Help,
    Unknown(String),
}

fn understand(line: &str) -> Line {
    match line.trim() {
        "stop" | "quit" => Line::Stop,
        "help" => Line::Help,
        other => Line::Unknown(other.to_owned()),
    }
}

impl Attached<'_> {
    /// Reads commands and watches the session until it ends by a command, by `interrupt` or by itself. `tell`
    /// prints a text for the user.
    ///
    /// Fails if the session has failed or was interrupted, or if its state is not known.
    pub(crate) async fn attend(
        &self,
        interrupt: &Interrupt,
        report: &dyn Report,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<(), Failure> {
        if std::io::stdin().is_terminal() {
            tell(HELP);
        }
        let telling = waiting::tell(&self.address, self.yarn, self.id, report);
        let end = waiting::during(self.prompt(interrupt, report, tell), telling).await;
        if end == End::Unknown {
            tell("The Flink Yarn cluster is in an unknown state. Please check the Yarn cluster.");
            let again = format!(
                "the session was left as it is: `yarn-session.sh -id {}` attaches to it again",
                self.id
            );
            return Err(Failure::new(format!("the ResourceManager tells nothing of {} any more", self.id))
                .of_class(CauseClass::Unreachable)
                .hint(again));
        }
        if end != End::Over {
            self.stop(report).await?;
        }
        if properties::remove(&self.properties, self.id) {
            report.info(&format!("Deleted Yarn properties file at {}", self.properties.display()));
        }
        let last = self.yarn.application_report(self.id).await.map_err(|e| yarn_failure(&e))?;
        let how = format!("finished with state {} and final state {}", last.state, last.final_status);
        report.info(&format!("Application {} {how} at {}", last.id, last.finish_time.unwrap_or(0)));
        match end {
            End::Interrupted(cause) => {
                Err(Failure::interrupted(cause, format!("the session {} was stopped", last.id)))
            }
            _ if ended_well(last.state, last.final_status, end) => Ok(()),
            _ => {
                let failure = with_extract(format!("the session {} has {how}", last.id), &last);
                Err(explained(failure, self.inquiry, last.id).await)
            }
        }
    }

    async fn prompt(&self, interrupt: &Interrupt, report: &dyn Report, tell: &(dyn Fn(&str) + Sync)) -> End {
        let commands = || BufReader::new(tokio::io::stdin()).lines();
        let (mut lines, mut not_before) = (Some(commands()), Instant::now());
        let mut ticks = tokio::time::interval(POLL);
        loop {
            tokio::select! {
                cause = interrupt.raised() => return End::Interrupted(cause),
                line = next_line(&mut lines, not_before) => match line.as_deref().map(understand) {
                    Some(Line::Stop) => return End::Stop,
                    Some(Line::Help) => tell(HELP),
                    Some(Line::Unknown(command)) => {
                        tell(&format!("Unknown command '{command}'. Showing help:\n{HELP}"));
                    }
                    // The end of the input does not end the command, because Flink's client stays attached,
                    // too. On a terminal it is Ctrl-D, and more input can follow.
                    None => {
                        lines = std::io::stdin().is_terminal().then(commands);
                        not_before = Instant::now() + AFTER_EOF;
                    }
                },
                // While the client waits for a ResourceManager that cannot be reached, it still takes
                // commands.
                answer = async { ticks.tick().await; self.yarn.application_report(self.id).await } => match answer {
                    Ok(found) if found.state.is_final() => {
                        if ended_well(found.state, found.final_status, End::Over) {
                            report.info(&format!("The session {} has ended.", self.id));
                        } else {
                            tell("The Flink Yarn cluster has failed.");
                        }
                        return End::Over;
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!(%error, "no report");
                        return End::Unknown;
                    }
                },
            }
        }
    }

    /// Stops the session through Flink; if that does not work, through YARN.
    async fn stop(&self, report: &dyn Report) -> Result<(), Failure> {
        // The address has changed if YARN has started a second attempt of the ApplicationMaster.
        let found = self.yarn.application_report(self.id).await.ok();
        let address = found.and_then(|found| report_address(&found, &self.security).ok());
        let asked = stop_cluster(address.as_ref().unwrap_or(&self.address)).await;
        if let Err(failure) = &asked {
            report.warn(&format!("{failure}; asking YARN to kill the application {}", self.id));
        } else if self.wait_for_end(STOP_WITHIN).await {
            return Ok(());
        } else {
            report.warn(&format!(
                "the session has not ended within {} s; asking YARN to kill the application {}",
                STOP_WITHIN.as_secs(),
                self.id
            ));
        }
        kill(self.yarn, self.id, "stopped by its attached client").await
    }

    async fn wait_for_end(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        while Instant::now() < until {
            match self.yarn.application_report(self.id).await {
                Ok(found) if found.state.is_final() => return true,
                _ => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
        false
    }
}

/// Asks the JobManager to end the cluster, which cancels all its jobs.
async fn stop_cluster(address: &RestAddress) -> Result<(), Failure> {
    let limits = RestTimeouts { call: Duration::from_secs(10), ..RestTimeouts::default() };
    let failed =
        |e: RestError| e.failure(format!("cannot ask the JobManager at {address} to stop the cluster"));
    RestClient::new(address, limits).map_err(failed)?.shut_down().await.map_err(failed)
}

async fn next_line(lines: &mut Option<Lines<BufReader<Stdin>>>, not_before: Instant) -> Option<String> {
    tokio::time::sleep_until(not_before.into()).await;
    match lines {
        Some(lines) => lines.next_line().await.ok().flatten(),
        None => std::future::pending().await,
    }
}

/// Whether the session has ended in a way that is not a failure.
fn ended_well(state: ApplicationState, final_status: FinalStatus, end: End) -> bool {
    match state {
        ApplicationState::Finished => final_status == FinalStatus::Succeeded || end == End::Stop,
        // A session that did not stop when it was asked to was killed through YARN.
        ApplicationState::Killed => end == End::Stop,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        assert_eq!(understand(" stop\r"), Line::Stop);
        assert_eq!(understand("quit"), Line::Stop);
        assert_eq!(understand("help"), Line::Help);
        assert_eq!(understand("Stop it"), Line::Unknown("Stop it".into()));
    }

    #[test]
    fn how_a_session_ends_well() {
        use ApplicationState::{Failed, Finished, Killed, Running};
        let well = ended_well;
        assert!(well(Finished, FinalStatus::Succeeded, End::Over));
        assert!(well(Finished, FinalStatus::Succeeded, End::Stop));
        // The crash of a JobManager: the state alone says nothing.
        assert!(!well(Finished, FinalStatus::Failed, End::Over));
        assert!(!well(Finished, FinalStatus::Undefined, End::Over));
        // Whoever has stopped it need not hear how it took that.
        assert!(well(Finished, FinalStatus::Killed, End::Stop));
        assert!(!well(Finished, FinalStatus::Killed, End::Over));
        assert!(well(Killed, FinalStatus::Killed, End::Stop));
        assert!(!well(Killed, FinalStatus::Killed, End::Over));
        for end in [End::Stop, End::Over] {
            assert!(!well(Failed, FinalStatus::Failed, end));
            assert!(!well(Running, FinalStatus::Undefined, end));
        }
    }
}
