"""What many scenarios check in the same way."""

import os
import shutil

from . import processes
from .cluster import FINISHED
from .waiting import wait_for


def check_gone(cluster, application, final, seconds=30, files=True):
    """The application ends with this final status, and leaves no container, no process and, with `files`, no
    directory in HDFS."""
    app = cluster.yarn.wait_state(application, *FINISHED, seconds=seconds)
    assert app["finalStatus"] == final, app["diagnostics"]
    wait_for("containers gone", lambda: not cluster.yarn.containers(application), 30)
    wait_for("processes gone", lambda: not processes.of_application(cluster, application), 30)
    if files:
        wait_for("the directory in HDFS gone", lambda: staging(cluster, application) is None, 10)
    return app


def staging(cluster, application):
    return cluster.hdfs.status(f"{cluster.hdfs.home}/.flink/{application}")


class Before:
    """What YARN and HDFS held before, to compare with."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.apps = {app["id"] for app in cluster.yarn.apps()}
        self.staged = self.staging()

    def staging(self):
        return set(self.cluster.hdfs.list(f"{self.cluster.hdfs.home}/.flink") or {})

    def check_untouched(self):
        assert {app["id"] for app in self.cluster.yarn.apps()} == self.apps, "an application was submitted"
        assert self.staging() == self.staged, "files were left"


def check_refused(result, *words):
    """Exit code 1, exactly one error, at least one hint; every word is said."""
    assert result.code == 1, result
    assert len(result.error_lines()) == 1, result
    assert result.hints(), result
    for word in words:
        assert str(word) in result.err, f"no `{word}`: {result}"
    for ugly in ("panicked", "RUST_BACKTRACE", "\tat org.apache"):
        assert ugly not in result.text, result


def is_temporary(path):
    """Not a name that a later deployment would take for a whole file of the store:
    <prefix>/<sha256>/<name>."""
    *_, prefix, digest, name = path.split("/")
    return not (len(digest) == 64 and digest.startswith(prefix)) or name.startswith((".", "_"))


class Told:
    """What the job `Surroundings` said in one process."""

    def __init__(self, text, who):
        self.lines = [line.split(" ", 2)[1:] for line in text.splitlines() if line.startswith(f"{who} ")]
        assert self.lines, f"nothing said by `{who}`: {text[-3000:]}"

    def all(self, what):
        return [value[0] if value else "" for found, *value in self.lines if found == what]

    def one(self, what):
        [value] = self.all(what)
        return value

    @property
    def environment(self):
        return dict(pair.partition("=")[::2] for pair in self.all("environment"))

    @property
    def files(self):
        return set(self.all("file"))

    @property
    def class_path(self):
        """As paths below the working directory, or absolute ones."""
        directory = self.one("directory")
        return [os.path.relpath(entry, directory) if entry.startswith(f"{directory}/") else os.path.normpath(entry) for entry in self.all("class-path")]

    def order_of(self, names):
        """Those of the names that the class path has, in its order."""
        return [os.path.basename(entry) for entry in self.class_path if os.path.basename(entry) in names]


def told_by_task(cluster, application):
    return Told(cluster.log_text(application, "taskmanager.out"), "task")


def told_by_main(cluster, application):
    """In application mode."""
    return Told(cluster.log_text(application, "jobmanager.out"), "main")


def own_flink(flink_home, directory):
    """A Flink of the test's own, to add files to. Its scripts find jars behind links, but not in a linked
    directory."""
    shutil.copytree(flink_home, directory, copy_function=lambda source, copy: os.symlink(os.path.realpath(source), copy))
    shutil.rmtree(directory / "bin")
    shutil.copytree(flink_home / "bin", directory / "bin")
    return directory


def program_jar(jar, directory, name):
    """A copy of the test jobs under another name."""
    directory.mkdir(parents=True, exist_ok=True)
    copy = directory / name
    copy.write_bytes(jar.read_bytes())
    return copy
