"""Programs and SQL scripts on the client that need Hadoop's own classes, such as those that work on tables of
Paimon and Iceberg in HDFS, on a client without HADOOP_CLASSPATH."""

import re
import shutil
from pathlib import Path

import pytest

from conftest import FLINK_VERSION, fetch
from harness.checks import check_gone
from harness.cluster import FINISHED, HADOOP_VERSION
from harness.hadoop.environment import hadoop_directory

pytestmark = [pytest.mark.extended, pytest.mark.heddle_only("it needs HADOOP_CLASSPATH")]

KEY = "heddle.hadoop.jars"
MISSING = "java.lang.ClassNotFoundException: org.apache.hadoop.conf.Configuration"

# In one catalog for both: the table is made, filled by a job, and read by another one.
SCRIPT = """
CREATE CATALOG lake WITH ({catalog}, 'warehouse' = '{warehouse}');
USE CATALOG lake;
CREATE DATABASE weaving;
USE weaving;
CREATE TABLE yarns (name STRING, threads INT);
SET 'execution.runtime-mode' = 'batch';
SET 'sql-client.execution.result-mode' = 'tableau';
SET 'table.dml-sync' = 'true';
INSERT INTO yarns VALUES ('shed', 2), ('pick', 40);
SELECT SUM(threads) AS threads, COUNT(*) AS yarns FROM yarns;
"""
CATALOGS = {"paimon": "'type' = 'paimon'", "iceberg": "'type' = 'iceberg', 'catalog-type' = 'hadoop'"}


@pytest.fixture(scope="module")
def hadoop_client():
    """A directory with Hadoop's jars for clients."""
    return fetch("jars", "hadoop-client")


@pytest.fixture(scope="module")
def lakehouse():
    """The jars of Paimon and Iceberg, by name."""
    if not FLINK_VERSION.startswith("1.20."):
        pytest.skip("the jars are made for Flink 1.20")
    directory = fetch("jars", "lakehouse")
    return {name: next(directory.glob(f"{name}-*.jar")) for name in CATALOGS}


def script(work, name):
    file = work.directory / f"{name}.sql"
    warehouse = f"{work.cluster.fs}{work.hdfs_dir}/{name}"
    file.write_text(SCRIPT.format(catalog=CATALOGS[name], warehouse=warehouse))
    return file


def with_jar(flink_home, jar, directory):
    """A distribution that has one more jar in `lib`."""
    shutil.copytree(flink_home, directory, symlinks=True, ignore=lambda place, _: ["lib"] if Path(place) == flink_home else [])
    (directory / "lib").mkdir()
    for file in [*(flink_home / "lib").iterdir(), jar]:
        (directory / "lib" / file.name).symlink_to(file)
    return directory


def upload(work, files, directory):
    """Puts jars into a directory of HDFS; its URL."""
    path = f"{work.hdfs_dir}/{directory}"
    for file in files:
        work.cluster.hdfs.write(f"{path}/{file.name}", file.read_bytes())
    return f"{work.cluster.fs}{path}"


def check_used(work, result, directory, fs="DistributedFileSystem"):
    """The program has used Hadoop's classes, which have found the cluster's HDFS, and so has Flink."""
    result.ok()
    assert f"default file system: {work.cluster.fs}\n" in result.out, result
    assert f"made by {fs}: true\n" in result.out and "of Flink: HadoopFileSystem\n" in result.out, result
    assert work.cluster.hdfs.status(directory)["type"] == "DIRECTORY"


def plain(client):
    """Without class data archives: those of other class paths would take the place of the ones that all
    scenarios share."""
    client.configure({"heddle.fast-start": "false"})
    return client


def copies(client):
    return sorted((client.home / ".cache/heddle/jars").glob("*/*.jar"), key=lambda copy: copy.name)


@pytest.mark.slow("the SQL client runs two jobs, on a session of its own")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", list(CATALOGS))
def test_tables_in_hdfs(work, sql_flink, lakehouse, hadoop_client, name):
    """Iceberg finds its own classes only beside Flink's, with Flink's own script as well."""
    jar = lakehouse[name]
    client = work.client(flink_home=with_jar(sql_flink, jar, work.directory / "flink") if name == "iceberg" else sql_flink)
    session = client.session("-nm", work.name, "-tm", "2048", "-Dtaskmanager.memory.managed.size=64m")
    words = [*session.target(), *([] if name == "iceberg" else ["-j", jar]), "-f", script(work, name)]
    told = client.run("sql-client.sh", *words, seconds=240)
    assert re.search(r"(ClassNotFoundException|NoClassDefFoundError): org.apache.hadoop.", told.text), told
    [hint] = told.hints()
    assert KEY in hint
    result = client.run("sql-client.sh", f"-D{KEY}={hadoop_client}", *words, seconds=240).ok()
    assert re.search(r"\|\s+42 \|\s+2 \|", result.out), result
    assert not result.hints(), result
    files = work.cluster.hdfs.tree(f"{work.hdfs_dir}/{name}")
    assert any("/yarns/" in path for path in files), files
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


