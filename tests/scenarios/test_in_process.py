"""Deployments by tools that have Flink's Java classes in their own process. The program of tests/deployers
makes the calls of such tools; the JVM has heddle's Java agent with the client `heddle`, and Flink alone with
the `reference`. So the same tests hold for both, and differ in whose ApplicationMaster it is."""

import os
import shutil
import signal
import stat
import time
from types import SimpleNamespace

import pytest

from conftest import cluster_of, fetch, fetch_flink
from harness import forks, processes
from harness.checks import check_gone
from harness.deployers import Deployer, check_by, client_name, programs, settings
from harness.jars import job_jar
from harness.matrix import COUNTS, PLAIN_FLINKS, TEXT, USUAL_FLINK, Release, java_for
from harness.waiting import wait_for

# What a tool catches.
EXCEPTION = "org.apache.flink.client.deployment.ClusterDeploymentException"
# It is about what works, not how fast: enough for a machine that does much else.
SECONDS = 240
REPETITIONS = 100
# So many threads and open files more than after the first ten deployments are no leak: pools grow until they
# are full.
SPARE = 15

# Each way to come to a descriptor, in the modes in which tools use it.
CASES = [
    ("factory", "session"), ("descriptor", "session"), ("factory", "application"), ("descriptor", "application"),
    ("descriptor", "per-job"), ("reflection", "per-job"),
]  # fmt: skip
# Of these the releases other than the usual one have each mode once, and a per-job cluster attached and
# detached.
FEW = [("factory", "session"), ("descriptor", "application"), ("descriptor", "per-job"), ("reflection", "per-job")]
# The plain run has each mode once, on the usual release.
PLAIN = [("factory", "session"), ("descriptor", "application"), ("reflection", "per-job")]


def release_of(version):
    home = fetch_flink(version)
    return SimpleNamespace(version=version, release=Release(home, fetch("java", java_for(version)), job_jar(home, version)))


@pytest.fixture
def usual():
    return release_of(USUAL_FLINK)


def client_of(work, place, kind=None):
    return work.client(kind, flink_home=place.release.home, java_home=place.release.java)


def deployer_of(work, place, client=None, **more):
    return Deployer(client or client_of(work, place), place.release, place.version, **more)


def program(jar, main, *arguments):
    """Words of a program that is deployed."""
    return ["--jar", jar, "--main", main, *(word for argument in arguments for word in ("--argument", argument))]


def word_count(work, jar):
    """Words of a program that counts words of HDFS."""
    at = f"{work.cluster.fs}{work.hdfs_dir}"
    for name in ("one", "two"):
        work.cluster.hdfs.write(f"{work.hdfs_dir}/in/{name}.txt", TEXT)
    return program(jar, "WordCount", "--input", f"{at}/in", "--output", f"{at}/out")


def check_counted(work):
    counts = dict(line.split(",") for line in work.cluster.hdfs.read_all(f"{work.hdfs_dir}/out").split())
    assert counts == {word: str(2 * int(count)) for word, count in COUNTS.items()}


def cases():
    for version in (USUAL_FLINK, *(version for version in PLAIN_FLINKS if version != USUAL_FLINK)):
        usual = version == USUAL_FLINK
        for style, mode in CASES if usual else FEW:
            # One client after the other on a release; each is fetched once.
            marks = [] if usual and (style, mode) in PLAIN else [pytest.mark.extended]
            marks += [] if usual else [pytest.mark.xdist_group(f"flink-{version}")]
            yield pytest.param(version, style, mode, id=f"{style}-{mode}-{version}", marks=marks)


