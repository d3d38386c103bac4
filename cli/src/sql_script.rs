//! SQL scripts as applications: makes the program that runs a script in the JobManager. Which program that
//! is, the table of Flink's releases says.

use std::path::{Path, PathBuf};

use flink_model::config::Configuration;
use flink_model::release::Release;
use yarn_client::context::Context;
use yarn_client::deploy::Program;
use yarn_client::error::Failure;
use yarn_client::jar;
use yarn_client::paths::{is_remote, without_scheme};

/// The script's name in the JobManager's working directory.
const SCRIPT: &str = "script.sql";
/// The beginnings of keys that have no effect in a script, because the cluster runs when the script is read.
const OF_CLUSTER: [&str; 11] = [
    "execution.target",
    "execution.attached",
    "yarn.",
    "containerized.",
    "heddle.",
    "jobmanager.",
    "taskmanager.",
    "high-availability",
    "security.",
    "rest.",
    "env.",
];

/// A `SET` in a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The line on which it begins; the first line is 1.
    pub(crate) line: usize,
    pub(crate) key: String,
    pub(crate) value: String,
}

/// Whether a word of a command line names a SQL script.
pub(crate) fn is_script(word: &str) -> bool {
    Path::new(word).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql"))
}

/// The program that runs the script. `jars` are those that the command line names for it; those of
/// `pipeline.jars` go with it, too. It is a failure if the script cannot be read or is empty.
pub(crate) fn program(
    script: &str,
    jars: Vec<String>,
    release: Release,
    configuration: &mut Configuration,
    context: &Context,
) -> Result<Program, Failure> {
    let runner = release.traits().sql_script;
    let (name, files) = match script.split_once("://") {
        Some(("http" | "https", _)) if runner.reads_web => (script, Vec::new()),
        Some(("http" | "https", _)) => {
            return Err(Failure::usage(format!("the script {script} is on a web server"))
                .hint("fetch it to this machine, or put it on the cluster's file system"));
        }
        // The containers get the script as a file, because it may hold passwords, and may be too long for a
        // command line.
        _ => (SCRIPT, vec![(SCRIPT.to_owned(), location(script, context)?)]),
    };
    let (jar, libraries) = jar::several_jars(jars, configuration, context)?;
    Ok(Program {
        jar,
        main_class: Some(runner.main_class.to_owned()),
        args: vec!["--scriptUri".to_owned(), name.to_owned()],
        opt_jars: runner.opt_jar.map(str::to_owned).into_iter().collect(),
        libraries,
        files,
        ..Program::default()
    })
}

/// Where the script is: a path of this machine, which is checked, or the URL of a file of the cluster.
fn location(script: &str, context: &Context) -> Result<PathBuf, Failure> {
    if is_remote(script) {
        return Ok(PathBuf::from(script));
    }
    let path = context.path(without_scheme(script));
    let metadata = path.metadata().map_err(|e| {
        Failure::because(format!("cannot read the script {}", path.display()), e)
            .hint("a script is a file of this machine, or of the cluster's file system (hdfs://…)")
    })?;
    match (metadata.is_file(), metadata.len()) {
        (false, _) => Err(Failure::configuration(format!("the script {} is not a file", path.display()))),
        (true, 0) => Err(Failure::configuration(format!("the script {} is empty", path.display()))),
        (true, _) => Ok(path),
    }
}

/// Warnings about settings in a script of this machine that have no effect there. Other scripts are not read.
pub(crate) fn warnings(script: &str, context: &Context) -> Vec<String> {
    if is_remote(script) {
        return Vec::new();
    }
    let text = std::fs::read_to_string(context.path(without_scheme(script))).unwrap_or_default();
    let in_vain = |setting: &Setting| {
        OF_CLUSTER.iter().any(|beginning| setting.key.starts_with(beginning))
            && !(setting.key == "execution.target" && setting.value == "yarn-application")
    };
    let warning = |Setting { line, key, .. }: Setting| {
        format!(
            "line {line} of {script} sets {key}, which has no effect there: the cluster runs already when the \
             script is read; -D{key}=… sets it"
        )
    };
    settings(&text).into_iter().filter(in_vain).map(warning).collect()
}

/// The settings of a script, as far as they can be found without reading it as SQL: a `SET` within a
/// quotation of several lines would be found, too.
pub(crate) fn settings(text: &str) -> Vec<Setting> {
    let lines = text.lines().map(|line| if line.trim_start().starts_with("--") { "" } else { line });
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    let mut found = Vec::new();
    let mut line = 1;
    for statement in text.split(';') {
        let plain = statement.trim_start();
        let above = statement.len() - plain.len();
        let breaks = |text: &str| text.matches('\n').count();
        let begin = line + statement.get(..above).map_or(0, breaks);
        line += breaks(statement);
        let rest =
            plain.get(..3).filter(|word| word.eq_ignore_ascii_case("set")).and_then(|_| plain.get(3..));
        let rest = rest.filter(|rest| rest.starts_with(char::is_whitespace));
        let Some((key, value)) = rest.and_then(|rest| rest.split_once('=')) else { continue };
        let unquoted = |text: &str| text.trim().trim_matches(['\'', '"', '`']).to_owned();
        found.push(Setting { line: begin, key: unquoted(key), value: unquoted(value) });
    }
    found
}

