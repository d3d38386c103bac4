"""Python programs with their environment: on a real PyFlink, and what is refused before anything is
uploaded."""

import io
import os
import re
import shutil
import tarfile
import zipfile
from urllib.parse import urlsplit

import pytest

from conftest import FLINK_VERSION, fetch, workspace_on
from harness.checks import Before, check_gone, check_refused
from harness.client import KEPT
from harness.cluster import ROOT, Cluster

pytestmark = [
    pytest.mark.heddle_only("--py-env is heddle's own option"),
    pytest.mark.timeout(900),
    # One environment, which is packed once.
    pytest.mark.xdist_group("python"),
]

JOB = ROOT / "tests/python/job.py"
# A package that only the environment has.
PACKAGE = 'def loud(word):\n    return word.upper() + "!"\n'
# The processes of Python are in the containers beside the JVMs.
SIZES = [f"-D{role}.memory.process.size=1728m" for role in ("jobmanager", "taskmanager")]
REAL = "it installs, packs and ships PyFlink, 400 MB"
SECONDS = 600


def link(source, copy):
    try:
        os.link(source, copy)
    except OSError:
        shutil.copy2(source, copy)


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    """heddle's cache, in which it packs an environment once for all tests."""
    return tmp_path_factory.mktemp("caches")


@pytest.fixture(scope="module")
def pyflink(tmp_path_factory):
    """An environment with PyFlink and one more package."""
    made = fetch("pyflink", FLINK_VERSION)
    directory = tmp_path_factory.mktemp("python") / "venv"
    shutil.copytree(made, directory, symlinks=True, copy_function=link)
    [packages] = directory.glob("lib/python3.*/site-packages")
    (packages / "heddle_test_package").mkdir()
    (packages / "heddle_test_package/__init__.py").write_text(PACKAGE)
    return directory


@pytest.fixture(scope="module")
def patient(cluster):
    """A cluster that waits for an ApplicationMaster as long as YARN usually does: its node unpacks thousands
    of files before it can start."""
    made = Cluster(f"{cluster.name}-python")
    try:
        made.up(set={"yarn.am.liveness-monitor.expiry-interval-ms": 600000})
        yield made
    finally:
        made.down()


@pytest.fixture
def work(request, tmp_path, flink_home, client_kind):
    place = request.getfixturevalue("patient" if "pyflink" in request.fixturenames else "cluster")
    yield from workspace_on(request, place, tmp_path, flink_home, client_kind)


@pytest.fixture
def client(work, caches):
    made = work.client()
    # A Python that notes what it has compiled would change the environment.
    made.variables |= {"XDG_CACHE_HOME": caches, "PYTHONDONTWRITEBYTECODE": "1"}
    return made


def target(work):
    return [*SIZES, f"-Dyarn.application.name={work.name}"]


def said(work):
    """What the functions have said, and where their Python was."""
    lines = work.cluster.hdfs.read_all(f"{work.hdfs_dir}/out").splitlines()
    return sorted(re.fullmatch(r'"?(\w+!) by (.*?)"?', line).groups() for line in lines)


@pytest.mark.extended
@pytest.mark.slow(REAL)
def test_an_application_with_a_directory(work, client, pyflink):
    out = f"{work.cluster.fs}{work.hdfs_dir}/out"
    words = ["run-application", "-t", "yarn-application", *target(work), "--py-env", pyflink, "-py", JOB, out]
    result = client.flink(*words, seconds=SECONDS).ok()
    assert re.search(rf"WARN +heddle \[\] - {re.escape(str(pyflink))}: bin/python is a link to ", result.out), result
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=SECONDS)
    assert [word for word, _ in said(work)] == ["WARP!", "WEFT!"]
    # YARN has unpacked it beside the containers' other files.
    assert all(prefix.endswith("/heddle-python.tar.gz") for _, prefix in said(work))
    printed = work.cluster.log_text(result.application, "jobmanager.out") + work.cluster.log_text(result.application, "jobmanager.log")
    assert re.search(r"MAIN! by \S+/heddle-python\.tar\.gz", printed), printed[-3000:]


