use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use yarn_client::deploy::{Program, Purpose};
use yarn_client::report::Silent;

use super::super::application::jars_of;
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
    for jar in ["flink-client-fs.jar", "heddle-agent.jar"] {
        std::fs::write(dir.path().join("heddle/lib").join(jar), "").unwrap();
    }
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
    let shown = format!("{:?}", Plan::Become(Start::plain(command)));
    assert!(shown.contains("sql-gateway.sh") && !shown.contains("hush"), "{shown}");
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|w| w.to_string_lossy().into_owned()).collect();
    words.join(" ").rsplit_once("/bin/").map(|(_, tail)| tail.to_owned()).unwrap_or_default()
}

fn led(release: &str, tool: Tool, line: &str) -> (tempfile::TempDir, Command) {
    let (dir, context) = place(release);
    let command = led_with(&context, tool, line, &HadoopJars::default());
    (dir, command)
}

fn led_with(context: &Context, tool: Tool, line: &str, jars: &HadoopJars) -> Command {
    let setup = Setup::load(context).unwrap();
    let program = script(context, &setup.flink, tool).unwrap();
    let address = RestAddress::plain("[::1]", 8081);
    become_script(context, &setup, tool, &program, read(line), jars, Some(&address)).unwrap()
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
        let mut variables = start.command.get_envs().map(|(name, _)| name);
        assert!(variables.all(|name| name == "FLINK_HOME" || name == "FLINK_CONF_DIR"), "{start:?}");
        assert!(start.tokens.is_none(), "{line}");
    }
}

#[tokio::test]
async fn without_a_session_it_is_said() {
    let line = "-Dexecution.target=yarn-session";
    let failure = planned("1.20.1", Tool::Client, line).await.unwrap_err();
    assert!(failure.to_string().contains("no cluster id was specified"), "{failure}");
    assert!(!failure.hints().is_empty(), "{failure}");
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
    assert!(failure.hints().iter().any(|hint| hint.contains("heddle.hadoop.jars")), "{failure}");
}

/// What heddle warns of.
#[derive(Default)]
struct Warnings(std::sync::Mutex<Vec<String>>);

impl Report for Warnings {
    fn info(&self, _: &str) {}

