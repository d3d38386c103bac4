use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use yarn_client::deploy::Program;
use yarn_client::report::Silent;

use super::*;

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn read(line: &str) -> Line {
    Line::read(&words(line)).unwrap()
}

/// A Flink of `release` and a heddle beside it.
fn place(release: &str) -> (tempfile::TempDir, Context) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("flink");
    for file in
        [format!("lib/flink-dist-{release}.jar"), "bin/sql-client.sh".into(), "bin/sql-gateway.sh".into()]
    {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::create_dir_all(root.join("conf")).unwrap();
    for file in ["log4j-cli.properties", "flink-conf.yaml", "config.yaml"] {
        std::fs::write(root.join("conf").join(file), "").unwrap();
    }
    std::fs::create_dir_all(dir.path().join("heddle/lib")).unwrap();
    std::fs::write(dir.path().join("heddle/lib/flink-client-fs.jar"), "").unwrap();
    let at = |p: &str| dir.path().join(p).display().to_string();
    let vars: BTreeMap<String, String> =
        [("FLINK_HOME", at("flink")), ("XDG_CACHE_HOME", at("cache"))].map(|(k, v)| (k.to_owned(), v)).into();
    let exe = dir.path().join("heddle/bin/heddle");
    let context = Context {
        vars,
        cwd: dir.path().into(),
        exe,
        user: "nobody-of-this-name".into(),
        waits: Default::default(),
        logins: Default::default(),
    };
    (dir, context)
}

async fn planned(release: &str, tool: Tool, line: &str) -> Result<Plan, Failure> {
    let (dir, context) = place(release);
    std::fs::write(dir.path().join("x.sql"), "SELECT 1;").unwrap();
    plan(&context, tool, &words(line), &Silent).await
}

#[test]
fn debug_shows_no_secret() {
    let words = "start -Ds3.secret-key=hush -D my.password=hush --token=hush -f x.sql";
    let shown = format!("{:?}", read(words));
    assert!(shown.contains("x.sql") && !shown.contains("hush"), "{shown}");
    let mut command = Command::new("sql-gateway.sh");
    command.args(words.split(' '));
    let shown = format!("{:?}", Plan::Become(Start { command, tokens: None }));
    assert!(shown.contains("sql-gateway.sh") && !shown.contains("hush"), "{shown}");
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|w| w.to_string_lossy().into_owned()).collect();
    words.join(" ").rsplit_once("/bin/").map(|(_, tail)| tail.to_owned()).unwrap_or_default()
}

fn led(release: &str, tool: Tool, line: &str) -> (tempfile::TempDir, Command) {
    let (dir, context) = place(release);
    let setup = Setup::load(&context).unwrap();
    let program = script(&context, &setup.flink, tool).unwrap();
    let address = RestAddress::plain("[::1]", 8081);
    let command = become_script(&context, &setup, tool, &program, read(line), &address).unwrap();
    (dir, command)
}

#[test]
fn lines() {
    let line = read(
        "embedded -t yarn-session -Dyarn.application.id=a -D k=v=w --init i.sql -f x.sql -yid b -Dflag -j -x.jar",
    );
    assert_eq!(line.verb, Some("embedded".into()));
    assert_eq!(line.rest, words("--init i.sql -f x.sql -j -x.jar"));
    let pairs: Vec<String> = line.properties.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(
        pairs,
        [
            "execution.target=yarn-session",
            "yarn.application.id=a",
            "k=v=w",
            "yarn.application.id=b",
            "flag=true"
        ]
    );
    assert_eq!((line.script, line.init, line.help), (Some("x.sql".into()), Some("i.sql".into()), false));
    assert_eq!(read("--file=y.sql").script, Some("y.sql".into()));
    assert_eq!(read("--target=remote").properties, [("execution.target".to_owned(), "remote".to_owned())]);
    for bad in ["-t", "-D", "-D=x", "-D =x"] {
        assert!(Line::read(&words(bad)).unwrap_err().is_usage(), "{bad}");
    }
}

#[tokio::test]
async fn what_is_none_of_ours_passes() {
    for (tool, line) in [
        (Tool::Client, "--help"),
        (Tool::Client, "gateway -e localhost:8083 -Dexecution.target=yarn-session"),
        (Tool::Client, "-Dexecution.target=remote -f x.sql"),
        (Tool::Client, "-D execution.target=kubernetes-session"),
        (Tool::Gateway, "stop-all"),
    ] {
        let Plan::Become(start) = planned("1.20.1", tool, line).await.unwrap() else { panic!("{line}") };
        assert_eq!(shown(&start.command), format!("{} {line}", tool.name()));
        assert_eq!(start.command.get_envs().count(), 0, "{line}");
        assert!(start.tokens.is_none(), "{line}");
    }
}