@pytest.mark.reference(extended=True)
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("version", "style", "mode"), cases())
def test_words_are_counted(work, version, style, mode):
    """The same comes out, in each mode and by each way to a descriptor."""
    of_2 = mode == "per-job" and version.startswith("2.")
    if of_2 and (work.kind == "reference" or style != "reflection"):
        pytest.skip("Flink 2.x has no method for clusters of one job, and its own ApplicationMaster has none, either")
    place = release_of(version)
    deployer = deployer_of(work, place)
    detached = ["--detached", "true"] if style == "reflection" else []
    # The program that has stood beside the cluster of a job ends a moment after the job.
    ended = {"session": ["--end", "shut-down"], "per-job": ["--settle", "5"]}.get(mode, [])
    words = [*word_count(work, place.release.jobs), "--parallelism", "2", *settings("taskmanager.numberOfTaskSlots=2"), *detached, *ended]
    told = deployer.run(style, mode, work.name, *words, seconds=SECONDS)
    app = check_gone(work.cluster, told.application, "SUCCEEDED", seconds=SECONDS)
    check_counted(work)
    check_by(work, told.application, client_name(work))
    assert (app["name"], app["applicationType"]) == (work.name, "Apache Flink")
    assert told.only["webInterface"].startswith("http://"), told.only
    if mode == "session" or mode == "per-job" and not detached:
        assert list(told.only["jobs"].values()) == ["FINISHED"], told.only
    if work.kind == "heddle":
        assert told.left_to_flink == []
        assert (deployer.left(), programs(deployer.client), told.end["children"]) == ([], [], 0)


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_files_in_hdfs_and_keys_in_memory(work, usual):
    """As Dinky has it: Flink's libraries are in HDFS, and Hadoop's configuration is complete only in
    memory."""
    hdfs, place = work.cluster.hdfs, usual
    for file in sorted((place.release.home / "lib").glob("*.jar")):
        hdfs.write(f"{work.hdfs_dir}/flink/{file.name}", file.read_bytes())
    conf = work.directory / "hadoop"
    shutil.copytree(work.cluster.conf, conf)
    site, key = conf / "yarn-site.xml", "yarn.resourcemanager.address"
    [line] = [line for line in site.read_text().splitlines() if f"<name>{key}</name>" in line]
    site.write_text(site.read_text().replace(line, ""))
    deployer = deployer_of(work, place)
    words = ["--hadoop", conf, "--hadoop-set", f"{key}={work.cluster.at('rm')}", *settings(f"yarn.provided.lib.dirs={work.cluster.fs}{work.hdfs_dir}/flink")]
    told = deployer.run("descriptor", "application", work.name, *words, *word_count(work, place.release.jobs), seconds=SECONDS)
    check_gone(work.cluster, told.application, "SUCCEEDED", seconds=SECONDS)
    check_counted(work)
    check_by(work, told.application, client_name(work))


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_the_jobs_of_a_cluster_that_was_deployed(work, usual):
    """What tools do next: they ask the cluster for its jobs, by the descriptor's client, and kill it by the
    descriptor."""
    words = [*program(usual.release.jobs, "Sleepy", "--seconds", "600"), "--list", "true", "--end", "kill"]
    for mode, more in (("application", []), ("per-job", ["--detached", "true"])):
        told = deployer_of(work, usual).run("factory", mode, work.name, *words, *more, seconds=SECONDS)
        assert len(told.only["jobs"]) == 1, told.only
        check_gone(work.cluster, told.application, "KILLED")
        check_by(work, told.application, client_name(work))


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_a_job_that_fails_in_a_cluster_of_its_own(work, usual):
    """The tool's client tells why, and YARN that it has failed."""
    told = deployer_of(work, usual).run("descriptor", "per-job", work.name, *program(usual.release.jobs, "FailAtRuntime"), seconds=SECONDS)
    assert list(told.only["jobs"].values()) == ["FAILED"]
    assert any("heddle-test: failed at run time" in message for _, message in told.errors), told
    check_gone(work.cluster, told.only["application"], "FAILED", seconds=SECONDS)


@pytest.mark.extended
@pytest.mark.heddle_only("its deployments in one JVM share a file system of Hadoop, which the first that ends closes for all")
def test_several_at_once(work, usual):
    """A tool deploys for several users at a time, in one JVM."""
    words = ["--repetitions", "6", "--threads", "3", "--end", "shut-down"]
    told = deployer_of(work, usual).run("factory", "session", work.name, *words, seconds=SECONDS)
    assert not [line for line in told.deployments if "errors" in line], told
    ids = [line["application"] for line in told.deployments]
    assert len(set(ids)) == 6
    for application in ids:
        check_gone(work.cluster, application, "SUCCEEDED", seconds=SECONDS)
        check_by(work, application, client_name(work))


