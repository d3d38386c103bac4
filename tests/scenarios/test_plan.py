"""`--dry-run`: what would be submitted, without submitting or uploading anything."""

import json
import os
import re
from pathlib import Path

import pytest

from harness.checks import check_refused
from harness.client import SMALL

pytestmark = pytest.mark.heddle_only("it has no dry run")


@pytest.fixture
def dry(work, client, jar):
    """The outcome of a dry run, which has left nothing."""

    def run(*options, verb="run-application", target="yarn-application"):
        base, store = f"{work.hdfs_dir}/base", f"{work.hdfs_dir}/store"
        places = [f"-Dyarn.staging-directory={work.cluster.fs}{base}", f"-Dheddle.store.dir={work.cluster.fs}{store}"]
        named = ["-t", target, f"-Dyarn.application.name={work.name}", *SMALL, *places]
        result = client.flink(verb, *named, "--dry-run", *options, "-c", "WordCount", jar, "--output", "an argument").ok()
        assert not work.cluster.yarn.by_name(work.name), "an application was submitted"
        assert not work.cluster.hdfs.tree(base) and not work.cluster.hdfs.tree(store), "something was uploaded"
        return result

    return run


# What a dry run has said, a file for each kind of cluster. UPDATE_PLANS=1 writes them anew.
PLANS = Path(__file__).with_name("plans")
# What differs from run to run, from machine to machine and from release to release.
FILTERS = [
    (r"application_\d+_\d+", "<application id>"),
    (r"heddle-submission:[0-9a-f]{32}", "heddle-submission:<random name>"),
    (r"hdfs://[\w.]+:\d+", "<file system>"),
    (r"[\d.]+ (B|KiB|MiB|GiB)\b(?!, \d+ vcore)", "<size>"),
    (r"(files|class path): \d+", r"\1: <number>"),
    (r"uploads: .*", "uploads: <what the stores lack>"),
    (r"-X(\S+?)=?\d+", r"-X\1<bytes>"),
    (r"flink-dist-[\d.]+jar", "flink-dist-<release>.jar"),
    (r"^Flink [\d.]+", "Flink <release>"),
    (r"\d+ keys of", "<number> keys of"),
]


def check_whole(name, result, *own):
    """Exit code and both streams of a dry run are those of the file. `own`: what else differs, with its
    name."""
    text = f"exit code {result.code}\n--- stdout\n{result.out}--- stderr\n{result.err}"
    for found, shown in own:
        text = text.replace(str(found), shown)
    for pattern, shown in FILTERS:
        text = re.sub(pattern, shown, text, flags=re.MULTILINE)
    file = PLANS / f"{name}.txt"
    if os.environ.get("UPDATE_PLANS"):
        PLANS.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text(), f"{file} says otherwise:\n{text}"


@pytest.mark.parametrize(("verb", "target"), [("run-application", "yarn-application"), ("run", "yarn-per-job")])
def test_whole_result_of_a_program(dry, work, jar, verb, target):
    result = dry("-Dyarn.tags=a,b", "-Dyarn.application.priority=1", verb=verb, target=target)
    check_whole(target, result, (jar, "<jar>"), (work.hdfs_dir, "<directory>"), (work.name, "<name>"))


def test_whole_result_of_a_session(work, client):
    places = [f"-Dyarn.staging-directory={work.cluster.fs}{work.hdfs_dir}/base"]
    words = ["-nm", work.name, "-jm", "1024", "-tm", "1024", "-s", "2", *places, "--dry-run"]
    result = client.run("yarn-session.sh", *words)
    check_whole("yarn-session", result, (work.hdfs_dir, "<directory>"), (work.name, "<name>"))


