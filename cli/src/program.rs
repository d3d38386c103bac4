//! Turns the options of `run` and `run-application` into the program of an application, and into the
//! configuration keys that say how it runs.

use std::path::PathBuf;

use artifact_store::files_below;
use flink_model::config::{Configuration, Origin};
use flink_model::options;
use flink_model::release::Release;
use flink_rest::ClaimMode;
use yarn_client::configuration::text;
use yarn_client::context::Context;
use yarn_client::deploy::Program;
use yarn_client::error::Failure;
use yarn_client::jar;
use yarn_client::paths::{is_remote, without_scheme};

use super::options::RunOptions;
use super::sql_script;

/// The main class with which Flink runs a Python program, in its client and in the JobManager.
const PYTHON_DRIVER: &str = "org.apache.flink.client.python.PythonDriver";

/// The program that the options name. How it is to run is written to `configuration`. Fails if the program is
/// missing or an option is wrong.
pub(crate) fn application(
    options: &RunOptions,
    release: Release,
    configuration: &mut Configuration,
    context: &Context,
) -> Result<Program, Failure> {
    execution(options, release, configuration)?;
    if options.python.is_some() || options.py_module.is_some() {
        return python(options, configuration, context);
    }
    if let Some(NamedScript { script, jars }) = named_script(options, context)? {
        return sql_script::program(&script, jars, release, configuration, context);
    }
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

/// A Python program, which Flink's own driver runs with the Python that the container has. Local files of the
/// program are shipped with it, unless another option ships them.
fn python(
    options: &RunOptions,
    configuration: &mut Configuration,
    context: &Context,
) -> Result<Program, Failure> {
    if options.jarfile.is_some() || options.class.is_some() {
        return Err(Failure::usage("a Python program has neither a jar nor a class with main()")
            .hint("further jars can be named with -Dpipeline.jars, or lie in Flink's lib"));
    }
    let mut files = Files { context, taken: shipped_names(configuration), list: Vec::new() };
    let mut args = Vec::new();
    if let Some(script) = &options.python {
        args.extend(["--python".to_owned(), files.ship(script)?]);
    }
    if let Some(module) = &options.py_module {
        args.extend(["--pyModule".to_owned(), module.clone()]);
    }
    let lists = [
        ("-pyfs", "python.files", &options.py_files, ""),
        ("-pyarch", "python.archives", &options.py_archives, "#"),
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
        ("-pyexec", "python.executable", &options.py_executable),
        ("-pyclientexec", "python.client.executable", &options.py_client_executable),
        ("-pypath", "python.pythonpath", &options.py_python_path),
    ] {
        if let Some(value) = value {
            configuration.set(key, value.clone(), Origin::Flag(flag.to_owned()));
        }
    }
    let (_, words) = jar_and_arguments(&RunOptions { jarfile: Some(String::new()), ..options.clone() })?;
    args.extend(words);
    Ok(Program {
        jar: None,
        main_class: Some(PYTHON_DRIVER.to_owned()),
        args,
        opt_jars: vec!["flink-python".to_owned()],
        files: files.list,
    })
}

/// The names in the containers of files and archives that other options ship.
fn shipped_names(configuration: &Configuration) -> Vec<String> {
    let lists = [&options::SHIP_FILES, &options::SHIP_ARCHIVES];
    let text =
        lists.into_iter().filter_map(|option| text(configuration, option)).collect::<Vec<_>>().join(";");
    let names = text.split(';').filter_map(|path| path.trim().trim_end_matches('/').rsplit('/').next());
    names.map(str::to_owned).collect()
}

/// Local files that are shipped to the containers.
struct Files<'a> {
    context: &'a Context,
    taken: Vec<String>,
    list: Vec<(String, PathBuf)>,
}

impl Files<'_> {
    /// Ships `path`, if it is a local file that is not shipped yet. Returns the path by which the program
    /// finds it in its container.
    fn ship(&mut self, path: &str) -> Result<String, Failure> {
        let plain = without_scheme(path);
        let shipped =
            plain.split('/').next().is_some_and(|first| self.taken.iter().any(|name| name == first));
        let local = self.context.path(plain);
        if is_remote(path) || shipped || !local.exists() {
            // Such a path needs no shipping: it is a URL, it is shipped by another option, or it names a file
            // that the container has, in an unpacked archive or installed on the node.
            return Ok(path.to_owned());
        }
        let name = local.file_name().and_then(|n| n.to_str()).map(str::to_owned);
        let name =
            name.ok_or_else(|| Failure::new(format!("{path:?} has no name that can be used on the nodes")))?;
        if local.is_dir() {
            for file in files_below(&local, &name)? {
                self.add(file.key, file.path)?;
            }
        } else {
            self.add(name.clone(), local)?;
        }
        Ok(name)
    }

    /// A file that is there already is not shipped twice. Two files cannot have one name in the containers.
    fn add(&mut self, key: String, path: PathBuf) -> Result<(), Failure> {
        match self.list.iter().find(|(known, _)| *known == key) {
            None => self.list.push((key, path)),
            Some((_, known)) if *known == path => {}
            Some((_, known)) => {
                let (one, other) = (known.display(), path.display());
                return Err(Failure::new(format!("{one} and {other} would both be {key} on the nodes"))
                    .hint("rename one of them, or give their directory instead"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "program_tests.rs"]
mod tests;