# ---- errors


@pytest.mark.heddle_only("other words, and it has uploaded everything by then")
@pytest.mark.parametrize(
    ("mode", "setting", "words"),
    [
        ("session", "yarn.application.queue=qa-taem", ["qa-taem", "default", "qa-team", "reports"]),
        ("application", "jobmanager.memory.process.size=9000m", ["9000", "6144", "yarn.scheduler.maximum-allocation-mb"]),
        pytest.param("per-job", "taskmanager.memory.process.size=9000m", ["9000", "6144", "taskmanager.memory.process.size"], marks=pytest.mark.extended),
    ],
    ids=["queue", "memory", "worker"],
)
def test_an_error_reaches_the_tool_as_flinks_exception(work, usual, mode, setting, words):
    """With heddle's words, what to do included; nothing was submitted, and nobody tries it once more in
    another way."""
    deployer = deployer_of(work, usual)
    told = deployer.run("factory", mode, work.name, *settings(setting), *program(usual.release.jobs, "WordCount"))
    kind, _ = told.errors[0]
    assert kind == EXCEPTION, told.errors
    everything = "\n".join(message for _, message in told.errors)
    for word in words:
        assert word in everything, told.errors
    assert "hint" in everything, told.errors
    assert not work.cluster.yarn.by_name(work.name)
    assert (deployer.left(), programs(deployer.client), told.end["children"]) == ([], [], 0)


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_an_error_of_both(work, usual):
    """What a tool sees of an unknown queue is the same exception with the same first sentence."""
    told = deployer_of(work, usual).run("factory", "session", work.name, *settings("yarn.application.queue=no-such-queue"))
    assert told.errors[0] == (EXCEPTION, "Couldn't deploy Yarn session cluster"), told.errors
    assert any("no-such-queue" in message for _, message in told.errors[1:]), told.errors


# ---- what is left to Flink


def check_left_to_flink(work, told, reason):
    """It works as without the agent, which says once why; `reason` is a word of that."""
    application = told.application
    check_gone(work.cluster, application, "SUCCEEDED", seconds=SECONDS)
    check_by(work, application, "flink")
    assert len(told.left_to_flink) == 1 and reason in told.left_to_flink[0], told.left_to_flink


def session_with(work, place, *words, **more):
    """A session that is ended at once."""
    deployer = deployer_of(work, place, **more)
    told = deployer.run("factory", "session", work.name, *words, "--end", "shut-down", seconds=SECONDS)
    assert (deployer.left(), programs(deployer.client)) == ([], [])
    return told


@pytest.mark.heddle_only("it is about the agent")
def test_a_fork_with_another_method_is_left_alone(work, usual):
    """A tool brings a descriptor of its own, whose private method is not Flink's."""
    jar = forks.forked(usual.release.home, work.directory / "fork.jar")
    told = session_with(work, usual, front=[jar])
    assert told.only["descriptor"] == str(jar)
    check_left_to_flink(work, told, "deployInternal")


@pytest.mark.extended
@pytest.mark.heddle_only("it is about the agent")
@pytest.mark.parametrize("version", PLAIN_FLINKS)
def test_a_copy_of_the_class_in_a_jar_of_the_tool(work, version):
    """As Dinky has it, in front of Flink's jar: this is the same class for the agent. One with another method
    is not, in no release."""
    place = release_of(version)
    jar = forks.copied(place.release.home, work.directory / "copy.jar")
    told = session_with(work, place, front=[jar])
    assert (told.only["descriptor"], told.left_to_flink) == (str(jar), [])
    check_gone(work.cluster, told.application, "SUCCEEDED", seconds=SECONDS)
    check_by(work, told.application, "heddle")
    if version != USUAL_FLINK:
        fork = forks.forked(place.release.home, work.directory / "fork.jar")
        check_left_to_flink(work, session_with(work, place, front=[fork]), "deployInternal")


