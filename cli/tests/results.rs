//! What a user sees of commands that need no cluster: exit code, standard output and standard error stream,
//! word for word.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};

/// The command lines, by the names of their snapshots. `{dir}` is a directory with a jar and things that are
/// none.
const CASES: &[(&str, &str)] = &[
    ("verb_misspelt", "heddle rnu job.jar"),
    ("verb_unknown", "flink frobnicate"),
    ("version", "heddle version"),
    ("timeout_without_unit", "yarn-session.sh --timeout 5"),
    ("timeout_of_nothing", "flink run-application -t yarn-application --timeout soon {dir}/job.jar"),
    ("older_than_without_unit", "heddle gc --older-than 7"),
    ("output_unknown", "yarn-session.sh --output xml"),
    ("output_of_info", "flink info --output json {dir}/job.jar"),
    ("kill_nothing", "heddle kill"),
    ("kill_no_id", "heddle kill job_1"),
    ("kill_help", "heddle kill --help"),
    ("ps_id_and_all", "heddle ps --all application_1700000000000_0001"),
    ("ps_help", "heddle ps --help"),
    ("json_usage_error", "flink cancel --output json no-id"),
    ("json_option_unknown", "flink list --output json --nonsense"),
    ("json_no_hadoop", "heddle ps --output json"),
    ("target_unknown", "flink list -t yarn-cloud"),
    ("target_of_an_application", "flink run-application -t yarn-session {dir}/job.jar"),
    ("no_cluster_id", "flink list -t yarn-application"),
    ("address_malformed", "flink list -m nowhere"),
    ("jar_is_text", "flink run -t yarn-per-job {dir}/text.jar"),
    ("jar_of_two", "flink run -t yarn-per-job {dir}/a;b.jar"),
    ("slots", "yarn-session.sh -s two"),
];

/// Runs the binary under the name of `line`'s first word, in surroundings that it knows nothing else of.
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

#[test]
fn whole_results() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().canonicalize().unwrap();
    for made in ["bin", "flink/lib", "flink/conf"] {
        std::fs::create_dir_all(dir.join(made)).unwrap();
    }
    for name in ["heddle", "flink", "yarn-session.sh"] {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_heddle"), dir.join("bin").join(name)).unwrap();
    }
    std::fs::write(dir.join("flink/lib/flink-dist-1.20.1.jar"), "").unwrap();
    let conf = "yarn.properties-file.location: /nowhere\n";
    std::fs::write(dir.join("flink/conf/config.yaml"), conf).unwrap();
    std::fs::write(dir.join("text.jar"), "#!/bin/sh\n").unwrap();
    std::fs::write(dir.join("a;b.jar"), "").unwrap();
    for (name, line) in CASES {
        insta::assert_snapshot!(*name, result(&dir, line).unwrap());
    }
}
