"""The path of a new user, in order: a session, jobs in every mode, logs, permissions, an old gateway host,
and the end."""

import glob
import os
import platform
import urllib.request

import pytest

from stack import DIRECTORY, INPUT, JAR, PROJECT, ROOT, check_counts, docker, wait_for, word_count

FLINK = os.environ.get("FLINK_VERSION", "1.20.5")
SMALL = ["-Djobmanager.memory.process.size=1024m", "-Dtaskmanager.memory.process.size=1024m"]


@pytest.fixture(scope="module")
def session(stack):
    return stack.run("yarn-session.sh", "-nm", "test", "-jm", "1024", "-tm", "1024", "-d").ok()


def test_services_run_as_their_own_users(stack):
    users = {service: stack.compose("exec", "-T", service, "id", "-un").ok().out.strip() for service in ("namenode", "resourcemanager", "nodemanager1", "client")}
    assert users == {"namenode": "hdfs", "resourcemanager": "yarn", "nodemanager1": "yarn", "client": "alice"}
    assert stack.json("/ws/v1/cluster/metrics")["clusterMetrics"]["activeNodes"] == 2
    # Nothing listens beyond this machine.
    listed = stack.compose("ps").ok().out
    assert "127.0.0.1:" in listed and "0.0.0.0" not in listed and "[::]" not in listed


def test_word_count_on_a_session(stack, session, text):
    host = session.out.partition("JobManager Web Interface: http://")[2].split(":")[0]
    assert host in ("nodemanager1", "nodemanager2")
    listed = stack.run("flink", "list").ok()
    assert "No running jobs." in listed.out
    done = stack.run("flink", "run", "-p", "2", *word_count("session")).ok()
    assert "has finished." in done.out and "ERROR" not in done.text
    check_counts(stack, "session")


def test_the_tracking_url_through_yarn(stack, session, text):
    """Through the published port, as a browser of this machine; the JobManager is on another host than the
    ResourceManager."""
    proxy = f"{stack.web('resourcemanager', 8088)}/proxy/{session.application}/"
    assert b"Apache Flink Web Dashboard" in urllib.request.urlopen(proxy, timeout=30).read()
    [job] = stack.json(f"/proxy/{session.application}/jobs/overview")["jobs"]
    assert (job["name"], job["state"]) == ("WordCount", "FINISHED")


def test_permissions(stack, session, text):
    """HDFS knows the user of the client as owner, and nobody else gets at what is private."""
    stack.run("flink", "run-application", "-t", "yarn-application", "--attached", *SMALL, *word_count("of-alice")).ok()
    staging = stack.files(f"/user/alice/.flink/{session.application}")
    private = stack.files("/user/alice/.heddle/private")
    for files in (staging, private, stack.files("/user/alice/.heddle/store"), stack.files("/user/alice/of-alice")):
        assert files and {owner for _, owner, _ in files.values()} == {"alice"}
    assert any(name.endswith("/examples.jar") for name in private)
    for mode, _, _ in [*staging.values(), *private.values()]:
        assert mode[4:] == "------"
    for path in [f"/user/alice/.flink/{session.application}/am.json", *private]:
        refused = stack.run("hdfs", "dfs", "-ls", path, user="bob")
        assert refused.code != 0 and "Permission denied: user=bob" in refused.text
    # heddle's own words for it, on a directory that is not hers to write.
    refused = stack.run("yarn-session.sh", "-Dyarn.staging-directory=hdfs:///user/alice", "-d", user="bob")
    assert refused.code != 0 and "hint:" in refused.err and "bob" in refused.err
    assert stack.app(session.application)["user"] == "alice"


def test_per_job(stack, text):
    """`main()` on the client, which keeps a call to the ApplicationMaster on another host open."""
    done = stack.run("flink", "run", "-t", "yarn-per-job", "-p", "2", *SMALL, *word_count("per-job")).ok()
    assert "Program execution finished" in done.out
    check_counts(stack, "per-job")
    assert stack.ended(done.application) == "SUCCEEDED"
    assert f"/user/alice/.flink/{done.application}" not in stack.files("/user/alice/.flink")