@pytest.mark.parametrize("where", ["hadoop-client", "hadoop"])
def test_jars_of_this_machine(work, session, jar, hadoop_client, where):
    """A directory with Hadoop's two jars for clients, and one with all jars of Hadoop, as a pattern of a
    class path."""
    client, made = plain(work.client()), f"{work.hdfs_dir}/made"
    named = hadoop_client if where == "hadoop-client" else f"{hadoop_directory(HADOOP_VERSION)}/lib/*"
    options = [f"-D{KEY}={named}"]
    check_used(work, session.run(jar, "NeedsHadoop", "--make", made, client=client, options=options), made)
    assert not copies(client), "what is here is not copied"
    # Whoever sets the variable has set everything.
    variables = {"HADOOP_CLASSPATH": f"{hadoop_directory(HADOOP_VERSION)}/lib/*"}
    check_used(work, session.run(jar, "NeedsHadoop", "--make", f"{made}-too", client=client, options=[f"-D{KEY}=/none"], env=variables), f"{made}-too")


def test_jars_in_hdfs_are_copied_once(work, session, jar, hadoop_client):
    client, made = plain(work.client()), f"{work.hdfs_dir}/made"
    at = upload(work, hadoop_client.glob("*.jar"), "hadoop-client")
    options = [f"-D{KEY}={at}"]

    def run():
        return session.run(jar, "NeedsHadoop", "--make", made, client=client, options=options)

    first = run()
    check_used(work, first, made)
    kept = copies(client)
    assert [copy.name for copy in kept] == sorted(file.name for file in hadoop_client.glob("*.jar"))
    assert all(f"Fetching {at}/{copy.name}" in first.out for copy in kept), first
    # If one is no longer what it was, they are copied again.
    kept[0].write_bytes(b"x" * kept[0].stat().st_size)
    second = run()
    check_used(work, second, made)
    assert f"Fetching {at}/{kept[0].name}" in second.out, second
    # Nobody asks HDFS any more.
    work.cluster.hdfs.delete(f"{work.hdfs_dir}/hadoop-client")
    third = run()
    check_used(work, third, made)
    assert "Fetching " not in third.out, third


def test_jars_among_flinks_files_in_hdfs(work, session, jar, flink_home, hadoop_client):
    """`yarn.provided.lib.dirs` has them beside Flink's jars."""
    client, made = plain(work.client()), f"{work.hdfs_dir}/made"
    others = [*hadoop_client.glob("*.jar"), next(flink_home.glob("lib/flink-cep-*.jar"))]
    options = [f"-Dyarn.provided.lib.dirs={upload(work, others, 'lib')}"]
    check_used(work, session.run(jar, "NeedsHadoop", "--make", made, client=client, options=options), made)
    assert len(copies(client)) == len(others) - 1
    off = session.run(jar, "NeedsHadoop", "--make", made, client=client, options=[*options, f"-D{KEY}=none"])
    assert off.code == 1 and KEY in off.hints()[0], off


@pytest.mark.parametrize("mode", ["session", "per-job"])
def test_without_hadoops_classes(work, session, jar, mode):
    """One error with one hint, which names the key."""
    client = work.client()
    if mode == "session":
        result = session.run(jar, "NeedsHadoop", "--make", f"{work.hdfs_dir}/made", client=client)
    else:
        result = client.per_job(work.name, jar, "NeedsHadoop", "--make", f"{work.hdfs_dir}/made")
        for app in work.cluster.yarn.by_name(work.name):
            work.cluster.yarn.wait_state(app["id"], *FINISHED)
    assert result.code == 1 and result.error_lines() == [f"error: the program failed: {MISSING}"], result
    [hint] = result.hints()
    assert KEY in hint and "HADOOP_CLASSPATH" in hint, result


def test_per_job(work, client, jar, hadoop_client):
    made = f"{work.hdfs_dir}/made"
    result = plain(client).per_job(work.name, jar, "NeedsHadoop", "--make", made, options=[f"-D{KEY}={hadoop_client}"])
    check_used(work, result, made)
    check_gone(work.cluster, result.application, "SUCCEEDED")


@pytest.mark.parametrize(("named", "told"), [("/nowhere", "cannot read"), ("{fs}/nowhere", "is no jar and has none")])
def test_jars_that_are_not_there(work, session, jar, named, told):
    """They are missed before `main()` is started."""
    named = named.format(fs=work.cluster.fs)
    result = session.run(jar, "NeedsHadoop", "--make", f"{work.hdfs_dir}/made", client=work.client(), options=[f"-D{KEY}={named}"])
    [error] = result.error_lines()
    assert result.code == 1 and told in error and named in error and KEY in error, result
    assert "default file system" not in result.out
