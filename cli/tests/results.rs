//! What a user sees of commands that need no cluster: exit code, standard output and standard error stream,
//! word for word.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};

/// The command lines, by the names of their snapshots. `{dir}` is a directory with files, some of which are
/// named like jars but are none.
const CASES: &[(&str, &str)] = &[
    ("heddle_without_words", "heddle"),
    ("flink_without_words", "flink"),
    ("heddle_help", "heddle --help"),
    ("flink_help", "flink --help"),
    ("flink_help_of_a_verb", "flink help cancel"),
    ("verb_misspelt", "heddle rnu job.jar"),
    ("verb_unknown", "flink frobnicate"),
    ("version", "heddle version"),
    ("flink_version", "flink --version"),
    // yarn-session.sh
    ("session_help", "yarn-session.sh --help"),
    ("session_of_heddle_help", "heddle session --help"),
    ("session_word", "yarn-session.sh word"),
    ("session_option_unknown", "yarn-session.sh --nonsense"),
    ("session_option_without_value", "yarn-session.sh -jm"),
    ("session_property_without_value", "yarn-session.sh -Dyarn.application.queue"),
    ("session_id_malformed", "yarn-session.sh -id session_1"),
    ("session_no_hadoop", "yarn-session.sh -d -jm 1g -tm 1728m"),
    ("session_memory_too_small", "yarn-session.sh -d -jm 100 -tm 1728m --dry-run"),
    ("session_key_misspelt", "yarn-session.sh -Dyarn.application.quue=a --dry-run -jm 1g -tm 1728m"),
    ("session_kerberos", "yarn-session.sh -Dsecurity.kerberos.login.keytab=/k -jm 1g -tm 1728m"),
    ("timeout_without_unit", "yarn-session.sh --timeout 5"),
    ("output_unknown", "yarn-session.sh --output xml"),
    ("slots", "yarn-session.sh -s two"),
    // run
    ("run_help", "flink run --help"),
    ("run_no_jar", "flink run -t yarn-session"),
    ("run_jar_missing", "flink run -t yarn-per-job gone.jar"),
    ("run_jar_is_a_directory", "flink run -t yarn-per-job {dir}"),
    ("run_main_nowhere", "flink run --main nowhere {dir}/job.jar"),
    ("run_main_of_an_application", "flink run -t yarn-application --main cluster {dir}/job.jar"),
    ("run_main_of_a_per_job_cluster", "flink run -t yarn-per-job --main cluster {dir}/job.jar"),
    ("run_dry_on_a_session", "flink run -m h:1 --dry-run {dir}/job.jar"),
    ("run_submission_on_a_session", "flink run -m h:1 --submission nightly {dir}/job.jar"),
    ("run_attached_and_detached", "flink run -t yarn-application --attached -d {dir}/job.jar"),
    ("run_parallelism", "flink run -t yarn-application -p 0 {dir}/job.jar"),
    ("run_class_path", "flink run -t yarn-application -C lib/a.jar {dir}/job.jar"),
    ("run_claim_mode", "flink run -t yarn-application -cm take {dir}/job.jar"),
    ("run_script_on_a_session", "flink run -t yarn-session {dir}/x.sql"),
    ("run_script_on_a_per_job_cluster", "flink run -t yarn-per-job {dir}/x.sql"),
    ("run_script_with_arguments", "flink run {dir}/x.sql word"),
    ("jar_is_text", "flink run -t yarn-per-job {dir}/text.jar"),
    ("jar_of_two", "flink run -t yarn-per-job {dir}/a;b.jar"),
    // run-application
    ("run_application_help", "flink run-application --help"),
    ("run_application_no_program", "flink run-application -t yarn-application"),
    ("run_application_two_jars", "flink run-application -Dpipeline.jars=/b.jar {dir}/text.jar"),
    ("run_application_python_and_jar", "flink run-application -py a.py -j {dir}/text.jar"),
    (
        "run_application_tags",
        "flink run-application -Djobmanager.memory.process.size=1g -Dtaskmanager.memory.process.size=1728m -Dyarn.tags=größe -c Main --dry-run",
    ),
    ("timeout_of_nothing", "flink run-application -t yarn-application --timeout soon {dir}/job.jar"),
    ("target_of_an_application", "flink run-application -t yarn-session {dir}/job.jar"),
    // info
    ("info_help", "flink info --help"),
    ("info_jar_missing", "flink info gone.jar"),
    ("output_of_info", "flink info --output json {dir}/job.jar"),
    // list, cancel, stop, savepoint, checkpoint
    ("list_help", "flink list --help"),
    ("target_unknown", "flink list -t yarn-cloud"),
    ("no_cluster_id", "flink list -t yarn-application"),
    ("address_malformed", "flink list -m nowhere"),
    ("cancel_help", "flink cancel --help"),
    ("cancel_nothing", "flink cancel -m h:1"),
    ("cancel_no_id", "flink cancel -m h:1 job"),
    ("stop_help", "flink stop --help"),
    ("stop_nothing", "flink stop -m h:1"),
    ("stop_option_misspelt", "flink stop --savepointpath /s 0123456789abcdef0123456789abcdef"),
    ("savepoint_help", "flink savepoint --help"),
    ("savepoint_nothing", "flink savepoint -m h:1"),
    ("checkpoint_help", "flink checkpoint --help"),
    ("checkpoint_nothing", "flink checkpoint -m h:1"),
    ("json_usage_error", "flink cancel --output json no-id"),
    ("json_option_unknown", "flink list --output json --nonsense"),
    // ps, status, why, logs, sd, kill, gc, memory
    ("ps_help", "heddle ps --help"),
    ("ps_id_and_all", "heddle ps --all application_1700000000000_0001"),
    ("ps_no_id", "heddle ps job_1"),
    ("ps_of_one_and_of_all", "heddle ps --user ann --all-users"),
    ("ps_no_hadoop", "heddle ps"),
    ("json_no_hadoop", "heddle ps --output json"),
    ("status_help", "heddle status --help"),
    ("status_of_nothing", "heddle status"),
    ("status_no_id", "heddle status job_1"),
    ("why_help", "heddle why --help"),
    ("why_of_two", "heddle why application_1_0001 application_1_0002"),
    ("why_forced_without_bundle", "heddle why --force application_1_0001"),
    ("why_bundle_exists", "heddle why --bundle text.jar application_1_0001"),
    ("logs_help", "heddle logs --help"),
    ("logs_of_nothing", "heddle logs"),
    ("logs_of_two", "heddle logs application_1_0001 application_1_0002"),
    ("logs_of_another_container", "heddle logs --container container_1_0002_01_000001 application_1_0001"),
    ("logs_followed_as_json", "heddle logs -f --output json application_1_0001"),
    ("sd_help", "heddle sd --help"),
    ("sd_file_and_listen", "heddle sd --file a.json --listen 127.0.0.1:0"),
    ("sd_interval_of_nothing", "heddle sd --interval 30s"),
    ("kill_help", "heddle kill --help"),
    ("kill_nothing", "heddle kill"),
    ("kill_no_id", "heddle kill job_1"),
    ("explain_exit_help", "heddle explain-exit --help"),
    ("explain_exit_nothing", "heddle explain-exit"),
    ("explain_exit_status_of_yarn", "heddle explain-exit -105"),
    ("explain_exit_json", "heddle explain-exit --output json 1443"),
    ("explain_exit_unknown_name", "heddle explain-exit SIGFOO"),
    ("gc_help", "heddle gc --help"),
    ("older_than_without_unit", "heddle gc --older-than 7"),
    ("memory_help", "heddle memory --help"),
    ("memory_set_without_value", "heddle memory --set taskmanager.memory.process.size"),
    ("memory_live_of_a_setting", "heddle memory --live --set taskmanager.memory.process.size=4g"),
    ("memory_of_a_word", "heddle memory word"),
    ("memory_of_an_unknown_release", "heddle memory --flink-version 3.0"),
    (
        "memory_offline",
        "heddle memory --offline -Djobmanager.memory.process.size=1600m -Dtaskmanager.memory.process.size=1728m",
    ),
    ("memory_too_small", "heddle memory --offline --set taskmanager.memory.process.size=100m"),
    // adopt
    ("adopt_help", "heddle adopt --help"),
    ("adopt_nothing", "heddle adopt"),
    ("adopt_dry", "heddle adopt --dry-run {dir}/for-tools"),
    ("adopt_the_distribution", "heddle adopt {dir}/flink"),
    // completion, man, reference
    ("completion_help", "heddle completion --help"),
    ("completion_of_an_unknown_shell", "heddle completion tcsh"),
    ("man_help", "heddle man --help"),
    ("reference_help", "heddle reference --help"),
    ("reference_of_nothing", "heddle reference"),
    ("reference_check_refuses", "heddle reference --check -- flink stop --dran"),
    // sql-client.sh, sql-gateway.sh
    ("sql_client_script_missing", "sql-client.sh -f gone.sql"),
    ("sql_client_per_job", "sql-client.sh -Dexecution.target=yarn-per-job"),
    (
        "sql_client_application_of_no_jars",
        "sql-client.sh -Dexecution.target=yarn-application -f x.sql -l gone",
    ),
    ("sql_client_target_of_others", "sql-client.sh -Dexecution.target=kubernetes-session"),
    ("sql_client_help", "sql-client.sh --help"),
    ("sql_gateway_help", "sql-gateway.sh --help"),
    ("sql_gateway_application", "sql-gateway.sh start-foreground -Dexecution.target=yarn-application"),
];

