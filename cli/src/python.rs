//! Programs and functions in Python: the files that go with them, and their environment (`--py-env`).
//!
//! Where heddle starts the cluster and `main()` runs there, YARN unpacks the environment once on each node,
//! and the containers find its interpreter by their `PATH`. Where `main()` runs on this machine, Flink's own
//! client gets the environment, and Flink unpacks it for each job.

use std::ffi::OsString;

use flink_model::config::{Configuration, Origin};
use flink_model::options::{MASTER_ENV, TASK_MANAGER_ENV};
use flink_model::release::Release;
use yarn_client::context::Context;
use yarn_client::deploy::Program;
use yarn_client::error::Failure;
use yarn_client::jar;
use yarn_client::paths::{is_remote, without_scheme};
use yarn_client::python_env::{self, Environment, NAME};
use yarn_client::report::Report;
use yarn_client::run::ClientWords;

use super::options::RunOptions;
use super::shipped_files::ShippedFiles;

/// Flink's keys for the interpreters of functions and of `main()`.
const EXECUTABLE: &str = "python.executable";
const CLIENT_EXECUTABLE: &str = "python.client.executable";
/// Flink's key for archives that it unpacks for Python.
const ARCHIVES: &str = "python.archives";
/// Where a container looks for programs behind the environment. A container's own `PATH` may be missing, and
/// Flink starts its Python processes by a shell script.
const PATH: &str = "$PATH:/usr/local/bin:/usr/bin:/bin";

/// A Python program, which Flink's own driver runs. `words` are its arguments.
pub(crate) fn program(
    options: &RunOptions,
    words: Vec<String>,
    configuration: &mut Configuration,
    context: &Context,
    files: &mut ShippedFiles<'_>,
) -> Result<Program, Failure> {
    if options.jarfile.is_some() || options.class.is_some() {
        return Err(Failure::usage("a Python program has neither a jar nor a class with main()")
            .hint("further jars can be named with -Dpipeline.jars, or lie in Flink's lib"));
    }
    let mut args = Vec::new();
    if let Some(script) = &options.python {
        args.extend(["--python".to_owned(), files.ship(script)?]);
    }
    if let Some(module) = &options.py_module {
        args.extend(["--pyModule".to_owned(), module.clone()]);
    }
    args.extend(words);
    let (jar, mut libraries) = jar::several_jars(Vec::new(), configuration, context)?;
    libraries.extend(jar);
    Ok(Program {
        main_class: Some(python_env::DRIVER.to_owned()),
        args,
        opt_jars: vec![python_env::OPT_JAR.to_owned()],
        libraries,
        ..Program::default()
    })
}

/// Writes to `configuration` what the program, or its functions, need of Python. Local files of it are
/// shipped, unless another option ships them.
pub(crate) fn dependencies(
    options: &RunOptions,
    configuration: &mut Configuration,
    files: &mut ShippedFiles<'_>,
) -> Result<(), Failure> {
    let lists = [
        ("-pyfs", "python.files", &options.py_files, ""),
        ("-pyarch", ARCHIVES, &options.py_archives, "#"),
        ("-pyreq", "python.requirements", &options.py_requirements, "#"),
    ];
    for (flag, key, value, separator) in lists {
        let Some(value) = value else { continue };
        let items = value.split(',').map(|item| {
            let (path, rest) = match item.split_once('#') {
                Some((path, rest)) if separator == "#" => (path, format!("#{rest}")),
                _ => (item, String::new()),
            };
            Ok(format!("{}{rest}", files.ship(path.trim())?))
        });
        let value = items.collect::<Result<Vec<_>, Failure>>()?.join(",");
        configuration.set(key, value, Origin::Flag(flag.to_owned()));
    }
    for (flag, key, value) in [
        ("-pyexec", EXECUTABLE, &options.py_executable),
        ("-pyclientexec", CLIENT_EXECUTABLE, &options.py_client_executable),
        ("-pypath", "python.pythonpath", &options.py_python_path),
    ] {
        if let Some(value) = value {
            configuration.set(key, value.clone(), Origin::Flag(flag.to_owned()));
        }
    }
    Ok(())
}

