//! The link of one taskrunner. A large cluster has a thousand of them, which stay for hours and carry little,
//! so each is a single task that keeps as little memory as possible.

use std::net::SocketAddr;
use std::time::Duration;

use taskrunner::auth;
use taskrunner::control::command::Command as CommandKind;
use taskrunner::control::event::Event as EventKind;
use taskrunner::control::{Accepted, Command, Event, Hello, Ping, Refusal, Refused, Wait};
use taskrunner::wire::{LARGEST, LARGEST_HELLO, MAGIC, Reader, WireError, Writer};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::time::{sleep_until, timeout};
use yarn_api::records::{ContainerId, ParseIdError};

use super::{Control, PendingCommand};

/// How long a taskrunner may take to send its first event.
const HELLO_WAIT: Duration = Duration::from_secs(10);

impl Control {
    /// Keeps a taskrunner's link until one side ends it.
    pub(super) async fn link(self, mut stream: TcpStream, from: SocketAddr) {
        let (mut read, write) = stream.split();
        let mut magic = MAGIC;
        if read.read_exact(&mut magic).await.is_err() {
            return;
        }
        let mut reader = Reader::new(read, LARGEST_HELLO, self.inner.liveness);
        let mut writer = Writer::new(write, self.inner.liveness);
        let hello = match timeout(HELLO_WAIT, hello(&mut reader)).await {
            Ok(Ok(hello)) => auth::check_hello(&hello, &self.inner.secret).map(|()| hello),
            Ok(Err(refused)) => Err(refused),
            Err(_) => return tracing::debug!(%from, "a taskrunner does not say hello"),
        };
        let accepted = hello.and_then(|hello| Ok((container_id(&hello)?, hello.jvm_pid != 0)));
        let (container, jvm_runs) = match accepted {
            Ok(accepted) => accepted,
            Err(refused) => {
                tracing::warn!(%from, why = refused.message, "refused a taskrunner");
                // It may have gone already.
                let _ = writer.send(&command(CommandKind::Refused(refused))).await;
                let _ = writer.end().await;
                return;
            }
        };
        reader.allow(LARGEST);
        let (number, wake) = self.connected(container, jvm_runs);
        match self.talk(container, number, &wake, reader, writer).await {
            Ok(()) => {}
            Err(error) => tracing::debug!(worker = %container, %error, "the link of a taskrunner broke"),
        }
        self.disconnected(container, number);
    }

    /// Passes on what the taskrunner says and sends it its commands. Ends when the taskrunner ends its half
    /// of the connection, and then ends the other half, too; or when a newer link of the container has taken
    /// over.
    async fn talk(
        &self,
        container: ContainerId,
        number: u64,
        wake: &Notify,
        mut reader: Reader<ReadHalf<'_>>,
        mut writer: Writer<WriteHalf<'_>>,
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

async fn hello(reader: &mut Reader<ReadHalf<'_>>) -> Result<Hello, Refused> {
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
