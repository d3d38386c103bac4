//! Turns the words and options of a command on jobs into a description of what to do. The functions fail if
//! words are missing or wrong.

use std::path::PathBuf;
use std::time::Duration;

use flink_model::config::{Configuration, Origin};
use flink_model::units;
use flink_rest::{ClaimMode, JarRun, JobId, SavepointFormat};
use yarn_client::context::Context;
use yarn_client::error::{CauseClass, Failure};

use super::perform::{Cancel, NewSavepoint, Savepoint, Stop};
use crate::options::{CancelOptions, RunOptions, SavepointOptions, StopOptions};
use crate::program::jar_and_arguments;

/// The key that says how long a command waits for an operation.
const CLIENT_TIMEOUT: &str = "client.timeout";
const DEFAULT_CLIENT_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a command waits for an operation.
pub(super) fn patience(configuration: &Configuration) -> Result<Duration, Failure> {
    let Some(text) = configuration.text(CLIENT_TIMEOUT) else { return Ok(DEFAULT_CLIENT_TIMEOUT) };
    let duration = units::Duration::parse(&text).map_err(|e| {
        Failure::because(format!("cannot read {CLIENT_TIMEOUT}"), e)
            .of_class(CauseClass::Configuration)
            .hint("write it as in `60 s` or `5 min`")
    })?;
    Ok(Duration::from_millis(duration.as_millis()))
}

/// The id of the job: the first word or, without words, the value of `option`. An option with an optional
/// value takes the job id as its value if the id stands behind it.
fn job(words: &[String], option: Option<&str>, verb: &str) -> Result<JobId, Failure> {
    match words.first().map(String::as_str).or(option).filter(|word| !word.is_empty()) {
        Some(word) => Ok(JobId::parse(word)?),
        None => Err(Failure::usage(format!("the job id is missing: flink {verb} [options] <job id>"))
            .hint("`flink list` shows the ids of the jobs")),
    }
}

/// The value of an option with an optional value, unless it is the job id (see [`job`]).
fn directory(words: &[String], option: Option<&str>) -> Option<String> {
    option.filter(|value| !words.is_empty() && !value.is_empty()).map(str::to_owned)
}

pub(super) fn cancel(options: &CancelOptions) -> Result<Cancel, Failure> {
    let (words, option) = (&options.rest.words, options.with_savepoint.as_deref());
    let savepoint = match option {
        Some(_) => {
            let format = SavepointFormat::parse(options.format.as_deref())?;
            Some(NewSavepoint { directory: directory(words, option), format })
        }
        None => None,
    };
    Ok(Cancel { job: job(words, option, "cancel")?, savepoint })
}

pub(super) fn stop(options: &StopOptions) -> Result<Stop, Failure> {
    let (words, option) = (&options.rest.words, options.savepoint_path.as_deref());
    let format = SavepointFormat::parse(options.format.as_deref())?;
    let savepoint = NewSavepoint { directory: directory(words, option), format };
    Ok(Stop { job: job(words, option, "stop")?, drain: options.drain, savepoint, detached: options.detached })
}

pub(super) fn savepoint(options: &SavepointOptions) -> Result<Savepoint, Failure> {
    if let Some(path) = &options.dispose {
        return Ok(Savepoint::Dispose(path.clone()));
    }
    let words = &options.rest.words;
    let format = SavepointFormat::parse(options.format.as_deref())?;
    let savepoint = NewSavepoint { directory: words.get(1).cloned(), format };
    Ok(Savepoint::Take { job: job(words, None, "savepoint")?, savepoint, detached: options.detached })
}

pub(super) fn checkpoint(words: &[String]) -> Result<JobId, Failure> {
    job(words, None, "checkpoint")
}

/// What a command `run --main cluster` asks for.
#[derive(Debug)]
pub(super) struct ClusterRun {
    pub(super) jar: PathBuf,
    pub(super) run: JarRun,
    /// The claim mode. It is not in `run`, because the name under which it is sent depends on the cluster's
    /// release.
    pub(super) claim_mode: Option<ClaimMode>,
    pub(super) detached: bool,
    pub(super) cancel_on_exit: bool,
}

/// The beginnings of keys that say where the program runs, not how. They are not sent with the job.
const NOT_OF_THE_JOB: [&str; 4] = ["execution.target", "execution.attached", "rest.", "yarn."];

pub(super) fn cluster_run(
    options: &RunOptions,
    configuration: &Configuration,
    context: &Context,
) -> Result<ClusterRun, Failure> {
    if options.python.is_some() || options.py_module.is_some() || options.py_env.is_some() {
        return Err(Failure::usage("--main cluster runs jars only, not Python programs"));
    }
    if !options.classpath.is_empty() {
        return Err(Failure::usage("--main cluster cannot take -C: put the classes into the program's jar"));
    }
    let (jar, program_args_list) = jar_and_arguments(options)?;
    let jar = jar.ok_or_else(|| Failure::usage("the program's jar is missing"))?;
    let local = jar.strip_prefix("file://").or_else(|| jar.strip_prefix("file:")).unwrap_or(&jar);
    if local.contains("://") {
        return Err(Failure::usage(format!("the jar {jar} is not on this machine"))
            .hint("fetch it first; a session takes jars by upload only"));
    }
    let parallelism = options.parallelism.as_deref().map(|text| {
        let number = text.parse().ok().filter(|&n: &u32| n > 0);
        number.ok_or_else(|| {
            Failure::usage(format!("--parallelism {text}: it must be a whole number of at least 1"))
        })
    });
    let claim_mode = options.claim_mode.as_deref().or(options.restore_mode.as_deref()).map(ClaimMode::parse);
    let flink_configuration = configuration
        .iter()
        .filter(|(key, entry)| {
            entry.origin == Origin::Dynamic && !NOT_OF_THE_JOB.iter().any(|other| key.starts_with(other))
        })
        .map(|(key, entry)| (key.to_owned(), entry.value.text()))
        .collect();
    let run = JarRun {
        entry_class: options.class.clone(),
        program_args_list,
        parallelism: parallelism.transpose()?,
        savepoint_path: options.from_savepoint.clone(),
        allow_non_restored_state: options.allow_non_restored_state.then_some(true),
        flink_configuration,
        ..JarRun::default()
    };
    Ok(ClusterRun {
        jar: context.path(local),
        run,
        claim_mode: claim_mode.transpose()?,
        detached: options.detached,
        cancel_on_exit: options.shutdown_on_attached_exit,
    })
}

#[cfg(test)]
#[path = "arguments_tests.rs"]
mod tests;
