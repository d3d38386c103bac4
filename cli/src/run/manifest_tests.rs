//! A command line and a file that say the same make the same manifest, in each of the three modes. Equal
//! manifests give equal plans: see the tests of `yarn_client::deploy`.

use std::ffi::OsString;
use std::sync::Arc;

use yarn_client::context::Context;
use yarn_client::deploy::ClusterManifest;
use yarn_client::setup::Setup;
use yarn_client::timing::Timing;

use super::RunCommand;
use crate::commands::session_manifest;
use crate::console::Console;
use crate::options::{RunOptions, Verb};
use crate::parse::{Persona, Request, parse};
use crate::settings::Settings;

/// The manifest that a command line makes on a machine with Flink in `dir`.
fn of_line(dir: &std::path::Path, persona: Persona, line: &str) -> ClusterManifest {
    let context = Context {
        vars: [("FLINK_HOME".to_owned(), dir.join("flink").display().to_string())].into(),
        cwd: dir.into(),
        exe: dir.join("bin/heddle"),
        user: "ann".into(),
        waits: Default::default(),
        logins: Default::default(),
    };
    let setup = Setup::load(&context).unwrap();
    let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
    let Ok(Request::Run(invocation)) = parse(persona, &words) else { panic!("{line}") };
    let run = |options: &RunOptions, per_job| {
        let settings = Settings::of_verb(&options.cluster, Some(&options.yarn));
        let settings = settings.unwrap();
        let mut configuration = setup.configuration.clone();
        settings.apply(&mut configuration);
        let mut command = RunCommand {
            context: &context,
            console: &Arc::new(Console::new(false)),
            options,
            words: &invocation.client_words,
            settings: &settings,
            configuration,
            timing: &Timing::start(),
        };
        if per_job {
            command.per_job_manifest(&setup, Some("job.jar".to_owned())).unwrap()
        } else {
            command.application_manifest(&setup).unwrap()
        }
    };
    match &invocation.verb {
        Verb::Session(options) => {
            session_manifest(options, &Settings::of_session(options).unwrap(), &setup).unwrap()
        }
        Verb::Run(options) => run(options, true),
        Verb::RunApplication(options) => run(options, false),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_says_the_same_as_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    for (file, content) in
        [("flink/lib/flink-dist-1.20.1.jar", ""), ("flink/conf/config.yaml", "parallelism.default: 2\n")]
    {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    for (name, persona, line) in [
        (
            "session",
            Persona::YarnSession,
            "-nm count -qu etl -jm 1g -tm 2048 -s 2 -n 3 -d -Da=b --timeout 90s",
        ),
        (
            "per_job",
            Persona::Flink,
            "run -t yarn-per-job -p 4 -s hdfs:///s -ynm count -yjm 1g --submission nightly -c Main job.jar --in x",
        ),
        (
            "application",
            Persona::Flink,
            "run-application -t yarn-application -Dparallelism.default=4 -C file:///a.jar -c Main job.jar --in x",
        ),
    ] {
        let manifest = of_line(dir.path(), persona, line);
        let path = dir.path().join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(&manifest).unwrap();
        std::fs::write(&path, &text).unwrap();
        assert_eq!(ClusterManifest::read(&path).unwrap(), manifest, "{line}");
        let shown = text.replace(&dir.path().display().to_string(), "{dir}");
        insta::assert_snapshot!(name, format!("{line}\n{shown}"));
    }
}
