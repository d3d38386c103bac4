//! Carries out the commands that neither start a cluster nor speak to a JobManager about jobs: `ps`, `kill`,
//! `explain-exit`, `gc`, `completion`, `man` and `reference`.

use std::path::Path;
use std::time::{Duration, SystemTime};

use diagnosis::exits;
use flink_model::config::Configuration;
use flink_model::units;
use serde::Serialize;
use serde_json::{Value, json};
use yarn_client::application::parse_id;
use yarn_client::context::Context;
use yarn_client::error::{CauseClass, Failure};
use yarn_client::exit::Exit;
use yarn_client::forgotten::{Forgotten, forgotten};
use yarn_client::hadoop::Hadoop;
use yarn_client::identity::Identity;
use yarn_client::ps::Application;
use yarn_client::rest_security::RestSecurity;
use yarn_client::units::count;
use yarn_client::{gc as collector, kill as killer, ps as applications, setup};

use super::console::{Console, warn};
use super::man::Page;
use super::options::{
    ClusterOptions, CompletionOptions, ExplainExitOptions, GcOptions, KillOptions, ManOptions, PsOptions,
    ReferenceOptions,
};
use super::parse::definition;
use super::settings::Settings;
use super::{completion, man as manual, reference as references, text};
use crate::console::Output;

/// Carries out `ps`.
pub(super) async fn ps(context: &Context, console: &Console, options: &PsOptions) -> Result<Exit, Failure> {
    let of = match (&options.user, options.all_users) {
        (Some(_), true) => return Err(Failure::usage("--user and --all-users cannot be combined")),
        (Some(user), false) => applications::Owner::User(user.clone()),
        (None, true) => applications::Owner::Everybody,
        (None, false) => applications::Owner::Caller,
    };
    let ids = options.applications.iter().map(|id| parse_id(id)).collect::<Result<Vec<_>, _>>()?;
    if !ids.is_empty() && (options.all || of != applications::Owner::Caller) {
        return Err(Failure::usage("application ids cannot be combined with --all, --user or --all-users"));
    }
    let configuration = configuration(context, console, &options.answer.property)?;
    let hadoop = Hadoop::load(context, &configuration).await?;
    let security = RestSecurity::of(&configuration, context)?;
    let is_own = match &of {
        applications::Owner::Caller | applications::Owner::Everybody => true,
        applications::Owner::User(user) => user == hadoop.login.user().short_name(),
    };
    let list = match ids.as_slice() {
        [] => {
            let filter = applications::Filter { ended: options.all, of };
            let mut list = applications::list(&hadoop, &filter, &security).await?;
            if options.all && is_own {
                // The oldest come first, and what YARN has forgotten is older than what it knows.
                let Forgotten { mut applications, missing } = forgotten(&hadoop, &configuration, &list).await;
                warn(console, missing.iter());
                applications.append(&mut list);
                list = applications;
            }
            list
        }
        ids => applications::named(&hadoop, ids, &security).await?,
    };
    let now = SystemTime::now();
    let identity = Identity::of(&hadoop);
    if options.answer.json() {
        console.answer(asked_as(&list, identity.as_ref())?);
    } else if ids.is_empty() {
        console.out(&text::applications::render(&list, options.all, now));
    } else {
        list.iter().for_each(|application| console.out(&text::applications::describe(application, now)));
    }
    if let Some(identity) = identity {
        // A program that reads the answer as JSON gets this on stderr, because the list may be empty.
        console.out(&match options.answer.verbose {
            true => text::applications::identity(&identity),
            false => text::applications::identity_in_short(&identity),
        });
    }
    Ok(Exit::Done)
}

/// The list for programs. The answer has always been a list, so each application says as whom it was asked
/// for.
fn asked_as(list: &[Application], identity: Option<&Identity>) -> Result<Value, Failure> {
    let (mut list, identity) = (to_json(&list)?, to_json(&identity)?);
    add_identity(&mut list, &identity);
    Ok(list)
}

