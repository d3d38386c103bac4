"""The stand-in for Hadoop's native `container-executor`, as a NodeManager calls it, without one."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness.hadoop import cli
from harness.hadoop.cluster import PseudoCluster
from harness.hadoop.configuration import Options
from harness.hadoop.environment import Failure
from harness.hadoop.parts.users import EXECUTOR, ContainerUsers, first_closed
from harness.waiting import wait_for
from test_hadoop import created, read

ME, OTHER = "nobody", "daemon"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can switch to another user")


def execute(*words):
    return subprocess.run([EXECUTOR, *map(str, words)], capture_output=True, text=True, timeout=60)


class Node:
    """The directories of a NodeManager, which everybody may pass."""

    def __init__(self, directory):
        self.directory, self.local, self.logs = directory, directory / "local", directory / "logs"
        for path in (self.local / "usercache", self.logs):
            path.mkdir(parents=True)
        self.private = self.local / "nmPrivate"
        self.private.mkdir(mode=0o700)
        (self.private / "tokens").write_text("secret")
        self.pid_file = self.private / "c1.pid"
        self.user_cache = self.local / "usercache/alice"
        self.cache = self.user_cache / "appcache/application_1_1"
        self.work = self.cache / "c1"

    def initialize(self, *command):
        return execute(ME, "alice", 0, "application_1_1", "c1", self.private / "tokens", self.local, self.logs, *command)

    def words_of_launch(self, script):
        file = self.private / "script"
        file.write_text(f"#!/bin/bash\n{script}\n")
        words = [ME, "alice", 1, "application_1_1", "c1", self.work, file, self.private / "tokens", "--http", self.pid_file]
        return [*words, self.local, self.logs, "cgroups=none"]

    def launch(self, script):
        return execute(*self.words_of_launch(script))


@pytest.fixture
def node():
    directory = Path(tempfile.mkdtemp(prefix="heddle-node-", dir="/tmp"))
    directory.chmod(0o755)
    yield Node(directory)
    shutil.rmtree(directory)


def can_read(user, path):
    return subprocess.run(["cat", path], user=user, group=pwd.getpwnam(user).pw_gid, extra_groups=[], capture_output=True).returncode == 0


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_what_it_does_not_do_is_refused():
    for words in ([], ["--mount-cgroups", "x"], ["nobody", "a", "4"], ["nobody", "a", "x"], ["root", "a", "2", "1", "15"], ["no-such", "a", "2", "1", "15"]):
        done = execute(*words)
        assert done.returncode != 0 and done.stderr and "Traceback" not in done.stderr, words


@as_root
def test_the_setup_is_right():
    assert execute("--checksetup").returncode == 0


@as_root
def test_the_localizer_runs_as_the_user(node):
    done = node.initialize("sh", "-c", "id -un; pwd; cat tokens")
    assert done.stdout == f"{ME}\n{node.cache}\nsecret", done
    assert mode(node.cache / "tokens") == 0o600 and mode(node.user_cache) == 0o2750
    assert not can_read(OTHER, node.cache / "tokens")


@as_root
def test_a_container_runs_as_the_user_and_is_closed_to_others(node):
    done = node.launch("exec > out; id -un; id -Gn; ls -l /proc/self/fd/0; cat container_tokens; exit 3")
    assert done.returncode == 3, done
    assert (node.private / "c1.pid.exitcode").read_text() == "3"
    said = (node.work / "out").read_text()
    assert said.startswith(f"{ME}\nnogroup\n") and said.endswith("secret"), said
    owner = pwd.getpwnam(ME).pw_uid
    for path in (node.work, node.work / "out", node.work / "container_tokens", node.logs / "application_1_1/c1"):
        assert path.stat().st_uid == owner
    assert (mode(node.work) & 0o777, mode(node.work / "container_tokens")) == (0o710, 0o600)
    assert can_read(ME, node.work / "container_tokens") and not can_read(OTHER, node.work / "container_tokens")
    assert not can_read(OTHER, node.work / "out")


@as_root
def test_a_container_is_signalled_as_a_group(node):
    running = subprocess.Popen([EXECUTOR, *map(str, node.words_of_launch("exec > out; sleep 60 & wait"))])
    wait_for("the container", lambda: (node.work / "out").exists(), 30)
    pid = node.pid_file.read_text()
    assert execute(ME, "alice", 2, pid, 0).returncode == 0
    # Another user's is as good as none.
    assert execute(OTHER, "bob", 2, pid, signal.SIGTERM).returncode == 9
    assert execute(ME, "alice", 2, pid, signal.SIGTERM).returncode == 0
    assert running.wait(30) == 128 + signal.SIGTERM
    wait_for("no process", lambda: execute(ME, "alice", 2, pid, 0).returncode == 9, 30)


@as_root
def test_directories_are_deleted_as_the_user(node):
    node.launch("mkdir a; touch a/b; ln -s / link; chmod 500 a")
    assert sorted(execute(ME, "alice", 5, node.work / "a").stdout.split()) == ["b"]
    assert execute(OTHER, "bob", 3, node.work).returncode != 0
    assert node.work.exists()
    assert execute(ME, "alice", 3, "application_1_1", node.user_cache / "appcache", node.directory / "missing").returncode == 0
    assert not node.cache.exists()
    # Its parent is the NodeManager's.
    assert execute(ME, "alice", 3, "", node.user_cache).returncode == 0
    assert not node.user_cache.exists() and Path("/etc/passwd").exists()


def test_settings_of_nodemanagers(tmp_path):
    own, all_as_one = created(tmp_path, container_users="submitter"), created(tmp_path, "two", container_users="nobody")
    key = "yarn.nodemanager.linux-container-executor.nonsecure-mode"
    settings = read(own.directory / "daemons/nodemanager1/yarn-site.xml")
    assert settings["yarn.nodemanager.container-executor.class"].endswith(".LinuxContainerExecutor")
    assert settings["yarn.nodemanager.linux-container-executor.path"] == str(own.directory / "daemons/nodemanager1/container-executor")
    assert settings[f"{key}.limit-users"] == "false" and f"{key}.local-user" not in settings
    settings = read(all_as_one.directory / "daemons/nodemanager1/yarn-site.xml")
    assert (settings[f"{key}.limit-users"], settings[f"{key}.local-user"]) == ("true", "nobody")
    assert not any("executor" in name for name in read(own.directory / "daemons/resourcemanager/yarn-site.xml") | read(own.conf / "yarn-site.xml"))
    assert cli.options(cli.parser().parse_args(["up", "--container-users", "nobody"])) == Options(container_users="nobody")


@as_root
def test_the_program_needs_no_path(node):
    made = created(node.directory, container_users="submitter")
    [daemon] = [daemon for daemon in made.daemons if daemon.name == "nodemanager1"]
    ContainerUsers("submitter").prepare(made, daemon)
    program = read(made.directory / "daemons/nodemanager1/yarn-site.xml")["yarn.nodemanager.linux-container-executor.path"]
    assert subprocess.run([program, "--checksetup"], env={}).returncode == 0
    assert mode(Path(program)) == 0o700


@as_root
def test_what_cannot_be_is_said_before_the_start(tmp_path):
    made = PseudoCluster("one", tmp_path)
    made.create("3.3.6", Options(container_users="submitter"))
    nodes = [daemon for daemon in made.daemons if daemon.name == "nodemanager1"]
    tmp_path.chmod(0o700)
    assert first_closed(made.directory) is not None
    with pytest.raises(Failure, match="other users cannot pass"):
        ContainerUsers("submitter").prepare(made, *nodes)
    with pytest.raises(Failure, match="there is no user `no-such`"):
        ContainerUsers("no-such").prepare(made, *nodes)