#[tokio::test]
async fn without_a_session_it_is_said() {
    for (line, text) in [
        ("-Dexecution.target=yarn-session", "no cluster id was specified"),
        ("-t yarn-per-job", "no target yarn-per-job, which execution.target (-D) asks for"),
    ] {
        let failure = planned("1.20.1", Tool::Client, line).await.unwrap_err();
        assert!(failure.to_string().contains(text) && !failure.hints().is_empty(), "{line}: {failure}");
    }
    let failure =
        planned("2.0.0", Tool::Gateway, "start -Dexecution.target=yarn-application").await.unwrap_err();
    assert!(failure.to_string().contains("sql-gateway.sh cannot start"), "{failure}");
}

#[tokio::test]
async fn without_a_session_the_client_starts_and_is_told_when_it_asks() {
    let Plan::Alone(start, listener) = planned("1.20.1", Tool::Client, "-f x.sql").await.unwrap() else {
        panic!()
    };
    let address = listener.local_addr().unwrap();
    assert!(shown(&start.command).contains(&format!("-Drest.port={} ", address.port())), "{start:?}");
    assert!(start.tokens.is_none(), "there is no Hadoop");
    listener.set_nonblocking(true).unwrap();
    let told = tokio::spawn(tell_nobody(tokio::net::TcpListener::from_std(listener).unwrap()));
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(flink_rest::no_certificates().unwrap())
        .build()
        .unwrap();
    let answer =
        client.post(format!("http://{address}/v1/jobs")).body(vec![0; 1 << 22]).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let text = answer.text().await.unwrap();
    assert!(text.contains(NO_SESSION) && text.contains("hint: `yarn-session.sh -d`"), "{text}");
    told.abort();
    let failure = planned("1.20.1", Tool::Gateway, "start").await.unwrap_err();
    assert!(failure.to_string().contains(NO_SESSION), "{failure}");
}

#[tokio::test]
async fn a_script_that_sets_per_job_is_refused() {
    for (text, set) in [
        ("SET 'execution.target' = 'yarn-per-job';\nSELECT 1;", true),
        ("-- first\nset execution.target\n= yarn-per-job", true),
        ("-- SET 'execution.target' = 'yarn-per-job';\nSELECT 1;", false),
        ("SET 'execution.target' = 'yarn-session';", false),
    ] {
        let (dir, context) = place("1.20.1");
        std::fs::write(dir.path().join("x.sql"), text).unwrap();
        for option in ["-f", "--init=", "-i"] {
            let line =
                if option.ends_with('=') { format!("{option}x.sql") } else { format!("{option} x.sql") };
            let planned = plan(&context, Tool::Client, &words(&line), &Silent).await;
            assert_eq!(planned.is_err(), set, "{option} {text}: {planned:?}");
        }
    }
    let (dir, context) = place("1.20.1");
    std::fs::write(dir.path().join("flink/conf/flink-conf.yaml"), "execution.target: yarn-per-job\n")
        .unwrap();
    let failure = plan(&context, Tool::Gateway, &words("start"), &Silent).await.unwrap_err();
    assert!(failure.to_string().contains("flink-conf.yaml:1) asks for"), "{failure}");
}

#[tokio::test]
async fn a_script_that_is_not_there() {
    for (line, name) in
        [("-f missing.sql", "missing.sql"), ("-i=gone.sql -f x.sql", "gone.sql"), ("-f .", "is not a file")]
    {
        let failure = planned("1.20.1", Tool::Client, line).await.unwrap_err();
        assert!(failure.to_string().contains(name), "{line}: {failure}");
    }
}

/// The program of a script that is deployed, and the settings on top of the configuration files.
fn deployed(plan: Result<Plan, Failure>) -> (Program, Configuration) {
    let Plan::Deploy(what) = plan.unwrap() else { panic!("it is not deployed") };
    let Purpose::Application { program } = what.1.purpose else { panic!("it is no application") };
    (program, what.1.configuration)
}

