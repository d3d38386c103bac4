"""Programs that embed the client: many deployments to two clusters at once in one process, and each of the
three modes with failures as values."""

import os
import re
import subprocess

import pytest

from harness.checks import check_gone
from harness.client import SMALL
from harness.cluster import FINISHED, ROOT
from harness.waiting import wait_for

pytestmark = [pytest.mark.extended, pytest.mark.xdist_group("own-cluster"), pytest.mark.heddle_only("Flink's client keeps its login and file systems process-wide")]

APPLICATIONS = 20
LINE = re.compile(r"^(\d+) (\w+) (application_\d+_\d+) ", re.MULTILINE)


def built(name):
    """An example, built like the rest of what the scenarios run."""
    profile = os.environ.get("HEDDLE_PROFILE", "quick")
    command = ["cargo", "build", "--locked", "--quiet", "--profile", profile, "-p", "yarn-client", "--example", name]
    subprocess.run(command, cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    return f"{target}/{'debug' if profile == 'dev' else profile}/examples/{name}"


@pytest.fixture(scope="module")
def example():
    return built("many")


@pytest.fixture(scope="module")
def modes():
    return built("modes")


@pytest.mark.slow("twenty applications on two cores, for which the library is built once more")
@pytest.mark.timeout(1800)
def test_twenty_applications_on_two_clusters(example, cluster, own_cluster, flink_home):
    """Each has its own configuration; those of a cluster have one user. In a narrow queue they start one
    after another: two cores are few."""
    base = f"/tmp/many-{os.getpid()}"
    users = {"ann": cluster, "bob": own_cluster}
    places = [f"{user}:{place.conf}" for user, place in users.items()]
    command = [example, "-Dyarn.application.queue=narrow", f"-Dyarn.staging-directory={base}", str(APPLICATIONS)]
    # Nothing of this process's surroundings counts.
    environment = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "HADOOP_CONF_DIR": "/nowhere", "HADOOP_USER_NAME": "nobody"}
    command += [str(flink_home), str(ROOT / "dist/heddle/bin"), *places]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=540)
    assert done.returncode == 0, done.stderr
    deployed = LINE.findall(done.stdout)
    assert sorted(int(number) for number, _, _ in deployed) == list(range(APPLICATIONS)), done.stdout
    for user, place in users.items():
        mine = {application: number for number, who, application in deployed if who == user}
        assert len(mine) == APPLICATIONS // 2
        found = {app["id"]: app for app in place.yarn.apps() if app["id"] in mine}
        for application, number in mine.items():
            app = found[application]
            assert (app["user"], app["name"], app["queue"].rpartition(".")[2]) == (user, f"many {number} of {user}", "narrow")
            assert app["state"] in FINISHED, app
        # The store is filled once, by whoever comes first; what belonged to the applications is gone.
        wait_for(f"no directory of an application of {user}", lambda: not place.hdfs.list(f"{base}/.flink"), 30)
        place.hdfs.delete(base)


def embedded(modes, work, mode, *job, options=()):
    """Runs the example, in which nothing of this process's surroundings counts."""
    named = [*SMALL, f"-Dyarn.application.name={work.name}", *options]
    place = [mode, work.cluster.user, str(work.cluster.conf), str(work.flink_home), str(ROOT / "dist/heddle/bin")]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "HADOOP_CONF_DIR": "/nowhere"}
    command = [modes, *named, *place, *map(str, job)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)


@pytest.mark.slow("the library is built once more")
@pytest.mark.parametrize(("mode", "final"), [("session", "KILLED"), ("application", "SUCCEEDED"), ("per-job", "SUCCEEDED")])
def test_each_mode(modes, work, jar, mode, final):
    """The job of a per-job cluster is submitted by the program that has asked for the cluster."""
    hdfs, at = work.cluster.hdfs, f"{work.cluster.fs}{work.hdfs_dir}"
    hdfs.write(f"{work.hdfs_dir}/in/text.txt", "to be or not to be\n" * 1000)
    job = [] if mode == "session" else [jar, "WordCount", "--input", f"{at}/in", "--output", f"{at}/out"]
    done = embedded(modes, work, mode, *job)
    assert done.returncode == 0, done.stderr
    application = re.search(rf"^{mode} (application_\d+_\d+)$", done.stdout, re.MULTILINE)[1]
    assert ("submitted " in done.stdout) == (mode == "per-job"), done.stdout
    check_gone(work.cluster, application, final, seconds=90)
    if job:
        assert set(hdfs.read_all(f"{work.hdfs_dir}/out").split()) == {"to,2000", "be,2000", "or,1000", "not,1000"}


@pytest.mark.slow("the library is built once more")
def test_a_failure_has_parts(modes, work):
    """What Flink's own client would do can be told from what is wrong."""
    template = "-Dyarn.container-start-command-template=%java% %class% | tee x"
    done = embedded(modes, work, "session", options=[template])
    assert done.returncode == 1, done.stdout
    for part in (r"^what: .*yarn\.container-start-command-template", "^cause: .*shell", "^hint: ", "^retry helps: false", "^unsupported: true"):
        assert re.search(part, done.stderr, re.MULTILINE), (part, done.stderr)
    done = embedded(modes, work, "session", options=["-Dyarn.application.queue=qa-taem"])
    assert "qa-taem" in done.stderr and "unsupported: false" in done.stderr
    assert not work.cluster.yarn.by_name(work.name)