#[cfg(test)]
mod tests {
    use flink_model::config::FileFormat;

    use super::*;

    fn context(dir: &Path) -> Context {
        Context {
            vars: Default::default(),
            cwd: dir.into(),
            exe: dir.join("heddle"),
            user: "ann".into(),
            waits: Default::default(),
            logins: Default::default(),
        }
    }

    fn made(script: &str, jars: &[&str], release: &str, configured: &str) -> Result<Program, Failure> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.sql"), "SELECT 1").unwrap();
        std::fs::write(dir.path().join("empty.sql"), "").unwrap();
        let mut configuration = Configuration::new(FileFormat::Standard);
        if !configured.is_empty() {
            configuration.set_dynamic("pipeline.jars", configured);
        }
        let jars = jars.iter().map(|jar| (*jar).to_owned()).collect();
        program(script, jars, release.parse().unwrap(), &mut configuration, &context(dir.path()))
    }

    #[test]
    fn which_words_are_scripts() {
        for script in ["a.sql", "/x/A.SQL", "hdfs:///a/b.sql", "file:///a.sql"] {
            assert!(is_script(script), "{script}");
        }
        for other in ["a.jar", "sql", "a.sql.jar", ".sql", "hdfs://host/sql/"] {
            assert!(!is_script(other), "{other}");
        }
    }

    #[test]
    fn each_release_has_a_program_that_runs_it() {
        for release in ["1.13.6", "1.20.1", "2.0.0"] {
            let program = made("a.sql", &[], release, "").unwrap();
            assert_eq!(program.args, ["--scriptUri", "script.sql"]);
            let [(key, path)] = program.files.as_slice() else { panic!("{program:?}") };
            assert!(key == "script.sql" && path.ends_with("a.sql"));
            let of_opt: &[&str] = if release == "2.0.0" { &["flink-sql-gateway"] } else { &[] };
            assert_eq!(program.opt_jars, of_opt, "{release}");
        }
        let remote = made("hdfs://nn/x.sql", &[], "1.17.2", "").unwrap();
        assert_eq!(remote.files, [("script.sql".to_owned(), PathBuf::from("hdfs://nn/x.sql"))]);
        let web = made("http://h/x.sql", &[], "2.0.0", "").unwrap();
        assert_eq!((web.args[1].as_str(), web.files.len()), ("http://h/x.sql", 0));
        assert!(made("http://h/x.sql", &[], "1.20.1", "").unwrap_err().is_usage());
    }

    #[test]
    fn its_jars() {
        let one = made("a.sql", &["/j/a.jar"], "1.20.1", "").unwrap();
        assert_eq!((one.jar.as_deref(), one.libraries.len()), (Some("/j/a.jar"), 0));
        let two = made("a.sql", &["/j/a.jar"], "1.20.1", "hdfs:///b.jar").unwrap();
        assert_eq!((two.jar, two.libraries), (None, vec!["/j/a.jar".to_owned(), "hdfs:///b.jar".to_owned()]));
    }

    #[test]
    fn scripts_that_cannot_be_read() {
        for (script, text) in
            [("none.sql", "cannot read the script"), ("empty.sql", "is empty"), (".", "is not a file")]
        {
            assert!(made(script, &[], "1.20.1", "").unwrap_err().to_string().contains(text), "{script}");
        }
    }

    #[test]
    fn settings_and_those_that_have_no_effect() {
        let text = "-- SET 'yarn.tags' = 'x';\nSET 'table.a' = 'b=c';\n\n set yarn.application.name\n = n;\n\
            SETTING = 1; SELECT 'x = y'; SET; Set 'taskmanager.memory.process.size'='2g'";
        let of = |line, key: &str, value: &str| Setting { line, key: key.into(), value: value.into() };
        assert_eq!(
            settings(text),
            [
                of(2, "table.a", "b=c"),
                of(4, "yarn.application.name", "n"),
                of(6, "taskmanager.memory.process.size", "2g")
            ]
        );
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("x.sql"),
            format!("SET 'execution.target' = 'yarn-application'; {text}"),
        )
        .unwrap();
        let said = warnings("x.sql", &context(dir.path()));
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("line 4 of x.sql sets yarn.application.name"), "{said:?}");
        assert!(warnings("hdfs:///x.sql", &context(dir.path())).is_empty());
    }
}