fn add_identity(list: &mut Value, identity: &Value) {
    for application in list.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        application.insert("askedAs".to_owned(), identity.clone());
    }
}

/// Carries out `kill`.
pub(super) async fn kill(
    context: &Context,
    console: &Console,
    options: &KillOptions,
) -> Result<Exit, Failure> {
    let ids = options.applications.iter().map(|id| parse_id(id)).collect::<Result<Vec<_>, _>>()?;
    if ids.is_empty() {
        return Err(Failure::usage(
            "the application id is missing: heddle kill [options] <application id> ...",
        )
        .hint("`heddle ps` lists your applications"));
    }
    let configuration = configuration(context, console, &options.answer.property)?;
    let hadoop = Hadoop::load(context, &configuration).await?;
    let yarn = hadoop.yarn()?;
    console.has_effects();
    // An application that cannot be killed does not keep the others from being killed.
    let mut answers = Vec::new();
    let mut failures = Vec::new();
    for id in ids {
        match killer::kill(&hadoop, &yarn, context, &configuration, id).await {
            Ok(killed) => {
                console.out(&killed.line());
                answers.push(to_json(&killed)?);
            }
            Err(failure) => {
                let failure = failure.of_application(id);
                answers.push(json!({ "application": id.to_string(), "error": failure.to_json() }));
                failures.push(failure);
            }
        }
    }
    console.answer(json!({ "applications": answers }));
    let last = failures.pop();
    failures.iter().for_each(|failure| console.err(failure.render(options.answer.verbose).trim_end()));
    last.map_or(Ok(Exit::Done), Err)
}

/// Carries out `explain-exit`.
pub(super) fn explain_exit(console: &Console, options: &ExplainExitOptions) -> Result<Exit, Failure> {
    const EXAMPLE: &str = "`heddle explain-exit 137` explains the exit code of a process, `heddle explain-exit -104` a status of YARN";
    if options.codes.is_empty() {
        return Err(
            Failure::usage("the code is missing: heddle explain-exit [options] <code> ...").hint(EXAMPLE)
        );
    }
    let mut answers = Vec::new();
    let mut blocks = Vec::new();
    for code in &options.codes {
        let meanings = exits::explain(code).map_err(|why| Failure::usage(why).hint(EXAMPLE))?;
        blocks.push(text::exits::render(code, &meanings));
        answers.push(json!({ "code": code, "meanings": to_json(&meanings)? }));
    }
    if options.answer.json() {
        console.answer(json!({ "codes": answers }));
    } else {
        console.out(&blocks.join("\n\n"));
    }
    Ok(Exit::Done)
}

/// Carries out `gc`.
pub(super) async fn gc(context: &Context, console: &Console, options: &GcOptions) -> Result<Exit, Failure> {
    let request = collector::GcRequest {
        delete: options.delete,
        foreign: options.foreign,
        older_than: duration("--older-than", &options.older_than, "7d or 12h")?,
    };
    let configuration = configuration(context, console, &options.answer.property)?;
    let hadoop = Hadoop::load(context, &configuration).await?;
    let outcome = collector::run(&hadoop, context, &configuration, &request).await?;
    if options.answer.json() {
        console.answer(to_json(&outcome)?);
    } else {
        console.out(&text::gc::render(&outcome));
        outcome.notes.iter().for_each(|note| console.err(&format!("note: {note}")));
        text::gc::errors(&outcome).iter().for_each(|error| console.err(&format!("error: {error}")));
    }
    Ok(Exit::done_if(outcome.is_complete()))
}

/// Carries out `completion`.
pub(super) fn completion(console: &Console, options: &CompletionOptions) -> Result<Exit, Failure> {
    let programs = completion::programs(&definition());
    let script = completion::script(&options.shell, &programs);
    if options.answer.json() {
        console.answer(json!({ "shell": options.shell, "script": script }));
    } else {
        console.out(script.trim_end());
    }
    Ok(Exit::Done)
}

