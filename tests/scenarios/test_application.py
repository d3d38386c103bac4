"""Application mode: `main()` runs in the JobManager, and the cluster ends with it."""

import re
import socket
import threading
import zipfile

import pytest

from harness.checks import check_gone, program_jar, told_by_main, told_by_task
from harness.cluster import Flink
from harness.waiting import wait_for


def system_jars(work):
    """Flink's jars in the order in which a JVM finds them: lib/ by name, and flink-dist behind it."""
    names = sorted(file.name for file in work.flink_home.glob("lib/*.jar"))
    dist = [name for name in names if name.startswith("flink-dist")]
    return [name for name in names if name not in dist] + dist


def check_class_path(work, client, jar, rule):
    """The jar's name comes before `lib/`: by the order of names it stands before Flink's jars, with LAST
    behind them."""
    mine = program_jar(jar, work.directory / "job", "a-job.jar")
    options = [f"-Dyarn.classpath.include-user-jar={rule}"]
    application = client.application(work.name, mine, "Surroundings", options=options).ok().application
    check_gone(work.cluster, application, "SUCCEEDED", seconds=90)

    system = system_jars(work)
    wanted = {"FIRST": [mine.name, *system], "ORDER": [mine.name, *system], "LAST": [*system, mine.name], "DISABLED": system}[rule]
    for told in (told_by_main(work.cluster, application), told_by_task(work.cluster, application)):
        assert told.order_of({*system, mine.name}) == wanted
        assert (f"usrlib/{mine.name}" if rule == "DISABLED" else mine.name) in told.files


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.parametrize("rule", ["FIRST", "DISABLED"])
def test_the_users_jar_on_the_class_path(work, client, jar, rule):
    check_class_path(work, client, jar, rule)


@pytest.mark.parametrize("rule", ["ORDER", pytest.param("LAST", marks=pytest.mark.extended)])
def test_the_users_jar_among_or_behind_flinks(work, client, jar, rule):
    check_class_path(work, client, jar, rule)


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_a_jar_in_hdfs(work, client, jar):
    """Its name sorts behind `lib/`."""
    path = f"{work.hdfs_dir}/the jobs/z-job.jar"
    work.cluster.hdfs.write(path.replace(" ", "-"), jar.read_bytes())
    remote = f"{work.cluster.fs}{path.replace(' ', '-')}"
    application = client.application(work.name, remote, "Surroundings", "--name", "two words").ok().application
    check_gone(work.cluster, application, "SUCCEEDED", seconds=90)
    told = told_by_task(work.cluster, application)
    system = system_jars(work)
    # Flink sorts the jars of lib/ and the user's together; flink-dist comes behind them.
    assert told.order_of({*system, "z-job.jar"}) == [*system[:-1], "z-job.jar", system[-1]]


