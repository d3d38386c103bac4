use super::*;
use flink_model::config::FileFormat;

fn context(dir: &std::path::Path) -> Context {
    Context {
        vars: Default::default(),
        cwd: dir.into(),
        exe: dir.join("heddle"),
        user: "ann".into(),
        waits: Default::default(),
        logins: Default::default(),
    }
}

fn run(
    options: &RunOptions,
    release: &str,
    more: &[(&str, &str)],
) -> Result<(Program, Configuration), Failure> {
    let mut conf = Configuration::new(FileFormat::Standard);
    for (key, value) in more {
        conf.set_dynamic(*key, *value);
    }
    let program = application(options, release.parse().unwrap(), &mut conf, &context("/w".as_ref()), None)?;
    Ok((program, conf))
}

fn words(words: &[&str]) -> Vec<std::ffi::OsString> {
    words.iter().map(|w| (*w).into()).collect()
}

#[test]
fn options_become_keys() {
    let options = RunOptions {
        class: Some("M".into()),
        classpath: vec!["file:///a.jar".into(), "file:///b.jar".into()],
        parallelism: Some("3".into()),
        from_savepoint: Some("hdfs:///s".into()),
        allow_non_restored_state: true,
        claim_mode: Some("claim".into()),
        shutdown_on_attached_exit: true,
        program: words(&["job.jar", "--x", "a b"]),
        ..RunOptions::default()
    };
    let (program, conf) = run(&options, "1.20.1", &[("parallelism.default", "7")]).unwrap();
    assert_eq!((program.jar.as_deref(), program.main_class.as_deref()), (Some("job.jar"), Some("M")));
    assert_eq!(program.args, ["--x", "a b"]);
    for (key, value) in [
        ("parallelism.default", "3"),
        ("pipeline.classpaths", "file:///a.jar;file:///b.jar"),
        ("pipeline.jars", "file:///w/job.jar"),
        ("execution.attached", "true"),
        ("execution.shutdown-on-attached-exit", "true"),
        ("execution.state-recovery.path", "hdfs:///s"),
        ("execution.state-recovery.ignore-unclaimed-state", "true"),
        ("execution.state-recovery.claim-mode", "CLAIM"),
    ] {
        assert_eq!(conf.text(key).as_deref(), Some(value), "{key}");
    }
    let (_, old) = run(&options, "1.17.2", &[]).unwrap();
    assert_eq!(old.text("execution.savepoint.path").as_deref(), Some("hdfs:///s"));
    assert_eq!(old.text("execution.savepoint-restore-mode").as_deref(), Some("CLAIM"));
    assert!(run(&options, "1.14.6", &[]).unwrap_err().to_string().contains("cannot claim"));
}

#[test]
fn one_jar() {
    let of = |options: RunOptions, jars: &str| {
        run(&options, "2.0.0", &[("pipeline.jars", jars)]).map(|(p, _)| p.jar)
    };
    let none = RunOptions { class: Some("M".into()), ..RunOptions::default() };
    assert_eq!(of(none.clone(), "hdfs:///a.jar").unwrap().as_deref(), Some("hdfs:///a.jar"));
    assert!(
        of(none.clone(), "a.jar;b.jar").unwrap_err().to_string().contains("more are named: a.jar, b.jar")
    );
    assert!(of(none.clone(), "a.jar;a.jar").is_err());
    let named = RunOptions { program: words(&["a.jar"]), ..RunOptions::default() };
    assert_eq!(of(named.clone(), "a.jar").unwrap().as_deref(), Some("a.jar"));
    assert!(of(named, "b.jar").is_err());
    assert_eq!(run(&none, "2.0.0", &[]).unwrap().0.jar, None);
    assert!(run(&RunOptions::default(), "2.0.0", &[]).unwrap_err().is_usage());
}

#[test]
fn the_jar_by_option() {
    let options =
        RunOptions { jarfile: Some("j.jar".into()), program: words(&["x", "y"]), ..RunOptions::default() };
    assert_eq!(jar_and_arguments(&options).unwrap(), (Some("j.jar".into()), vec!["x".into(), "y".into()]));
}

#[test]
fn bad_values() {
    for options in [
        RunOptions { parallelism: Some("0".into()), program: words(&["j"]), ..RunOptions::default() },
        RunOptions { parallelism: Some("x".into()), program: words(&["j"]), ..RunOptions::default() },
        RunOptions { classpath: vec!["a.jar".into()], program: words(&["j"]), ..RunOptions::default() },
        RunOptions { claim_mode: Some("mine".into()), program: words(&["j"]), ..RunOptions::default() },
        RunOptions { python: Some("p.py".into()), class: Some("M".into()), ..RunOptions::default() },
    ] {
        assert!(run(&options, "1.20.1", &[]).is_err(), "{options:?}");
    }
}