/// Refuses an interpreter that should be in an archive of this machine (`-pyarch`), and is not.
pub(crate) fn check_executables(options: &RunOptions, context: &Context) -> Result<(), Failure> {
    let Some(archives) = &options.py_archives else { return Ok(()) };
    for (flag, executable) in
        [("-pyexec", &options.py_executable), ("-pyclientexec", &options.py_client_executable)]
    {
        let path = executable.as_deref().map(|path| path.trim_start_matches("./"));
        let Some((directory, member)) = path.and_then(|path| path.split_once('/')) else { continue };
        for item in archives.split(',').map(str::trim) {
            let (archive, name) =
                item.split_once('#').unwrap_or((item, item.rsplit('/').next().unwrap_or_default()));
            let local = context.path(without_scheme(archive));
            if name == directory && !is_remote(archive) && local.is_file() {
                python_env::check_member(&local, archive, member, flag)?;
            }
        }
    }
    Ok(())
}

/// The environment that `--py-env` names. What the user should know of it is told to `report`. Fails if it
/// cannot be used, or if an interpreter is named as well.
pub(crate) fn environment(
    options: &RunOptions,
    configuration: &Configuration,
    release: Release,
    context: &Context,
    report: &dyn Report,
) -> Result<Option<Environment>, Failure> {
    let Some(given) = &options.py_env else { return Ok(None) };
    for (flag, key, value) in [
        ("-pyexec", EXECUTABLE, &options.py_executable),
        ("-pyclientexec", CLIENT_EXECUTABLE, &options.py_client_executable),
    ] {
        let by_property = configuration.entry(key).is_some_and(|entry| entry.origin == Origin::Dynamic);
        if value.is_some() || by_property {
            return Err(Failure::usage(format!("--py-env and {flag} ({key}) exclude each other"))
                .hint("with --py-env the interpreter is that of the environment"));
        }
    }
    Environment::prepare(given, release, context, report).map(Some)
}

/// Ships the environment with a program whose `main()` runs in the JobManager. An interpreter on the `PATH`
/// is found wherever a Python process is started, also where `python.archives` gives it another working
/// directory.
pub(crate) fn ship(environment: &Environment, configuration: &mut Configuration, program: &mut Program) {
    let Environment { archive, key, bin, python, .. } = environment;
    let origin = || Origin::Flag("--py-env".to_owned());
    for executable in [EXECUTABLE, CLIENT_EXECUTABLE] {
        configuration.set(executable, (*python).to_owned(), origin());
    }
    for prefix in [MASTER_ENV, TASK_MANAGER_ENV] {
        let variable = format!("{prefix}PATH");
        let others = configuration.text(&variable).unwrap_or_else(|| PATH.to_owned());
        configuration.set(variable, format!("$PWD/{key}/{bin}:{others}"), origin());
    }
    program.archives.push((key.clone(), archive.clone()));
}

/// Gives the environment to Flink's client, for a program whose `main()` runs on this machine. Fails if this
/// release of Flink cannot unpack it.
pub(crate) fn give(
    environment: &Environment,
    configuration: &Configuration,
    release: Release,
    words: &mut ClientWords,
) -> Result<(), Failure> {
    let Environment { archive, bin, python, directory, is_tar, .. } = environment;
    let shown = archive.display();
    if *is_tar && !release.traits().python_tar_archives {
        return Err(Failure::usage(format!(
            "Flink {release} unpacks only zip archives for Python, and not {shown}"
        ))
        .hint("make a zip archive of the environment, without links: `zip -r env.zip .` in its directory")
        .hint("in application mode YARN unpacks it: flink run-application -t yarn-application"));
    }
    if archive.to_string_lossy().contains([',', '#']) {
        return Err(Failure::configuration(format!(
            "cannot use {shown}: its path has one of the characters , and #"
        ))
        .hint("Flink separates archives by them: rename it, or make a copy"));
    }
    let interpreter = format!("{NAME}/{bin}/{python}");
    let here = match directory {
        Some(directory) => directory.join(bin).join(python).display().to_string(),
        None => interpreter.clone(),
    };
    let archive = format!("{shown}#{NAME}");
    let option = "--pyArchives=";
    match words.options.iter_mut().find(|word| word.to_string_lossy().starts_with(option)) {
        Some(word) => word.push(format!(",{archive}")),
        None => {
            let others = configuration.text(ARCHIVES).map(|others| format!("{others},")).unwrap_or_default();
            words.options.push(OsString::from(format!("{option}{others}{archive}")));
        }
    }
    words.options.push(format!("--pyExecutable={interpreter}").into());
    words.options.push(format!("--pyClientExecutable={here}").into());
    Ok(())
}

#[cfg(test)]
#[path = "python_tests.rs"]
mod tests;
