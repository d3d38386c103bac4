"""Which Java runs Flink: refused where it cannot, said where it is not made for it, and the one that is asked
for."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import fetch, fetch_flink
from harness import processes
from harness.checks import check_gone, check_refused
from harness.client import SMALL
from harness.cluster import Flink
from harness.jars import job_jar
from harness.matrix import versions_in
from harness.waiting import wait_for

pytestmark = pytest.mark.heddle_only("Flink's own client does not look")

MASTER, WORKER = (f"containerized.{role}.env.JAVA_HOME" for role in ("master", "taskmanager"))


@pytest.fixture
def fake(work):
    """The directory of a Java of a version, which nobody can run."""

    def make(version):
        home = work.directory / f"java-{version}"
        (home / "bin").mkdir(parents=True, exist_ok=True)
        (home / "release").write_text(f'IMPLEMENTOR="nobody"\nJAVA_VERSION="{version}"\n')
        program = home / "bin/java"
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
        return home

    return make


@pytest.fixture
def nothing_submitted(work):
    """That no application of this test's name came to be."""
    yield
    assert not work.cluster.yarn.by_name(work.name)


@pytest.fixture
def newer(work, newer_flink):
    return work.client(flink_home=newer_flink)


def session(client, name, *options, **more):
    return client.run("yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "-nm", name, *options, **more)


@pytest.mark.parametrize("key", [MASTER, WORKER, "env.java.home"])
def test_too_old_for_the_containers(work, newer, fake, nothing_submitted, key):
    home = fake("1.8.0_392")
    result = session(newer, work.name, f"-D{key}={home}")
    check_refused(result, "Flink 2.3.0 is made for Java 11 to 21 and cannot run on Java 8", home, key)


def test_too_new_for_the_containers(work, fake, nothing_submitted):
    old = work.client(flink_home=fetch_flink("1.17.2"))
    result = session(old, work.name, f"-D{MASTER}={fake('17.0.15')}")
    check_refused(result, "the JobManager cannot run", "Flink 1.17.2 is made for Java 8 to 11 and cannot run on Java 17", MASTER, "--add-exports")


def test_too_new_but_not_certain_to_fail(work, newer, fake, nothing_submitted):
    home = fake("25.0.1")
    result = session(newer, work.name, f"-Denv.java.home={home}", "--dry-run").ok()
    said = [line for line in result.text.splitlines() if "made for Java" in line]
    assert said == [f"warning: Flink 2.3.0 is made for Java 11 to 21 and may not run well on Java 25 ({home}/bin/java)"]


def test_too_old_for_main(work, newer, newer_jar, fake, nothing_submitted):
    home = fake("1.8.0_392")
    words = ["run", "-t", "yarn-per-job", *SMALL, f"-Dyarn.application.name={work.name}", "-c", "PrintCollect", newer_jar]
    result = newer.flink(*words, env={"JAVA_HOME": home})
    check_refused(result, "main() cannot run on this machine", "Java 8", f"{home}/bin/java, JAVA_HOME", "env.java.home", "--main cluster")
    # Before the environment comes the configuration, as in Flink's scripts.
    newer.configure({"env.java.home": home})
    result = newer.flink(*words)
    check_refused(result, f"{home}/bin/java, env.java.home")


def test_a_node_whose_java_is_too_old_for_the_jobmanager(work, newer, fake):
    """The variable has a value on the node only, so that this machine cannot tell."""
    home = fake("1.8.0_392")
    result = session(newer, work.name, f"-D{MASTER}=$OLD_JAVA", f"-Dcontainerized.master.env.OLD_JAVA={home}")
    assert result.code == 1, result
    said = r"the JobManager cannot be started on \S+: Flink 2.3.0 is made for Java 11 to 21 and cannot run on Java 8 \("
    assert re.search(said, result.err) and f"{home}/bin/java" in result.err and MASTER in result.err, result
    app = check_gone(work.cluster, result.application, "FAILED")
    assert "cannot run on Java 8" in app["diagnostics"]


@pytest.mark.extended
def test_a_node_whose_java_is_too_old_for_a_taskmanager(work, newer, newer_jar, fake):
    home = fake("1.8.0_392")
    options = [f"-D{WORKER}=$OLD_JAVA", f"-Dcontainerized.taskmanager.env.OLD_JAVA={home}", "--attached"]
    options += ["-Dslot.request.timeout=5000", "-Drestart-strategy.type=none", "-Dresourcemanager.start-worker.retry-interval=1s"]
    result = newer.application(work.name, newer_jar, "WordCount", options=options)
    assert result.code == 1, result
    said = r"TaskManagers? failed at (its|their) start on \S+(; the first)?: the JVM cannot be started on \S+: Flink 2.3.0 is made for Java 11 to 21 and cannot run on Java 8 \("
    assert re.search(said, result.err) and WORKER in result.err, result
    check_gone(work.cluster, result.application, "FAILED")


class Run:
    """A session on which a program has run: Java's major version in its three JVMs."""

    def __init__(self, work, client, jar, *options):
        made = client.session("-nm", work.name, *options)
        made.run(jar, "PrintCollect").ok()
        self.master = Flink(made.url).get("jobmanager/environment")["jvm"]["version"]
        made.stop().ok()
        check_gone(work.cluster, made.application, "SUCCEEDED")
        log = work.cluster.log_text(made.application, "taskmanager.log")
        main = "".join(file.read_text() for file in (client.directory / "logs").glob("flink-*-client-*.log"))
        self.worker, self.main = (versions_in(text)["java"].split(".")[0] for text in (log, main))
        found = re.search(r" - \S+/(\d+)", self.master)
        self.master = found[1]


def test_each_container_its_own(work, client, jar):
    eleven = fetch("java", "11")
    run = Run(work, client, jar, f"-D{MASTER}={eleven}")
    assert (run.master, run.worker, run.main) == ("11", "17", "17")


@pytest.mark.extended
def test_the_taskmanagers_alone(work, client, jar):
    run = Run(work, client, jar, f"-D{WORKER}={fetch('java', '11')}")
    assert (run.master, run.worker, run.main) == ("17", "11", "17")


@pytest.mark.extended
def test_one_for_all(work, newer, newer_jar):
    newer.configure({"env.java.home": fetch("java", "11")})
    run = Run(work, newer, newer_jar)
    assert (run.master, run.worker, run.main) == ("11", "11", "11")


@pytest.mark.extended
def test_up_to_1_20_it_is_the_clients_alone(work, client, jar):
    client.configure({"env.java.home": fetch("java", "11")})
    run = Run(work, client, jar)
    assert (run.master, run.worker, run.main) == ("17", "17", "11")


@pytest.mark.extended
def test_an_old_release_with_the_options_that_it_needs(work, fake):
    """Flink 1.17 on Java 17: not made for it, and it runs where the options open the JDK."""
    flink = fetch_flink("1.17.2")
    client = work.client(flink_home=flink)
    opened = "--add-exports=java.base/sun.net.util=ALL-UNNAMED --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.util=ALL-UNNAMED"
    seventeen = fetch("java", "17")
    run = Run(work, client, job_jar(flink, "1.17.2"), f"-Denv.java.opts.all={opened}", f"-D{MASTER}={seventeen}", f"-D{WORKER}={seventeen}")
    assert (run.master, run.worker) == ("17", "17")


@pytest.mark.extended
def test_a_client_on_java_11_has_stdout_for_itself(work, jar):
    """While it writes down which classes it loads, Java 11 tells of those that it leaves out."""
    client = work.client(java_home=fetch("java", "11"))
    archives = client.home / ".cache/heddle/cds"
    # Of the other scenarios: there an archive may be.
    archives.unlink()
    plan = client.flink("info", "-c", "WordCount", jar).ok().out
    assert plan.splitlines()[0].strip("- ") == "Execution Plan", plan
    assert list(archives.glob("client-*/*.lst")), "no list was written"
    wait_for("the archive, and no list", lambda: list(archives.glob("client-*/*.jsa")) and not list(archives.glob("client-*/*.lst")), 240)


@pytest.mark.extended
@pytest.mark.slow("a Java is made and shipped")
@pytest.mark.skipif(shutil.which("jlink") is None, reason="no jlink on this machine, with which a small Java is made")
def test_a_java_that_is_shipped(work, client, jar, tmp_path):
    """The nodes need none of their own: it is an archive among the shipped ones, and the variables name it
    relative to the container's directory."""
    made = tmp_path / "java/runtime"
    made.parent.mkdir()
    subprocess.run(["jlink", "--add-modules", "ALL-MODULE-PATH", "--strip-debug", "--no-header-files", "--no-man-pages", "--output", made], check=True)
    archive = tmp_path / "java.tar.gz"
    subprocess.run(["tar", "-czf", archive, "-C", made.parent, "runtime"], check=True)
    home = "java.tar.gz/runtime"
    options = [f"-Dyarn.ship-archives={archive}", f"-D{MASTER}=./{home}", f"-D{WORKER}=./{home}"]
    session = client.session("-nm", work.name, *options)
    session.run(jar, "WordCount", seconds=300).ok()
    running = processes.jvms(work.cluster, session.application)
    assert len(running) == 2, running
    for jvm in running:
        # The link leads to the NodeManager's cache.
        assert re.fullmatch(rf".*/filecache/\d+/{re.escape(home)}/bin/java", os.readlink(f"/proc/{jvm.pid}/exe")), jvm
    session.stop().ok()
