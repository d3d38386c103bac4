"""A machine that several users share: nothing of another user's runs as oneself, and nobody keeps one from
working."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.cluster import request
from harness.waiting import wait_for

pytestmark = [
    pytest.mark.heddle_only("it takes what is in /tmp"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users"),
]
# An account that every Linux has, and one that is in no password file, so that messages name its number.
NAME, EVE = "daemon", 40002
ALICE = pwd.getpwnam(NAME).pw_uid
EVES = f"the user with the id {EVE}"


def own(path, uid):
    """Gives a file or directory, with all that is in it, to a user."""
    for found in [path, *(path.rglob("*") if path.is_dir() and not path.is_symlink() else [])]:
        os.chown(found, uid, uid, follow_symlinks=False)


class Alice:
    """A user of this machine, whom the system knows as such. `public` is a directory such as /tmp."""

    def __init__(self, work, jar):
        self.directory = Path(tempfile.mkdtemp(prefix="heddle-users-"))
        self.directory.chmod(0o755)
        client = work.client()
        self.bin, self.home = client.bin, self.directory / "home"
        # Otherwise a process goes on in the background, and makes a class data archive for this user.
        client.configure({"heddle.fast-start": "false"})
        shutil.copytree(client.conf, self.directory / "conf")
        self.jar = shutil.copy(jar, self.directory / "jobs.jar")
        for made in (self.home, self.directory / "logs"):
            made.mkdir()
        own(self.directory, ALICE)
        self.public = self.directory / "public"
        self.public.mkdir()
        self.public.chmod(0o1777)
        self.properties = self.public / f".yarn-properties-{NAME}"
        self.environment = client.environment() | {
            "HOME": str(self.home), "USER": NAME, "FLINK_CONF_DIR": str(self.directory / "conf"),
            "FLINK_LOG_DIR": str(self.directory / "logs"),
        }  # fmt: skip
        self.location = f"-Dyarn.properties-file.location={self.public}"
        # A program that leaves a trace.
        self.trace, java = self.public / "trace", self.public / "evil/bin/java"
        java.parent.mkdir(parents=True)
        java.write_text(f"#!/bin/sh\ntouch {self.trace}\n")
        java.chmod(0o755)
        own(self.public / "evil", EVE)
        self.trap = self.public / "evil"
        seen = subprocess.run(["cat", client.cluster.conf / "core-site.xml"], user=ALICE, group=ALICE, extra_groups=[], capture_output=True)
        if seen.returncode:
            pytest.skip(f"other users cannot read {client.cluster.conf}")

    def run(self, program, *arguments, env=None):
        """It must not wait for anything."""
        done = subprocess.run(
            [str(self.bin / program), *map(str, arguments)], env=self.environment | (env or {}), cwd=self.directory,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90,
            user=ALICE, group=ALICE, extra_groups=[], umask=0o002,
        )  # fmt: skip
        return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr, text=done.stdout + done.stderr)

    def write(self, application, *settings, owner=ALICE, mode=0o600, path=None):
        path = path or self.properties
        lines = [f"applicationID={application}", "dynamicPropertiesString=" + "@@".join(settings).replace("=", "\\=").replace(":", "\\:")]
        path.write_text("\n".join(lines) + "\n")
        path.chmod(mode)
        own(path, owner)
        return path


@pytest.fixture
def alice(work, jar):
    made = Alice(work, jar)
    yield made
    shutil.rmtree(made.directory)


def test_no_program_of_another_user_is_run(work, jar, alice):
    session = work.client().session("-nm", work.name)
    alice.write(session.application, f"env.java.home={alice.trap}", "flink.yarn.resourcemanager.address=localhost:1", owner=EVE, mode=0o644)
    assert os.stat(alice.properties).st_uid == EVE != ALICE, "the file is not another user's"
    assert b"env.java.home" in alice.properties.read_bytes()
    subprocess.run([alice.trap / "bin/java"], user=ALICE, group=ALICE, extra_groups=[], check=True)
    assert alice.trace.exists(), "the trap leaves no trace"
    alice.trace.unlink()

    result = alice.run("flink", "run", alice.location, "-c", "WordCount", alice.jar)
    assert result.code != 0 and not alice.trace.exists(), result
    assert "properties file" in result.text and "is ignored" in result.text and f"belongs to {EVES}" in result.text, result

    # Of her own file neither: she does not look into it.
    alice.properties.unlink()
    alice.write(session.application, f"env.java.home={alice.trap}", "flink.yarn.resourcemanager.address=localhost:1", "parallelism.default=1")
    result = alice.run("flink", "run", alice.location, "-c", "WordCount", alice.jar)
    assert result.code == 0 and "Program execution finished" in result.out and not alice.trace.exists(), result
    assert "Not taken from there" in result.text and "env.java.home, flink.yarn.resourcemanager.address" in result.text, result
    session.stop().ok()


@pytest.mark.parametrize("kind", ["link", "fifo", "writable", "group", "above", "unreadable", "directory"])
def test_what_is_not_ones_own_file_is_ignored_and_named(work, alice, kind):
    """Nothing is waited for, nothing fails because of it, and the same file is read when it is one's own and
    closed."""
    unknown = "application_1700000000000_0007"
    own_file = alice.write(unknown, path=alice.home / "own")
    match kind:
        case "link":
            os.symlink(own_file, alice.properties)
            own(alice.properties, EVE)
            said = f"it is a symbolic link that belongs to {EVES}"
        case "fifo":
            os.mkfifo(alice.properties, 0o644)
            own(alice.properties, EVE)
            said = f"it is a FIFO that belongs to {EVES}"
        case "writable":
            alice.write(unknown, mode=0o666)
            said = "may write to it (mode 0666)"
        case "group":
            os.chown(alice.write(unknown, mode=0o664), ALICE, EVE)
            said = "may write to it (mode 0664)"
        case "above":
            alice.write(unknown)
            alice.public.chmod(0o777)
            said = f"the path leads through {alice.public}"
        case "unreadable":
            alice.write(unknown, owner=EVE, mode=0o600)
            said = f"it belongs to {EVES}"
        case "directory":
            alice.properties.mkdir()
            own(alice.properties, EVE)
            said = f"it is a directory that belongs to {EVES}"
    result = alice.run("flink", "list", alice.location)
    assert said in result.text and "is ignored" in result.text, result
    assert unknown not in result.text and "Found Yarn properties file" not in result.text, result
    named = alice.run("flink", "list", alice.location, "-t", "yarn-session")
    assert said in named.text and "no cluster id was specified" in named.err, named

    alice.properties.rmdir() if kind == "directory" else alice.properties.unlink()
    alice.public.chmod(0o1777)
    # Flink's own client leaves it to the umask, and here the group is her own.
    for mode in (0o600, 0o664):
        alice.write(unknown, mode=mode)
        result = alice.run("flink", "list", alice.location)
        assert "Found Yarn properties file" in result.text and unknown in result.text, result


@pytest.mark.parametrize("how", ["foreign", "writable", "above"])
def test_a_cache_of_another_user_is_not_used(work, alice, how):
    cache = alice.public / "heddle"
    cache.mkdir()
    (cache / "hashes.json").write_text('{"version":1,"files":{}}')
    own(cache, EVE if how == "foreign" else ALICE)
    cache.chmod(0o777 if how == "writable" else 0o755)
    alice.public.chmod(0o777 if how == "above" else 0o1777)
    before = {path: path.stat().st_mtime_ns for path in [cache, *cache.rglob("*")]}
    result = alice.run("heddle", "ps", env={"XDG_CACHE_HOME": str(alice.public)})
    [warning] = [line for line in result.err.splitlines() if line.startswith("warning:")]
    assert result.code == 0 and str(cache) in warning and "XDG_CACHE_HOME" in warning, result
    assert (f"belongs to {EVES}" if how == "foreign" else "mode 0777") in warning, warning
    assert {path: path.stat().st_mtime_ns for path in [cache, *cache.rglob("*")]} == before

    shutil.rmtree(cache)
    alice.public.chmod(0o1777)
    assert "warning:" not in alice.run("heddle", "ps", env={"XDG_CACHE_HOME": str(alice.public)}).err


def test_the_properties_file_is_closed_and_has_no_secrets(work):
    client = work.client()
    file = client.properties / f".yarn-properties-{work.cluster.user}"
    precious = work.directory / "precious"
    precious.write_text("precious")
    file.symlink_to(precious)
    settings = ["-Dparallelism.default=2", "-Denv.java.opts.client=-Dx=1", "-Dmy.password=canary", "-Dflink.hadoop.ipc.ping.interval=60000"]
    session = client.session("-nm", work.name, *settings)
    assert precious.read_text() == "precious" and not file.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    assert session.application in text and "parallelism.default" in text, text
    for absent in ("canary", "password", "env.java", "flink.hadoop"):
        assert absent not in text, text
    assert "No running jobs." in client.flink("list").ok().out
    session.stop().ok()
    assert not file.exists()


def test_nobody_keeps_another_user_from_starting_a_session(work, alice):
    """Who makes the file first cannot be driven away: the session starts, and is named on the command
    line."""
    home = f"/user/alice-{work.name}"
    work.cluster.hdfs.mkdir(home)
    request(work.cluster.hdfs.url(home, "SETOWNER", owner=f"alice-{work.name}"), "PUT")
    alice.write("application_1700000000000_0007", owner=EVE)
    names = {"HADOOP_USER_NAME": f"alice-{work.name}"}
    small = ["-jm", "1024", "-tm", "1024", "-Dheddle.archive.container=false"]
    result = alice.run("yarn-session.sh", "-d", "-nm", work.name, *small, alice.location, env=names)
    [app] = work.cluster.yarn.by_name(work.name)
    assert result.code == 0 and "JobManager Web Interface" in result.out, result
    assert f"-Dyarn.application.id={app['id']}" in result.text and f"belongs to {EVES}" in result.text, result
    cache = alice.home / ".cache/heddle"
    assert cache.stat().st_mode & 0o777 == 0o700, "whatever the umask is"
    assert (cache / "hashes.json").stat().st_mode & 0o777 == 0o600
    assert os.stat(alice.properties).st_uid == EVE
    listed = alice.run("flink", "list", f"-Dyarn.application.id={app['id']}", env=names)
    assert listed.code == 0 and "No running jobs." in listed.out, listed
    assert alice.run("heddle", "kill", app["id"], env=names).code == 0
    wait_for("ended", lambda: work.cluster.yarn.app(app["id"])["state"] == "KILLED", 60)
    work.cluster.hdfs.delete(home)
