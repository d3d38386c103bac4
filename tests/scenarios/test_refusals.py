"""Bad input is refused by its name before anything is uploaded or submitted."""

import socket
import zipfile

import pytest

from harness.checks import check_refused, program_jar
from harness.client import SMALL

pytestmark = pytest.mark.heddle_only("it finds out later, or shows a stack trace")


@pytest.fixture
def refused(work, client):
    """Runs a command that must be refused, and looks whether it has left anything."""

    def check(*command, words, options=(), before=("-t", "yarn-application")):
        base, store = f"{work.hdfs_dir}/base", f"{work.hdfs_dir}/store"
        places = [f"-Dyarn.staging-directory={work.cluster.fs}{base}", f"-Dheddle.store.dir={work.cluster.fs}{store}"]
        verb, *rest = command
        named = [f"-Dyarn.application.name={work.name}", *SMALL]
        check_refused(client.flink(verb, *before, *named, *places, *options, *rest), *words)
        assert not work.cluster.yarn.by_name(work.name), "an application was submitted"
        assert not work.cluster.hdfs.tree(base) and not work.cluster.hdfs.tree(store), "something was uploaded"

    return check


VERBS = pytest.mark.parametrize("how", [("run-application", "yarn-application"), ("run", "yarn-per-job")], ids=lambda how: how[1])


@VERBS
def test_an_unknown_option(refused, jar, how):
    verb, target = how
    refused(verb, "--paralellism", "2", jar, words=["--paralellism", "--parallelism"], before=["-t", target])


@VERBS
def test_an_unknown_class(refused, jar, how):
    verb, target = how
    refused(verb, "-c", "WordCuont", jar, words=["WordCuont", jar.name], before=["-t", target])


@VERBS
def test_a_jar_without_a_manifest(work, refused, jar, how):
    verb, target = how
    bare = work.directory / "bare.jar"
    with zipfile.ZipFile(jar) as whole, zipfile.ZipFile(bare, "w") as made:
        made.writestr("WordCount.class", whole.read("WordCount.class"))
    refused(verb, bare, words=[bare, "-c"], before=["-t", target])


@VERBS
def test_no_jar(work, refused, how):
    verb, target = how
    plain, missing = work.directory / "job.jar", work.directory / "no-such.jar"
    plain.write_text("this is no jar")
    refused(verb, "-c", "WordCount", plain, words=[plain], before=["-t", target])
    refused(verb, "-c", "WordCount", missing, words=[missing], before=["-t", target])
    refused(verb, "-c", "WordCount", work.directory, words=[work.directory], before=["-t", target])


@VERBS
def test_a_remote_jar_that_is_not_there(work, refused, how):
    verb, target = how
    missing = f"{work.cluster.fs}{work.hdfs_dir}/no-such.jar"
    refused(verb, "-c", "WordCount", missing, words=[missing], before=["-t", target])


def test_two_jars_in_application_mode(work, refused, jar):
    other = program_jar(jar, work.directory / "other", "other.jar")
    refused("run-application", "-c", "WordCount", words=["one jar", other], options=[f"-Dpipeline.jars=file://{jar};file://{other}"])


def test_nothing_to_run(refused):
    refused("run", words=["jar"], before=["-t", "yarn-per-job"])


@VERBS
def test_a_property_without_a_value(refused, jar, how):
    verb, target = how
    refused(verb, "-Dparallelism.default", "-c", "WordCount", jar, words=["parallelism.default", "="], before=["-t", target])


@pytest.mark.parametrize(("key", "kind"), [("yarn.ship-archives", "suffix"), ("yarn.ship-archives", "directory"), ("yarn.ship-files", "usrlib")])
def test_what_cannot_be_shipped(work, refused, jar, key, kind):
    name = {"suffix": "archive.rar", "directory": "archive.zip", "usrlib": "usrlib"}[kind]
    path = work.directory / name
    if kind == "suffix":
        path.write_text("?")
    else:
        path.mkdir()
    words = {"suffix": [".tar.gz", ".zip"], "directory": ["directory"], "usrlib": ["yarn.provided.usrlib.dir"]}[kind]
    refused("run-application", "-c", "WordCount", jar, words=[path, *words], options=[f"-D{key}={path}"])


@pytest.mark.parametrize("key", ["yarn.ship-files", "yarn.ship-archives", "yarn.provided.lib.dirs", "yarn.provided.usrlib.dir"])
def test_a_remote_path_that_is_not_there(work, refused, jar, key):
    name = {"yarn.ship-archives": "gone.zip", "yarn.provided.usrlib.dir": "gone/usrlib"}.get(key, "gone")
    path = f"{work.cluster.fs}{work.hdfs_dir}/{name}"
    refused("run-application", "-c", "WordCount", jar, words=[key, path], options=[f"-D{key}={path}"])


