"""`flink run` against a session: what main() prints, what the client prints, and the exit code."""

import json
import os
import re
import signal
import time

import pytest

from harness import processes
from harness.checks import check_refused
from harness.client import JOB_ID
from harness.cluster import Flink

HEX = r"[0-9a-f]{32}"


@pytest.mark.reference
def test_word_count_from_hdfs_to_hdfs(session, cluster, jar, hdfs_dir):
    cluster.hdfs.write(f"{hdfs_dir}/in/text.txt", "to be or not to be\nÆther is not\n" * 1000)
    paths = ("--input", f"{cluster.fs}{hdfs_dir}/in", "--output", f"{cluster.fs}{hdfs_dir}/out")
    result = session.run(jar, "WordCount", *paths).ok()
    counts = dict(line.split(",") for line in cluster.hdfs.read_all(f"{hdfs_dir}/out").split())
    assert counts == {"to": "2000", "be": "2000", "or": "1000", "not": "2000", "æther": "1000", "is": "1000"}
    assert re.search(rf"^Job has been submitted with JobID {HEX}$", result.out, re.MULTILINE)
    assert re.search(rf"^Program execution finished\nJob with JobID {result.job} has finished\.\nJob Runtime: \d+ ms", result.out, re.MULTILINE)
    assert Flink(session.url).jobs()[result.job] == "FINISHED"


@pytest.mark.reference(extended=True)
@pytest.mark.every_hadoop
def test_hdfs_in_main(session, cluster, jar, hdfs_dir):
    """main() lists, reads and writes on HDFS, though the client's JVM has nothing of Hadoop."""
    cluster.hdfs.write(f"{hdfs_dir}/text.txt", "to be or not\nto be\n")
    cluster.hdfs.mkdir(f"{hdfs_dir}/sub")
    at = f"{cluster.fs}{hdfs_dir}"
    result = session.run(jar, "ReadsHdfsInMain", "--dir", at).ok()
    told = [tuple(line.split(": ", 1)) for line in result.out.splitlines() if ": " in line]
    assert [value for name, value in told if name == "found"] == [f"{at}/sub directory", f"{at}/text.txt 19"]
    wanted = {
        "distributed": "true",
        "first line": "to be or not",
        "last byte": "10 then -1 at 19",
        "first byte": "116",
        "mkdirs": "true",
        "rename": "true",
        "rename what is not there": "false",
        "delete": "true",
        "exists": "false",
    }
    assert wanted.items() <= dict(told).items()
    assert "not replaced" in result.out and f"{hdfs_dir}/made/deep" in result.out
    assert cluster.hdfs.read(f"{hdfs_dir}/written.txt") == "written in main\n"
    assert Flink(session.url).jobs()[result.job] == "FINISHED"


@pytest.mark.reference(extended=True)
def test_detached(session, jar):
    result = session.run(jar, "Sleepy", "--seconds", "3", options=["-d"]).ok()
    assert result.jobs and "Program execution finished" not in result.out
    Flink(session.url).wait_job(result.job, "FINISHED")


@pytest.mark.reference(extended=True)
def test_accumulators_are_printed(session, jar):
    result = session.run(jar, "Sleepy", "--seconds", "1").ok()
    assert re.search(r"Accumulator Results:\s*\n- slept \(java\.lang\.Long\): 10", result.out)


@pytest.mark.reference(extended=True)
def test_main_prints_and_collects(session, jar):
    result = session.run(jar, "PrintCollect").ok()
    lines = [line for line in result.out.splitlines() if line.startswith(("main:", "collected:"))]
    assert lines == ["main: before", *(f"collected: {n * n}" for n in range(1, 6)), "main: after"]
    assert "main: to the error stream" in result.err


@pytest.mark.reference(extended=True)
def test_two_executes(session, jar):
    result = session.run(jar, "TwoExecutes").ok()
    assert len(set(result.jobs)) == 2
    order = [m.start() for m in re.finditer(r"^Job has been submitted|^main: between|^main: after", result.out, re.MULTILINE)]
    words = [result.out[at:][:8] for at in order]
    assert words == ["Job has ", "main: be", "Job has ", "main: af"]