@pytest.mark.extended
@pytest.mark.heddle_only("it is about the agent")
def test_a_setting_that_heddle_does_not_support(work, usual):
    """A staging directory on another file system is refused by heddle, and serves Flink."""
    place = work.directory / "staging"
    place.mkdir()
    told = session_with(work, usual, *settings(f"yarn.staging-directory=file://{place}"))
    check_left_to_flink(work, told, "file systems of type 'file' are not supported")


@pytest.mark.extended
@pytest.mark.heddle_only("it is about the agent")
def test_no_heddle_program_at_the_place(work, usual):
    missing = work.directory / "no-heddle-here"
    check_left_to_flink(work, session_with(work, usual, agent=[f"heddle={missing}"]), str(missing))


@pytest.mark.extended
@pytest.mark.heddle_only("it is about the agent")
def test_a_program_that_is_not_heddle(work, usual):
    """It ends without an answer: an older heddle, or something else of that name. It may have submitted
    something, so nothing is tried in another way; the tool learns what the program has said."""
    other = work.directory / "heddle"
    other.write_text("#!/bin/sh\necho 'no such verb' >&2\nexit 3\n")
    other.chmod(0o755)
    deployer = deployer_of(work, usual, agent=[f"heddle={other}"])
    told = deployer.run("factory", "session", work.name)
    assert told.errors[0][0] == EXCEPTION, told.errors
    assert any("exit code 3" in message and "no such verb" in message for _, message in told.errors), told.errors
    assert not work.cluster.yarn.by_name(work.name)
    assert (deployer.left(), told.end["children"]) == ([], 0)


@pytest.mark.extended
@pytest.mark.heddle_only("it is about the agent")
def test_the_agent_switched_off(work, usual):
    told = session_with(work, usual, agent=["disabled"])
    check_gone(work.cluster, told.application, "SUCCEEDED", seconds=SECONDS)
    check_by(work, told.application, "flink")
    assert told.left_to_flink == [], "whoever has switched it off knows that"


# ---- secrets


def watch_private_files(deployer, running):
    """Whatever the JVM puts into its directory for temporary files while it runs: path -> mode when it was
    first seen."""
    seen = {}
    while running.alive:
        for directory, names, files in os.walk(deployer.temporary):
            for name in [*names, *files]:
                path = os.path.join(directory, name)
                try:
                    seen.setdefault(os.path.relpath(path, deployer.temporary), stat.S_IMODE(os.lstat(path).st_mode))
                except OSError:
                    continue
        time.sleep(0.02)
    return seen


@pytest.mark.heddle_only("its launch line and its containers' environment are other ones")
def test_secrets(work, usual):
    """Those of Flink's configuration, of Hadoop's in memory, and of the program's arguments: in no command
    line, no log and no message, and in no file that others may read or that stays."""
    client = client_of(work, usual)
    of_flink = {key: f"canary-{number}-{os.getpid()}" for number, key in enumerate(("s3.secret-key", "my.connector.password"))}
    of_hadoop, argument = f"canary-hadoop-{os.getpid()}", f"canary-argument-{os.getpid()}"
    secrets = [*of_flink.values(), of_hadoop, argument]
    client.configure(of_flink)
    deployer = deployer_of(work, usual, client)
    # They are not in the command line of the tool itself.
    file = work.directory / "words"
    file.write_text(f"--hadoop-set\nfs.s3a.secret.key={of_hadoop}\n--argument\n--password\n--argument\n{argument}\n")
    words = ["--jar", usual.release.jobs, "--main", "Sleepy", "--argument", "--seconds", "--argument", "10", "--words", file]
    running = deployer.start("descriptor", "application", work.name, *words)
    files = watch_private_files(deployer, running)
    told = deployer.told(running)
    application = told.application
    work.cluster.yarn.wait_workers(application, 1)

    assert not [secret for secret in secrets if secret in told.text], told
    # What the tool's process has started, and what it was given.
    started = [process for process in running.watch.seen if process and "--request" in process.command]
    assert started, "no program of heddle's was seen: the check can fail"
    for process in started:
        for text in (" ".join(process.command), *process.environment.values()):
            assert not [secret for secret in secrets if secret in text], process
    for pid in processes.all_pids():
        if process := processes.read(pid):
            assert not [secret for secret in secrets if secret in " ".join(process.command)], process
    for path in work.cluster.directory.glob(f"nodemanager*/logs/{application}/*/*"):
        text = path.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], path
    assert not [secret for secret in secrets if secret in str(work.cluster.yarn.app(application))]

    check_gone(work.cluster, application, "SUCCEEDED", seconds=120)
    outermost = {path: mode for path, mode in files.items() if "/" not in path}
    assert outermost and set(outermost.values()) <= {0o700, 0o600}, outermost
    assert any("/" in path and mode == 0o600 for path, mode in files.items()), files
    assert (deployer.left(), programs(client)) == ([], [])


