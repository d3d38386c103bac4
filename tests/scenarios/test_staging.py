"""The store: uploaded once, by whoever comes first, and whole or not at all."""

import re

import pytest

from harness.waiting import wait_for

pytestmark = pytest.mark.heddle_only("it uploads everything for every application")
# <store>/<sha256 prefix>/<sha256>/<name>
STORED = re.compile(r"/([0-9a-f]+)/([0-9a-f]{64})/[^/]+$")


@pytest.fixture
def store(work):
    return f"{work.hdfs_dir}/store"


def option(work, store):
    return f"-Dheddle.store.dir={work.cluster.fs}{store}"


def check_store(work, files):
    assert files
    for path in files:
        found = STORED.search(path)
        assert found and found[2].startswith(found[1]), f"not by its content: {path}"
    names = {path.rpartition("/")[2]: length for path, (length, _) in files.items()}
    for jar in work.flink_home.glob("lib/*.jar"):
        assert names.get(jar.name) == jar.stat().st_size, jar.name


def test_a_second_deployment_uploads_no_byte(work, store):
    client, hdfs = work.client(), work.cluster.hdfs
    first = client.session("-nm", f"{work.name}-1", option(work, store))
    files = hdfs.tree(store)
    check_store(work, files)
    own = hdfs.tree(f"{hdfs.home}/.flink/{first.application}")
    assert sum(length for length, _ in own.values()) < 1_000_000, f"only small files are per application: {own}"
    first.stop().ok()

    other = work.client()  # another home, so nothing is remembered on the client's side
    second = other.session("-nm", f"{work.name}-2", option(work, store))
    assert hdfs.tree(store) == files, "same files, same modification times"
    second.stop().ok()


@pytest.mark.extended
def test_little_more_space_than_needed_is_enough(work, store):
    """HDFS sets a whole block aside for each file that is being written: many at a time must not need a
    hundred MiB each."""
    hdfs = work.cluster.hdfs
    hdfs.mkdir(store)
    hdfs.limit_space(store, 400 << 20)
    session = work.client().session("-nm", work.name, option(work, store))
    check_store(work, hdfs.tree(store))
    session.stop().ok()


def test_two_clients_at_once_both_succeed(work, store):
    started = [
        work.client().start("yarn-session.sh", "-d", "-nm", f"{work.name}-{n}", "-jm", "1024", "-tm", "1024", option(work, store))
        for n in range(2)
    ]
    results = [running.result().ok() for running in started]
    assert len({result.application for result in results}) == 2
    check_store(work, work.cluster.hdfs.tree(store))
    for result, client in zip(results, work.clients):
        client.run("yarn-session.sh", "-id", result.application, stdin="stop\n").ok()
        work.cluster.yarn.wait_state(result.application, "FINISHED")


def test_a_client_killed_while_uploading_leaves_no_half_file(work, store):
    client, hdfs = work.client(), work.cluster.hdfs
    running = client.start("yarn-session.sh", "-d", "-nm", work.name, option(work, store))
    wait_for("the upload", lambda: hdfs.tree(store), 30, every=0.02)
    running.kill()
    sizes = {jar.name: jar.stat().st_size for jar in work.flink_home.glob("lib/*.jar")}
    for path, (length, _) in hdfs.tree(store).items():
        name = path.rpartition("/")[2]
        if STORED.search(path) and name in sizes:
            assert length == sizes[name], f"half a file: {path}"
    session = client.session("-nm", work.name, option(work, store))
    session.stop().ok()


@pytest.mark.extended
def test_a_changed_file_is_uploaded_again(work, store):
    client, hdfs = work.client(), work.cluster.hdfs
    shipped = work.directory / "words.txt"
    shipped.write_text("one")
    client.session("-nm", f"{work.name}-1", option(work, store), "-t", shipped).stop().ok()
    shipped.write_text("two")
    session = client.session("-nm", f"{work.name}-2", option(work, store), "-t", shipped)
    inside = work.cluster.localized("words.txt", session.application)
    assert {file.read_text() for file in inside} == {"two"}
    session.stop().ok()
    assert hdfs.tree(store)


def test_a_damaged_store_is_mended(work, store):
    """What was deleted is uploaded again, and so is what has another size than it should have; the rest is
    left alone."""
    client, hdfs = work.client(), work.cluster.hdfs
    client.session("-nm", f"{work.name}-1", option(work, store)).stop().ok()
    whole = hdfs.tree(store)
    jars = [path for path in whole if path.endswith(".jar")]
    deleted = next(path for path in jars if "flink-csv" in path)
    truncated = next(path for path in jars if "flink-json" in path)
    hdfs.delete(deleted)
    hdfs.write(truncated, "half")
    session = client.session("-nm", f"{work.name}-2", option(work, store))
    mended = hdfs.tree(store)
    assert {path: length for path, (length, _) in mended.items()} == {path: length for path, (length, _) in whole.items()}
    assert {path for path in whole if mended[path] != whole[path]} == {deleted, truncated}
    session.stop().ok()


@pytest.mark.extended
def test_a_cache_that_cannot_be_written_costs_time_only(work, store):
    client = work.client()
    # A file where a directory should be: that stops root, too.
    (work.directory / "cache").write_text("")
    env = {"XDG_CACHE_HOME": work.directory / "cache"}
    session = client.session("-nm", work.name, option(work, store), env=env)
    [warning] = [line for line in session.result.out.splitlines() if "hashes.json" in line]
    assert "WARN" in warning and "reads all files anew" in warning and "XDG_CACHE_HOME" in warning
    session.stop().ok()


@pytest.mark.extended
def test_the_directory_of_the_application_is_private(work, store):
    session = work.client().session("-nm", work.name, option(work, store))
    hdfs = work.cluster.hdfs
    assert hdfs.status(f"{hdfs.home}/.flink/{session.application}")["permission"] == "700"
    session.stop().ok()
    wait_for("removed", lambda: hdfs.status(f"{hdfs.home}/.flink/{session.application}") is None, 20)


@pytest.mark.extended
def test_nobody_can_replace_anothers_files_in_a_common_store(work):
    """A store that everybody may write to is as /tmp: what somebody has put there, nobody else can write
    to."""
    store = f"{work.hdfs_dir}/common"
    work.cluster.hdfs.mkdir(work.hdfs_dir)
    work.cluster.hdfs.mkdir(store, permission="1777")
    client = work.client()
    client.configure({"heddle.store.dir": f"{work.cluster.fs}{store}"})
    client.session("-nm", work.name).stop().ok()
    ahead, seen = [store], []
    while ahead:
        path = ahead.pop()
        for name, status in work.cluster.hdfs.list(path).items():
            if status["type"] == "DIRECTORY":
                ahead.append(f"{path}/{name}")
                seen.append((f"{path}/{name}", status["permission"]))
    assert len(seen) > 20 and {mode for _, mode in seen} == {"755"}, seen
