use clap::{CommandFactory, Parser};

use super::*;
use crate::options::{Top, Verb};

fn command(verb: &str) -> Command {
    let mut top = Top::command();
    top.build();
    top.find_subcommand(verb).unwrap().clone()
}

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(|w| OsString::from(w.replace('_', " "))).collect()
}

/// A line as it is written, in canonical form.
fn canonical(verb: &str, line: &str) -> String {
    let command = command(verb);
    let stop = matches!(verb, "run" | "info" | "run-application");
    match translate(&command, &words(line), stop, &["jarfile", "python", "py_module"]) {
        Ok(t) => {
            let list: Vec<String> =
                t.canonical(&command).iter().map(|w| w.to_string_lossy().into_owned()).collect();
            list.join(" ").trim_end_matches(" --").to_owned()
        }
        Err(e) => format!("{} / {}", e.message, e.hint.unwrap_or_default()),
    }
}

#[test]
fn session_lines_of_manuals_and_scripts() {
    for (line, expected) in [
        ("-nm test -d", "--name=test --detached"),
        (
            "-n 2 -jm 1024 -tm 4096 -s 2 -nm x",
            "--container=2 --jobManagerMemory=1024 --taskManagerMemory=4096 --slots=2 --name=x",
        ),
        ("-jm 1024m -tm 4096m", "--jobManagerMemory=1024m --taskManagerMemory=4096m"),
        ("--detached --name a_b", "--detached --name=a b"),
        ("--name=x --queue=root.a", "--name=x --queue=root.a"),
        ("-name x -queue=q", "--name=x --queue=q"),
        ("-nm=x", "--name=x"),
        ("-Da.b=c=d -D k=v", "-Da.b=c=d -Dk=v"),
        ("-Dflag -d", "-Dflag --detached"),
        ("-D a=-1 -d", "-Da=-1 --detached"),
        ("-id application_1_2", "--applicationId=application 1 2"),
        ("-st -q", "--streaming --query"),
        ("-q", "--query"),
        ("-s3", "--slots=3"),
        ("--det", "--detached"),
        ("--appl", "Ambiguous option: 'appl' (could be: 'applicationType', 'applicationId') / "),
        (
            "-at Flink -nl gpu -z ns -yd",
            "--applicationType=Flink --nodeLabel=gpu --zookeeperNamespace=ns --yarndetached",
        ),
        ("-t a -t b -j dist.jar", "--ship=a --ship=b --jar=dist.jar"),
        ("-nm first -nm second", "--name=first"),
        ("-nm \"quoted\"", "--name=quoted"),
        ("-nm", "Missing argument for option: nm / "),
        ("-nm -d", "Missing argument for option: nm / "),
        ("-s -1", "--slots=-1"),
        ("-m yarn-cluster", "--jobmanager=yarn-cluster"),
        ("-nmae x", "Unrecognized option: -nmae / did you mean --name?"),
        ("--detatched", "Unrecognized option: --detatched / did you mean --detached?"),
        ("--detached=yes", "Unrecognized option: --detached=yes / did you mean --detached?"),
        ("-h", "--help"),
    ] {
        assert_eq!(canonical("session", line), expected, "{line}");
    }
}

#[test]
fn run_stops_at_the_jar() {
    for (line, expected) in [
        ("job.jar --input x -d", "-- job.jar --input x -d"),
        ("-d -c a.B job.jar -c x -- y", "--detached --class=a.B -- job.jar -c x -- y"),
        (
            "-p 4 -t yarn-session -Dyarn.application.id=x j.jar",
            "--parallelism=4 --target=yarn-session -Dyarn.application.id=x -- j.jar",
        ),
        ("-p4 j.jar", "--parallelism=4 -- j.jar"),
        (
            "-m yarn-cluster -yjm 1024 -ytm 1024m -ys 2 -yqu q -ynm n j.jar",
            "--jobmanager=yarn-cluster --yarnjobManagerMemory=1024 --yarntaskManagerMemory=1024m --yarnslots=2 --yarnqueue=q --yarnname=n -- j.jar",
        ),
        ("-yD a=b -yDc=d j.jar", "--yD=a=b --yD=c=d -- j.jar"),
        ("-yid app j.jar", "--yarnapplicationId=app -- j.jar"),
        (
            "-s hdfs:///sp -n -cm claim j.jar",
            "--fromSavepoint=hdfs:///sp --allowNonRestoredState --claimMode=claim -- j.jar",
        ),
        (
            "-rm no_claim -sae -C file:///a -C file:///b j.jar",
            "--restoreMode=no claim --shutdownOnAttachedExit --classpath=file:///a --classpath=file:///b -- j.jar",
        ),
        (
            "-py job.py -pyfs a,b -pyexec python3 --input 1",
            "--python=job.py --pyFiles=a,b --pyExecutable=python3 -- --input 1",
        ),
        ("-j job.jar -a x y -p 1", "--jarfile=job.jar --arguments=x --arguments=y --parallelism=1"),
        ("-j job.jar --input x", "--jarfile=job.jar -- --input x"),
        ("--paralelism 3 j.jar", "Unrecognized option: --paralelism / did you mean --parallelism?"),
        ("-v j.jar", "--verbose -- j.jar"),
    ] {
        assert_eq!(canonical("run", line), expected, "{line}");
    }
}

#[test]
fn job_verbs() {
    for (verb, line, expected) in [
        ("list", "-r -t yarn-session", "--running --target=yarn-session"),
        ("list", "-ra", "--running --all"),
        ("cancel", "-s hdfs:///d 00ff", "--withSavepoint=hdfs:///d -- 00ff"),
        ("cancel", "-s -m h:1 00ff", "--withSavepoint --jobmanager=h:1 -- 00ff"),
        ("cancel", "00ff -t yarn-session", "--target=yarn-session -- 00ff"),
        ("stop", "-p hdfs:///d -d 00ff", "--savepointPath=hdfs:///d --drain -- 00ff"),
        (
            "stop",
            "--savepointPath=/d -type native -detached 00ff",
            "--savepointPath=/d --type=native --detached -- 00ff",
        ),
        ("savepoint", "-d /sp", "--dispose=/sp"),
        ("savepoint", "00ff /dir -yid a", "--yarnapplicationId=a -- 00ff /dir"),
        ("checkpoint", "-full 00ff", "--full -- 00ff"),
    ] {
        assert_eq!(canonical(verb, line), expected, "{verb} {line}");
    }
}

#[test]
fn program_arguments_arrive_untouched() {
    let command = command("run");
    let args: Vec<OsString> =
        ["-d", "j.jar", "a b", "$x", "k=v", "new\nline", "\"q\"", "ü", "-", "--", "-d", ""]
            .iter()
            .map(OsString::from)
            .collect();
    let translated = translate(&command, &args, true, &[]).unwrap();
    assert_eq!(translated.rest, args[1..]);
    let mut full = vec![OsString::from("heddle"), "run".into()];
    full.extend(translated.canonical(&command));
    let Verb::Run(options) = Top::try_parse_from(full).unwrap().command else { panic!("not run") };
    assert_eq!(options.program, args[1..]);
}
