//! The link of one taskrunner. A large cluster has a thousand of them, which stay for hours and carry little,
//! so each is a single task that keeps as little memory as possible.

use std::net::SocketAddr;
use std::time::Duration;

use taskrunner::auth;
use taskrunner::control::command::Command as CommandKind;
use taskrunner::control::event::Event as EventKind;
use taskrunner::control::{Accepted, Command, Event, Hello, Ping, Refusal, Refused, Wait};
use taskrunner::keys::Binding;
use taskrunner::tls::{Secured, ServerStream};
use taskrunner::wire::{LARGEST, LARGEST_HELLO, Reader, WireError, Writer};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::time::{sleep_until, timeout};
use yarn_api::records::{ContainerId, ParseIdError};

use super::gate::Slot;
use super::refusals::Refusals;
use super::{Control, PendingCommand};

/// How long a taskrunner may take to send its first event.
const HELLO_WAIT: Duration = Duration::from_secs(5);

impl Control {
    /// Keeps a taskrunner's link until one side ends it. `slot` is its place until it has proved who it is.
    pub(super) async fn link(
        self,
        secured: Secured<ServerStream>,
        from: SocketAddr,
        slot: Slot,
        refusals: Refusals,
    ) {
        let (read, write) = tokio::io::split(secured.stream);
        let mut reader = Reader::new(read, LARGEST_HELLO, self.inner.liveness);
        let mut writer = Writer::new(write, self.inner.liveness);
        let hello = timeout(HELLO_WAIT, self.hello(&mut reader, &secured.binding));
        let accepted = match slot.put_out().run_until_cancelled(hello).await {
            Some(Ok(accepted)) => accepted,
            Some(Err(_)) => return refusals.add(from, &"it does not say which taskrunner it is"),
            None => return refusals.add(from, &"others need the place of a taskrunner that says nothing"),
        };
        let (container, jvm_runs) = match accepted {
            Ok(accepted) => accepted,
            Err(refused) => {
                refusals.add(from, &refused.message);
                // It may have gone already, or be one that reads nothing.
                let refusing = async {
                    let _ = writer.send(&command(CommandKind::Refused(refused))).await;
                    let _ = writer.end().await;
                };
                let _ = timeout(HELLO_WAIT, refusing).await;
                return;
            }
        };
        drop(slot);
        reader.allow(LARGEST);
        let (number, wake) = self.connected(container, jvm_runs);
        match self.talk(container, number, &wake, reader, writer).await {
            Ok(()) => {}
            Err(error) => tracing::debug!(worker = %container, %error, "the link of a taskrunner broke"),
        }
        self.disconnected(container, number);
    }

    /// The container of the taskrunner that begins a link, and whether its JVM runs.
    async fn hello(
        &self,
        reader: &mut Reader<ReadHalf<ServerStream>>,
        binding: &Binding,
    ) -> Result<(ContainerId, bool), Refused> {
        let hello = first_event(reader).await?;
        auth::check_hello(&hello, &self.inner.keys, binding)?;
        let container = container_id(&hello)?;
        if !self.may_connect(container) {
            let message = format!("this ApplicationMaster does not hold {container}, or not any more");
            return Err(Refused { why: Refusal::NotHeld.into(), message });
        }
        Ok((container, hello.jvm_pid != 0))
    }

    /// Passes on what the taskrunner says and sends it its commands. Ends when the taskrunner ends its half
    /// of the connection, and then ends the other half, too; or when a newer link of the container has taken
    /// over.
    async fn talk(
        &self,
        container: ContainerId,
        number: u64,
        wake: &Notify,
        mut reader: Reader<ReadHalf<ServerStream>>,
        mut writer: Writer<WriteHalf<ServerStream>>,
    ) -> Result<(), WireError> {
        writer.send(&command(CommandKind::Accepted(Accepted {}))).await?;
        loop {
            tokio::select! {
                event = reader.next::<Event>() => match event? {
                    Some(Event { event: Some(event) }) => self.told(container, event),
                    Some(Event { event: None }) => {}
                    None => break,
                },
                () = wake.notified() => {
                    let Some(pending) = self.commands(container, number) else { break };
                    for pending in pending {
                        let kind = match pending {
                            PendingCommand::Launch => self.launch_message(container).map(CommandKind::Launch),
                            PendingCommand::Wait => Some(CommandKind::Wait(Wait {})),
                            PendingCommand::Stop(stop) => Some(CommandKind::Stop(stop)),
                        };
                        if let Some(kind) = kind {
                            writer.send(&command(kind)).await?;
                        }
                    }
                }
                () = sleep_until(writer.ping_at()) => writer.send(&command(CommandKind::Ping(Ping {}))).await?,
            }
        }
        writer.end().await
    }
}

async fn first_event(reader: &mut Reader<ReadHalf<ServerStream>>) -> Result<Hello, Refused> {
    let message = match reader.next().await {
        Ok(Some(Event { event: Some(EventKind::Hello(hello)) })) => return Ok(hello),
        Ok(_) => "the first event is no hello".to_owned(),
        Err(error) => format!("the first event is no hello: {error}"),
    };
    Err(Refused { why: Refusal::BadHello.into(), message })
}

fn container_id(hello: &Hello) -> Result<ContainerId, Refused> {
    let refused = |error: ParseIdError| Refused { why: Refusal::BadHello.into(), message: error.to_string() };
    hello.container_id.parse().map_err(refused)
}

fn command(command: CommandKind) -> Command {
    Command { command: Some(command) }
}
