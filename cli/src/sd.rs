//! Carries out `heddle sd`: the targets that Prometheus can read, printed once, kept in a file, or served.

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flink_model::config::Configuration;
use prometheus_http::{Answer, Limits, Question, TARGETS_PATH, serve, write_targets};
use serde_json::json;
use tokio::net::TcpListener;
use yarn_client::application::parse_id;
use yarn_client::context::Context;
use yarn_client::discovery::{Discovery, KEEP, Silent, Wanted, look};
use yarn_client::error::Failure;
use yarn_client::exit::Exit;
use yarn_client::hadoop::Hadoop;
use yarn_client::ps::Owner;
use yarn_client::rest_security::RestSecurity;

use super::console::{Console, Output};
use super::housekeeping::{configuration, duration, to_json};
use super::options::SdOptions;

/// The time between two looks, if none is given.
const INTERVAL: Duration = Duration::from_secs(30);
/// The shortest time between two looks: each asks every application.
const SHORTEST: Duration = Duration::from_secs(1);

/// Carries out `sd`.
pub(super) async fn sd(context: &Context, console: &Console, options: &SdOptions) -> Result<Exit, Failure> {
    let (wanted, way) = (wanted(options)?, way(context, options)?);
    let configuration = configuration(context, console, &options.answer.property)?;
    let mut seeker = Seeker {
        security: RestSecurity::of(&configuration, context)?,
        context,
        console,
        configuration,
        wanted,
        discovery: Discovery::default(),
    };
    match way {
        Way::Once => {
            seeker.seek().await?;
            let targets = seeker.discovery.targets();
            if options.answer.json() {
                console.answer(to_json(&targets)?);
            } else {
                console.out(&write_targets(&targets));
            }
            Ok(Exit::Done)
        }
        Way::File { path, interval } => keep_file(&mut seeker, &path, interval).await,
        Way::Listen { address, interval } => listen(&mut seeker, &address, interval).await,
    }
}

/// What becomes of the targets.
#[derive(Debug, PartialEq)]
enum Way {
    Once,
    /// Without an interval, the file is written once.
    File {
        path: PathBuf,
        interval: Option<Duration>,
    },
    Listen {
        address: String,
        interval: Duration,
    },
}

fn way(context: &Context, options: &SdOptions) -> Result<Way, Failure> {
    let interval = options.interval.as_deref().map(|text| duration("--interval", text, "30s or 5min"));
    let interval = interval.transpose()?;
    if interval.is_some_and(|interval| interval < SHORTEST) {
        return Err(Failure::usage("--interval must be at least 1s"));
    }
    let way = match (&options.file, &options.listen) {
        (Some(_), Some(_)) => return Err(Failure::usage("--file and --listen cannot be combined")),
        (Some(file), None) => Way::File { path: context.path(file), interval },
        (None, Some(address)) => {
            Way::Listen { address: address.clone(), interval: interval.unwrap_or(INTERVAL) }
        }
        (None, None) if interval.is_some() => {
            return Err(Failure::usage("--interval has no meaning without --file or --listen"));
        }
        (None, None) => Way::Once,
    };
    Ok(way)
}

fn wanted(options: &SdOptions) -> Result<Wanted, Failure> {
    let of = match (&options.user, options.all_users) {
        (Some(_), true) => return Err(Failure::usage("--user and --all-users cannot be combined")),
        (Some(user), false) => Owner::User(user.clone()),
        (None, true) => Owner::Everybody,
        (None, false) => Owner::Caller,
    };
    let ids = options.applications.iter().map(|id| parse_id(id)).collect::<Result<Vec<_>, _>>()?;
    Ok(Wanted { of, tag: options.tag.clone(), ids })
}

/// Looks for targets again and again.
struct Seeker<'a> {
    context: &'a Context,
    console: &'a Console,
    configuration: Configuration,
    security: RestSecurity,
    wanted: Wanted,
    discovery: Discovery,
}

impl Seeker<'_> {
    /// Looks once, and tells who does not answer.
    async fn seek(&mut self) -> Result<(), Failure> {
        // It is read again each time: a ticket may have been renewed.
        let hadoop = Hadoop::load(self.context, &self.configuration).await?;
        let heard = look(&hadoop, &self.wanted, &self.security).await?;
        for Silent { application, why, kept } in self.discovery.step(heard, Instant::now()) {
            let then = match kept {
                true => format!("; its last known targets are kept for {} min", KEEP.as_secs() / 60),
                false => String::new(),
            };
            self.console.err(&format!("warning: {application} does not tell its targets: {why}{then}"));
        }
        Ok(())
    }

    /// Looks once. If the ResourceManager does not answer, the targets stay as they are.
    async fn seek_again(&mut self) {
        if let Err(failure) = self.seek().await {
            let text = failure.to_string();
            self.console.err(&format!("warning: {text}; the last known targets are kept"));
        }
    }

    fn text(&self) -> String {
        write_targets(&self.discovery.targets())
    }
}