def test_flink_in_several_directories(work, client):
    """The jars and the configuration are named, and no distribution; the plan is the same."""
    words = ["-nm", work.name, "-jm", "1024", "-tm", "1024", f"-Dyarn.staging-directory={work.cluster.fs}{work.hdfs_dir}/base", "--dry-run", "-v"]

    def plan(**env):
        text = client.run("yarn-session.sh", *words, env=env).ok().out
        for pattern, shown in FILTERS[:2]:
            text = re.sub(pattern, shown, text)
        return text

    apart = plan(FLINK_HOME=None, FLINK_LIB_DIR=client.flink_home / "lib", PATH="/usr/bin:/bin")
    assert "flink-dist" in apart and apart == plan()



def test_in_short(dry, work, jar):
    said = dry("-Dcontainerized.taskmanager.env.TEST_WORKER=42").out
    for word in (work.name, "WordCount", jar.name, '"an argument"', "1024 MiB", "flink-dist-", "TEST_WORKER: 42  [-D]"):
        assert word in said, f"no `{word}` in\n{said}"
    assert len(said.splitlines()) <= 42 and "option -d" not in said, said


def test_as_a_tree(dry, work, jar):
    said = dry("-v", "-Dcontainerized.taskmanager.env.TEST_WORKER=42").out
    for word in ("JobManager", "TaskManager", "1024", "class path", "flink-dist-", jar.name, "TEST_WORKER", "PUBLIC", "heddle-am", work.name):
        assert word in said, f"no `{word}` in\n{said}"


@pytest.mark.parametrize(("verb", "target"), [("run-application", "yarn-application"), ("run", "yarn-per-job")])
def test_for_programs(dry, work, jar, verb, target):
    options = ["-Dcontainerized.taskmanager.env.TEST_WORKER=42", "-Dyarn.application.queue=qa-team", "-Dyarn.tags=a,b"]
    plan = json.loads(dry("--output", "json", *options, verb=verb, target=target).out)
    assert plan["program"] == {"jar": str(jar), "mainClass": "WordCount", "arguments": ["--output", "an argument"]}
    application = plan["application"]
    assert (application["name"], application["type"], application["queue"]) == (work.name, "Apache Flink", "qa-team")
    assert {"a", "b"} <= set(application["tags"])
    master, worker = plan["applicationMaster"], plan["taskManager"]
    for container in (master, worker):
        assert (container["memoryMb"], container["vcores"]) == (1024, 1)
        entries = [entry.rpartition("/")[2] for entry in container["jvm"]["classPath"]]
        assert jar.name in entries and any(entry.startswith("flink-dist-") for entry in entries)
        resources = container["localResources"]
        assert all(r["name"] and r["url"] and r["size"] > 0 and r["visibility"] in ("PUBLIC", "PRIVATE", "APPLICATION") for r in resources)
        sizes = {r["name"].rpartition("/")[2]: r["size"] for r in resources}
        assert sizes[jar.name] == jar.stat().st_size
        assert {file.name for file in work.flink_home.glob("lib/*.jar")} <= set(sizes)
    assert worker["jvm"]["environment"]["TEST_WORKER"] == "42" and "TEST_WORKER" not in master["jvm"]["environment"]
    assert any(r["name"] == "heddle-am" for r in master["localResources"])


def test_secrets_are_not_shown(dry):
    for more in ([], ["--output", "json"]):
        result = dry(*more, "-Dmy.secret.password=open-sesame")
        assert "open-sesame" not in result.text


def test_a_home_that_cannot_be_made(work, client, jar):
    """What the deployment would fail with."""
    words = ["-t", "yarn-application", f"-Dyarn.application.name={work.name}", *SMALL, "--dry-run", "-c", "WordCount", jar]
    result = client.flink("run-application", *words, env={"HADOOP_USER_NAME": "homeless"})
    check_refused(result, "homeless", "Permission denied")


def test_a_session(work, client):
    said = client.run("yarn-session.sh", "-nm", work.name, "-jm", "1024", "-tm", "1024", "--dry-run").ok().out
    assert "flink-dist-" in said and "1024" in said
    assert not work.cluster.yarn.by_name(work.name)