@pytest.mark.reference
@pytest.mark.every_hadoop
def test_everything_around_the_program(work, client, jar):
    """One deployment with all that a user can give along: files, archives, jars, environment, JVM options,
    arguments."""
    here, hdfs = work.directory, work.cluster.hdfs
    (here / "shipped/deep").mkdir(parents=True)
    (here / "shipped/deep/words.txt").write_text("words of a directory\n")
    # Equal files of one name, as two `__init__.py`.
    (here / "shipped/other").mkdir()
    (here / "shipped/other/words.txt").write_text("words of a directory\n")
    with zipfile.ZipFile(here / "shipped/resource.jar", "w") as made:
        made.writestr("heddle-test.txt", "text of a shipped jar\n")
    (here / "single.txt").write_text("a single file\n")
    with zipfile.ZipFile(here / "archive.zip", "w") as made:
        made.writestr("inside/archived.txt", "text of an archive\n")
    hdfs.write(f"{work.hdfs_dir}/remote.txt", "a file in HDFS\n")
    hdfs.write(f"{work.hdfs_dir}/remote-archive.zip", (here / "archive.zip").read_bytes())
    at = f"{work.cluster.fs}{work.hdfs_dir}"
    options = [
        f"-Dyarn.ship-files={here / 'shipped'};{here / 'single.txt'};{at}/remote.txt",
        f"-Dyarn.ship-archives={here / 'archive.zip'};{at}/remote-archive.zip",
        "-Dcontainerized.master.env.TEST_MASTER=of the master",
        "-Dcontainerized.taskmanager.env.TEST_WORKER=of the worker",
        "-Denv.java.opts.jobmanager=-Dtest.jobmanager=2",
        "-Denv.java.opts.taskmanager=-Dtest.taskmanager=3",
        "-Dyarn.tags=loom, reed",
        "-Dyarn.application.type=Our Flink",
        "-Dyarn.application.queue=qa-team",
        "-Dyarn.appmaster.vcores=2",
    ]
    arguments = ["--resource", "heddle-test.txt", "--read", "archive.zip/inside/archived.txt"]
    result = client.application(work.name, jar, "Surroundings", *arguments, options=options).ok()
    assert re.search(r"Found Web Interface \S+:\d+ of application 'application_\d+_\d+'", result.text)
    app = check_gone(work.cluster, result.application, "SUCCEEDED", seconds=90)
    assert (app["applicationType"], app["queue"], app["name"]) == ("Our Flink", "qa-team", work.name)
    assert {"loom", "reed"} <= set(app["applicationTags"].split(","))

    main, task = told_by_main(work.cluster, result.application), told_by_task(work.cluster, result.application)
    for told in (main, task):
        assert told.one("read") == "text of an archive"
        assert told.one("resource-text") == "text of a shipped jar"
        for file in (
            "shipped/deep/words.txt", "shipped/other/words.txt", "shipped/resource.jar", "single.txt", "remote.txt", "archive.zip/inside/archived.txt",
            "remote-archive.zip/inside/archived.txt",
        ):  # fmt: skip
            assert file in told.files, f"no {file} among {sorted(told.files)}"
        # A directory is on the class path for what is no jar in it.
        assert "shipped/deep" in told.class_path and "shipped/resource.jar" in told.class_path
        assert not [entry for entry in told.class_path if entry.startswith(("plugins", "archive.zip"))]
    assert "-Dtest.jobmanager=2" in main.all("jvm") and "-Dtest.taskmanager=3" not in main.all("jvm")
    assert "-Dtest.taskmanager=3" in task.all("jvm") and "-Dtest.jobmanager=2" not in task.all("jvm")
    assert main.environment["TEST_MASTER"] == "of the master" and "TEST_WORKER" not in main.environment
    assert task.environment["TEST_WORKER"] == "of the worker" and "TEST_MASTER" not in task.environment
    assert any(file.startswith("plugins/") for file in task.files), "Flink's plugins are there"


@pytest.mark.extended
def test_the_start_of_a_jvm(work, client, jar):
    """Words around Java in the template: what starts it, and an option. Its 19th field in /proc is the nice
    value."""
    template = "nice -n 3 %java% -Dfrom.template=1 %jvmmem% %jvmopts% %logging% %class% %args% %redirects%"
    options = [f"-Dyarn.container-start-command-template={template}"]
    result = client.application(work.name, jar, "Surroundings", "--read", "/proc/self/stat", options=options).ok()
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=90)
    for told in (told_by_main(work.cluster, result.application), told_by_task(work.cluster, result.application)):
        assert told.one("read").rpartition(") ")[2].split()[16] == "3"
        assert "-Dfrom.template=1" in told.all("jvm")


@pytest.mark.heddle_only("its launch script runs what is in such a name")
def test_odd_names(work, client, jar):
    """The launch script, which has the names between double quotes, evaluates none of them."""
    odd = program_jar(jar, work.directory, "it's my job & more.jar")
    shipped = work.directory / "shipped"
    names = ["a`touch pwned`b.txt", 'quoted"$HOME.txt', "$(touch pwned).txt", "back\\slash.txt", "below`x`/$y.txt"]
    for name in names:
        (shipped / name).parent.mkdir(parents=True, exist_ok=True)
        (shipped / name).write_text(name)
    archive = work.directory / 'in"$quotes`.zip'
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("inside.txt", "")
    alone = work.directory / "alone$HOME.txt"
    alone.write_text("")
    options = [f"-Dyarn.ship-files={shipped};{alone}", f"-Dyarn.ship-archives={archive}"]
    application = client.application(work.name, odd, "Surroundings", options=options).ok().application
    check_gone(work.cluster, application, "SUCCEEDED", seconds=90)
    for told in (told_by_main(work.cluster, application), told_by_task(work.cluster, application)):
        assert {odd.name, alone.name, *(f"shipped/{name}" for name in names)} <= told.files
        assert f"{archive.name}/inside.txt" in told.files
        assert not [file for file in told.files if file.endswith("pwned")]


