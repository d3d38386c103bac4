"""Class data archives: made in the background, used by the next deployment, and never in the way."""

import os
import re

import pytest

from conftest import Workspace, fetch, label
from harness.checks import check_gone, own_flink
from harness.class_data import KEPT, SECONDS, Archive, made_or_told, paths
from harness.client import FAST_START
from harness.cluster import Cluster, Flink
from harness.waiting import wait_for

pytestmark = [
    pytest.mark.heddle_only("it has none"),
    pytest.mark.xdist_group("archives"),
    pytest.mark.skipif(not FAST_START, reason="no archives without accelerators"),
]
USED = "the JVM uses a class data archive"
# What a node's own yarn-site.xml says on a cluster whose NodeManagers do not look at address space.
ROOM = "-Dflink.yarn.nodemanager.vmem-check-enabled=false"
STORE = f"/tmp/archives-store-{os.getpid()}"


# Where they do, and YARN may be asked for another container.
CHECKED = "-Dheddle.archive.container=true"
ASKS = "asking YARN for a container in which to make a class data archive"
NEEDS = "a class data archive needs a container of its own"


def deploy(work, *options, client=None, nodes=ROOM):
    """A session, with the ApplicationMaster's log once it is up."""
    client = client or work.client()
    session = client.session("-nm", work.name, f"-Dheddle.store.dir={work.cluster.fs}{STORE}", nodes, *options)
    return session, work.cluster.log_text(session.application, "heddle-am.log")


def end(work, session):
    quiet = work.cluster.log_text(session.application, "jobmanager.out") + work.cluster.log_text(session.application, "jobmanager.err")
    assert "[cds" not in quiet and "archive" not in quiet, quiet
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


@pytest.fixture(scope="module")
def made(cluster, flink_home, jar, client_kind, tmp_path_factory):
    """Archives of both roles, made by a session that has run a job."""
    cluster.hdfs.delete(STORE)
    work = Workspace(cluster, client_kind, tmp_path_factory.mktemp("archives"), flink_home, f"archives-{os.getpid()}")
    # A TaskManager that is given back at once has no time to record.
    session, log = deploy(work, KEPT)
    assert USED not in log
    session.run(jar, "WordCount").ok()
    for role in ("jobmanager", "taskmanager"):
        wait_for(f"an archive for the {role}", lambda role=role: made_or_told(cluster, STORE, session.application, role), SECONDS)
    end(work, session)
    for path, (length, _) in cluster.hdfs.tree(f"{STORE}/cds").items():
        assert Archive.of(path).size == length, path
    assert not cluster.hdfs.tree(f"{STORE}/.incoming")
    work.close()
    yield
    cluster.hdfs.delete(STORE)


@pytest.mark.extended
@pytest.mark.slow("the archives are made on the cluster before")
@pytest.mark.timeout(1200)
def test_the_second_deployment_uses_them(work, made, jar):
    before = work.cluster.hdfs.tree(f"{STORE}/cds")
    session, log = deploy(work)
    assert USED in log, log
    assert "Program execution finished" in session.run(jar, "WordCount").ok().out
    assert USED in work.cluster.log_text(session.application, "heddle-taskrunner.log")
    end(work, session)
    assert work.cluster.hdfs.tree(f"{STORE}/cds") == before


@pytest.mark.extended
def test_damaged_ones_are_told_of_and_left_out(work, made):
    """Cut off: the client tells. Garbled: the node tells. Garbled with the right checksum: the JVM dies of
    it, and is started once more."""
    hdfs = work.cluster.hdfs
    [path] = paths(work.cluster, STORE, "jobmanager")
    whole = Archive.of(path)
    # Each node that used it has a copy.
    [content] = {file.read_bytes() for file in work.cluster.localized(whole.name)}
    hdfs.delete(whole.path)
    # In this order, because of several archives the newest ones count.
    (deadly, _), (garbled, _), (cut, _) = made_bad = [whole.deadly(content), whole.garbled(), whole.cut_off()]
    for archive, data in made_bad:
        hdfs.write(archive.path, data)
    session, log = deploy(work)
    assert re.search(rf"the class data archive \S+{re.escape(cut.path)} is damaged and is left out: it has 5 bytes", session.result.text)
    said = [line for line in log.splitlines() if "WARN" in line and "class data archive" in line]
    assert len(said) == 2 and "hint: delete it" in said[0], said
    assert garbled.name in said[0] and "its checksum is wrong" in said[0]
    assert deadly.name in said[1] and "is started once more without" in said[1]
    assert Flink(session.url).get("overview")["taskmanagers"] == 0
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")
    for archive, _ in made_bad:
        hdfs.delete(archive.path)
    # As if nobody had touched it.
    hdfs.write(whole.path, content)


@pytest.mark.extended
def test_another_jar_of_the_same_name(work, made):
    flink = own_flink(work.flink_home, work.directory / "flink")
    [changed] = (flink / "lib").glob("log4j-1.2-api-*.jar")
    content = changed.read_bytes()
    changed.unlink()
    changed.write_bytes(content + b"\0")  # still a jar, and another one
    session, log = deploy(work, client=work.client(flink_home=flink))
    assert USED not in log, log
    end(work, session)