@pytest.mark.parametrize("key", ["yarn.provided.lib.dirs", "yarn.provided.usrlib.dir"])
def test_a_provided_directory_of_this_machine(work, refused, jar, key, flink_home):
    path = flink_home / "lib" if key == "yarn.provided.lib.dirs" else work.directory / "usrlib"
    path.mkdir(exist_ok=True)
    refused("run-application", "-c", "WordCount", jar, words=[key, path], options=[f"-D{key}={path}"])


def test_a_pattern_that_matches_nothing(work, refused, jar):
    work.cluster.hdfs.write(f"{work.hdfs_dir}/flink-dist/lib/some.jar", b"")
    path = f"{work.cluster.fs}{work.hdfs_dir}/flink-dist"
    options = [f"-Dyarn.provided.lib.dirs={path}/l?bs*"]
    refused("run-application", "-c", "WordCount", jar, words=["nothing matches", f"{path}/l?bs*", f"{path} holds lib"], options=options)


def test_provided_directories_without_flink(work, refused, jar):
    work.cluster.hdfs.write(f"{work.hdfs_dir}/lib/some.jar", b"")
    path = f"{work.cluster.fs}{work.hdfs_dir}/lib"
    refused("run-application", "-c", "WordCount", jar, words=["flink-dist", "yarn.provided.lib.dirs"], options=[f"-Dyarn.provided.lib.dirs={path}"])


def test_a_provided_usrlib_of_another_name(work, refused, jar):
    work.cluster.hdfs.write(f"{work.hdfs_dir}/jars/some.jar", b"")
    path = f"{work.cluster.fs}{work.hdfs_dir}/jars"
    refused("run-application", "-c", "WordCount", jar, words=["yarn.provided.usrlib.dir", path, "usrlib"], options=[f"-Dyarn.provided.usrlib.dir={path}"])


def test_an_unknown_queue(refused, jar):
    refused("run-application", "-c", "WordCount", jar, words=["qa-taem", "qa-team"], options=["-Dyarn.application.queue=qa-taem"])


def test_a_value_that_is_none_of_its_kind(refused, jar):
    rule = "yarn.classpath.include-user-jar"
    refused("run-application", "-c", "WordCount", jar, words=[rule, "SOMETIMES", "FIRST"], options=[f"-D{rule}=SOMETIMES"])


def test_an_unknown_key_is_a_warning(work, client):
    """`yarn.*` and `heddle.*` are known to the last key; anything else may be a plugin's."""
    words = ["-d", "-jm", "1024", "-tm", "1024", "-nm", work.name, "-Dyarn.aplication.queue=qa-team", "-Dmy.own.key=1"]
    result = client.run("yarn-session.sh", *words).ok()
    warned = [line for line in result.text.splitlines() if "yarn.aplication.queue" in line]
    assert len(warned) == 1 and " WARN " in warned[0] and "yarn.application.queue" in warned[0], result
    assert "my.own.key" not in result.text
    client.run("yarn-session.sh", "-id", result.application, stdin="stop\n").ok()


def test_a_submission_on_a_session(refused, jar):
    """A retry would run the job twice; refused whether the session is there or not."""
    for where in (["-t", "yarn-session", "-Dyarn.application.id=application_1_0001"], ["-m", "localhost:1"], ["-t", "remote", "--main", "cluster"]):
        refused("run", "--submission", "nightly", "-c", "WordCount", jar, words=["--submission nightly", "run-application"], before=where)