    fn warn(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

/// A place with Hadoop's classes.
fn place_with_hadoop(release: &str) -> (tempfile::TempDir, Context) {
    let (dir, mut context) = place(release);
    context.vars.insert("HADOOP_CLASSPATH".to_owned(), "/hadoop/*".to_owned());
    (dir, context)
}

#[tokio::test]
async fn a_gateway_starts_without_a_session_and_says_what_its_sessions_have_to_set() {
    let (_dir, context) = place_with_hadoop("1.20.1");
    let warnings = Warnings::default();
    let planned = plan(&context, Tool::Gateway, &words("start-foreground -Da=b"), &warnings).await.unwrap();
    let Plan::Become(start) = planned else { panic!("it does not become Flink's program") };
    assert_eq!(
        shown(&start.command),
        "sql-gateway.sh start-foreground -Da=b -Dexecution.target=yarn-session"
    );
    let warned = warnings.0.lock().unwrap().join("\n");
    assert!(warned.contains(NO_SESSION) && warned.contains("has to set execution.target"), "{warned}");
}

/// A variable of the command, with the places below `dir` shortened.
fn variable(dir: &tempfile::TempDir, command: &Command, name: &str) -> String {
    let found = command.get_envs().find(|(k, _)| *k == name).and_then(|(_, v)| v);
    found.map(|v| v.to_string_lossy().replace(&dir.path().display().to_string(), "")).unwrap_or_default()
}

#[tokio::test]
async fn a_cluster_for_each_job_needs_no_session() {
    for (tool, line, wanted) in [
        (Tool::Client, "-t yarn-per-job -f x.sql", "sql-client.sh -Dexecution.target=yarn-per-job -f x.sql"),
        (
            Tool::Gateway,
            "start-foreground -Dexecution.target=YARN-PER-JOB -Da=b",
            "sql-gateway.sh start-foreground -Dexecution.target=YARN-PER-JOB -Da=b",
        ),
    ] {
        let (dir, context) = place_with_hadoop("1.20.1");
        std::fs::write(dir.path().join("x.sql"), "SELECT 1;").unwrap();
        let planned = plan(&context, tool, &words(line), &Silent).await.unwrap();
        let Plan::Become(start) = planned else { panic!("it does not become Flink's program") };
        assert_eq!(shown(&start.command), wanted);
        let agent = "-javaagent:/heddle/lib/heddle-agent.jar=heddle=/heddle/bin/heddle";
        let options = variable(&dir, &start.command, "JVM_ARGS");
        assert!(options.split(' ').any(|word| word == agent), "{options}");
    }
    // An older client gets the target by a file.
    let (dir, context) = place_with_hadoop("1.17.2");
    std::fs::write(dir.path().join("x.sql"), "SELECT 1;").unwrap();
    let planned = plan(&context, Tool::Client, &words("-t yarn-per-job -f x.sql"), &Silent).await.unwrap();
    let Plan::Become(start) = planned else { panic!("it does not become Flink's program") };
    assert_eq!(shown(&start.command), "sql-client.sh -f x.sql");
    let conf = dir.path().join(variable(&dir, &start.command, "FLINK_CONF_DIR").trim_start_matches('/'));
    let text = std::fs::read_to_string(conf.join("flink-conf.yaml")).unwrap();
    assert!(text.contains("execution.target: yarn-per-job\n"), "{text}");
}

#[tokio::test]
async fn other_targets_need_hadoops_classes() {
    for (text, set) in [
        ("SET 'execution.target' = 'yarn-per-job';\nSELECT 1;", true),
        ("-- first\nset execution.target\n= yarn-session", true),
        ("-- SET 'execution.target' = 'yarn-per-job';\nSELECT 1;", false),
        ("SET 'execution.target' = 'remote';", false),
    ] {
        for option in ["-f ", "--init=", "-i "] {
            let (dir, mut context) = place("1.20.1");
            std::fs::write(dir.path().join("x.sql"), text).unwrap();
            let line = words(&format!("{option}x.sql"));
            let planned = plan(&context, Tool::Client, &line, &Silent).await;
            let refused = planned.as_ref().err().map(|failure| failure.to_string()).unwrap_or_default();
            assert_eq!(refused.contains("SET in x.sql asks for"), set, "{option} {text}: {refused}");
            assert_eq!(planned.is_err(), set, "{option} {text}: {refused}");
            context.vars.insert("HADOOP_CLASSPATH".to_owned(), "/hadoop/*".to_owned());
            assert!(plan(&context, Tool::Client, &line, &Silent).await.is_ok(), "{option} {text}");
        }
    }
    let (dir, context) = place("1.20.1");
    std::fs::write(dir.path().join("flink/conf/flink-conf.yaml"), "execution.target: yarn-per-job\n")
        .unwrap();
    let failure = plan(&context, Tool::Gateway, &words("start"), &Silent).await.unwrap_err();
    assert!(failure.to_string().contains("flink-conf.yaml:1) asks for"), "{failure}");
    assert!(failure.hints().iter().any(|hint| hint.contains("heddle.hadoop.jars")), "{failure}");
}

#[test]
fn an_agent_that_the_user_has_named_is_the_only_one() {
    let (dir, mut context) = place_with_hadoop("1.20.1");
    context.vars.insert("JVM_ARGS".to_owned(), "-javaagent:/own/heddle-agent.jar=disabled".to_owned());
    let command = led_with(&context, Tool::Client, "-f x.sql", &HadoopJars::default());
    assert_eq!(variable(&dir, &command, "JVM_ARGS"), "-javaagent:/own/heddle-agent.jar=disabled");
    assert_eq!(variable(&dir, &command, "HADOOP_CLASSPATH"), "", "it is inherited");
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
    let line = format!("{target} -f x.sql -pyfs x.sql -pyexec python3");
    let (program, configuration) = deployed(planned("2.0.0", Tool::Client, &line).await);
    assert_eq!(
        program.files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["script.sql", "x.sql"]
    );
    let set = |key| configuration.entry(key).map(|entry| entry.value.text());
    assert_eq!(set("python.files").as_deref(), Some("x.sql"));
    assert_eq!(set("python.executable").as_deref(), Some("python3"));
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
        ("-f x.sql -u y", "-u has no effect"),
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
    assert_eq!(variable(&dir, &command, "HADOOP_CLASSPATH"), "/heddle/lib/flink-client-fs.jar");
    assert_eq!(
        variable(&dir, &command, "JVM_ARGS"),
        " -javaagent:/heddle/lib/heddle-agent.jar=heddle=/heddle/bin/heddle -Dheddle.client.fs.helper=/heddle/bin/heddle"
    );
    assert_eq!(variable(&dir, &command, "FLINK_CONF_DIR"), "/flink/conf");
    let (_dir, command) = led("1.20.1", Tool::Gateway, "-Dsql-gateway.endpoint.rest.address=h");
    assert!(
        shown(&command).starts_with("sql-gateway.sh start -Dsql-gateway.endpoint.rest.address=h -Dexecution")
    );
}

#[tokio::test]
async fn hadoops_classes_take_the_place_of_heddles_file_system() {
    let (dir, mut context) = place("1.20.1");
    for (file, text) in [("hadoop/a.jar", ""), ("conf/core-site.xml", "<configuration/>"), ("krb5.conf", "")]
    {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    for (name, file) in [("HADOOP_CONF_DIR", "conf"), ("KRB5_CONFIG", "krb5.conf")] {
        context.vars.insert(name.to_owned(), dir.path().join(file).display().to_string());
    }
    context.vars.insert("JVM_ARGS".to_owned(), "-Dx=y".to_owned());
    let mut configuration = Configuration::new(flink_model::config::FileFormat::Standard);
    configuration.set_dynamic("heddle.hadoop.jars", "hadoop");
    let jars = hadoop_jars::find(&context, &configuration, &Silent).await.unwrap();
    let command = led_with(&context, Tool::Client, "-f x.sql", &jars);
    assert_eq!(variable(&dir, &command, "HADOOP_CLASSPATH"), "/hadoop/a.jar:/conf");
    assert_eq!(
        variable(&dir, &command, "JVM_ARGS"),
        "-Djava.security.krb5.conf=/krb5.conf -Dx=y -javaagent:/heddle/lib/heddle-agent.jar=heddle=/heddle/bin/heddle"
    );
}

#[tokio::test]
async fn only_a_script_without_hadoops_classes_is_watched() {
    for (line, watched) in
        [("-f x.sql", true), ("", false), ("-Dheddle.hadoop.jars=flink/lib -f x.sql", false)]
    {
        let Plan::Alone(start, _) = planned("1.20.1", Tool::Client, line).await.unwrap() else { panic!() };
        assert_eq!(start.lacks_hadoop, watched, "{line}");
    }
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

/// A directory of `heddle adopt` for the Flink of [`place`], to which `FLINK_HOME` leads.
fn adopt(dir: &Path, context: &mut Context) -> PathBuf {
    let request =
        yarn_client::adopt::AdoptRequest { directory: dir.join("adopted"), flink_home: None, dry_run: false };
    yarn_client::adopt::adopt(context, &request, &|| Ok(())).unwrap();
    let home = dir.join("adopted");
    context.vars.insert("FLINK_HOME".to_owned(), home.display().to_string());
    home
}

#[tokio::test]
async fn flinks_own_script_of_an_adopted_directory() {
    let (dir, mut context) = place("1.20.1");
    let dir = dir.path().canonicalize().unwrap();
    let home = adopt(&dir, &mut context);
    for (tool, line) in [(Tool::Client, "--help"), (Tool::Gateway, "stop"), (Tool::Client, "-t remote")] {
        let Ok(Plan::Become(Start { command, .. })) = plan(&context, tool, &words(line), &Silent).await
        else {
            panic!("{line}")
        };
        let script = Path::new(command.get_program()).canonicalize().unwrap();
        assert_eq!(script, dir.join("flink/bin").join(tool.name()), "{line}");
        let var = |name: &str| {
            command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value.map(PathBuf::from))
        };
        assert_eq!(var("FLINK_HOME"), Some(home.clone()));
        assert_eq!(var("_FLINK_HOME_DETERMINED"), Some("1".into()));
        assert_eq!(var("FLINK_CONF_DIR"), Some(home.join("conf")));
        assert_eq!(var("FLINK_LIB_DIR"), Some(dir.join("flink/lib")), "its real path");
    }
}

#[tokio::test]
async fn a_script_of_heddles_in_the_distribution_is_seen() {
    let (dir, mut context) = place("1.20.1");
    let dir = dir.path().canonicalize().unwrap();
    let home = adopt(&dir, &mut context);
    std::fs::copy(home.join("bin/sql-client.sh"), dir.join("flink/bin/sql-client.sh")).unwrap();
    let failure = plan(&context, Tool::Client, &[], &Silent).await.unwrap_err();
    assert!(failure.to_string().contains("is this program, not Flink's own"), "{failure}");
}

#[tokio::test]
async fn a_loop_is_seen() {
    let (dir, mut context) = place("1.20.1");
    let own = dir.path().join("flink/bin/sql-client.sh").canonicalize().unwrap();
    context.exe = own;
    let failure = plan(&context, Tool::Client, &[], &Silent).await.unwrap_err();
    assert!(failure.to_string().contains("is this program, not Flink's own"), "{failure}");
}
