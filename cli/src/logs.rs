//! Carries out `heddle logs`.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use yarn_api::records::{ApplicationId, ContainerId};
use yarn_client::application::parse_id;
use yarn_client::context::Context;
use yarn_client::error::Failure;
use yarn_client::exit::Exit;
use yarn_client::hadoop::Hadoop;
use yarn_client::logs::{ContainerLogs, Filter, Log, Missing, Request, Show, Which, find, follow, show};

use super::console::{Console, Output};
use super::housekeeping::{configuration, duration, to_json};
use super::options::LogsOptions;
use super::text;

/// The text that is gathered before it is printed, in bytes.
const FULL: usize = 64 << 10;

/// Carries out `logs`.
pub(super) async fn logs(
    context: &Context,
    console: &Console,
    options: &LogsOptions,
) -> Result<Exit, Failure> {
    let (request, filter) = (request(options)?, filter(options, SystemTime::now())?);
    let is_list = options.list || options.answer.json();
    if is_list && options.follow {
        return Err(Failure::usage("-f shows lines, and cannot be combined with --list or --output json"));
    }
    let configuration = configuration(context, console, &options.answer.property)?;
    let hadoop = Hadoop::load(context, &configuration).await?;
    let catalog = find(&hadoop, &request).await?;
    if options.answer.json() {
        console.answer(to_json(&catalog)?);
    }
    if catalog.count() == 0 {
        return Err(catalog.nothing(&request));
    }
    catalog.missing.iter().for_each(|missing| tell(console, missing));
    if is_list {
        if !options.answer.json() {
            console.out(&text::logs::list(&catalog));
        }
        return Ok(Exit::Done);
    }
    let mut printer = Printer { console, text: Vec::new(), is_complete: true };
    let Some(ends) = show(&catalog, &filter, options.follow, &mut printer).await else {
        return Ok(Exit::Done);
    };
    if options.follow {
        match catalog.not_live() {
            Some(missing) => tell(console, &missing),
            None => {
                let ended = follow(&hadoop, &request, &filter, catalog, ends, &mut printer).await?;
                if let Some(state) = ended {
                    console.err(&format!(
                        "note: the application {} has ended: it is {state}",
                        request.application
                    ));
                }
            }
        }
    }
    Ok(Exit::done_if(printer.is_complete))
}

/// Which logs the options ask for.
fn request(options: &LogsOptions) -> Result<Request, Failure> {
    let container = options.container.as_deref().map(parse_container).transpose()?;
    let which = match (options.job_manager, options.task_manager, container) {
        (false, None, None) => Which::All,
        (true, None, None) => Which::JobManager,
        (false, Some(number), None) => Which::TaskManager(number),
        (false, None, Some(id)) => Which::Container(id),
        _ => return Err(Failure::usage("only one of --jobmanager, --tm and --container can be given")),
    };
    let application = application(&options.applications, container)?;
    let (owner, files) = (options.owner.clone(), options.files.clone());
    Ok(Request { application, owner, which, attempt: options.attempt, files })
}

/// The application that is named, or else that of the container.
fn application(named: &[String], container: Option<ContainerId>) -> Result<ApplicationId, Failure> {
    match (named, container) {
        ([], Some(container)) => Ok(container.application_id()),
        ([], None) => {
            Err(Failure::usage("the application id is missing: heddle logs [options] <application id>")
                .hint("`heddle ps --all` lists your applications"))
        }
        ([one], container) => {
            let id = parse_id(one)?;
            match container.filter(|container| container.application_id() != id) {
                Some(other) => Err(Failure::usage(format!("{other} is no container of {id}"))),
                None => Ok(id),
            }
        }
        _ => Err(Failure::usage("only one application can be named")),
    }
}

fn parse_container(text: &str) -> Result<ContainerId, Failure> {
    text.parse().map_err(|e: yarn_api::records::ParseIdError| {
        Failure::usage(e.to_string())
            .hint("`heddle logs --list <application id>` shows the ids of its containers")
    })
}

/// Which lines the options ask for.
fn filter(options: &LogsOptions, now: SystemTime) -> Result<Filter, Failure> {
    let tail = options.tail.map(|tail| usize::try_from(tail).unwrap_or(usize::MAX));
    let mut filter = Filter::default().with_tail(tail);
    if let Some(pattern) = &options.grep {
        filter = filter.with_grep(pattern)?;
    }
    if let Some(since) = &options.since {
        let since = duration("--since", since, "10min or 2h")?;
        let time = now.checked_sub(since).and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        filter =
            filter.with_since(time.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)));
    }
    Ok(filter)
}