@pytest.mark.extended
def test_table_api(session, jar):
    out = session.run(jar, "TableJob").ok().out
    assert re.search(r"warp\s*\|\s*4\s*\|", out) and re.search(r"weft\s*\|\s*2\s*\|", out)


@pytest.mark.reference(extended=True)
def test_main_throws(session, jar):
    before = Flink(session.url).jobs()
    result = session.run(jar, "ThrowInMain")
    assert result.code == 1
    assert "main: before" in result.out
    assert "The program finished with the following exception" in result.text
    assert "java.lang.IllegalStateException: heddle-test: thrown in main" in result.text
    assert not result.jobs and Flink(session.url).jobs() == before
    if session.client.is_heddle:
        # Below Flink's trace.
        assert result.error_lines() == ["error: the program failed: java.lang.IllegalStateException: heddle-test: thrown in main"]
        assert result.err.rstrip().splitlines()[-1] == result.hints()[-1]


@pytest.mark.reference(extended=True)
def test_job_fails_at_run_time(session, jar):
    result = session.run(jar, "FailAtRuntime")
    assert result.code == 1
    assert result.jobs and "Program execution finished" not in result.out
    assert "heddle-test: failed at run time" in result.text
    assert Flink(session.url).jobs()[result.job] == "FAILED"
    if session.client.is_heddle:
        [error] = result.error_lines()
        assert "Exception: heddle-test: failed at run time" in error and result.hints(), result


ODD = ["two words", "it's", 'say "hi"', "$HOME `id` \\n", "a=b=c", "line\nbreak", "Ærøskøbing 織機 🧵", "", "--input", "*", "%x", "a;b|c&d>e"]


@pytest.mark.reference(extended=True)
def test_arguments_arrive_intact(session, jar):
    result = session.run(jar, "EchoArgs", *ODD).ok()
    got = [json.loads(line.split(" ", 2)[2]) for line in result.out.splitlines() if re.match(r"arg \d+ ", line)]
    assert got == ODD


@pytest.mark.reference(extended=True)
@pytest.mark.every_hadoop
def test_list_and_cancel(session, jar):
    client = session.client
    empty = client.flink("list", *session.target()).ok().out
    assert "Waiting for response..." in empty
    assert "No running jobs." in empty and "No scheduled jobs." in empty
    job = session.run(jar, "Sleepy", "--seconds", "600", options=["-d"]).ok().job
    Flink(session.url).wait_job(job, "RUNNING")
    # The three ways to name the session: -t, -yid, and the properties file it wrote.
    for target in (session.target(), ["-yid", session.application], []):
        out = client.flink("list", "-r", *target).ok().out
        assert re.search(rf"^\d\d\.\d\d\.\d{{4}} \d\d:\d\d:\d\d : {job} : Sleepy \(RUNNING\)$", out, re.MULTILINE)
    out = client.flink("cancel", "-yid", session.application, job).ok().out
    assert f"Cancelled job {job}." in out
    Flink(session.url).wait_job(job, "CANCELED")
    assert f"{job} : Sleepy (CANCELED)" in client.flink("list", "-a", *session.target()).ok().out


@pytest.mark.reference(extended=True)
def test_any_cluster_by_address(session, jar):
    """`-m host:port`: a session as if it were standalone."""
    address = session.url.removeprefix("http://")
    client = session.client
    assert client.flink("run", "-m", address, "-c", "WordCount", jar).ok().jobs
    assert "Waiting for response..." in client.flink("list", "-m", address).ok().out


@pytest.mark.extended
def test_a_slow_job_manager_is_there(session):
    """Stopped while the command looks for it: it accepts the connection and answers late."""
    client = session.client
    [master] = [p for p in processes.of_application(session.cluster, session.application) if processes.is_master(p) and p.program == "java"]
    os.kill(master.pid, signal.SIGSTOP)
    try:
        running = client.start("flink", "list", "-m", session.url.removeprefix("http://"))
        time.sleep(4)
        assert running.alive, running.result()
    finally:
        os.kill(master.pid, signal.SIGCONT)
    assert "No running jobs." in running.result(60).ok().out