def test_nobody_listens(client, jar):
    """Known before `main()` is started, whichever way the command is led to the address."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    client.configure({"rest.port": port})
    program, job = ["-c", "PrintCollect", jar], "0" * 32
    verbs = [["run", *program], ["run", "--main", "cluster", *program], ["list"]]
    verbs += [[verb, job] for verb in ("cancel", "stop", "savepoint", "checkpoint")]
    for where, advice in (([], "yarn-session.sh -d"), (["-m", f"localhost:{port}"], "heddle ps"), (["-t", "remote"], "heddle ps")):
        for verb, *rest in verbs:
            result = client.flink(verb, *where, *rest)
            check_refused(result, f"localhost:{port}: Connection refused", advice)
            assert not result.out and result.seconds < 3, (result.seconds, result)


def test_more_than_the_queue_can_ever_give(work, refused, jar):
    """A container may be larger than all that the queue may have."""
    total = work.cluster.yarn.get("metrics")["clusterMetrics"]["totalMB"]
    options = ["-Dyarn.application.queue=narrow", f"-Djobmanager.memory.process.size={total // 10 + 100}m"]
    refused("run-application", "-c", "WordCount", jar, words=["narrow", f"{total} MB", "JobManager", "qa-team"], options=options)
    options = ["-Dyarn.application.queue=narrow", f"-Dtaskmanager.memory.process.size={total // 10}m"]
    refused("run-application", "-c", "WordCount", jar, words=["narrow", f"{total} MB", "TaskManager"], options=options)


@pytest.mark.parametrize("key", ["yarn.application.node-label", "yarn.taskmanager.node-label"])
def test_an_unknown_node_label(refused, jar, key):
    refused("run-application", "-c", "WordCount", jar, words=[key, "no-such-label"], options=[f"-D{key}=no-such-label"])


def test_an_unknown_resource(refused, jar):
    options = ["-Dexternal-resources=gpu", "-Dexternal-resource.gpu.amount=1", "-Dexternal-resource.gpu.yarn.config-key=yarn.io/gpu"]
    refused("run-application", "-c", "WordCount", jar, words=["yarn.io/gpu", "memory-mb"], options=options)


def test_a_cluster_with_kerberos(work, client):
    """Without a ticket; test_kerberos_errors.py has the rest, on such a cluster."""
    options = ["-Dyarn.application.id=application_1_0001", "-Dflink.hadoop.hadoop.security.authentication=kerberos"]
    result = client.flink("list", "-t", "yarn-application", *options, env={"KRB5CCNAME": f"FILE:{work.directory}/none"})
    check_refused(result, "Kerberos")


def test_tls_that_cannot_work(work, client, refused, jar):
    """A key that is missing and a truststore that cannot be read are found before anything is uploaded."""
    tls = "-Dsecurity.ssl.rest.enabled=true"
    refused("run-application", "-c", "WordCount", jar, words=["security.ssl.rest.keystore"], options=[tls])
    missing = work.directory / "none.jks"
    key = [f"-Dsecurity.ssl.rest.{name}=x" for name in ("keystore", "keystore-password", "key-password", "truststore-password")]
    trust = [tls, f"-Dsecurity.ssl.rest.truststore={missing}"]
    refused("run-application", "-c", "WordCount", jar, words=[missing, "security.ssl.rest.truststore"], options=[*trust, *key])
    check_refused(client.flink("list", "-m", "localhost:1", *trust, key[-1]), missing)
    check_refused(client.flink("list", "-m", "localhost:1", *trust), "security.ssl.rest.truststore-password")


def test_a_key_of_heddles_and_one_of_the_user(refused, jar):
    options = ["-Dheddle.security.internal-ssl=true", "-Dsecurity.ssl.internal.keystore=mine.jks"]
    words = ["heddle.security.internal-ssl", "security.ssl.internal.keystore"]
    refused("run-application", "-c", "WordCount", jar, words=words, options=options)


@pytest.mark.parametrize(("key", "value"), [("rest.bind-port", "70000"), ("taskmanager.rpc.port", "5-abc")])
def test_a_port_that_is_none(refused, jar, key, value):
    refused("run-application", "-c", "WordCount", jar, words=[key, value], options=[f"-D{key}={value}"])


def test_a_tag_that_yarn_does_not_take(refused, jar):
    refused("run-application", "-c", "WordCount", jar, words=["yarn.tags", "größe"], options=["-Dyarn.tags=größe"])


def test_an_archive_that_is_none(work, refused, jar):
    """Here and in HDFS."""
    here, there = work.directory / "none.tar.gz", f"{work.hdfs_dir}/none.zip"
    here.write_text("no archive")
    work.cluster.hdfs.write(there, b"no archive")
    for archive, words in [(here, "gzip"), (f"{work.cluster.fs}{there}", "zip archive")]:
        refused("run-application", "-c", "WordCount", jar, words=["yarn.ship-archives", archive, words], options=[f"-Dyarn.ship-archives={archive}"])


@VERBS
def test_a_savepoint_that_is_not_there(work, refused, jar, how):
    verb, target = how
    work.cluster.hdfs.write(f"{work.hdfs_dir}/savepoints/savepoint-1/_metadata", b"")
    for name, word in [("gone", "does not exist"), ("savepoints", "_metadata")]:
        path = f"{work.cluster.fs}{work.hdfs_dir}/{name}"
        refused(verb, "-s", path, "-c", "WordCount", jar, words=[path, word], before=["-t", target])
