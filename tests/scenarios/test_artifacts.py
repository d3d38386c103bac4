"""What is uploaded, what is taken from where it lies, and what the containers get of it."""

import re
import shutil
import zipfile

import pytest

from conftest import label
from harness.checks import check_gone, own_flink, program_jar, staging, told_by_main, told_by_task
from harness.cluster import Flink
from harness.waiting import wait_for


@pytest.fixture(scope="module")
def provided(request, cluster, flink_home):
    """Flink's distribution in HDFS, world-readable as an administrator would put it."""
    path = f"/tmp/{label(request)}/flink-dist"
    for part in ("lib", "plugins", "opt"):
        for file in (flink_home / part).rglob("*"):
            if file.is_file():
                cluster.hdfs.write(f"{path}/{file.relative_to(flink_home)}", file.read_bytes())
    yield path
    cluster.hdfs.delete(path.rpartition("/")[0])


def own_places(work, name="1"):
    """A store and a staging area that nobody else looks at, and the options for them."""
    store, base = f"{work.hdfs_dir}/store", f"{work.hdfs_dir}/base-{name}"
    return store, base, [f"-Dheddle.store.dir={work.cluster.fs}{store}", f"-Dyarn.staging-directory={work.cluster.fs}{base}"]


def flink_files(work, files):
    """Those of the paths that end in a name of Flink's own lib/."""
    names = {file.name for file in work.flink_home.glob("lib/*")}
    return [path for path in files if path.rpartition("/")[2] in names]


@pytest.mark.reference(extended=True)
@pytest.mark.parametrize("with_provided", [True, pytest.param(False, marks=pytest.mark.extended)], ids=["provided", "uploaded"])
@pytest.mark.every_hadoop
def test_provided_lib_dirs(work, client, jar, provided, with_provided):
    hdfs, fs = work.cluster.hdfs, work.cluster.fs
    store, base, options = own_places(work)
    dirs = f"{fs}{provided}/lib;{fs}{provided}/plugins"
    options += [f"-Dyarn.provided.lib.dirs={dirs}"] if with_provided else []
    result = client.application(work.name, jar, "Sleepy", "--seconds", "600", options=options).ok()
    staged = [*hdfs.tree(base), *hdfs.tree(store)]
    assert bool(flink_files(work, staged)) != with_provided, staged
    rest = Flink(result.rest)
    [job] = wait_for("the job", rest.jobs)
    rest.wait_job(job, "RUNNING")
    client.flink("cancel", "-t", "yarn-application", f"-Dyarn.application.id={result.application}", job).ok()
    check_gone(work.cluster, result.application, "KILLED")
    assert hdfs.list(f"{base}/.flink") in ({}, None), "the application's own directory is gone"
    assert hdfs.tree(provided), "and what was provided is there"


@pytest.mark.extended
def test_provided_lib_dirs_on_the_class_path(work, client, jar, provided):
    """Flink's jars and the user's in the same order as uploaded ones; plugins only as plugins."""
    fs = work.cluster.fs
    mine = program_jar(jar, work.directory / "job", "z-job.jar")
    dirs = f"{fs}{provided}/lib;{fs}{provided}/plugins"
    result = client.application(work.name, mine, "Surroundings", options=[f"-Dyarn.provided.lib.dirs={dirs}"]).ok()
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=90)
    names = sorted(file.name for file in work.flink_home.glob("lib/*.jar"))
    [dist] = [name for name in names if name.startswith("flink-dist")]
    names.remove(dist)
    for told in (told_by_main(work.cluster, result.application), told_by_task(work.cluster, result.application)):
        assert told.order_of({*names, dist, "z-job.jar"}) == [*names, "z-job.jar", dist]
        assert any(file.startswith("plugins/") for file in told.files)
        assert not [entry for entry in told.class_path if "plugins" in entry]