#[test]
fn a_script_instead_of_a_jar() {
    let dir = tempfile::tempdir().unwrap();
    for (file, content) in [("a.sql", "SELECT 1;"), ("program.jar", ""), ("library.jar", "")] {
        std::fs::write(dir.path().join(file), content).unwrap();
    }
    // An empty zip archive: a jar without a manifest.
    std::fs::write(dir.path().join("library.jar"), [b"PK\x05\x06".as_slice(), &[0; 18]].concat()).unwrap();
    let context = context(dir.path());
    let named = |options: &RunOptions| named_script(options, &context);
    let script = RunOptions { program: words(&["a.sql"]), ..RunOptions::default() };
    let expected = NamedScript { script: "a.sql".into(), jars: vec![] };
    assert_eq!(named(&script).unwrap(), Some(expected.clone()));
    let by_option = RunOptions { jarfile: Some("a.sql".into()), ..RunOptions::default() };
    assert_eq!(named(&by_option).unwrap(), Some(expected));
    // As in Flink, `-j` names the jar of the program, whose argument the script is; a library is no program.
    let with = |jar: &str| RunOptions { jarfile: Some(jar.into()), ..script.clone() };
    assert_eq!(named(&with("program.jar")).unwrap(), None);
    assert_eq!(named(&with("hdfs:///library.jar")).unwrap(), None);
    let library = NamedScript { script: "a.sql".into(), jars: vec!["library.jar".into()] };
    assert_eq!(named(&with("library.jar")).unwrap(), Some(library));
    let class = RunOptions { class: Some("M".into()), ..with("library.jar") };
    assert_eq!(named(&class).unwrap(), None);
    let more = RunOptions { program: words(&["a.sql", "word"]), ..RunOptions::default() };
    assert!(named(&more).unwrap_err().is_usage());

    let mut conf = Configuration::new(FileFormat::Standard);
    let program = application(&script, "1.17.2".parse().unwrap(), &mut conf, &context, None).unwrap();
    assert_eq!(program.main_class.as_deref(), Some("dev.heddle.sql.SqlScript"));
    assert_eq!((program.args.len(), program.files.len()), (2, 1));
}

#[test]
fn python_files_go_along() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["job.py", "lib/m.py", "venv.zip"] {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    let options = RunOptions {
        python: Some("job.py".into()),
        py_files: Some("lib,hdfs:///x.py".into()),
        py_archives: Some("venv.zip#env,shipped/data.zip".into()),
        py_executable: Some("python3.9".into()),
        program: words(&["--in", "a"]),
        ..RunOptions::default()
    };
    let mut conf = Configuration::new(FileFormat::Standard);
    conf.set_dynamic("yarn.ship-files", "/some/shipped");
    conf.set_dynamic("pipeline.jars", "/j/a.jar");
    let release = "1.20.1".parse().unwrap();
    let program = application(&options, release, &mut conf, &context(dir.path()), None).unwrap();
    assert_eq!(program.main_class.as_deref(), Some(yarn_client::python_env::DRIVER));
    assert_eq!(program.args, ["--python", "job.py", "--in", "a"]);
    assert_eq!(conf.text("python.files").as_deref(), Some("lib,hdfs:///x.py"));
    assert_eq!(conf.text("python.archives").as_deref(), Some("venv.zip#env,shipped/data.zip"));
    assert_eq!(conf.text("python.executable").as_deref(), Some("python3.9"));
    let keys: Vec<&str> = program.files.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["job.py", "lib/m.py", "venv.zip"]);
    assert_eq!(program.opt_jars, ["flink-python"]);
    assert_eq!((program.jar, program.libraries), (None, vec!["/j/a.jar".to_owned()]));
}

#[test]
fn a_program_in_a_jar_may_have_functions_in_python() {
    let options = RunOptions {
        class: Some("M".into()),
        py_files: Some("hdfs:///f.py".into()),
        py_executable: Some("/usr/bin/python3".into()),
        program: words(&["job.jar"]),
        ..RunOptions::default()
    };
    let (program, conf) = run(&options, "1.20.1", &[]).unwrap();
    assert_eq!(program.jar.as_deref(), Some("job.jar"));
    assert_eq!(conf.text("python.files").as_deref(), Some("hdfs:///f.py"));
    assert_eq!(conf.text("python.executable").as_deref(), Some("/usr/bin/python3"));
}
