//! The link of one taskrunner. A thousand of them are there for hours with little to say: each is one task
//! that holds as little as can be.

use std::net::SocketAddr;
use std::time::Duration;

use taskrunner::auth;
use taskrunner::control::command::Command as Kind;
use taskrunner::control::event::Event as Told;
use taskrunner::control::{Accepted, Command, Event, Hello, Ping, Refusal, Refused};
use taskrunner::wire::{LARGEST, LARGEST_HELLO, MAGIC, Reader, WireError, Writer};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::time::{sleep_until, timeout};

use super::{Control, Order};
use crate::ledger::types::Worker;

/// For a taskrunner's first event.
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
        let hello = match hello {
            Ok(hello) => hello,
            Err(refused) => {
                tracing::warn!(%from, why = refused.message, "refused a taskrunner");
                // It may have gone already.
                let _ = writer.send(&command(Kind::Refused(refused))).await;
                let _ = writer.end().await;
                return;
            }
        };
        reader.allow(LARGEST);
        let worker = Worker::new(&hello.container_id);
        let (number, wake) = self.connected(&worker, hello.jvm_pid != 0);
        drop(hello);
        match self.talk(&worker, number, &wake, reader, writer).await {
            Ok(()) => {}
            Err(error) => tracing::debug!(%worker, %error, "the link of a taskrunner broke"),
        }
        self.disconnected(worker, number);
    }

    /// Until the taskrunner ends its half, upon which ours is ended, too, and lets it go; or until it is
    /// connected elsewhere.
    async fn talk(
        &self,
        worker: &Worker,
        number: u64,
        wake: &Notify,
        mut reader: Reader<ReadHalf<'_>>,
        mut writer: Writer<WriteHalf<'_>>,
    ) -> Result<(), WireError> {
        writer.send(&command(Kind::Accepted(Accepted {}))).await?;
        loop {
            tokio::select! {
                event = reader.next::<Event>() => match event? {
                    Some(Event { event: Some(event) }) => self.told(worker, event),
                    Some(Event { event: None }) => {}
                    None => break,
                },
                () = wake.notified() => {
                    let Some(orders) = self.orders(worker, number) else { break };
                    for order in orders {
                        let order = match order {
                            Order::Launch => self.launch(worker).map(Kind::Launch),
                            Order::Stop(stop) => Some(Kind::Stop(stop)),
                        };
                        if let Some(order) = order {
                            writer.send(&command(order)).await?;
                        }
                    }
                }
                () = sleep_until(writer.ping_at()) => writer.send(&command(Kind::Ping(Ping {}))).await?,
            }
        }
        writer.end().await
    }
}

async fn hello(reader: &mut Reader<ReadHalf<'_>>) -> Result<Hello, Refused> {
    let message = match reader.next().await {
        Ok(Some(Event { event: Some(Told::Hello(hello)) })) => return Ok(hello),
        Ok(_) => "the first event is no hello".to_owned(),
        Err(error) => format!("the first event is no hello: {error}"),
    };
    Err(Refused { why: Refusal::BadHello.into(), message })
}

fn command(command: Kind) -> Command {
    Command { command: Some(command) }
}