#[tokio::test]
async fn scripts_as_applications() {
    let target = "-Dexecution.target=yarn-application";
    for release in ["1.17.2", "2.0.0"] {
        let (program, _) = deployed(planned(release, Tool::Client, &format!("{target} -f x.sql")).await);
        assert_eq!(program.args, ["--scriptUri", "script.sql"]);
        assert_eq!((program.files.len(), program.jar), (1, None));
    }
    for line in ["-j /j/udf.jar", "--jar=/j/udf.jar", "-Dpipeline.jars=/j/udf.jar"] {
        let line = format!("{target} -f x.sql {line}");
        let (program, configuration) = deployed(planned("2.0.0", Tool::Client, &line).await);
        assert_eq!(program.jar.as_deref(), Some("/j/udf.jar"), "{line}");
        let jars = text(&configuration, &options::PIPELINE_JARS);
        assert_eq!(jars.as_deref(), Some("file:///j/udf.jar"), "{line}");
    }
    let line = format!("{target} -f x.sql -j /j/a.jar -j /j/b.jar");
    let (program, configuration) = deployed(planned("1.20.1", Tool::Client, &line).await);
    assert_eq!((program.jar, program.libraries), (None, vec!["/j/a.jar".into(), "/j/b.jar".into()]));
    let jars = text(&configuration, &options::PIPELINE_JARS);
    assert_eq!(jars.as_deref(), Some("file:///j/a.jar;file:///j/b.jar"));
    for (line, text) in [
        ("-f x.sql -l /no/such/directory", "cannot read the directory /no/such/directory (-l)"),
        ("", "needs a script"),
        ("-f missing.sql", "cannot read the script"),
        ("-f .", "is not a file"),
        ("-f x.sql -i x.sql", "doesn't support to run init files"),
    ] {
        let failure = planned("2.0.0", Tool::Client, &format!("{target} {line}")).await.unwrap_err();
        assert!(failure.to_string().contains(text), "{line}: {failure}");
    }
}

#[test]
fn the_jars_of_a_directory() {
    let (dir, context) = place("1.20.1");
    for name in ["l/b.jar", "l/a.jar", "l/notes.txt"] {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    let jars = jars_of(&context, OsStr::new("l")).unwrap();
    let names: Vec<&str> = jars.iter().filter_map(|jar| jar.rsplit('/').next()).collect();
    assert_eq!(names, ["a.jar", "b.jar"]);
}

#[test]
fn the_script_gets_the_address() {
    let (dir, command) =
        led("1.20.1", Tool::Client, "-t yarn-session -Dyarn.application.id=x -Da=b -f x.sql");
    assert_eq!(
        shown(&command),
        "sql-client.sh -Da=b -Dexecution.target=remote -Drest.address=::1 -Drest.port=8081 -Djobmanager.rpc.address=::1 -f x.sql"
    );
    let var = |name: &str| {
        let found = command.get_envs().find(|(k, _)| *k == name).and_then(|(_, v)| v);
        found.map(|v| v.to_string_lossy().replace(&dir.path().display().to_string(), "")).unwrap_or_default()
    };
    assert_eq!(var("HADOOP_CLASSPATH"), "/heddle/lib/flink-client-fs.jar");
    assert_eq!(var("JVM_ARGS"), " -Dheddle.client.fs.helper=/heddle/bin/heddle");
    assert_eq!(var("FLINK_CONF_DIR"), "/flink/conf");
    let (_dir, command) = led("1.20.1", Tool::Gateway, "-Dsql-gateway.endpoint.rest.address=h");
    assert!(
        shown(&command).starts_with("sql-gateway.sh start -Dsql-gateway.endpoint.rest.address=h -Dexecution")
    );
}

#[test]
fn older_clients_get_a_configuration() {
    let (dir, command) = led("1.17.2", Tool::Client, "-Da=b -f x.sql");
    assert_eq!(shown(&command), "sql-client.sh -f x.sql");
    let conf = command.get_envs().find(|(k, _)| *k == "FLINK_CONF_DIR").and_then(|(_, v)| v).unwrap();
    let conf = Path::new(conf);
    assert!(conf.starts_with(dir.path().join("cache/heddle/sql-conf")));
    let text = std::fs::read_to_string(conf.join("flink-conf.yaml")).unwrap();
    assert!(text.contains("a: b\nexecution.target: remote\nrest.address: ::1\n"), "{text}");
    assert!(conf.join("log4j-cli.properties").exists());
}

#[tokio::test]
async fn a_loop_is_seen() {
    let (dir, mut context) = place("1.20.1");
    let own = dir.path().join("flink/bin/sql-client.sh").canonicalize().unwrap();
    context.exe = own;
    let failure = plan(&context, Tool::Client, &[], &Silent).await.unwrap_err();
    assert!(failure.to_string().contains("is this program, not Flink's own"), "{failure}");
}
