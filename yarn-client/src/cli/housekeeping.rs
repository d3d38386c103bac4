//! The commands around deployments: `ps`, `gc`, `completion`, `man`.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use flink_model::config::Configuration;
use flink_model::units;
use serde::Serialize;

use super::console::Console;
use super::options::{ClusterOptions, CompletionOptions, GcOptions, ManOptions, PsOptions};
use super::settings::Settings;
use super::{completion, definition, man as pages};
use crate::context::Context;
use crate::error::Failure;
use crate::hadoop::Hadoop;
use crate::report::Output;
use crate::{gc as collector, ps as applications, setup};

/// `ps`.
pub(super) async fn ps(
    context: &Context,
    console: &Console,
    options: &PsOptions,
) -> Result<ExitCode, Failure> {
    let of = match (&options.user, options.all_users) {
        (Some(_), true) => return Err(Failure::usage("--user and --all-users exclude each other")),
        (Some(user), false) => applications::Owner::User(user.clone()),
        (None, true) => applications::Owner::Everybody,
        (None, false) => applications::Owner::Caller,
    };
    let configuration = configuration(context, console, &options.answer.property)?;
    let hadoop = Hadoop::load(context, &configuration)?;
    let list = applications::list(&hadoop, &applications::Wanted { ended: options.all, of }).await?;
    if options.answer.json() {
        console.out(&json(&list)?);
    } else {
        console.out(&applications::render(&list, SystemTime::now()));
    }
    Ok(ExitCode::SUCCESS)
}

/// `gc`.
pub(super) async fn gc(
    context: &Context,
    console: &Console,
    options: &GcOptions,
) -> Result<ExitCode, Failure> {
    let order = collector::Order {
        delete: options.delete,
        foreign: options.foreign,
        older_than: duration("--older-than", &options.older_than)?,
    };
    let configuration = configuration(context, console, &options.answer.property)?;
    let hadoop = Hadoop::load(context, &configuration)?;
    let outcome = collector::run(&hadoop, context, &configuration, &order).await?;
    if options.answer.json() {
        console.out(&json(&outcome)?);
    } else {
        console.out(&collector::render(&outcome));
        outcome.notes.iter().for_each(|note| console.err(&format!("note: {note}")));
        collector::errors(&outcome).iter().for_each(|error| console.err(&format!("error: {error}")));
    }
    Ok(if outcome.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `completion`.
pub(super) fn completion(console: &Console, options: &CompletionOptions) -> Result<ExitCode, Failure> {
    let programs = completion::programs(&definition());
    console.out(completion::script(&options.shell, &programs).trim_end());
    Ok(ExitCode::SUCCESS)
}

/// `man`.
pub(super) fn man(context: &Context, console: &Console, options: &ManOptions) -> Result<ExitCode, Failure> {
    let pages = pages::pages(definition())?;
    let Some(dir) = &options.dir else {
        if let Some(page) = pages.first() {
            console.out(page.text.trim_end());
        }
        return Ok(ExitCode::SUCCESS);
    };
    let dir = context.path(dir);
    let failed = |e| Failure::because(format!("cannot write the manual pages to {}", dir.display()), e);
    std::fs::create_dir_all(&dir).map_err(failed)?;
    for page in &pages {
        std::fs::write(dir.join(&page.file), &page.text).map_err(failed)?;
    }
    console.out(&format!("{} pages in {}", pages.len(), dir.display()));
    Ok(ExitCode::SUCCESS)
}

/// Flink's configuration, if there is one, with the options. Warnings go to stderr: stdout may be read by a program.
fn configuration(
    context: &Context,
    console: &Console,
    property: &[String],
) -> Result<Configuration, Failure> {
    let (_, mut configuration, warnings) = setup::configuration_if_any(context)?;
    let options = ClusterOptions { property: property.to_vec(), ..ClusterOptions::default() };
    let settings = Settings::of_verb(&options, None)?;
    for warning in warnings.iter().chain(&settings.warnings) {
        console.err(&format!("warning: {warning}"));
    }
    settings.apply(&mut configuration);
    Ok(configuration)
}

fn duration(option: &str, text: &str) -> Result<Duration, Failure> {
    let bad = |why: String| {
        Failure::usage(format!("{option} {text}: {why}")).hint("write a number and a unit, as 7d or 12h")
    };
    if text.trim().bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad("the unit is missing".into()));
    }
    let parsed = units::Duration::parse(text).map_err(|e| bad(e.to_string()))?;
    Ok(Duration::from_millis(parsed.as_millis()))
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|e| Failure::because("cannot write the answer", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("--older-than", "7d").unwrap(), Duration::from_secs(7 * 24 * 3600));
        assert_eq!(duration("--older-than", "2 h").unwrap(), Duration::from_secs(7200));
        for bad in ["7", "", "x", "-1d", "7 fortnights"] {
            assert!(duration("--older-than", bad).unwrap_err().is_usage(), "{bad}");
        }
    }
}