fn tell(console: &Console, missing: &Missing) {
    console.err(&format!("warning: {}", missing.line()));
    if let Some(hint) = &missing.hint {
        console.err(&format!("hint: {hint}"));
    }
    if missing.retry_helps {
        console.err("hint: this can be temporary: trying again may help");
    }
}

/// Prints lines of logs.
struct Printer<'a> {
    console: &'a Console,
    /// Lines that are not printed yet. They may hold bytes that are not UTF-8.
    text: Vec<u8>,
    /// Whether all logs were read to their ends.
    is_complete: bool,
}

impl Printer<'_> {
    /// Prints the lines if there are many. Gives `false` if nobody reads them any more.
    fn print_if_full(&mut self) -> bool {
        if self.text.len() < FULL {
            return true;
        }
        self.pause();
        !self.console.is_lost()
    }
}

impl Show for Printer<'_> {
    fn begin(&mut self, container: &ContainerLogs, log: &Log) {
        self.pause();
        self.text.extend_from_slice(text::logs::heading(container, log).as_bytes());
        self.text.push(b'\n');
    }

    fn line(&mut self, line: &[u8]) -> bool {
        self.text.extend_from_slice(line);
        self.text.push(b'\n');
        self.print_if_full()
    }

    fn lines(&mut self, lines: &[u8]) -> bool {
        self.text.extend_from_slice(lines);
        self.print_if_full()
    }

    fn pause(&mut self) {
        if let Some(text) = self.text.strip_suffix(b"\n") {
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            // Replacing what is not UTF-8 looks at one byte after the other, also where all is UTF-8.
            let text =
                std::str::from_utf8(text).map_or_else(|_| String::from_utf8_lossy(text), Cow::Borrowed);
            self.console.out(&text);
        }
        self.text.clear();
    }

    fn missing(&mut self, missing: &Missing) {
        self.pause();
        self.is_complete = false;
        tell(self.console, missing);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const CONTAINER: &str = "container_1_0001_01_000002";

    fn options(applications: &[&str]) -> LogsOptions {
        let applications = applications.iter().map(|id| (*id).to_owned()).collect();
        LogsOptions { applications, ..LogsOptions::default() }
    }

    #[test]
    fn which_logs() {
        let all = request(&options(&["application_1_0001"])).unwrap();
        assert_eq!((all.which, all.application.id), (Which::All, 1));
        let container = LogsOptions { container: Some(CONTAINER.into()), ..options(&[]) };
        let one = request(&container).unwrap();
        assert_eq!((one.which, one.application.id), (Which::Container(CONTAINER.parse().unwrap()), 1));
        let first = |base: LogsOptions| LogsOptions { task_manager: Some(1), ..base };
        assert_eq!(request(&first(options(&["application_1_0001"]))).unwrap().which, Which::TaskManager(1));
        for wrong in [
            options(&[]),
            options(&["job_1"]),
            options(&["application_1_0001", "application_1_0002"]),
            first(container.clone()),
            LogsOptions { container: Some("x".into()), ..options(&[]) },
            LogsOptions { applications: vec!["application_1_0002".into()], ..container },
            LogsOptions { job_manager: true, ..first(options(&["application_1_0001"])) },
        ] {
            assert!(request(&wrong).unwrap_err().is_usage(), "{wrong:?}");
        }
    }

    #[test]
    fn which_lines() {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let of = |options: LogsOptions| filter(&options, now);
        assert_eq!(of(LogsOptions { tail: Some(7), ..options(&[]) }).unwrap().tail, Some(7));
        assert!(of(LogsOptions { since: Some("10min".into()), ..options(&[]) }).is_ok());
        assert!(of(LogsOptions { since: Some("9999999d".into()), ..options(&[]) }).is_ok());
        for wrong in [
            LogsOptions { since: Some("10".into()), ..options(&[]) },
            LogsOptions { grep: Some("(".into()), ..options(&[]) },
        ] {
            assert!(of(wrong).unwrap_err().is_usage());
        }
    }
}