/// Runs the program under the name that is the first word of `line`, in an environment that has nothing but
/// what is set here.
fn result(dir: &Path, line: &str) -> Result<String, Box<dyn Error>> {
    let words: Vec<String> =
        line.split(' ').map(|w| w.replace("{dir}", &dir.display().to_string())).collect();
    let done = Command::new(dir.join("bin").join(&words[0]))
        .args(&words[1..])
        .env_clear()
        .envs([("HOME", dir), ("FLINK_HOME", &dir.join("flink"))])
        .envs([("LANG", "C.UTF-8"), ("COLUMNS", "100"), ("PATH", "/nowhere"), ("HADOOP_USER_NAME", "ann")])
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()?;
    let text = |bytes: Vec<u8>| {
        let text = String::from_utf8_lossy(&bytes).replace(&dir.display().to_string(), "{dir}");
        let lines = text.lines().map(|line| match line.split_once(" heddle [] - ") {
            Some((_, told)) => format!("(time and level) {told}\n"),
            None => format!("{line}\n"),
        });
        lines.collect::<String>()
    };
    let code = done.status.code().ok_or("a signal has ended it")?;
    Ok(format!(
        "$ {line}\nexit code {code}\n--- stdout\n{}--- stderr\n{}",
        text(done.stdout),
        text(done.stderr)
    ))
}

