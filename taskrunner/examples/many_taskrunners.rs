//! Simulates the taskrunners of many containers in one process, for `scripts/bench --scale`, whose simulated
//! nodes start it. Each simulated taskrunner has a link of its own to the ApplicationMaster, as a real one
//! has, but starts no JVM.
//!
//! The program reads the lines `start CONTAINER HOST:PORT KEY PIN`, both in hexadecimal digits, and
//! `stop CONTAINER` from stdin. It
//! writes `linked CONTAINER` to stdout once the container's `Started` is sent, and `ended CONTAINER CODE`. It
//! ends at the end of stdin.

#![allow(clippy::disallowed_methods, reason = "it simulates many programs in one process")]
#![allow(clippy::print_stderr, reason = "a tool for tests, which has nothing else to tell on stderr")]

use std::collections::HashMap;
use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use taskrunner::auth;
use taskrunner::control::command::Command as CommandKind;
use taskrunner::control::event::Event as EventKind;
use taskrunner::control::{Command, Event, Exited, Memory, Ping, Started};
use taskrunner::keys::{Access, Key, Pin, Role};
use taskrunner::tls::{self, Purpose};
use taskrunner::wire::{LARGEST, Liveness, Reader, Writer};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep_until, timeout};

const DEADLINE: Duration = Duration::from_secs(10);
/// The same as that of a real taskrunner.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(5);
const GOODBYE: Duration = Duration::from_secs(2);
/// The exit code of a JVM that SIGTERM has ended.
const TERMINATED: i32 = 143;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let (say, mut told) = mpsc::unbounded_channel::<String>();
    tokio::spawn(async move {
        let mut stdout = tokio::io::stdout();
        while let Some(line) = told.recv().await {
            // If nobody reads stdout any more, stdin ends soon, too.
            if stdout.write_all(line.as_bytes()).await.is_err() || stdout.flush().await.is_err() {
                break;
            }
        }
    });
    let mut stops: HashMap<String, oneshot::Sender<()>> = HashMap::new();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["start", container, control, key, pin] => {
                let (stop, stopped) = oneshot::channel();
                stops.insert((*container).to_owned(), stop);
                let (container, control) = ((*container).to_owned(), (*control).to_owned());
                let key = Key::new(&hex::decode(key)?).ok_or("this is no key")?;
                let pin = Pin::new(&hex::decode(pin)?).ok_or("this is no pin")?;
                let access = Access::new(Role::Worker(container.clone()), key, pin);
                let say = say.clone();
                tokio::spawn(async move {
                    let code = match supervise(&container, &control, &access, &say, stopped).await {
                        Ok(()) => TERMINATED,
                        Err(error) => {
                            eprintln!("many_taskrunners: {container}: {error}");
                            1
                        }
                    };
                    // This fails only if nobody reads stdout any more.
                    let _ = say.send(format!("ended {container} {code}\n"));
                });
            }
            ["stop", container] => drop(stops.remove(*container)),
            _ => eprintln!("many_taskrunners: not understood, {} characters", line.len()),
        }
    }
    Ok(())
}

/// Simulates one container. `stopped` is completed when the NodeManager stops the container.
async fn supervise(
    container: &str,
    control: &str,
    access: &Access,
    say: &mpsc::UnboundedSender<String>,
    mut stopped: oneshot::Receiver<()>,
) -> Result<(), Failure> {
    let secured = tls::connect(control, Purpose::Link, access.pin(), DEADLINE).await?;
    let (read, write) = tokio::io::split(secured.stream);
    let mut reader = Reader::new(read, LARGEST, Liveness::default());
    let mut writer = Writer::new(write, Liveness::default());
    let hello = auth::hello(access, &secured.binding, container, "", 0);
    writer.send(&event(EventKind::Hello(hello))).await?;
    let mut samples = tokio::time::interval(SAMPLE_INTERVAL);
    let mut running = false;
    loop {
        tokio::select! {
            command = reader.next::<Command>() => match command {
                Ok(Some(command)) => match command.command {
                    Some(CommandKind::Launch(_)) => {
                        running = true;
                        writer.send(&event(EventKind::Started(Started { jvm_pid: 1, at_unix_ms: now() }))).await?;
                        say.send(format!("linked {container}\n"))?;
                    }
                    Some(CommandKind::Stop(_)) => break,
                    Some(CommandKind::Refused(refused)) => return Err(refused.message.into()),
                    Some(CommandKind::Accepted(_) | CommandKind::Ping(_) | CommandKind::Wait(_)) | None => {}
                },
                // The ApplicationMaster is gone, so the NodeManager will stop the container.
                Ok(None) | Err(_) => {
                    let _ = stopped.await;
                    return Ok(());
                }
            },
            _ = samples.tick(), if running => writer.send(&event(EventKind::Memory(sample()))).await?,
            () = sleep_until(writer.ping_at()) => writer.send(&event(EventKind::Ping(Ping {}))).await?,
            _ = &mut stopped => break,
        }
    }
    let summary = "the simulated JVM was stopped".to_owned();
    let exited = Exited { code: Some(TERMINATED), summary, ..Exited::default() };
    writer.send(&event(EventKind::Exited(exited))).await?;
    writer.end().await?;
    let goodbye = async { while let Ok(Some(_)) = reader.next::<Command>().await {} };
    let _ = timeout(GOODBYE, goodbye).await;
    Ok(())
}

fn event(kind: EventKind) -> Event {
    Event { event: Some(kind) }
}

fn sample() -> Memory {
    let (rss, virtual_size) = (400 << 20, 4 << 30);
    Memory { at_unix_ms: now(), rss, peak_rss: rss, virtual_size, ..Memory::default() }
}

fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
