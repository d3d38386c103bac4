use super::*;
use crate::options::Rest;

const ID: &str = "fd72014d4c864993a2e5a9287b4a9c5d";

fn words(list: &[&str]) -> Rest {
    Rest { words: list.iter().map(|w| (*w).to_owned()).collect() }
}

fn context() -> Context {
    Context {
        vars: Default::default(),
        cwd: "/home/ann".into(),
        exe: "/x/heddle".into(),
        user: "ann".into(),
        waits: Default::default(),
        logins: Default::default(),
    }
}

#[test]
fn the_job_id_may_be_the_value_of_the_option_before_it() {
    let options = |value: Option<&str>, list: &[&str]| StopOptions {
        savepoint_path: value.map(str::to_owned),
        rest: words(list),
        ..StopOptions::default()
    };
    let asked = |value, list| stop(&options(value, list)).map(|s| (s.job.to_string(), s.savepoint.directory));
    assert_eq!(asked(None, &[ID]).unwrap(), (ID.to_owned(), None));
    assert_eq!(asked(Some("hdfs:/s"), &[ID]).unwrap(), (ID.to_owned(), Some("hdfs:/s".to_owned())));
    assert_eq!(asked(Some(ID), &[]).unwrap(), (ID.to_owned(), None));
    assert_eq!(asked(Some(""), &[ID]).unwrap(), (ID.to_owned(), None));
    assert!(asked(None, &[]).unwrap_err().is_usage());
    assert!(asked(Some(""), &[]).unwrap_err().to_string().contains("job id is missing"));
}

#[test]
fn cancel_with_and_without_a_savepoint() {
    let options = |value: Option<&str>, list: &[&str]| CancelOptions {
        with_savepoint: value.map(str::to_owned),
        rest: words(list),
        ..CancelOptions::default()
    };
    assert_eq!(cancel(&options(None, &[ID])).unwrap().savepoint, None);
    let asked = cancel(&options(Some(ID), &[])).unwrap();
    assert_eq!((asked.job.as_str(), asked.savepoint.unwrap().directory), (ID, None));
    let asked = cancel(&options(Some("/d"), &[ID])).unwrap();
    assert_eq!(asked.savepoint.unwrap().directory.as_deref(), Some("/d"));
}

#[test]
fn savepoints_are_taken_or_disposed_of() {
    let take = SavepointOptions { rest: words(&[ID, "/d"]), ..SavepointOptions::default() };
    let Savepoint::Take { savepoint: asked, .. } = savepoint(&take).unwrap() else { panic!() };
    assert_eq!(asked.directory.as_deref(), Some("/d"));
    let dispose = SavepointOptions { dispose: Some("/s".into()), ..SavepointOptions::default() };
    assert_eq!(savepoint(&dispose).unwrap(), Savepoint::Dispose("/s".into()));
    assert!(savepoint(&SavepointOptions::default()).is_err());
}

#[test]
fn patience_is_the_clients_timeout() {
    let mut configuration = Configuration::default();
    assert_eq!(patience(&configuration).unwrap(), Duration::from_secs(60));
    configuration.set_dynamic(CLIENT_TIMEOUT, "5 min");
    assert_eq!(patience(&configuration).unwrap(), Duration::from_secs(300));
    configuration.set_dynamic(CLIENT_TIMEOUT, "soon");
    assert!(patience(&configuration).is_err());
}

#[test]
fn a_run_in_the_cluster() {
    let mut configuration = Configuration::default();
    configuration.set_dynamic("pipeline.name", "n");
    configuration.set_dynamic("yarn.application.id", "application_1_1");
    configuration.set("parallelism.default", flink_model::config::Value::Str("9".into()), Origin::Default);
    let options = RunOptions {
        class: Some("X".into()),
        parallelism: Some("3".into()),
        claim_mode: Some("no_claim".into()),
        program: ["job.jar", "a b", "-x", ""].map(Into::into).into(),
        ..RunOptions::default()
    };
    let asked = cluster_run(&options, &configuration, &context()).unwrap();
    assert_eq!(asked.jar, PathBuf::from("/home/ann/job.jar"));
    assert_eq!(asked.run.program_args_list, ["a b", "-x", ""]);
    assert_eq!((asked.run.parallelism, asked.claim_mode), (Some(3), Some(ClaimMode::NoClaim)));
    assert_eq!(
        asked.run.flink_configuration.into_iter().collect::<Vec<_>>(),
        [("pipeline.name".into(), "n".into())]
    );

    let refused =
        |options: RunOptions| cluster_run(&options, &configuration, &context()).unwrap_err().to_string();
    assert!(refused(RunOptions::default()).contains("jar is missing"));
    assert!(
        refused(RunOptions { program: vec!["hdfs://x/y.jar".into()], ..RunOptions::default() })
            .contains("not on this machine")
    );
    assert!(
        refused(RunOptions {
            parallelism: Some("0".into()),
            program: vec!["j".into()],
            ..RunOptions::default()
        })
        .contains("at least 1")
    );
}
