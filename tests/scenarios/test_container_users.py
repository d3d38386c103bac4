"""Containers that run as the user who has submitted them (LinuxContainerExecutor without `limit-users`): nobody else can read what is
in them. And containers that all run as one user (with `limit-users`): they work, and a warning says what that means."""

import os
import pwd
import re
import subprocess
import urllib.error
from pathlib import Path

import pytest

from conftest import cluster_of
from harness import processes
from harness.checks import check_gone
from harness.cluster import Flink
from harness.waiting import wait_for

pytestmark = [
    pytest.mark.heddle_only("its files in containers and in HDFS are other ones"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can run containers as other users"),
    pytest.mark.xdist_group("container-users"),
]

# Accounts that every Linux has.
USERS = ALICE, BOB = ("www-data", "daemon")
EVERYBODY = "nobody"
WARNING = "the containers of this application run as the system's user"


@pytest.fixture
def each_its_own(request, cluster, tmp_path, flink_home, client_kind):
    yield from cluster_of(request, cluster, "users", tmp_path, flink_home, client_kind, container_users="submitter")


@pytest.fixture
def all_as_one(request, cluster, tmp_path, flink_home, client_kind):
    yield from cluster_of(request, cluster, "one-user", tmp_path, flink_home, client_kind, container_users=EVERYBODY)


class Member:
    """A user of the cluster, with a home in HDFS as an administrator makes it, and a session on which a job runs."""

    def __init__(self, work, user, jar):
        self.work, self.user, self.client = work, user, work.client()
        self.env = {"HADOOP_USER_NAME": user}
        work.cluster.hdfs.mkdir(f"/user/{user}", "700")
        work.cluster.hdfs.give(f"/user/{user}", user)
        self.session = self.client.session("-nm", f"{work.name}-{user}", env=self.env)
        self.session.run(jar, "Sleepy", "--seconds", "600", options=["-d"], env=self.env).ok()
        self.application = self.session.application
        work.cluster.yarn.wait_workers(self.application, 1)
        wait_for("a TaskManager", lambda: Flink(self.session.url).taskmanagers())

    def processes(self):
        return processes.of_application(self.work.cluster, self.application)

    def owners(self):
        return {uid(process) for process in self.processes()}

    def directories(self):
        """The working directories of the containers."""
        found = {os.readlink(f"/proc/{process.pid}/cwd") for process in self.processes()}
        assert len(found) >= 2, found
        return found

    def secrets(self):
        """What only this user may read: environments, tokens, configuration, logs."""
        found = [f"/proc/{process.pid}/environ" for process in self.processes()]
        for directory in self.directories():
            found += [f"{directory}/{name}" for name in ("container_tokens", "launch_container.sh")]
            # Localized files are links.
            found += [entry.path for entry in os.scandir(directory) if entry.is_file(follow_symlinks=False)]
        logs = self.work.cluster.log_files(self.application, "*.log")
        assert logs
        return [*found, *map(str, logs)]

    def stop(self):
        self.client.run("yarn-session.sh", "-id", self.application, stdin="stop\n", env=self.env).ok()
        app = check_gone(self.work.cluster, self.application, "SUCCEEDED", files=False)
        assert app["user"] == self.user
        home = f"/user/{self.user}/.flink"
        wait_for("its directory in HDFS gone", lambda: self.application not in (self.work.cluster.hdfs.list(home) or {}), 10)


def uid(process):
    return int(re.search(r"^Uid:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)[1])


def as_user(user, *command):
    """Whether a command works for a user of this machine."""
    account = pwd.getpwnam(user)
    done = subprocess.run(command, user=account.pw_uid, group=account.pw_gid, extra_groups=[], cwd="/", capture_output=True, timeout=30)
    return done.returncode == 0


def log_of(member):
    return member.work.cluster.log_text(member.application, "heddle-am.log")


@pytest.mark.slow("it starts a cluster of its own, and two sessions on it")
def test_each_container_belongs_to_its_user(each_its_own, jar):
    work = each_its_own
    alice, bob = members = [Member(work, user, jar) for user in USERS]
    for mine, other in ((alice, bob), (bob, alice)):
        assert mine.owners() == {pwd.getpwnam(mine.user).pw_uid}
        assert WARNING not in log_of(mine)
        secrets = mine.secrets()
        # The check can fail: the user can read them.
        assert [path for path in secrets if not as_user(mine.user, "cat", path)] == []
        assert [path for path in secrets if as_user(other.user, "cat", path)] == []
        for directory in mine.directories():
            assert not as_user(other.user, "ls", directory) and not as_user(other.user, "touch", f"{directory}/x")
        for process in mine.processes():
            assert not as_user(other.user, "ls", f"/proc/{process.pid}/fd")
            assert not as_user(other.user, "kill", "-0", str(process.pid))
        # Neither what is in HDFS.
        with pytest.raises(urllib.error.HTTPError, match="403"):
            work.cluster.hdfs.list(f"/user/{mine.user}/.flink/{mine.application}", user=other.user)
    for member in members:
        member.stop()
    left = lambda: [*work.cluster.directory.glob("nodemanager*/local/usercache/*/appcache/*")]  # noqa: E731
    wait_for("the NodeManagers have removed the directories", lambda: not left(), 60)


@pytest.mark.extended
@pytest.mark.slow("it starts a cluster of its own, and two sessions on it")
def test_all_containers_belong_to_one_user(all_as_one, jar):
    members = [Member(all_as_one, user, jar) for user in USERS]
    for member in members:
        assert member.owners() == {pwd.getpwnam(EVERYBODY).pw_uid}
        [line] = [line for line in log_of(member).splitlines() if WARNING in line]
        assert f"user {EVERYBODY}, although {member.user} has submitted it" in line and "limit-users" in line
        member.stop()


@pytest.mark.slow("it starts a cluster of its own")
@pytest.mark.extended
def test_application_mode_and_per_job_as_their_user(each_its_own, jar):
    """What main() and tasks see is their user's, and what they write in HDFS belongs to that user."""
    work, user = each_its_own, ALICE
    work.cluster.hdfs.mkdir(f"/user/{user}", "700")
    work.cluster.hdfs.give(f"/user/{user}", user)
    client, env = work.client(), {"HADOOP_USER_NAME": user}
    for start in (client.application, client.per_job):
        application = start(work.name, jar, "Surroundings", env=env).ok().application
        check_gone(work.cluster, application, "SUCCEEDED", seconds=90, files=False)
        told = work.cluster.log_text(application, "taskmanager.out")
        assert f"task environment USER={user}\n" in told and f"task environment HADOOP_USER_NAME={user}\n" in told
    status = work.cluster.hdfs.list(f"/user/{user}")
    assert status and {entry["owner"] for entry in status.values()} == {user}