/// Writes the file, and again whenever the targets have changed.
async fn keep_file(
    seeker: &mut Seeker<'_>,
    path: &Path,
    interval: Option<Duration>,
) -> Result<Exit, Failure> {
    seeker.seek().await?;
    let mut written = seeker.text();
    write(path, &written)?;
    seeker.console.answer(json!({ "file": path.display().to_string() }));
    let Some(interval) = interval else { return Ok(Exit::Done) };
    // A program that reads the answer needs it now, because this command does not end by itself.
    seeker.console.give_answer(None);
    loop {
        tokio::time::sleep(interval).await;
        seeker.seek_again().await;
        let text = seeker.text();
        // Somebody may have removed it.
        if text != written || !path.exists() {
            write(path, &text)?;
            written = text;
        }
    }
}

/// Puts the text into the file so that whoever reads it sees all of it or what was there before. Prometheus
/// may run as another user, so everybody may read the file.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let doing = || format!("cannot write {}", path.display());
    let directory = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    write().map_err(|error| {
        Failure::because(doing(), error)
            .hint("the directory must exist, and you must be allowed to make files in it")
    })
}

/// Serves the targets, and looks for them from time to time.
async fn listen(seeker: &mut Seeker<'_>, address: &str, interval: Duration) -> Result<Exit, Failure> {
    let place: SocketAddr = address.parse().map_err(|_| {
        Failure::usage(format!("--listen {address}: this is no address and port"))
            .hint("write both, as in 127.0.0.1:9900 or [::1]:9900")
    })?;
    let listener = TcpListener::bind(place).await.map_err(|error| {
        Failure::because(format!("cannot listen on {address}"), error)
            .hint("name an address of this machine, and a port on which no other program listens")
    })?;
    let place = listener.local_addr().unwrap_or(place);
    seeker.seek().await?;
    let text = Arc::new(Mutex::new(seeker.text()));
    let served = text.clone();
    let server = serve(listener, Limits::default(), move |question: Question| {
        let answer = answer(&question, &served);
        async move { answer }
    });
    let url = format!("http://{place}{TARGETS_PATH}");
    seeker.console.answer(json!({ "url": url }));
    seeker.console.give_answer(None);
    seeker.console.out(&format!("targets for Prometheus: {url}"));
    let never: Infallible = tokio::select! {
        never = server => never,
        never = refresh(seeker, &text, interval) => never,
    };
    match never {}
}

fn answer(question: &Question, text: &Mutex<String>) -> Answer {
    match question.path.as_str() {
        TARGETS_PATH => {
            let text = text.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Answer::ok("application/json", text)
        }
        _ => Answer::not_found(format!("the targets for Prometheus are at {TARGETS_PATH}\n")),
    }
}

async fn refresh(seeker: &mut Seeker<'_>, text: &Mutex<String>, interval: Duration) -> Infallible {
    loop {
        tokio::time::sleep(interval).await;
        seeker.seek_again().await;
        *text.lock().unwrap_or_else(PoisonError::into_inner) = seeker.text();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heddle.json");
        write(&path, "[]").unwrap();
        write(&path, r#"[{"targets":[]}]"#).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[{\"targets\":[]}]\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        let failure = write(&dir.path().join("gone/x.json"), "[]").unwrap_err();
        assert!(failure.to_string().contains("cannot write"), "{failure}");
    }

    #[test]
    fn which_applications() {
        let of = |options: SdOptions| wanted(&options);
        assert_eq!(of(SdOptions::default()).unwrap(), Wanted::default());
        let user = SdOptions { user: Some("ann".into()), ..SdOptions::default() };
        assert_eq!(of(user.clone()).unwrap().of, Owner::User("ann".into()));
        assert!(of(SdOptions { all_users: true, ..user }).unwrap_err().is_usage());
        let wrong = SdOptions { applications: vec!["job_1".into()], ..SdOptions::default() };
        assert!(of(wrong).unwrap_err().is_usage());
    }
}