@pytest.mark.extended
def test_per_job_with_provided_lib_dirs(work, client, jar, provided):
    fs = work.cluster.fs
    # Flink's own client takes no patterns.
    lib, plugins = ("[a-l]*b", "{plug,none}ins") if client.kind == "heddle" else ("lib", "plugins")
    options = [f"-Dyarn.provided.lib.dirs={fs}{provided}/{lib};{fs}{provided}/{plugins}"]
    result = client.per_job(work.name, jar, "WordCount", options=options).ok()
    check_gone(work.cluster, result.application, "SUCCEEDED")


def without_a_class(jar, directory, name):
    """The test jobs in two jars: one without this class, and one that holds nothing else."""
    directory.mkdir(parents=True, exist_ok=True)
    rest, alone = directory / "z-rest.jar", directory / "alone.jar"
    with zipfile.ZipFile(jar) as whole, zipfile.ZipFile(rest, "w") as one, zipfile.ZipFile(alone, "w") as other:
        for entry in whole.namelist():
            (other if entry == f"{name}.class" else one).writestr(entry, whole.read(entry))
        other.writestr("heddle-test.txt", "text beside the class\n")
    return rest, alone


@pytest.mark.parametrize("rule", ["ORDER", pytest.param("DISABLED", marks=pytest.mark.extended)])
def test_provided_usrlib(work, client, jar, rule):
    """A class that is only in a jar of a remote `usrlib`."""
    rest, alone = without_a_class(jar, work.directory / "job", "Options")
    work.cluster.hdfs.write(f"{work.hdfs_dir}/usrlib/alone.jar", alone.read_bytes())
    options = [f"-Dyarn.provided.usrlib.dir={work.cluster.fs}{work.hdfs_dir}/usrlib", f"-Dyarn.classpath.include-user-jar={rule}"]
    result = client.application(work.name, rest, "Surroundings", "--resource", "heddle-test.txt", options=options).ok()
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=90)
    for told in (told_by_main(work.cluster, result.application), told_by_task(work.cluster, result.application)):
        assert told.one("resource-text") == "text beside the class"
        assert "usrlib/alone.jar" in told.files
        assert ("usrlib/alone.jar" in told.class_path) == (rule == "ORDER")


@pytest.mark.parametrize("mode", ["application", pytest.param("per_job", marks=pytest.mark.extended)])
def test_local_usrlib(work, jar, mode):
    """`usrlib/` beside lib/ of the user's Flink."""
    rest, alone = without_a_class(jar, work.directory / "job", "Options")
    home = own_flink(work.flink_home, work.directory / "flink")
    (home / "usrlib").mkdir()
    shutil.copy(alone, home / "usrlib/alone.jar")
    client = work.client(flink_home=home)
    # In per-job mode main() needs the class on the client too, which does not look into usrlib.
    program = rest if mode == "application" else jar
    result = getattr(client, mode)(work.name, program, "Surroundings", "--resource", "heddle-test.txt").ok()
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=90)
    told = told_by_task(work.cluster, result.application)
    assert told.one("resource-text") == "text beside the class"
    assert "usrlib/alone.jar" in told.files


@pytest.mark.reference(extended=True)
@pytest.mark.parametrize(("option", "wanted"), [("-Dyarn.file-replication=4", 4), pytest.param(None, 1, marks=pytest.mark.extended)], ids=["custom", "default"])
@pytest.mark.every_hadoop
def test_file_replication(work, client, jar, option, wanted):
    """Of what is uploaded for the containers; 1 is this cluster's `dfs.replication`."""
    hdfs = work.cluster.hdfs
    store, base, options = own_places(work)
    result = client.application(work.name, jar, "Sleepy", "--seconds", "600", options=[*options, *filter(None, [option])]).ok()
    staged = {path: hdfs.status(path)["replication"] for path in [*hdfs.tree(base), *hdfs.tree(store)]}
    uploaded = {path: number for path, number in staged.items() if re.search(r"(flink-dist-[^/]*|test-jobs)\.jar$", path)}
    assert len(uploaded) == 2, staged
    assert set(uploaded.values()) == {wanted}, staged
    work.cluster.yarn.kill(result.application)
    work.cluster.yarn.wait_state(result.application, "KILLED")