def test_application_and_its_logs(stack, text):
    done = stack.run("flink", "run-application", "-t", "yarn-application", "--attached", "-p", "2", *SMALL, *word_count("application")).ok()
    check_counts(stack, "application")
    assert stack.ended(done.application) == "SUCCEEDED"

    def logs():
        return stack.run("yarn", "logs", "-applicationId", done.application).out

    # Each node brings those of its containers when it comes to it.
    parts = ("LogType:taskmanager.log", "LogType:heddle-am.log", "LogType:jobmanager.log", "Job WordCount", "switched from RUNNING to FINISHED")
    wait_for("the aggregated logs", lambda: (text := logs()) and all(part in text for part in parts), 90, every=2)
    assert "Permission denied: user=bob" in stack.run("yarn", "logs", "-applicationId", done.application, user="bob").text


def test_a_failed_application_says_why(stack):
    done = stack.run("flink", "run-application", "-t", "yarn-application", "--attached", *SMALL, "-c", "ThrowInMain", JAR)
    assert done.code != 0
    assert stack.ended(done.application) == "FAILED"
    assert "Exception" in done.text and "Exception" in stack.app(done.application)["diagnostics"]


@pytest.fixture
def old_system(stack):
    """A container of an old Linux beside the cluster: no Java, no Hadoop; Flink is mounted read-only."""
    image = os.environ.get("HEDDLE_TEST_OLD_IMAGE") or pytest.skip("no image of an old system (HEDDLE_TEST_OLD_IMAGE)")
    archive = os.environ.get("HEDDLE_TEST_ARCHIVE") or max(glob.glob(str(ROOT / f"dist/heddle-*-linux-{platform.machine()}.tar.gz")), key=os.path.getmtime, default=None)
    assert archive, "no archive to try: scripts/package --archives makes it"
    name = f"{PROJECT}-old"
    started = ["--name", name, "--hostname", "gateway", "--network", f"{stack.project}_default"]
    mounts = {f"{ROOT}/dist/docker": "/opt/prepared", f"{DIRECTORY}/conf": "/etc/hadoop/conf", archive: "/tmp/heddle.tar.gz"}
    volumes = [word for here, there in mounts.items() for word in ("-v", f"{here}:{there}:ro")]
    docker("run", "-d", *started, *volumes, image, "sleep", "900").ok()
    try:
        docker("exec", name, "useradd", "-m", "-u", "1001", "alice").ok()

        def run(*words, **options):
            settings = ["-e", f"FLINK_HOME=/opt/prepared/flink-{FLINK}", "-e", "HADOOP_CONF_DIR=/etc/hadoop/conf", "-e", "HOME=/home/alice"]
            return docker("exec", "-i", "-u", "alice", "-w", "/home/alice", *settings, name, "sh", "-c", 'PATH=$HOME/heddle/bin:$PATH; exec "$@"', "sh", *words, **options)

        run("sh", "-c", "tar -xzf /tmp/heddle.tar.gz && mv heddle-* heddle").ok()
        yield run
    finally:
        docker("rm", "-f", name)


def test_the_archive_on_an_old_system(stack, old_system, text):
    run = old_system
    print("the old system:", run("sh", "-c", "ldd --version | head -n 1").out)
    assert run("sh", "-c", "command -v java || command -v hdfs").code != 0
    started = run("yarn-session.sh", "-jm", "1024", "-tm", "1024", "-nm", "from-the-old", "-d").ok()
    assert "No running jobs." in run("flink", "list").ok().out
    # Without a Java main() can only run in the cluster: REST takes the jar.
    jar = f"/opt/prepared/examples-{FLINK}/examples.jar"
    done = run("flink", "run", "-p", "2", "--main", "cluster", jar, "--input", INPUT, "--output", "hdfs:///user/alice/old").ok()
    assert "has finished." in done.out
    check_counts(stack, "old")
    run("heddle", "ps").ok()
    stop = run("sh", "-c", f"echo stop | yarn-session.sh -id {started.application}")
    assert stop.code == 0, stop.text
    assert stack.ended(started.application) == "SUCCEEDED"


def test_the_session_stops(stack, session):
    stack.run("bash", "-c", f"echo stop | yarn-session.sh -id {session.application}").ok()
    assert stack.ended(session.application) == "SUCCEEDED"
    assert session.application not in str(stack.files("/user/alice/.flink"))
    assert stack.run("yarn", "application", "-list").ok().out.count("application_") == 0


def test_down_leaves_nothing(stack):
    stack.down().ok()
    assert stack.left() == {"container": [], "volume": [], "network": []}
    assert PROJECT not in docker("image", "ls").ok().out