def test_an_application_wins_over_an_address(session):
    client, nobody = session.client, ["-m", "localhost:1"]
    for named in (["-yid", session.application], session.target()):
        result = client.flink("list", *nobody, *named).ok()
        assert "No running jobs." in result.out
        assert not client.is_heddle or "-m localhost:1 has no effect" in result.text


def test_info_prints_the_plan(session, jar):
    out = session.client.flink("info", "-c", "WordCount", jar).ok().out
    plan = out[out.index("{") : out.rindex("}") + 1]
    assert "Execution Plan" in out and json.loads(plan)["nodes"]


@pytest.mark.reference(extended=True)
@pytest.mark.parametrize(
    "arguments",
    [("run",), ("run", "no-such.jar"), ("cancel",), ("cancel", "not-an-id"), ("list", "--no-such-option"), ("weave",), ()],
    ids=lambda a: "-".join(a) or "nothing",
)
def test_usage_errors(session, arguments):
    verb, *rest = arguments or ("",)
    target = session.target() if verb in ("list", "cancel") else []
    result = session.client.flink(*filter(None, [verb, *target]), *rest)
    assert result.code == 1 and result.text.strip()


@pytest.mark.reference(extended=True)
def test_a_job_id_that_is_not_there(session):
    client = session.client
    for verb in (["cancel"], ["stop"], ["savepoint"]):
        result = client.flink(*verb, *session.target(), "0" * 31 + "1")
        assert result.code == 1
        assert "0" * 31 + "1" in result.text


@pytest.mark.heddle_only("asks for it by its own option")
def test_main_in_the_cluster_without_java_here(session, jar):
    env = {"PATH": f"{session.client.bin}:/nonexistent", "JAVA_HOME": None, "FLINK_HOME": None}
    result = session.run(jar, "WordCount", options=["--main", "cluster", "-d"], env=env).ok()
    assert JOB_ID.search(result.out)
    Flink(session.url).wait_job(result.job, "FINISHED")


@pytest.mark.heddle_only("asks for it by its own option")
def test_main_in_the_cluster_cannot_collect(session, jar):
    """Explained, and the job that `main()` has started before is cancelled."""
    result = session.run(jar, "PrintCollect", options=["--main", "cluster"])
    check_refused(result, "executeAndCollect", "leave out --main cluster")
    assert "This is a bug" not in result.text
    [job] = re.findall(rf"the job that it had started before, ({HEX}), is cancelled", result.err)
    Flink(session.url).wait_job(job, "CANCELED")


def names(value):
    """All values of the key `name` in an answer."""
    if isinstance(value, dict):
        return [inner for key, each in value.items() for inner in ([each] if key == "name" else names(each))]
    return [name for each in value for name in names(each)] if isinstance(value, list) else []


@pytest.mark.heddle_only("it prints names as they are")
def test_names_that_would_steer_the_terminal(session, jar):
    """Whoever can submit a job can name it: neither a list nor an error passes escape sequences on. JSON has
    the exact name."""
    name = "evil\x1b]0;owned\x07\x1b[2J\u009b31m\u202egnp"
    run = session.run(jar, "Sleepy", "--seconds", "30", "--name", name, options=["-d"]).ok()
    Flink(session.url).wait_job(run.job, "RUNNING")
    client, target = session.client, session.target()
    # Flink logs the names of jobs as they are.
    log = ["heddle", "logs", "--jobmanager", "--file", "jobmanager.log", "--grep", "evil", session.application]
    for words in (["flink", "list", *target], ["heddle", "ps", session.application], log):
        shown = client.run(*words).ok()
        assert "evil" in shown.text and "owned" in shown.text, shown
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069]", shown.text), repr(shown.text)
    for words in (["flink", "list", *target, "--output", "json"], ["heddle", "ps", session.application, "--output", "json"]):
        shown = client.run(*words).ok()
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown.out), repr(shown.out)
        assert name in names(json.loads(shown.out)), shown
    client.flink("cancel", *target, run.job).ok()
