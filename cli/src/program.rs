//! Turns the options of `run` and `run-application` into the program of an application, and into the
//! configuration keys that say how it runs.

use flink_model::config::{Configuration, Origin};
use flink_model::options;
use flink_model::release::Release;
use flink_rest::ClaimMode;
use yarn_client::context::Context;
use yarn_client::deploy::Program;
use yarn_client::error::Failure;
use yarn_client::jar;
use yarn_client::paths::{is_remote, without_scheme};
use yarn_client::python_env::Environment;

use super::options::RunOptions;
use super::shipped_files::ShippedFiles;
use super::{python, sql_script};

/// The program that the options name, with the Python environment that goes with it. How it is to run is
/// written to `configuration`. Fails if the program is missing or an option is wrong.
pub(crate) fn application(
    options: &RunOptions,
    release: Release,
    configuration: &mut Configuration,
    context: &Context,
    environment: Option<&Environment>,
) -> Result<Program, Failure> {
    execution(options, release, configuration)?;
    python::check_executables(options, context)?;
    let mut files = ShippedFiles::new(configuration, context);
    let mut program = if options.python.is_some() || options.py_module.is_some() {
        let all_words = RunOptions { jarfile: Some(String::new()), ..options.clone() };
        let (_, words) = jar_and_arguments(&all_words)?;
        python::program(options, words, configuration, context, &mut files)?
    } else if let Some(NamedScript { script, jars }) = named_script(options, context)? {
        sql_script::program(&script, jars, release, configuration, context)?
    } else {
        jar_program(options, configuration, context)?
    };
    // Programs in other languages may have functions in Python.
    python::dependencies(options, configuration, &mut files)?;
    program.files.append(&mut files.into_list());
    if let Some(environment) = environment {
        python::ship(environment, configuration, &mut program);
    }
    Ok(program)
}

/// A program in a jar, or on the class path of the containers.
fn jar_program(
    options: &RunOptions,
    configuration: &mut Configuration,
    context: &Context,
) -> Result<Program, Failure> {
    let (jar, args) = jar_and_arguments(options)?;
    let jar = jar::only_jar(jar.into_iter().collect(), configuration, context)?;
    if jar.is_none() && options.class.is_none() {
        return Err(Failure::usage("the program is missing: neither a jar nor a class is named")
            .hint(
                "write the jar behind the options: flink run-application -t yarn-application [options] <jar>",
            )
            .hint("-c names a class that is on the class path of the containers"));
    }
    Ok(Program { jar, main_class: options.class.clone(), args, ..Program::default() })
}

/// A SQL script that a command line names, and the jars that it names for the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedScript {
    pub(crate) script: String,
    pub(crate) jars: Vec<String>,
}

/// The SQL script that the options name instead of a jar. With `-j` and a jar, the first word is an argument
/// of the program, as in Flink, also if it names a script; but a jar of this machine that names no class with
/// `main()` is no program, so it goes with the script. It is a failure if further words stand behind the
/// script.
pub(crate) fn named_script(options: &RunOptions, context: &Context) -> Result<Option<NamedScript>, Failure> {
    if options.class.is_some() || options.python.is_some() || options.py_module.is_some() {
        return Ok(None);
    }
    let (first, mut args) = jar_and_arguments(options)?;
    let Some(first) = first else { return Ok(None) };
    let behind_jar = options.jarfile.is_some() && options.arguments.is_empty();
    let named = if sql_script::is_script(&first) {
        NamedScript { script: first, jars: Vec::new() }
    } else if behind_jar
        && args.first().is_some_and(|word| sql_script::is_script(word))
        && is_library(&first, context)
    {
        NamedScript { script: args.remove(0), jars: vec![first] }
    } else {
        return Ok(None);
    };
    if !args.is_empty() {
        return Err(Failure::usage(format!("{}: a SQL script takes no arguments", named.script))
            .hint("SET in the script, and -D, give settings"));
    }
    Ok(Some(named))
}

/// Whether this is a jar of this machine that names no class with `main()`.
fn is_library(jar: &str, context: &Context) -> bool {
    !is_remote(jar)
        && jar::JarInfo::open(&context.path(without_scheme(jar)))
            .is_ok_and(|info| info.entry_point(None).is_err())
}