@pytest.mark.extended
@pytest.mark.heddle_only("it is about heddle's program")
def test_no_files_are_left_of_a_tool_that_is_killed(work, usual):
    """It is killed while it deploys: heddle's program does not go on without it, and what is left in the
    directory for temporary files is for its user alone."""
    deployer = deployer_of(work, usual)
    running = deployer.start("factory", "per-job", work.name, *program(usual.release.jobs, "Sleepy", "--seconds", "600"))
    wait_for("heddle's program", lambda: programs(deployer.client), 60, every=0.05)
    # It alone, and not its process group.
    os.kill(running.process.pid, signal.SIGKILL)
    wait_for("no program without its tool", lambda: not programs(deployer.client), 60)
    for app in work.cluster.yarn.by_name(work.name):
        check_gone(work.cluster, app["id"], "KILLED", seconds=90)
    for name in deployer.left():
        assert stat.S_IMODE((deployer.temporary / name).stat().st_mode) in (0o700, 0o600), name


@pytest.mark.extended
@pytest.mark.heddle_only("its cluster waits without end for the result to be fetched")
def test_the_tool_is_killed_while_its_job_runs(work, usual):
    """The cluster ends with its job."""
    deployer = deployer_of(work, usual)
    running = deployer.start("descriptor", "per-job", work.name, *program(usual.release.jobs, "Sleepy", "--seconds", "8"), "--tell", "true")
    running.wait_text(r'"submitted"', 120)
    [app] = work.cluster.yarn.by_name(work.name)
    running.kill()
    wait_for("no program without its tool", lambda: not programs(deployer.client), 30)
    check_gone(work.cluster, app["id"], "SUCCEEDED", seconds=120)


# ---- users


@pytest.fixture
def acting(request, cluster, tmp_path, flink_home, client_kind):
    """A cluster on which whoever runs the tests may act for others."""
    allowed = {f"hadoop.proxyuser.{cluster.user}.{what}": "*" for what in ("hosts", "users")}
    yield from cluster_of(request, cluster, "acting", tmp_path, flink_home, client_kind, set=allowed)


@pytest.mark.extended
@pytest.mark.heddle_only("its files are those of whoever deploys, and not of the user for whom the descriptor was made")
def test_a_proxy_user(acting, usual):
    """As StreamPark has it: the descriptor is made for another user, and deploys outside of that."""
    cluster, ann = acting.cluster, "ann"
    cluster.hdfs.mkdir(f"/user/{ann}", "700")
    cluster.hdfs.give(f"/user/{ann}", ann)
    cluster.hdfs.mkdir(acting.hdfs_dir, "777")
    out = f"{acting.hdfs_dir}/out"
    words = program(usual.release.jobs, "WordCount", "--output", f"{cluster.fs}{out}")
    told = deployer_of(acting, usual).run("factory", "session", acting.name, *words, "--proxy-user", ann, "--tell", "true", "--end", "shut-down", seconds=SECONDS)
    app = check_gone(cluster, told.application, "SUCCEEDED", seconds=SECONDS, files=False)
    assert app["user"] == ann
    assert cluster.hdfs.status(out)["owner"] == ann
    wait_for("her directory in HDFS gone", lambda: told.application not in (cluster.hdfs.list(f"/user/{ann}/.flink") or {}), 20)
    assert not cluster.hdfs.list(f"{cluster.hdfs.home}/.flink/{told.application}")


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_the_name_of_hadoops_user(work, usual):
    """HADOOP_USER_NAME of the tool's process counts, on a cluster without Kerberos."""
    hdfs, bea = work.cluster.hdfs, f"bea-{os.getpid()}"
    hdfs.mkdir(f"/user/{bea}", "700")
    hdfs.give(f"/user/{bea}", bea)
    try:
        client = client_of(work, usual)
        client.variables["HADOOP_USER_NAME"] = bea
        told = deployer_of(work, usual, client).run("factory", "session", work.name, "--end", "shut-down", seconds=SECONDS)
        app = check_gone(work.cluster, told.application, "SUCCEEDED", seconds=SECONDS, files=False)
        assert app["user"] == bea
        wait_for("the directory in HDFS gone", lambda: told.application not in (hdfs.list(f"/user/{bea}/.flink") or {}), 20)
    finally:
        hdfs.delete(f"/user/{bea}")