@pytest.mark.reference(extended=True)
def test_list_and_cancel(work, client, jar):
    application = client.application(work.name, jar, "Sleepy", "--seconds", "600").ok().application
    target = ["-t", "yarn-application", f"-Dyarn.application.id={application}"]

    def running():
        return re.search(r": ([0-9a-f]{32}) : Sleepy \(RUNNING\)", client.flink("list", *target).ok().out)

    job = wait_for("the job", running, 60, every=1)[1]
    out = client.flink("cancel", *target, job).ok().out
    assert f"Cancelled job {job}." in out
    check_gone(work.cluster, application, "KILLED")


@pytest.mark.extended
@pytest.mark.reference
@pytest.mark.every_hadoop
def test_a_job_that_fails(work, client, jar):
    result = client.application(work.name, jar, "FailAtRuntime").ok()
    app = check_gone(work.cluster, result.application, "FAILED", seconds=90)
    if client.is_heddle:
        assert "heddle-test: failed at run time" in app["diagnostics"], app["diagnostics"]
        assert "\tat " not in app["diagnostics"], "causes, not stack frames"


@pytest.mark.parametrize(
    ("main", "words"),
    [
        ("FailAtRuntime", "heddle-test: failed at run time"),
        pytest.param("ThrowInMain", "heddle-test: thrown in main", marks=pytest.mark.extended),
    ],
)
@pytest.mark.heddle_only("it does not wait for the job")
def test_waiting_for_a_job_that_fails(work, client, jar, main, words):
    result = client.application(work.name, jar, main, options=["--attached"])
    assert result.code == 1, result
    assert words in result.err, result
    assert len(result.error_lines()) == 1, result
    app = check_gone(work.cluster, result.application, "FAILED")
    assert words in app["diagnostics"]


@pytest.mark.heddle_only("it does not wait for the job")
def test_a_program_that_exits_with_the_code_of_an_out_of_memory_error(work, client, jar):
    """3 is what a JVM ends with by -XX:+ExitOnOutOfMemoryError, too: only its own words can tell the two
    apart."""
    options = ["--attached", "-Dyarn.application-attempts=1"]
    result = client.application(work.name, jar, "Exits", "--code", "3", options=options)
    assert result.code == 1 and len(result.error_lines()) == 1, result
    assert "exited with code 3 (the program called System.exit(3)" in result.err, result
    assert not re.search("SLF4J|WARNING:", result.err), result
    check_gone(work.cluster, result.application, "FAILED", files=False)


@pytest.mark.extended
@pytest.mark.heddle_only("it does not say how a TaskManager ended")
def test_a_taskmanager_that_halts(work, client, jar):
    result = client.application(work.name, jar, "FailAtRuntime", "--halt", "9", options=["--attached"])
    assert result.code == 1, result
    check_gone(work.cluster, result.application, "FAILED")
    log = work.cluster.log_text(result.application, "heddle-am.log")
    # In one line: the log writes line ends of a value as \\n.
    end = re.search(r"the JVM exited with code 9; last lines of its log:((?:\\n  .*)+)", log)
    assert end, re.findall(".*exited with.*", log)
    assert not re.search("SLF4J|WARNING:", end[1]), end[1]


@pytest.mark.extended
@pytest.mark.heddle_only("it does not wait for the job")
def test_waiting_for_a_job_that_succeeds(work, client, jar):
    result = client.application(work.name, jar, "WordCount", options=["--attached"]).ok()
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=20)


@pytest.mark.extended
def test_main_that_throws(work, client, jar):
    result = client.application(work.name, jar, "ThrowInMain")
    # Flink's own ApplicationMaster takes this for a crash, which leaves the files.
    app = check_gone(work.cluster, result.application, "FAILED", seconds=60, files=client.is_heddle)
    assert "heddle-test: thrown in main" in work.cluster.log_text(result.application, "jobmanager.log")
    if client.is_heddle:
        assert "heddle-test: thrown in main" in app["diagnostics"], app["diagnostics"]


def test_a_class_that_is_not_in_the_jar(work, client, jar):
    """Flink's own client starts a cluster to find out."""
    result = client.application(work.name, jar, "NoSuchClass")
    if client.is_heddle:
        assert result.code == 1 and "NoSuchClass" in result.err
        assert not work.cluster.yarn.by_name(work.name)
    else:
        check_gone(work.cluster, result.application, "FAILED", seconds=60, files=False)


@pytest.mark.extended
def test_two_executes(work, client, jar):
    """Each of them once, one after the other."""
    application = client.application(work.name, jar, "TwoExecutes").ok().application
    check_gone(work.cluster, application, "SUCCEEDED", seconds=90)
    said = work.cluster.log_text(application, "jobmanager.out")
    assert [line for line in said.splitlines() if line.startswith("main:")] == ["main: between", "main: after"]


