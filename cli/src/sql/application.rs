//! A SQL script that `sql-client.sh -t yarn-application` deploys: what the words of the command line mean
//! for it.

use std::ffi::{OsStr, OsString};

use flink_model::config::Configuration;
use yarn_client::context::Context;
use yarn_client::deploy::{ClusterManifest, Purpose};
use yarn_client::error::Failure;
use yarn_client::setup::Setup;

use super::line::Line;
use crate::options::RunOptions;
use crate::shipped_files::ShippedFiles;
use crate::{python, sql_script};

/// What deploys the script of the command line. Fails if there is none, or if a word has no meaning for an
/// application.
pub(super) fn deployed(
    context: &Context,
    mut setup: Setup,
    mut configuration: Configuration,
    line: &Line,
) -> Result<(Setup, ClusterManifest), Failure> {
    let options = python_options(&line.rest)?;
    let Some(script) = line.script.as_deref().and_then(OsStr::to_str) else {
        return Err(Failure::usage("application mode needs a script").hint("name it with -f"));
    };
    if line.init.is_some() {
        return Err(Failure::usage(
            "Sql Client doesn't support to run init files when deploying script into cluster.",
        ));
    }
    let mut jars = line.jars.clone();
    if let Some(directory) = &line.library {
        jars.append(&mut jars_of(context, directory)?);
    }
    python::check_executables(&options, context)?;
    let mut program = sql_script::program(script, jars, setup.release, &mut configuration, context)?;
    let mut files = ShippedFiles::new(&configuration, context);
    python::dependencies(&options, &mut configuration, &mut files)?;
    program.files.append(&mut files.into_list());
    let manifest = ClusterManifest::new(Purpose::Application { program }).configured(&setup, &configuration);
    setup.warnings.extend(sql_script::warnings(script, context));
    Ok((setup, manifest))
}

/// The options about Python among the words. Options that [`Line`] has read are passed over, and so are those
/// that have no effect where no session is opened, as in Flink. Fails at every other word.
fn python_options(words: &[OsString]) -> Result<RunOptions, Failure> {
    let mut options = RunOptions::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        let (name, glued) = text.split_once('=').map_or((&*text, None), |(name, value)| (name, Some(value)));
        let mut unused = None;
        let field = match name {
            "-pyfs" | "--pyFiles" => &mut options.py_files,
            "-pyarch" | "--pyArchives" => &mut options.py_archives,
            "-pyreq" | "--pyRequirements" => &mut options.py_requirements,
            "-pyexec" | "--pyExecutable" => &mut options.py_executable,
            "-pyclientexec" | "--pyClientExecutable" => &mut options.py_client_executable,
            "-pypath" | "--pyPythonPath" => &mut options.py_python_path,
            "-f" | "--file" | "-i" | "--init" | "-j" | "--jar" | "-l" | "--library" | "-s" | "--session"
            | "-hist" | "--history" => &mut unused,
            _ => {
                return Err(Failure::usage(format!(
                    "sql-client.sh -t yarn-application: {name} has no effect on a script that runs in the \
                     cluster"
                ))
                .hint(
                    "leave it out; the script (-f), its jars (-j, -l), its Python files (-pyfs, -pyarch, \
                     -pyreq, -pyexec) and properties (-Dkey=value) go with it",
                ));
            }
        };
        let value = match glued {
            Some(value) => value.to_owned(),
            None => words.next().map(|value| value.to_string_lossy().into_owned()).ok_or_else(|| {
                Failure::usage(format!("Missing argument for option: {}", name.trim_start_matches('-')))
            })?,
        };
        *field = Some(value);
    }
    Ok(options)
}

/// The jars in a directory of this machine (`-l`), sorted by their names.
pub(super) fn jars_of(context: &Context, directory: &OsStr) -> Result<Vec<String>, Failure> {
    let path = context.path(directory);
    let failed = |e| Failure::because(format!("cannot read the directory {} (-l)", path.display()), e);
    let mut jars = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(failed)? {
        let jar = entry.map_err(failed)?.path();
        if jar.extension().is_some_and(|extension| extension == "jar") {
            jars.push(jar.to_string_lossy().into_owned());
        }
    }
    jars.sort();
    Ok(jars)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<RunOptions, Failure> {
        python_options(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_of_python_are_kept_and_no_word_is_lost() {
        let options =
            read("-f x.sql -pyfs a.py,b.py --pyExecutable=venv/bin/python -s mine -j a.jar").unwrap();
        assert_eq!(options.py_files.as_deref(), Some("a.py,b.py"));
        assert_eq!(options.py_executable.as_deref(), Some("venv/bin/python"));
        for (line, text) in [
            ("-f x.sql -u INSERT", "-u has no effect"),
            ("-f x.sql --verbose", "--verbose has no effect"),
            ("x.sql", "x.sql has no effect"),
            ("-pyfs", "Missing argument for option: pyfs"),
        ] {
            let Err(failure) = read(line) else { panic!("{line} is refused") };
            assert!(failure.is_usage() && failure.to_string().contains(text), "{line}: {failure}");
        }
    }
}