/// Carries out `man`.
pub(super) fn man(context: &Context, console: &Console, options: &ManOptions) -> Result<Exit, Failure> {
    let pages = manual::pages(definition())?;
    if let Some(dir) = &options.dir {
        return write(&pages, &context.path(dir), console);
    }
    if options.answer.json() {
        let pages: Vec<Value> =
            pages.iter().map(|page| json!({ "file": page.file, "text": page.text })).collect();
        console.answer(json!({ "pages": pages }));
    } else if let Some(page) = pages.first() {
        console.out(page.text.trim_end());
    }
    Ok(Exit::Done)
}

/// Carries out `reference`.
pub(super) fn reference(
    context: &Context,
    console: &Console,
    options: &ReferenceOptions,
) -> Result<Exit, Failure> {
    match (&options.dir, options.check) {
        (Some(dir), false) => write(&references::pages(&definition()), &context.path(dir), console),
        (None, true) => references::check(&options.words).map(|()| Exit::Done),
        _ => Err(Failure::usage("one of --dir and --check is needed")),
    }
}

fn write(pages: &[Page], dir: &Path, console: &Console) -> Result<Exit, Failure> {
    let failed = |e| Failure::because(format!("cannot write the pages to {}", dir.display()), e);
    std::fs::create_dir_all(dir).map_err(failed)?;
    for page in pages {
        std::fs::write(dir.join(&page.file), &page.text).map_err(failed)?;
    }
    let files: Vec<&str> = pages.iter().map(|page| page.file.as_str()).collect();
    console.answer(json!({ "directory": dir.display().to_string(), "files": files }));
    console.out(&format!("{} in {}", count(pages.len(), "page"), dir.display()));
    Ok(Exit::Done)
}

/// Flink's configuration, if there is one, with the properties of the command line. Warnings go to stderr,
/// because a program may read stdout.
pub(super) fn configuration(
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

/// The duration `text`, which is the value of `option`. A number without a unit is refused, because Flink
/// takes it as milliseconds, which no user means here. `example` is for the hint.
pub(super) fn duration(option: &str, text: &str, example: &str) -> Result<Duration, Failure> {
    let bad = |why: String| {
        Failure::usage(format!("{option} {text}: {why}"))
            .hint(format!("write a number and a unit, as in {example}"))
    };
    if text.trim().bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad("the unit is missing".into()));
    }
    let parsed = units::Duration::parse(text).map_err(|e| bad(e.to_string()))?;
    Ok(Duration::from_millis(parsed.as_millis()))
}

pub(super) fn to_json(value: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value)
        .map_err(|e| Failure::because("cannot write the answer", e).of_class(CauseClass::Internal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_application_says_as_whom_it_was_asked_for() {
        assert_eq!(asked_as(&[], None).unwrap(), json!([]));
        let identity = Identity {
            principal: "ann@R".into(),
            acting: None,
            name: "ann".into(),
            via: "with the keytab /k".into(),
            tokens: vec![],
        };
        let mut list = json!([{"application": "a"}, {"application": "b"}]);
        add_identity(&mut list, &json!(identity));
        assert_eq!(list[1]["application"], "b");
        assert_eq!(list[1]["askedAs"]["principal"], "ann@R");
    }

    #[test]
    fn durations() {
        let of = |text: &str| duration("--timeout", text, "90s or 5min");
        assert_eq!(of("7d").unwrap(), Duration::from_secs(7 * 24 * 3600));
        assert_eq!(of("2 h").unwrap(), Duration::from_secs(7200));
        for bad in ["7", "", "x", "-1d", "7 fortnights"] {
            assert!(of(bad).unwrap_err().is_usage(), "{bad}");
        }
        insta::assert_snapshot!(of("5").unwrap_err().render(false), @r"
        error: --timeout 5: the unit is missing
        hint: write a number and a unit, as in 90s or 5min
        ");
    }
}