@pytest.mark.extended
def test_table_api(work, client, jar):
    application = client.application(work.name, jar, "TableJob").ok().application
    check_gone(work.cluster, application, "SUCCEEDED", seconds=90)
    said = work.cluster.log_text(application, "jobmanager.out")
    assert re.search(r"warp\s*\|\s*4\s*\|", said) and re.search(r"weft\s*\|\s*2\s*\|", said)


class Words:
    """A server that says one line to whoever connects, and hangs up when told."""

    def __init__(self, line):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.line, self.over = line, threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        connection, _ = self.server.accept()
        with connection:
            connection.sendall(f"{self.line}\n".encode())
            self.over.wait(120)


@pytest.mark.extended
def test_socket_word_count(work, client, jar):
    """An unbounded job: it runs until its source hangs up."""
    words = Words("to be or not to be")
    arguments = ["--host", "127.0.0.1", "--port", words.port]
    result = client.application(work.name, jar, "SocketWordCount", *arguments).ok()
    said = lambda: work.cluster.log_text(result.application, "taskmanager.out")  # noqa: E731
    wait_for("the words counted", lambda: "(be,2)" in said() and "(to,2)" in said(), 90)
    app = work.cluster.yarn.app(result.application)
    assert app["state"] == "RUNNING"
    assert list(Flink(result.rest).jobs().values()) == ["RUNNING"]
    words.over.set()
    check_gone(work.cluster, result.application, "SUCCEEDED")


@pytest.mark.heddle_only("from Flink 2.0 on only")
def test_flink_run_with_the_target_of_an_application(work, client, jar):
    words = ["-t", "yarn-application", f"-Dyarn.application.name={work.name}", "-Djobmanager.memory.process.size=1024m"]
    result = client.flink("run", *words, "-Dtaskmanager.memory.process.size=1024m", "-c", "PrintCollect", jar).ok()
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=90)
    said = work.cluster.log_text(result.application, "jobmanager.out")
    assert "collected: 25" in said and "main: after" in said


def test_from_a_savepoint_with_parallelism(work, client, jar):
    """Stop with a savepoint by the application's id, and go on from it in another application."""
    hdfs = work.cluster.hdfs
    before, after = work.directory / "before", work.directory / "after"
    count = ["--checkpoints", f"{work.cluster.fs}{work.hdfs_dir}/checkpoints", "--delay", "10"]
    first = client.application(f"{work.name}-1", jar, "Counting", *count, "--progress", f"file://{before}").ok().application
    wait_for("counts", lambda: (before / "count-0").exists(), 90)
    target = ["-t", "yarn-application", f"-Dyarn.application.id={first}"]
    job = re.search(r": ([0-9a-f]{32}) : Counting", client.flink("list", *target).ok().out)[1]
    out = client.flink("stop", *target, "-p", f"{work.cluster.fs}{work.hdfs_dir}/savepoints", job).ok().out
    path = re.search(r"Savepoint completed\. Path: (\S+)", out)[1]
    check_gone(work.cluster, first, "SUCCEEDED")
    assert hdfs.status(re.sub(r"^hdfs://[^/]*|^hdfs:", "", path) + "/_metadata")

    options = ["-s", path, "-p", "2"]
    second = client.application(f"{work.name}-2", jar, "Counting", *count, "--progress", f"file://{after}", options=options).ok()
    wait_for("state restored", lambda: (after / "restored-0").exists(), 90)
    target = ["-t", "yarn-application", f"-Dyarn.application.id={second.application}"]
    job = re.search(r": ([0-9a-f]{32}) : Counting", client.flink("list", *target).ok().out)[1]
    assert max(vertex["parallelism"] for vertex in Flink(second.rest).job(job)["vertices"]) == 2
    client.flink("cancel", *target, job).ok()
    check_gone(work.cluster, second.application, "KILLED")


@pytest.mark.heddle_only("it has no name for a submission")
def test_a_submission_that_is_made_twice(work, client, jar):
    """As by a script that does not know whether its first try came through."""
    words = ["--seconds", "600"]
    options = ["--submission", work.name]
    first = client.application(work.name, jar, "Sleepy", *words, options=options).ok().application
    assert work.client().application(work.name, jar, "Sleepy", *words, options=options).ok().application == first
    [app] = work.cluster.yarn.by_name(work.name)
    work.cluster.yarn.kill(app["id"])
    work.cluster.yarn.wait_state(first, "KILLED")
    client.flink("list", "-t", "yarn-application", f"-Dyarn.application.id={first}")
    check_gone(work.cluster, first, "KILLED")
