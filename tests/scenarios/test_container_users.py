"""Containers that run as the user who has submitted them (LinuxContainerExecutor without `limit-users`):
nobody else can read what is in them. And containers that all run as one user (with `limit-users`): they work,
and a warning says what that means."""

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
    """A user of the cluster, with a home in HDFS as an administrator makes it, and a session on which a job
    runs."""

    def __init__(self, work, user, jar):
        self.work, self.user, self.client = work, user, work.client()
        self.env = {"HADOOP_USER_NAME": user}
        work.cluster.hdfs.mkdir(f"/user/{user}", "700")
        work.cluster.hdfs.give(f"/user/{user}", user)
        # In Flink's configuration, and in a file for the containers.
        self.canaries = [f"canary-{what}-{user}-{os.getpid()}" for what in ("of-the-configuration", "of-a-file")]
        shipped = self.client.directory / "closed.txt"
        shipped.write_text(self.canaries[1])
        shipped.chmod(0o600)
        settings = [f"-Dmy.connector.password={self.canaries[0]}", f"-Dyarn.ship-files={shipped}"]
        self.session = self.client.session("-nm", f"{work.name}-{user}", *settings, env=self.env)
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
        """What only this user may read: environments, address spaces, tokens, configuration, private files,
        logs."""
        found = [f"/proc/{process.pid}/{name}" for process in self.processes() for name in ("environ", "maps")]
        found += {process.environment["HADOOP_TOKEN_FILE_LOCATION"] for process in self.processes()}
        for directory in self.directories():
            found += [f"{directory}/{name}" for name in ("container_tokens", "launch_container.sh")]
            # Localized files are links.
            found += [entry.path for entry in os.scandir(directory) if entry.is_file(follow_symlinks=False)]
        logs = self.work.cluster.log_files(self.application, "*")
        assert {"heddle-am.log", "heddle-taskrunner.log", "taskmanager.log"} <= {log.name for log in logs}
        return [*found, *self.localized(), *map(str, logs)]

    def localized(self):
        """The private files to which links in the working directories lead. Others are of a store that is for
        everybody."""
        files = {os.path.realpath(f"{place}/{name}") for top in self.directories() for place, _, names in os.walk(top) for name in names}
        found = {path for path in files if "/filecache/" in path and "/usercache/" in path}
        shipped = [path for path in found if path.endswith("/closed.txt")]
        assert shipped and {Path(path).read_text() for path in shipped} == {self.canaries[1]}
        return found

    def own_directories(self):
        """What only this user may list: of the processes, of the containers and of the logs."""
        of_processes = {f"/proc/{process.pid}/{name}/" for process in self.processes() for name in ("cwd", "root", "fd")}
        logs = {str(log.parent) for log in self.work.cluster.log_files(self.application, "*")}
        return of_processes, self.directories() | logs

    def stop(self):
        self.client.run("yarn-session.sh", "-id", self.application, stdin="stop\n", env=self.env).ok()
        app = check_gone(self.work.cluster, self.application, "SUCCEEDED", files=False)
        assert app["user"] == self.user
        home = f"/user/{self.user}/.flink"
        wait_for("its directory in HDFS gone", lambda: self.application not in (self.work.cluster.hdfs.list(home) or {}), 10)


def uid(process):
    return int(re.search(r"^Uid:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)[1])


def run_as(user, *command):
    account = pwd.getpwnam(user)
    return subprocess.run(command, user=account.pw_uid, group=account.pw_gid, extra_groups=[], cwd="/", capture_output=True, timeout=60)


def as_user(user, *command):
    """Whether a command works for a user of this machine."""
    return run_as(user, *command).returncode == 0


def found_by(user, *command):
    """The files that a search finds, which may be refused to look into some directories."""
    return run_as(user, *command).stdout.decode().splitlines()


def log_of(member):
    return member.work.cluster.log_text(member.application, "heddle-am.log")


@pytest.mark.extended
@pytest.mark.slow("it starts a cluster of its own, and two sessions on it")
def test_each_container_belongs_to_its_user(each_its_own, jar):
    work = each_its_own
    alice, bob = members = [Member(work, user, jar) for user in USERS]
    for mine, other in ((alice, bob), (bob, alice)):
        assert mine.owners() == {pwd.getpwnam(mine.user).pw_uid}
        assert WARNING not in log_of(mine)
        secrets = mine.secrets()
        # The check can fail: the user can read them.
        assert [path for path in secrets if not as_user(mine.user, "head", "-c1", path)] == []
        assert [path for path in secrets if as_user(other.user, "head", "-c1", path)] == []
        of_processes, directories = mine.own_directories()
        for directory in of_processes | directories:
            assert as_user(mine.user, "ls", directory) and not as_user(other.user, "ls", directory), directory
        for directory in directories:
            assert not as_user(other.user, "touch", f"{directory}/x"), directory
        for process in mine.processes():
            assert not as_user(other.user, "kill", "-0", str(process.pid))
        # Wherever else something may be.
        here = work.cluster.directory
        searches = [["find", here, "/tmp", "/var/tmp", "/dev/shm", "-user", mine.user, "-type", "f", may] for may in ("-readable", "-writable")]
        searches += [["grep", "-rlF", "--exclude=*.jar", canary, here] for canary in mine.canaries]
        for search in searches:
            assert found_by(mine.user, *search), search
            # Users of other scenarios, which may run beside this one, have directories of their own.
            found = [path for path in found_by(other.user, *search) if not path.startswith("/tmp/heddle-users-")]
            assert found == [], search
        # Neither what is in HDFS.
        with pytest.raises(urllib.error.HTTPError, match="403"):
            work.cluster.hdfs.list(f"/user/{mine.user}/.flink/{mine.application}", user=other.user)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            work.cluster.hdfs.list(f"/user/{mine.user}/.heddle/private", user=other.user)
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
