//! An attached session: its prompt, its end, and what is told about it.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hadoop_rpc::RemoteKind;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tokio_util::sync::CancellationToken;
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationReport, ApplicationState};

use crate::error::Failure;
use crate::hadoop::yarn_failure;
use crate::properties;
use crate::report::Report;
use crate::rest;
use crate::target::RestAddress;

const POLL: Duration = Duration::from_secs(1);
/// A ResourceManager that is silent for this long is told of.
const UNKNOWN_FOR: Duration = Duration::from_secs(15);
/// A session that was told to stop has this long until it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(30);

const HELP: &str = "Available commands:\nhelp - show these commands\nstop - stop the YARN session";

/// A session that this client is attached to.
pub struct Attached<'a> {
    /// The ResourceManager.
    pub yarn: &'a ApplicationClient,
    /// The session.
    pub id: ApplicationId,
    /// Its REST interface.
    pub address: RestAddress,
    /// The properties file, which goes with the session.
    pub properties: PathBuf,
}

/// Why the prompt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The user, or a signal, wants the session stopped.
    Stop,
    /// The application has ended by itself.
    Over,
    /// Nothing is known of it.
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
    /// Reads commands and watches the session until one of them, or `interrupt`, ends it. True if the session ended well.
    /// `tell` writes to the person.
    pub async fn attend(
        &self,
        interrupt: &CancellationToken,
        report: &dyn Report,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<bool, Failure> {
        if std::io::stdin().is_terminal() {
            tell(HELP);
        }
        let end = self.prompt(interrupt, report, tell).await;
        if end == End::Unknown {
            tell("The Flink Yarn cluster is in an unknown state. Please check the Yarn cluster.");
            let again = format!(
                "the session was left as it is: `yarn-session.sh -id {}` attaches to it again",
                self.id
            );
            return Err(Failure::new(format!(
                "the ResourceManager has told nothing of {} for 15 s",
                self.id
            ))
            .hint(again));
        }
        if end == End::Stop {
            self.stop(report).await?;
        }
        if properties::remove(&self.properties, self.id) {
            report.info(&format!("Deleted Yarn properties file at {}", self.properties.display()));
        }
        let last = self.yarn.application_report(self.id).await.map_err(|e| yarn_failure(&e))?;
        tell_end(&last, report);
        Ok(!matches!(last.state, ApplicationState::Failed)
            && (end == End::Stop || last.state == ApplicationState::Finished))
    }

    async fn prompt(
        &self,
        interrupt: &CancellationToken,
        report: &dyn Report,
        tell: &(dyn Fn(&str) + Sync),
    ) -> End {
        let mut lines = Some(BufReader::new(tokio::io::stdin()).lines());
        let mut ticks = tokio::time::interval(POLL);
        let mut silent_since: Option<Instant> = None;
        loop {
            tokio::select! {
                () = interrupt.cancelled() => return End::Stop,
                line = next_line(&mut lines) => match line.as_deref().map(understand) {
                    Some(Line::Stop) => return End::Stop,
                    Some(Line::Help) => tell(HELP),
                    Some(Line::Unknown(command)) => {
                        tell(&format!("Unknown command '{command}'. Showing help:\n{HELP}"));
                    }
                    // The end of the input is no command: Flink's client stays attached too.
                    None => lines = None,
                },
                _ = ticks.tick() => match self.yarn.application_report(self.id).await {
                    Ok(found) if matches!(found.state, ApplicationState::Failed | ApplicationState::Killed) => {
                        tell("The Flink Yarn cluster has failed.");
                        return End::Over;
                    }
                    Ok(found) if found.state.is_final() => {
                        report.info(&format!("The session {} has ended.", self.id));
                        return End::Over;
                    }
                    Ok(_) => silent_since = None,
                    Err(e) if e.is_remote(RemoteKind::ApplicationNotFound) => return End::Unknown,
                    Err(error) => {
                        tracing::debug!(%error, "no report");
                        let since = *silent_since.get_or_insert_with(Instant::now);
                        if since.elapsed() > UNKNOWN_FOR {
                            return End::Unknown;
                        }
                    }
                },
            }
        }
    }

    /// Stops the session through Flink; if that does not work, through YARN.
    async fn stop(&self, report: &dyn Report) -> Result<(), Failure> {
        let asked = rest::stop_cluster(&self.address).await;
        if let Err(failure) = &asked {
            report.warn(&format!("{failure}; asking YARN to kill the application {}", self.id));
        } else if self.wait_for_end(STOP_WITHIN).await {
            return Ok(());
        } else {
            report.warn(&format!(
                "the session has not ended within 30 s; asking YARN to kill the application {}",
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

/// Kills an application and waits until YARN says that it has ended.
pub async fn kill(yarn: &ApplicationClient, id: ApplicationId, reason: &str) -> Result<(), Failure> {
    let until = Instant::now() + STOP_WITHIN;
    while !yarn.kill_application(id, Some(reason)).await.map_err(|e| yarn_failure(&e))? {
        if Instant::now() > until {
            return Err(Failure::new(format!(
                "YARN has not ended the application {id} within 30 s of being asked"
            ))
            .hint(format!("`yarn application -kill {id}` asks again")));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

async fn next_line(lines: &mut Option<Lines<BufReader<Stdin>>>) -> Option<String> {
    match lines {
        Some(lines) => lines.next_line().await.ok().flatten(),
        None => std::future::pending().await,
    }
}

/// The last words about an application.
fn tell_end(last: &ApplicationReport, report: &dyn Report) {
    let time = last.finish_time.unwrap_or(0);
    report.info(&format!(
        "Application {} finished with state {} and final state {} at {time}",
        last.id, last.state, last.final_status
    ));
    if last.state == ApplicationState::Failed {
        report.warn(&format!(
            "Application failed. Diagnostics {}",
            last.diagnostics.as_deref().unwrap_or("none")
        ));
        report.warn(&format!(
            "If log aggregation is activated in the Hadoop cluster, we recommend to retrieve the full application log \
             using this command:\n\tyarn logs -applicationId {}\n(It sometimes takes a few seconds until the logs are \
             aggregated)",
            last.id
        ));
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
}