/// Makes an installation of heddle and a distribution of Flink, with the files that commands look at before
/// they ask a cluster.
fn install(dir: &Path) -> Result<(), Box<dyn Error>> {
    use std::os::unix::fs::PermissionsExt;
    for made in ["bin", "libexec", "lib", "conf", "flink/bin", "flink/lib", "flink/conf"] {
        std::fs::create_dir_all(dir.join(made))?;
    }
    let (built, heddle) = (env!("CARGO_BIN_EXE_heddle"), dir.join("bin/heddle"));
    if std::fs::hard_link(built, &heddle).is_err() {
        std::fs::copy(built, &heddle)?;
    }
    for name in ["flink", "yarn-session.sh", "sql-client.sh", "sql-gateway.sh"] {
        std::os::unix::fs::symlink("heddle", dir.join("bin").join(name))?;
    }
    for (file, content) in [
        ("libexec/heddle-am", ""),
        ("libexec/heddle-taskrunner", ""),
        ("lib/flink-bridge.jar", ""),
        ("lib/flink-client-fs.jar", ""),
        ("lib/heddle-agent.jar", ""),
        ("conf/log4j.properties", ""),
        ("flink/lib/flink-dist-1.20.1.jar", ""),
        (
            "flink/conf/config.yaml",
            &format!("yarn.properties-file.location: {}\n", dir.join("conf").display()),
        ),
        // Flink's own programs, which heddle becomes where it has nothing to add.
        ("flink/bin/sql-client.sh", "#!/bin/sh\necho \"Flink's own SQL client: $*\"\n"),
        ("flink/bin/sql-gateway.sh", "#!/bin/sh\necho \"Flink's own SQL gateway: $*\"\n"),
        ("text.jar", "#!/bin/sh\n"),
        ("a;b.jar", ""),
        ("x.sql", "SELECT 1;\n"),
    ] {
        std::fs::write(dir.join(file), content)?;
    }
    for program in ["flink/bin/sql-client.sh", "flink/bin/sql-gateway.sh"] {
        std::fs::set_permissions(dir.join(program), std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

#[test]
fn whole_results() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().canonicalize().unwrap();
    install(&dir).unwrap();
    for (name, line) in CASES {
        insta::assert_snapshot!(*name, result(&dir, line).unwrap());
    }
}