@pytest.mark.heddle_only("it uploads everything for every application")
@pytest.mark.extended
@pytest.mark.parametrize("mode", ["application", "per_job"])
def test_a_second_deployment_uploads_nothing_that_was_seen(work, jar, mode):
    hdfs = work.cluster.hdfs
    store, base, options = own_places(work)
    other = program_jar(jar, work.directory / "other", "other-job.jar")
    with zipfile.ZipFile(other, "a") as changed:
        changed.writestr("another.txt", "so that its content is another")

    def deploy(number, program):
        result = getattr(work.client(), mode)(f"{work.name}-{number}", program, "WordCount", options=options).ok()
        check_gone(work.cluster, result.application, "SUCCEEDED", seconds=90)
        wait_for("the application's own directory gone", lambda: not hdfs.tree(f"{base}/.flink"), 20)
        return hdfs.tree(store) | hdfs.tree(base)

    first = deploy(1, jar)
    assert flink_files(work, first)
    assert deploy(2, jar) == first, "same files, same modification times"
    third = deploy(3, other)
    assert {path: third[path] for path in first} == first
    new = set(third) - set(first)
    assert {path.rpartition("/")[2] for path in new} == {other.name}, new


@pytest.mark.heddle_only("it refuses a remote jar in these modes")
def test_a_jar_in_hdfs_per_job(work, client, jar):
    work.cluster.hdfs.write(f"{work.hdfs_dir}/job.jar", jar.read_bytes())
    result = client.per_job(work.name, f"{work.cluster.fs}{work.hdfs_dir}/job.jar", "PrintCollect").ok()
    assert "collected: 25" in result.out
    check_gone(work.cluster, result.application, "SUCCEEDED")


@pytest.mark.heddle_only("it refuses a remote jar in this mode")
def test_a_jar_in_hdfs_on_a_session(session, cluster, jar, hdfs_dir):
    cluster.hdfs.write(f"{hdfs_dir}/job.jar", jar.read_bytes())
    # A path that the default file system makes whole.
    for path in (f"{cluster.fs}{hdfs_dir}/job.jar", f"hdfs://{hdfs_dir}/job.jar"):
        assert "collected: 25" in session.run(path, "PrintCollect").ok().out


@pytest.mark.extended
def test_the_directory_of_an_application_is_private(work, client, jar):
    result = client.application(work.name, jar, "Sleepy", "--seconds", "600").ok()
    assert staging(work.cluster, result.application)["permission"] == "700"
    work.cluster.yarn.kill(result.application)
    work.cluster.yarn.wait_state(result.application, "KILLED")
    if client.is_heddle and staging(work.cluster, result.application):
        client.flink("list", "-t", "yarn-application", f"-Dyarn.application.id={result.application}")
        check_gone(work.cluster, result.application, "KILLED")


def test_further_class_paths(work, client, jar):
    """`-C`: not uploaded, so it is where every machine has it."""
    rest, alone = without_a_class(jar, work.directory / "job", "Options")
    arguments = ["--resource", "heddle-test.txt"]
    result = client.application(work.name, rest, "Surroundings", *arguments, options=["-C", f"file://{alone}"]).ok()
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=90)
    assert told_by_task(work.cluster, result.application).one("resource-text") == "text beside the class"


@pytest.mark.extended
@pytest.mark.xdist_group("own-cluster")
def test_staging_on_another_file_system(work, client, jar, own_cluster):
    """The files of the containers come from the HDFS of another cluster."""
    other = own_cluster.hdfs
    try:
        other.mkdir(work.hdfs_dir)
        options = [f"-Dyarn.staging-directory={own_cluster.fs}{work.hdfs_dir}"]
        application = client.application(work.name, jar, "WordCount", options=options).ok().application
        check_gone(work.cluster, application, "SUCCEEDED", seconds=90)
        assert not other.list(f"{work.hdfs_dir}/.flink")
        if client.is_heddle:
            assert any(path.endswith(jar.name) for path in other.tree(f"{work.hdfs_dir}/.heddle/private"))
    finally:
        other.delete(work.hdfs_dir)