@pytest.mark.extended
@pytest.mark.slow(REAL)
def test_a_second_application_uploads_nothing_and_takes_an_archive_too(work, client, caches, pyflink):
    words = ["run-application", *target(work), "-py", JOB]
    first = client.flink(*words, "--py-env", pyflink, f"{work.cluster.fs}{work.hdfs_dir}/out", seconds=SECONDS).ok()
    check_gone(work.cluster, first.application, "SUCCEEDED", seconds=SECONDS)
    dry = client.flink(*words, "--dry-run", "-v", "--py-env", pyflink, "-").ok()
    lines = [line for line in dry.out.splitlines() if "heddle-python.tar.gz" in line and "ARCHIVE" in line]
    assert lines and not any("to be uploaded" in line for line in lines), dry
    # The packed directory, as somebody would give it who has packed it with venv-pack.
    made = max(caches.glob("heddle/python-env/*/environment.tar.gz"), key=lambda file: file.stat().st_mtime)
    packed = shutil.copy(made, work.directory / "packed.tgz")
    out = f"{work.cluster.fs}{work.hdfs_dir}/again"
    second = client.flink(*words, "--py-env", packed, out, seconds=SECONDS).ok()
    check_gone(work.cluster, second.application, "SUCCEEDED", seconds=SECONDS)
    assert len(work.cluster.hdfs.read_all(f"{work.hdfs_dir}/again").splitlines()) == 2


@pytest.mark.extended
@pytest.mark.slow(REAL)
def test_per_job(work, client, pyflink):
    out = f"{work.cluster.fs}{work.hdfs_dir}/out"
    words = ["run", "-t", "yarn-per-job", *target(work), "--py-env", pyflink, "-py", JOB, out]
    result = client.flink(*words, seconds=SECONDS).ok()
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=SECONDS)
    # main() has used the directory itself, and Flink has unpacked the archive for the functions.
    assert f"MAIN! by {pyflink}" in result.text, result
    assert [word for word, _ in said(work)] == ["WARP!", "WEFT!"]
    assert all(prefix.endswith("/heddle-python") for _, prefix in said(work))


@pytest.mark.extended
@pytest.mark.slow(REAL)
def test_python_without_flink_uses_a_session_by_its_address(work, client, pyflink):
    session = client.session("-nm", work.name, "-tm", "1728", KEPT)
    address = urlsplit(session.url)
    client.configure({"execution.target": "remote", "rest.address": address.hostname, "rest.port": address.port})
    client.configure({"python.executable": pyflink / "bin/python"})
    result = client.run(pyflink / "bin/python", JOB, "-", seconds=SECONDS).ok()
    rows = sorted(line for line in result.out.splitlines() if line.startswith("row:"))
    assert rows == [f"row: {word}! by {pyflink}" for word in ("WARP", "WEFT")], result
    session.stop().ok()


def archive(file, members):
    """An archive of these paths, each with the content of a file, or with the target of a link."""
    with tarfile.open(file, "w:gz") as out:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                out.addfile(entry)
            else:
                entry.size = len(content)
                out.addfile(entry, io.BytesIO(content))
    return file


ARM = b"\x7fELF\x02\x01".ljust(18, b"\0") + b"\xb7\0"
PYFLINK = "lib/python3.11/site-packages/apache_flink-{}.dist-info/METADATA"


@pytest.mark.parametrize(
    "members, words",
    [
        ({"lib/x.py": b""}, "holds no interpreter of Python"),
        ({"bin/python": ARM}, "is a program for aarch64"),
        ({"bin/python": "python3.9"}, "is a link to something that is not in it"),
        ({"bin/python": b"#!/bin/sh\n", PYFLINK.format("1.16.0"): b""}, "holds PyFlink 1.16.0, which does not fit Flink"),
    ],
    ids=["empty", "machine", "link", "release"],
)
def test_environments_that_cannot_work_are_refused(work, client, members, words):
    if words.endswith("aarch64") and os.uname().machine != "x86_64":
        pytest.skip("this is such a machine")
    before = Before(work.cluster)
    file = archive(work.directory / "env.tar.gz", members)
    run = ["run-application", *target(work), "-py", JOB, "--py-env", file]
    check_refused(client.flink(*run), file, words)
    before.check_untouched()


def test_an_interpreter_that_is_not_in_its_archive_is_refused(work, client):
    before = Before(work.cluster)
    file = work.directory / "env.zip"
    with zipfile.ZipFile(file, "w") as out:
        out.writestr("venv/bin/python", "#!/bin/sh\n")
    for verb in (["run-application"], ["run", "-t", "yarn-per-job"]):
        words = [*verb, *target(work), "-pyarch", f"{file}#env", "-pyexec", "env/bin/python", "-py", JOB]
        check_refused(client.flink(*words), "holds no bin/python, which -pyexec names", "did you mean venv/bin/python?")
    both = client.flink("run-application", *target(work), "--py-env", file, "-pyexec", "python", "-py", JOB)
    check_refused(both, "--py-env and -pyexec (python.executable) exclude each other")
    before.check_untouched()