/// The jar and the program's arguments. As in Flink, the first word is the jar, unless `-j` names it; all
/// other words are arguments. Fails if a word is not UTF-8.
pub(crate) fn jar_and_arguments(options: &RunOptions) -> Result<(Option<String>, Vec<String>), Failure> {
    let mut words = options.program.iter().map(|word| {
        let text = word.to_str().map(str::to_owned);
        text.ok_or_else(|| {
            Failure::usage(format!("{word:?} is not UTF-8 and cannot be sent to the JobManager"))
        })
    });
    let jar = match &options.jarfile {
        Some(jar) => Some(jar.clone()),
        None => words.next().transpose()?,
    };
    let mut args = options.arguments.clone();
    args.extend(words.collect::<Result<Vec<_>, _>>()?);
    Ok((jar, args))
}

/// Whether `-D` sets the key to this value.
pub(crate) fn is_property(configuration: &Configuration, key: &str, value: &str) -> bool {
    let entry = configuration.entry(key);
    entry.is_some_and(|e| e.origin == Origin::Dynamic && e.value.text().trim().eq_ignore_ascii_case(value))
}

/// Writes to `configuration` how the program runs: its parallelism, whether the client stays attached, the
/// savepoint and the class path. Fails if an option is wrong.
pub(crate) fn execution(
    options: &RunOptions,
    release: Release,
    configuration: &mut Configuration,
) -> Result<(), Failure> {
    let attached = options::EXECUTION_ATTACHED.key;
    let by_property = configuration.entry(attached).is_some_and(|e| e.origin == Origin::Dynamic);
    if !by_property {
        // As in Flink, `-d` or its absence counts more than the configuration file.
        let detached = options.detached || options.yarn.yarn_detached;
        let origin = if detached { Origin::Flag("-d".into()) } else { Origin::Derived("no -d".into()) };
        configuration.set(attached, (!detached).to_string(), origin);
    }
    let mut set = |flag: &str, key: &str, value: String| {
        configuration.set(key, value, Origin::Flag(flag.to_owned()));
    };
    if let Some(parallelism) = &options.parallelism {
        let number = parallelism.trim().parse::<u32>().ok().filter(|n| *n > 0);
        let number = number.ok_or_else(|| {
            Failure::usage(format!("-p {parallelism}: the parallelism must be a whole number of at least 1"))
        })?;
        set("-p", "parallelism.default", number.to_string());
    }
    for url in &options.classpath {
        if !url.contains(':') {
            return Err(Failure::usage(format!("-C {url}: it is not a URL"))
                .hint("write it with its scheme, for example file:///opt/lib/a.jar; every node must be able to read it"));
        }
    }
    if !options.classpath.is_empty() {
        set("-C", "pipeline.classpaths", options.classpath.join(";"));
    }
    if options.shutdown_on_attached_exit {
        set("-sae", "execution.shutdown-on-attached-exit", "true".to_owned());
    }
    let traits = release.traits();
    let (path, ignore, claim) = if traits.state_recovery_keys {
        (
            "execution.state-recovery.path",
            "execution.state-recovery.ignore-unclaimed-state",
            "execution.state-recovery.claim-mode",
        )
    } else {
        (
            "execution.savepoint.path",
            "execution.savepoint.ignore-unclaimed-state",
            "execution.savepoint-restore-mode",
        )
    };
    if let Some(savepoint) = &options.from_savepoint {
        set("-s", path, savepoint.clone());
    }
    if options.allow_non_restored_state {
        set("-n", ignore, "true".to_owned());
    }
    if let Some(mode) = options.claim_mode.as_deref().or(options.restore_mode.as_deref()) {
        if !traits.claim_mode {
            return Err(Failure::usage(format!(
                "-cm {mode}: Flink {release} cannot claim savepoints, only 1.15 and later can"
            )));
        }
        ClaimMode::parse(mode)?;
        set("-cm", claim, mode.to_uppercase());
    }
    Ok(())
}

#[cfg(test)]
#[path = "program_tests.rs"]
mod tests;
