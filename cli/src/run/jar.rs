//! Checks the program's jar before anything is started for it, and fetches it if it is in HDFS. Finds the
//! jars with Hadoop's classes, if the program gets them.

use std::ffi::OsString;
use std::sync::Arc;

use artifact_store::files_below;
use flink_model::config::Configuration;
use yarn_client::context::{Context, FlinkHome};
use yarn_client::error::Failure;
use yarn_client::fetch::fetch;
use yarn_client::hadoop::Hadoop;
use yarn_client::hadoop_jars::{self, HadoopJars};
use yarn_client::interrupt::Interrupt;
use yarn_client::jar;
use yarn_client::paths::{is_remote, without_scheme};
use yarn_client::run::ClientWords;
use yarn_client::timing::Timing;

use crate::console::Console;
use crate::options::RunOptions;
use crate::program::{self, NamedScript};
use crate::python;

/// The jar that the options name; `None` for a Python program.
fn named_jar(options: &RunOptions) -> Result<Option<String>, Failure> {
    if options.python.is_some() || options.py_module.is_some() {
        return Ok(None);
    }
    program::jar_and_arguments(options).map(|(jar, _)| jar)
}

/// Checks the jar, if it is on this machine. Fails if it cannot be read or cannot be a program, and if it is
/// a SQL script, which can only be an application.
pub(super) fn check_jar(context: &Context, options: &RunOptions) -> Result<(), Failure> {
    if let Some(NamedScript { script, .. }) = program::named_script(options, context)? {
        return Err(Failure::usage(format!("{script} is a SQL script, which runs only as an application"))
            .hint(format!(
                "`flink run -t yarn-application {script}` runs it in the JobManager of a new cluster"
            ))
            .hint(format!("`sql-client.sh -f {script}` runs it on a session")));
    }
    python::check_executables(options, context)?;
    let Some(jar) = named_jar(options)? else { return Ok(()) };
    jar::check_path(&jar)?;
    if is_remote(&jar) {
        return Ok(());
    }
    let path = context.path(without_scheme(&jar));
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => {
            return Err(Failure::configuration(format!("the jar {} is not a file", path.display()))
                .hint("name the jar itself, not its directory"));
        }
        Err(e) => {
            let what = format!("cannot read the program's jar {}", path.display());
            return Err(Failure::because(what, e).hint(
                "the first word behind the options is the jar, the words behind it are the program's arguments",
            ));
        }
    }
    jar::check_program(&path, options.class.as_deref(), |class| {
        // The main class may also be on the class path of -C, or in Flink's directory lib.
        !options.classpath.is_empty()
            || FlinkHome::find(context)
                .and_then(|flink| Ok(files_below(&flink.lib, "lib")?))
                .is_ok_and(|files| files.iter().any(|file| jar::holds(&file.path, class)))
    })
}

/// The path of the jar on this machine. A jar in HDFS is fetched for that. `None` for a Python program. A
/// signal that comes after the jar was fetched is not lost, because whatever follows uses the same
/// `interrupt`.
pub(super) async fn jar_here(
    context: &Context,
    options: &RunOptions,
    configuration: &Configuration,
    console: &Arc<Console>,
    timing: &Timing,
    interrupt: &Interrupt,
) -> Result<Option<String>, Failure> {
    let Some(jar) = named_jar(options)? else { return Ok(None) };
    if !is_remote(&jar) {
        return Ok(Some(jar));
    }
    let work = async {
        let hadoop = Hadoop::load(context, configuration).await?;
        timing.time("jar fetched", fetch(&hadoop, context, &jar, &**console)).await
    };
    let fetched = interrupt.unless_raised(work).await;
    let path = fetched.map_err(|cause| Failure::interrupted(cause, "the program was not started"))??;
    Ok(Some(path.to_string_lossy().into_owned()))
}

/// The jars with Hadoop's classes for the program, which are fetched if they are in HDFS.
pub(super) async fn hadoop_here(
    context: &Context,
    configuration: &Configuration,
    console: &Arc<Console>,
    interrupt: &Interrupt,
) -> Result<HadoopJars, Failure> {
    let work = Box::pin(hadoop_jars::find(context, configuration, &**console));
    let found = interrupt.unless_raised(work).await;
    found.map_err(|cause| Failure::interrupted(cause, "the program was not started"))?
}

/// The command line for Flink's client, with the path of the fetched jar instead of that in HDFS.
pub(super) fn words_with(words: &ClientWords, options: &RunOptions, jar: Option<&str>) -> ClientWords {
    let mut words = words.clone();
    let Some(jar) = jar else { return words };
    match &options.jarfile {
        Some(named) => {
            let option = OsString::from(format!("--jarfile={named}"));
            for word in words.options.iter_mut().filter(|word| **word == option) {
                *word = format!("--jarfile={jar}").into();
            }
        }
        None => {
            if let Some(first) = words.program.first_mut() {
                *first = jar.into();
            }
        }
    }
    words
}

/// The options, with the path of the fetched jar instead of that in HDFS.
pub(super) fn options_with(options: &RunOptions, jar: Option<String>) -> RunOptions {
    let mut options = options.clone();
    match (&mut options.jarfile, jar) {
        (Some(named), Some(jar)) => *named = jar,
        (None, Some(jar)) => {
            if let Some(first) = options.program.first_mut() {
                *first = jar.into();
            }
        }
        (_, None) => {}
    }
    options
}