# ---- leaks


def check_no_leak(deployer, told, after=10):
    """What the process holds at the end beside what it held after some deployments."""
    early = told.deployments[after - 1]["held"]
    assert told.end["children"] == 0, told.end
    for what in ("threads", "files"):
        assert told.end[what] <= early[what] + SPARE, (what, early, told.end, told.threads)
    assert told.end["classes"] <= 1.1 * early["classes"], (early, told.end)
    assert (deployer.left(), programs(deployer.client)) == ([], [])


@pytest.mark.heddle_only("each of its own takes as long as a deployment, because it uploads first")
def test_refusals_in_one_process_leak_nothing(work, usual):
    """Cheap ones: each is refused."""
    deployer = deployer_of(work, usual)
    words = ["--repetitions", "40", "--settle", "2", *settings("yarn.application.queue=no-such-queue")]
    told = deployer.run("factory", "session", work.name, *words, seconds=SECONDS)
    assert len(told.deployments) == 40 and all("errors" in line for line in told.deployments)
    check_no_leak(deployer, told)
    assert not work.cluster.yarn.by_name(work.name)


@pytest.mark.extended
@pytest.mark.heddle_only("it is about the agent and heddle's program")
@pytest.mark.slow(f"{REPETITIONS} sessions are deployed, one after the other")
@pytest.mark.timeout(2400)
def test_a_hundred_deployments_in_one_process_leak_nothing(work, usual):
    deployer = deployer_of(work, usual)
    words = ["--repetitions", str(REPETITIONS), "--end", "shut-down", "--settle", "15"]
    told = deployer.run("factory", "session", work.name, *words, seconds=2000)
    assert len(told.deployments) == REPETITIONS
    assert not [line for line in told.deployments if "errors" in line], told
    ids = {line["application"] for line in told.deployments}
    assert len(ids) == REPETITIONS
    check_no_leak(deployer, told)
    apps = {app["id"]: app for app in work.cluster.yarn.by_name(work.name)}
    assert set(apps) == ids, "nobody has deployed twice"
    for application in sorted(ids):
        check_gone(work.cluster, application, "SUCCEEDED", seconds=SECONDS)
    check_by(work, max(ids), "heddle")


@pytest.mark.extended
@pytest.mark.heddle_only("it is about the agent and heddle's program")
@pytest.mark.slow("twenty clusters with a job each")
@pytest.mark.timeout(1200)
def test_clusters_of_one_job_leak_nothing(work, usual):
    """Each has a program of heddle's beside it while its job runs, and a tool does not wait for that."""
    deployer = deployer_of(work, usual)
    words = [*program(usual.release.jobs, "WordCount"), "--repetitions", "20", "--settle", "15", "--detached", "true"]
    told = deployer.run("reflection", "per-job", work.name, *words, seconds=1000)
    assert not [line for line in told.deployments if "errors" in line], told
    for line in told.deployments:
        check_gone(work.cluster, line["application"], "SUCCEEDED", seconds=SECONDS)
    check_no_leak(deployer, told)
