use std::path::{Path, PathBuf};

use flink_model::config::FileFormat;
use yarn_client::report::Silent;

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

fn environment(directory: Option<&str>) -> Environment {
    Environment {
        archive: "/cache/e.tar.gz".into(),
        key: "heddle-python.tar.gz".into(),
        bin: "bin".into(),
        python: "python3",
        directory: directory.map(Into::into),
        is_tar: true,
    }
}

#[test]
fn an_environment_is_found_by_the_path_of_the_containers() {
    let mut configuration = Configuration::new(FileFormat::Standard);
    configuration.set_dynamic("containerized.taskmanager.env.PATH", "/opt/bin");
    let mut program = Program::default();
    ship(&environment(None), &mut configuration, &mut program);
    for (key, value) in [
        ("python.executable", "python3"),
        ("python.client.executable", "python3"),
        ("containerized.master.env.PATH", "$PWD/heddle-python.tar.gz/bin:$PATH:/usr/local/bin:/usr/bin:/bin"),
        ("containerized.taskmanager.env.PATH", "$PWD/heddle-python.tar.gz/bin:/opt/bin"),
    ] {
        assert_eq!(configuration.text(key).as_deref(), Some(value), "{key}");
    }
    let archive = PathBuf::from("/cache/e.tar.gz");
    assert_eq!(program.archives, [("heddle-python.tar.gz".to_owned(), archive)]);
}

#[test]
fn an_environment_for_flinks_own_client() {
    let given = |words: &[&str], directory: Option<&str>, settings: &[(&str, &str)], release: &str| {
        let mut configuration = Configuration::new(FileFormat::Standard);
        for (key, value) in settings {
            configuration.set_dynamic(*key, *value);
        }
        let options = words.iter().map(|word| OsString::from(*word)).collect();
        let mut words = ClientWords { options, program: Vec::new() };
        give(&environment(directory), &configuration, release.parse().unwrap(), &mut words)?;
        let words: Vec<String> =
            words.options.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
        Ok::<_, Failure>(words.join(" "))
    };
    assert_eq!(
        given(&["--detached"], None, &[], "1.20.1").unwrap(),
        "--detached --pyArchives=/cache/e.tar.gz#heddle-python --pyExecutable=heddle-python/bin/python3 \
         --pyClientExecutable=heddle-python/bin/python3"
    );
    let more = given(&["--pyArchives=a.zip#a"], Some("/venv"), &[], "1.14.6").unwrap();
    assert!(more.starts_with("--pyArchives=a.zip#a,/cache/e.tar.gz#heddle-python "), "{more}");
    assert!(more.ends_with(" --pyClientExecutable=/venv/bin/python3"), "{more}");
    let configured = given(&[], None, &[("python.archives", "b.zip")], "1.20.1").unwrap();
    assert!(configured.starts_with("--pyArchives=b.zip,/cache/e.tar.gz#heddle-python "), "{configured}");
    assert!(given(&[], None, &[], "1.13.6").unwrap_err().to_string().contains("only zip archives"));
}

#[test]
fn an_environment_excludes_other_interpreters() {
    let context = context("/none".as_ref());
    let of = |options: &RunOptions, settings: &[(&str, &str)]| {
        let mut configuration = Configuration::new(FileFormat::Standard);
        for (key, value) in settings {
            configuration.set_dynamic(*key, *value);
        }
        super::environment(options, &configuration, "1.20.1".parse().unwrap(), &context, &Silent)
    };
    assert_eq!(of(&RunOptions::default(), &[]).unwrap(), None);
    let options = RunOptions { py_env: Some("venv".into()), ..RunOptions::default() };
    let both = RunOptions { py_executable: Some("python".into()), ..options.clone() };
    assert!(of(&both, &[]).unwrap_err().to_string().contains("--py-env and -pyexec"));
    let refused = of(&options, &[("python.client.executable", "x")]).unwrap_err();
    assert!(refused.to_string().contains("--py-env and -pyclientexec"), "{refused}");
    assert!(of(&options, &[]).unwrap_err().to_string().contains("cannot read the Python environment"));
}

#[test]
fn an_interpreter_must_be_in_the_archive_that_it_names() {
    let dir = tempfile::tempdir().unwrap();
    // An empty zip archive.
    std::fs::write(dir.path().join("venv.zip"), [b"PK\x05\x06".as_slice(), &[0; 18]].concat()).unwrap();
    let context = context(dir.path());
    let check = |archives: &str, executable: &str| {
        let options = RunOptions {
            py_archives: Some(archives.into()),
            py_executable: Some(executable.into()),
            ..RunOptions::default()
        };
        check_executables(&options, &context).map_err(|failure| failure.to_string())
    };
    for (archives, executable) in [("venv.zip#env", "env/bin/python"), ("venv.zip", "./venv.zip/bin/python")]
    {
        let refused = check(archives, executable).unwrap_err();
        assert!(refused.contains("venv.zip holds no bin/python, which -pyexec names"), "{refused}");
    }
    for (archives, executable) in [
        ("venv.zip#env", "/usr/bin/python3"),
        ("venv.zip#env", "python3"),
        ("venv.zip#env", "other/bin/python"),
        ("hdfs:///venv.zip#env", "env/bin/python"),
        ("gone.zip#env", "env/bin/python"),
    ] {
        assert_eq!(check(archives, executable), Ok(()), "{archives} {executable}");
    }
}