@pytest.mark.extended
def test_another_java_on_the_node(work, made):
    home = fetch("java", "11")
    session, log = deploy(work, f"-Dcontainerized.master.env.JAVA_HOME={home}")
    assert USED not in log and "not the class data archive of this Java" in log, log
    end(work, session)


@pytest.mark.extended
def test_options_of_the_user_win_and_fast_start_is_a_switch(work, made):
    session, log = deploy(work, "-Denv.java.opts.jobmanager=-Xshare:auto", "-Dheddle.fast-start=true")
    assert USED not in log, log
    end(work, session)
    session, log = deploy(work, "-Dheddle.fast-start=false")
    assert "class data archive" not in log, log
    end(work, session)


@pytest.fixture
def checked(request, cluster, tmp_path, flink_home):
    """NodeManagers that look at address space. Hadoop 3.3 and later do not, whatever vmem-check-enabled says,
    unless cgroups enforce nothing."""
    made = Cluster(f"{cluster.name}-vmem")
    settings = {"yarn.nodemanager.vmem-check-enabled": "true", "yarn.nodemanager.resource.memory.enforced": "false"}
    try:
        made.up(set=settings)
        work = Workspace(made, "heddle", tmp_path, flink_home, label(request))
        yield work
        work.close(getattr(request.node, "failed", True))
    finally:
        made.down()


@pytest.mark.extended
@pytest.mark.slow("a cluster of its own, two deployments, two archives")
@pytest.mark.timeout(1800)
def test_a_container_of_its_own_where_nodes_check_address_space(checked, jar):
    work, cluster = checked, checked.cluster
    # In smaller ones Java alone has more address space than they allow.
    sizes = ["-jm", "1600", "-tm", "1728"]
    session, log = deploy(work, *sizes, KEPT, nodes=CHECKED)
    assert USED not in log
    session.run(jar, "WordCount").ok()
    flink, seen = Flink(session.url), set()

    def made(role):
        seen.add(flink.get("overview")["taskmanagers"])
        return paths(cluster, STORE, role)

    for role in ("jobmanager", "taskmanager"):
        wait_for(f"an archive for the {role}", lambda role=role: made(role), SECONDS)
    assert seen == {1}, "the others are no workers"
    cluster.yarn.wait_workers(session.application, 1)
    log = lambda: cluster.log_text(session.application, "heddle-am.log")  # noqa: E731
    wait_for("their ends in the log", lambda: log().count(": made in container_") == 2, 20)
    assert log().count(ASKS) == 2 and log().count("worker requested") == log().count("TaskManager started") == 1, log()
    assert "worker ended" not in log() and "surplus" not in log(), log()
    told = cluster.log_text(session.application, "heddle-archive.log")
    assert told.count("INFO") == told.count("classes,") == 2, told
    end(work, session)
    assert not cluster.hdfs.tree(f"{STORE}/.incoming")
    session, log = deploy(work, *sizes, nodes=CHECKED)
    assert USED in log, log
    session.run(jar, "WordCount").ok()
    assert USED in cluster.log_text(session.application, "heddle-taskrunner.log")
    assert NEEDS not in cluster.log_text(session.application, "heddle-am.log")
    end(work, session)


@pytest.mark.extended
@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("flink.yarn.nodemanager.vmem-pmem-ratio=0.5", "YARN's largest one has 6144 MiB"),
        ("heddle.archive.container=false", "heddle.archive.container is false"),
    ],
)
def test_no_container_that_yarn_cannot_give_or_that_is_not_wanted(work, option, why):
    """Said at once, and no JVM writes down its classes for nothing."""
    client = work.client()
    client.configure({"heddle.store.dir": f"{work.cluster.fs}{work.hdfs_dir}/store", "heddle.archive.container": "true"})
    session = client.session("-nm", work.name, f"-D{option}")
    log = work.cluster.log_text(session.application, "heddle-am.log")
    assert log.count("no class data archive is made") == 1 and why in log, log
    assert not list(work.cluster.directory.glob(f"nodemanager*/local/usercache/*/appcache/{session.application}/*/.heddle-classes"))
    end(work, session)


@pytest.mark.extended
@pytest.mark.timeout(900)
def test_flinks_client_has_one_of_its_own(work, session, jar):
    client = work.client()
    place = client.home / ".cache/heddle/cds"
    place.unlink()  # other scenarios share one
    loaded = client.directory / "loaded.txt"

    def shared():
        """How many of Flink's classes the run takes from an archive."""
        session.run(jar, "WordCount", client=client, env={"JVM_ARGS": f"-Xlog:class+load:file={loaded}"}).ok()
        return sum(" org.apache.flink." in line and "shared objects file" in line for line in loaded.open())

    assert shared() == 0
    wait_for("an archive for the client", lambda: list(place.glob("client-*/*.jsa")), 240)
    wait_for("nothing but it", lambda: not list(place.glob("client-*/*.lst")), 20)
    assert shared() > 500
    # One that cannot be used is removed, and made anew.
    [archive] = place.glob("client-*/*.jsa")
    archive.chmod(0o600)
    archive.write_bytes(b"short")
    assert shared() == 0 and not archive.exists() or archive.stat().st_size > 5
    # A cache that cannot be written.
    wait_for("made anew", lambda: list(place.glob("client-*/*.jsa")) and not list(place.glob("client-*/*.lst")), 240)
    for file in sorted(place.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    place.rmdir()
    place.write_text("in the way")
    assert shared() == 0
