"""A program that embeds the client: many deployments to two clusters at once in one process."""

import os
import re
import subprocess

import pytest

from harness.cluster import FINISHED, ROOT
from harness.waiting import wait_for

pytestmark = [pytest.mark.extended, pytest.mark.xdist_group("own-cluster"), pytest.mark.heddle_only("Flink's client keeps its login and file systems process-wide")]

APPLICATIONS = 20
LINE = re.compile(r"^(\d+) (\w+) (application_\d+_\d+) ", re.MULTILINE)


@pytest.fixture(scope="module")
def example():
    """Built like the rest of what the scenarios run."""
    profile = os.environ.get("HEDDLE_PROFILE", "quick")
    command = ["cargo", "build", "--locked", "--quiet", "--profile", profile, "-p", "yarn-client", "--example", "many"]
    subprocess.run(command, cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    return f"{target}/{'debug' if profile == 'dev' else profile}/examples/many"


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
