"""A secured cluster (Kerberos): every kind of deployment and every command, by a keytab and by tickets of
kinit.

The scenarios about Kerberos share one cluster, one after another; those that need other settings have one of
their own.
"""

import json
import re
import socket
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conftest import FLINK_VERSION, fetch, secured_of
from harness import class_data, credentials, processes
from harness.availability import counting
from harness.capture import Capture, cannot_capture
from harness.checks import check_gone, own_flink, staging
from harness.client import FAST_START, SMALL
from harness.cluster import Flink
from harness.credentials import HDFS, Identity
from harness.hadoop.environment import Failure
from harness.hadoop.parts.kerberos import kinit, program
from harness.kerberos import (
    ALICE, BOB, KEYTAB, REALM, TICKETS, SecuredApplication, keytab_settings, member, sql_gateway, tokens_in,
    uncancelled, word_count,
)  # fmt: skip
from harness.waiting import wait_for

pytestmark = [pytest.mark.xdist_group("kerberos-cluster"), pytest.mark.timeout(600)]

def name_of_loopback():
    try:
        return socket.gethostbyaddr("127.0.0.1")[0]
    except OSError:
        return None


@pytest.fixture
def work(secured_work):
    return secured_work


PLAIN = [("session", KEYTAB), ("per-job", TICKETS), ("application", KEYTAB)]
OTHERS = [("session", TICKETS), ("per-job", KEYTAB), ("application", TICKETS)]


@pytest.mark.every_hadoop
@pytest.mark.slow("the first of them starts the secured cluster")
@pytest.mark.reference(extended=True)
@pytest.mark.parametrize(("mode", "by"), [*PLAIN, *(pytest.param(*other, marks=pytest.mark.extended) for other in OTHERS)])
def test_word_count(work, jar, mode, by):
    """Each mode works with either login, as its user, whatever HADOOP_USER_NAME says, and leaves nothing."""
    client = member(work, by=by)
    client.variables["HADOOP_USER_NAME"] = BOB
    word_count(work, client, jar, mode, FLINK_VERSION)


@pytest.mark.reference(extended=True)
def test_everyday_commands(work, jar):
    """A session that was deployed by a keytab obeys tickets of the same user: list, savepoint, cancel, run
    from the savepoint, stop with another one, and the end."""
    session = member(work).session("-nm", work.name)
    other = member(work, by=TICKETS)
    if other.is_heddle:
        [told] = json.loads(other.run("heddle", "ps", session.application, "--output", "json").ok().out)
        assert told["tokens"]["replaced"] and told["tokens"]["ends"], told
        assert told["askedAs"]["principal"] == f"{ALICE}@{REALM}", told
    savepoints = f"{work.cluster.fs}{work.hdfs_dir}/savepoints"

    def started(*options):
        job = session.run(jar, "Counting", *counting(work), options=["-d", *options], client=other).ok().job
        rest = Flink(session.url)
        rest.wait_job(job, "RUNNING")
        wait_for("a checkpoint", lambda: rest.get(f"jobs/{job}/checkpoints")["counts"]["completed"])
        return job

    def path(result):
        found = re.search(r"Savepoint completed\. Path: (\S+)", result.ok().out)
        assert found, result
        assert work.cluster.hdfs.status(re.sub(r"^hdfs://[^/]*|^hdfs:", "", found[1]) + "/_metadata")["owner"] == ALICE
        return found[1]

    job = started()
    assert f"{job} : Counting (RUNNING)" in other.flink("list", *session.target()).ok().out
    saved = path(other.flink("savepoint", *session.target(), job, savepoints))
    other.flink("cancel", *session.target(), job).ok()
    Flink(session.url).wait_job(job, "CANCELED")
    job = started("-s", saved)
    path(other.flink("stop", *session.target(), "-p", savepoints, job))
    assert Flink(session.url).jobs()[job] == "FINISHED"
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


def keytabs_in(work, application):
    """The files in the application's directory that are alice's keytab."""
    content, hdfs = work.cluster.keytab(ALICE).read_bytes(), work.cluster.hdfs
    files = hdfs.tree(f"{hdfs.home}/.flink/{application}")
    return [path for path, (length, _) in files.items() if length == len(content) and hdfs.read_bytes(path) == content]


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_a_keytab_that_is_on_every_node(work, jar):
    """With `ship-local-keytab` false it is not uploaded, and the JobManager logs in by that of the node."""
    client, there = member(work), work.directory / "on-every-node.keytab"
    there.write_bytes(work.cluster.keytab(ALICE).read_bytes())
    there.chmod(0o600)
    options = ["-Dyarn.security.kerberos.ship-local-keytab=false", f"-Dyarn.security.kerberos.localized-keytab-path={there}"]
    session = client.session("-nm", work.name, *options)
    assert not keytabs_in(work, session.application)
    log = work.cluster.log_text(session.application, "jobmanager.log")
    assert str(there) in log and f"{ALICE}@{REALM}" in log
    session.run(jar, "WordCount").ok()
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


@pytest.mark.extended
@pytest.mark.heddle_only("everybody may read its keytab, though not the directory in which it is")
def test_a_keytab_is_private_to_its_application(work):
    """It is uploaded into the application's directory, for its owner alone, under the name that containers
    know it by."""
    client = member(work)
    name = "of-alice.keytab"
    session = client.session("-nm", work.name, f"-Dyarn.security.kerberos.localized-keytab-path={name}")
    [uploaded] = keytabs_in(work, session.application)
    status = work.cluster.hdfs.status(uploaded)
    assert (status["owner"], status["permission"]) == (ALICE, "600")
    assert work.cluster.localized(name, session.application), "it is in the container"
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.parametrize("mode", ["session", "per-job"])
def test_main_reads_and_writes_hdfs(work, jar, mode):
    """main() on the client works on HDFS as its user."""
    client, directory = member(work, by=TICKETS), f"{work.hdfs_dir}/of-main"
    work.cluster.hdfs.mkdir(directory, "777")
    work.cluster.hdfs.write(f"{directory}/text.txt", "a first line\nand a second\n")
    arguments = ("ReadsHdfsInMain", "--dir", f"{work.cluster.fs}{directory}")
    if mode == "session":
        session = client.session("-nm", work.name)
        result = session.run(jar, *arguments).ok()
        session.stop().ok()
        application = session.application
    else:
        result = client.per_job(work.name, jar, *arguments).ok()
        application = result.application
    assert "first line: a first line" in result.out and "rename: true" in result.out, result
    assert work.cluster.hdfs.status(f"{directory}/written.txt")["owner"] == ALICE
    check_gone(work.cluster, application, "SUCCEEDED")


@pytest.mark.extended
@pytest.mark.heddle_only("it needs HADOOP_CLASSPATH")
@pytest.mark.parametrize("by", [KEYTAB, TICKETS])
def test_main_uses_hadoops_own_client(work, jar, by):
    """So does a program that gets Hadoop's classes from heddle: as its user."""
    client, made = member(work, by=by), f"{work.hdfs_dir}/made"
    # Archives of other class paths would take the place of those that all scenarios share.
    client.configure({"heddle.fast-start": "false"})
    session = client.session("-nm", work.name)
    options = [f"-Dheddle.hadoop.jars={fetch('jars', 'hadoop-client')}"]
    result = session.run(jar, "NeedsHadoop", "--make", made, options=options).ok()
    assert "made by DistributedFileSystem: true" in result.out, result
    assert work.cluster.hdfs.status(made)["owner"] == ALICE
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


@pytest.fixture
def store(work):
    """A store of alice's that everybody may read. It is in a directory of the superuser's, so nobody else can
    have put it there."""
    hdfs, above = work.cluster.hdfs, f"/tmp/{work.name}-common"
    hdfs.mkdir(above)
    hdfs.mkdir(f"{above}/store")
    hdfs.give(f"{above}/store", ALICE)
    yield f"{above}/store"
    hdfs.delete(above)


@pytest.mark.extended
@pytest.mark.heddle_only("it has neither a store nor archives")
@pytest.mark.skipif(not FAST_START, reason="no archives without accelerators")
@pytest.mark.timeout(2 * class_data.SECONDS)
def test_a_common_store_and_archives(work, store, jar):
    """Artifacts and class data archives in a store for everybody: what alice's session brings, bob's session
    runs from. He trusts it because she is the store's owner: in a store of somebody else's, even one to which
    both may write, nobody runs what another user has brought."""
    hdfs = work.cluster.hdfs
    options = [f"-Dheddle.store.dir={work.cluster.fs}{store}", "-Dflink.yarn.nodemanager.vmem-check-enabled=false", class_data.KEPT]
    used = "the JVM uses a class data archive"
    for name in (ALICE, BOB):
        session = member(work, name).session("-nm", f"{work.name}-{name}", *options)
        assert not [word for word in ("is not used", "private store", "not looked for") if word in session.result.text], session.result
        assert (used in work.cluster.log_text(session.application, "heddle-am.log")) == (name == BOB)
        session.run(jar, "WordCount").ok()
        for role in ("jobmanager", "taskmanager"):
            made = lambda role=role, app=session.application: class_data.made_or_told(work.cluster, store, app, role)  # noqa: E731
            wait_for(f"an archive for the {role}", made, class_data.SECONDS, every=1)
        session.stop().ok()
        check_gone(work.cluster, session.application, "SUCCEEDED", files=name == ALICE)
    owners = {hdfs.status(path)["owner"] for path in hdfs.tree(store) if "/flink-dist" in path}
    assert owners == {ALICE}, "bob has brought his own"


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_sql(work, sql_flink):
    """A script on a session, whose table is in HDFS. With heddle all that the program does in HDFS is by one
    token, which is cancelled at its end."""
    client = member(work, by=TICKETS, flink_home=sql_flink)
    session = client.session("-nm", work.name)
    script = work.directory / "squares.sql"
    script.write_text(f"""
CREATE TABLE numbers (n INT) WITH ('connector' = 'datagen', 'number-of-rows' = '10', 'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '10');
CREATE TABLE squares (n INT, square INT) WITH ('connector' = 'filesystem', 'path' = '{work.cluster.fs}{work.hdfs_dir}/squares', 'format' = 'csv');
SET 'execution.runtime-mode' = 'batch';
SET 'table.dml-sync' = 'true';
INSERT INTO squares SELECT n, n * n FROM numbers;
""")
    where = ["-Dexecution.target=yarn-session", f"-Dyarn.application.id={session.application}"]
    before, _ = tokens_in(work.cluster.daemon_log("namenode"), ALICE)
    client.run("sql-client.sh", *where, "-f", script, seconds=300).ok()
    assert "7,49" in work.cluster.hdfs.read_all(f"{work.hdfs_dir}/squares").split()
    if client.is_heddle:
        given, _ = tokens_in(work.cluster.daemon_log("namenode"), ALICE)
        assert len(given - before) == 1, given - before
        wait_for("the token cancelled", lambda: not uncancelled(work.cluster, ALICE, before), 20)
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


@pytest.mark.extended
@pytest.mark.heddle_only("it logs in by Java's Kerberos")
@pytest.mark.parametrize("verb", ["start-foreground", "start"])
def test_a_sql_gateway_has_tokens_while_it_runs(work, sql_flink, verb):
    """The keytab of the command line is sufficient for it, also where the command ends and leaves the gateway
    in the background. Nothing is left when the gateway has ended."""
    client = member(work, by=None, flink_home=sql_flink)
    client.variables["FLINK_PID_DIR"] = str(client.directory)
    login = [f"-D{key}={value}" for key, value in keytab_settings(work.cluster.keytab(ALICE), ALICE).items()]
    session = client.session("-nm", work.name, *login)
    before, _ = tokens_in(work.cluster.daemon_log("namenode"), ALICE)
    where = ["-Dexecution.target=yarn-session", f"-Dyarn.application.id={session.application}"]
    command, gateway = sql_gateway(client, verb, *where, *login)
    if verb == "start":
        command.result(60).ok()
    file = Path(gateway.environment["HADOOP_TOKEN_FILE_LOCATION"])
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent)] == [0o600, 0o700]
    [token] = credentials.of_file(file).of_kind(HDFS)
    assert Identity.of(token).owner == f"{ALICE}@{REALM}"
    assert uncancelled(work.cluster, ALICE, before)
    client.run("sql-gateway.sh", "stop").ok()
    wait_for("the gateway gone", lambda: not gateway.alive())
    wait_for("the file gone", lambda: not file.parent.exists(), 20)
    wait_for("the tokens cancelled", lambda: not uncancelled(work.cluster, ALICE, before), 20)
    # Cancelling is the last thing that the process does which has kept them.
    kept = lambda: [p for p in processes.with_words("client-tokens") if p.environment.get("HOME") == str(client.home)]  # noqa: E731
    wait_for("nobody keeps tokens any more", lambda: not kept(), 20)
    session.stop(*login).ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


@pytest.mark.extended
@pytest.mark.heddle_only("its gateway has neither tickets nor a token")
def test_a_sql_gateway_with_hadoops_classes(work, sql_flink):
    """By a keytab, and without tickets, it has one token, which Hadoop's client reads once. So its start says
    how long it can use HDFS."""
    client = member(work, flink_home=sql_flink)
    client.variables |= {"FLINK_PID_DIR": str(client.directory), "HADOOP_CLASSPATH": work.cluster.reference_hadoop_classpath}
    client.variables["JVM_ARGS"] = f"-Djava.security.krb5.conf={work.cluster.krb5_conf}"
    session = client.session("-nm", work.name)
    where = ["-Dexecution.target=yarn-session", f"-Dyarn.application.id={session.application}"]
    command, gateway = sql_gateway(client, "start", *where)
    said = command.result(60).ok()
    [token] = credentials.of_file(gateway.environment["HADOOP_TOKEN_FILE_LOCATION"]).of_kind(HDFS)
    ends = datetime.fromtimestamp(Identity.of(token).latest // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    assert re.search(rf"^warning: sql-gateway.sh can use HDFS until {ends}", said.err, re.MULTILINE), said
    client.run("sql-gateway.sh", "stop").ok()
    wait_for("the gateway gone", lambda: not gateway.alive())
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.skipif(name_of_loopback() != "localhost", reason="127.0.0.1 has another name than the servers' principals")
def test_principals_with_the_hosts_name(work, jar):
    """`_HOST` in the principals of ResourceManager and NameNode is the name that the server's address has."""
    client = member(work)
    keys = {"yarn.resourcemanager.principal": "rm", "dfs.namenode.kerberos.principal": "nn"}
    client.configure({f"flink.hadoop.{key}": f"{service}/_HOST@{REALM}" for key, service in keys.items()})
    word_count(work, client, jar, "application", FLINK_VERSION)


def of_a_directory(client):
    """A collection of caches, of which one is in use."""
    return f"DIR:{client.directory}/tickets-of-alice"


def of_the_kernel(client):
    """The kernel's keyring of this user, for tests alone."""
    return f"KEYRING:user:{client.directory.parent.name}"


def of_a_daemon(client):
    """SSSD's, or Heimdal's."""
    return "KCM:"


@pytest.mark.extended
@pytest.mark.heddle_only("Java reads caches in files alone")
@pytest.mark.parametrize("kind", [of_a_directory, of_the_kernel, of_a_daemon], ids=lambda kind: kind.__name__)
def test_tickets_in_other_caches(work, jar, kind):
    """Whatever cache the library has its tickets in: main() on the client, which runs in a JVM, has
    tokens."""
    client = member(work, by=None)
    cache = client.variables["KRB5CCNAME"] = kind(client)
    try:
        kinit(work.cluster, ALICE, cache)
    except Failure as why:
        pytest.skip(f"there is no such cache here: {why}")
    try:
        assert f"logged in as {ALICE}@{REALM}" in client.run("heddle", "ps").ok().out
        word_count(work, client, jar, "per-job", FLINK_VERSION)
    finally:
        variables = work.cluster.environment() | {"KRB5CCNAME": cache}
        subprocess.run([program("kdestroy")], env=variables, capture_output=True, timeout=60)


@pytest.mark.heddle_only("it has neither")
def test_who_one_is(work, jar):
    """A dry run says as whom and how one has logged in, and `heddle ps` lists what is one's own."""
    client = member(work)
    words = ["-t", "yarn-application", *SMALL, f"-Dyarn.application.name={work.name}", "--dry-run"]
    for more in ([], ["--output", "json"]):
        said = client.flink("run-application", *words, *more, "-c", "WordCount", jar).ok()
        assert f"{ALICE}@{REALM}" in said.out and work.cluster.fs in said.out, said
    assert not work.cluster.yarn.by_name(work.name)
    listed = member(work, by=TICKETS).run("heddle", "ps").ok()
    assert f"logged in as {ALICE}@{REALM}" in listed.out, listed


@pytest.mark.extended
@pytest.mark.heddle_only("it looks for the file at the root of the file system: file:/mine.keytab does not exist")
def test_a_keytab_named_by_a_relative_path(work, jar):
    """It counts from the directory in which the command is called."""
    client = member(work, by=None)
    (client.directory / "mine.keytab").write_bytes(work.cluster.keytab(ALICE).read_bytes())
    client.configure(keytab_settings("mine.keytab", ALICE))
    word_count(work, client, jar, "application", FLINK_VERSION)


# ---- clusters with other settings

HEARD = "a-marker-of-the-wire"
# What the cluster does -> what can be heard of names at the NameNode, and of contents at the DataNode.
WIRES = {
    "integrity": ({"protection": "integrity"}, True, True),
    "privacy": ({"protection": "privacy"}, False, False),
    "privacy-aes": ({"protection": "privacy", "set": {"dfs.encrypt.data.transfer.cipher.suites": "AES/CTR/NoPadding"}}, False, False),
    "encrypted-transfer": ({"set": {"dfs.encrypt.data.transfer": "true"}}, True, False),
}  # fmt: skip


@pytest.fixture(params=WIRES)
def protected(request, cluster, tmp_path, flink_home, client_kind):
    options, *heard = WIRES[request.param]
    for work in secured_of(request, cluster, request.param, tmp_path, flink_home, client_kind, **options):
        work.heard = heard
        yield work


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own")
@pytest.mark.skipif(cannot_capture() is not None, reason=str(cannot_capture()))
def test_protections(protected, jar):
    """A session by a keytab and a job on HDFS with integrity, privacy and encrypted transfer; what is said on
    the ports of NameNode and DataNode can be heard where it is not encrypted, and nowhere else."""
    work, ports = protected, protected.cluster.ports
    directory, text = f"{work.hdfs_dir}/{HEARD}", f"{HEARD} " * 100
    work.cluster.hdfs.write(f"{directory}/words.txt", text)
    client = member(work)
    # Jars go to the DataNode as well; they are many, and not what is looked for.
    client.session("-nm", f"{work.name}-first").stop().ok()
    with Capture(work.directory / "loopback.pcap") as capture:
        session = client.session("-nm", work.name)
        at = f"{work.cluster.fs}{directory}"
        session.run(jar, "WordCount", "--input", at, "--output", f"{at}-counted").ok()
        session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")
    assert "marker,100" in work.cluster.hdfs.read_all(f"{directory}-counted").split()
    for port, heard in zip(("nn", "dn"), work.heard):
        said = [stream for *_, stream in capture.streams({ports[port]})]
        assert said
        assert any(HEARD.encode() in stream for stream in said) == heard, port


# Settings of a whole cluster.
SETTINGS = {
    "names-in-tokens": {"hadoop.security.token.service.use_ip": "false"},
    "aggregated-logs": {"yarn.log-aggregation-enable": "true"},
}


@pytest.fixture(params=SETTINGS)
def different(request, cluster, tmp_path, flink_home, client_kind):
    yield from secured_of(request, cluster, request.param, tmp_path, flink_home, client_kind, set=SETTINGS[request.param])


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own")
def test_other_settings(different, request, jar):
    """Tokens that name hosts instead of addresses; logs that NodeManagers bring to HDFS with the user's
    token, and which nobody else can read."""
    application = word_count(different, member(different, by=TICKETS), jar, "application", FLINK_VERSION)
    if "aggregated-logs" in request.node.name:
        logs = lambda: [path for path in different.cluster.hdfs.tree(f"/tmp/logs/{ALICE}") if application in path]  # noqa: E731
        wait_for("the aggregated logs", logs, 90, every=1)
        command = ("heddle", "logs", "--jobmanager", application)
        alice, bob = (member(different, name, by=TICKETS, kind="heddle") for name in (ALICE, BOB))
        shown = lambda: (done := alice.run(*command)).code == 0 and "==> jobmanager.log of JobManager" in done.out  # noqa: E731
        wait_for("heddle logs", shown, 60, every=1)
        refused = bob.run(*command)
        assert refused.code != 0 and "==>" not in refused.out, refused


@pytest.fixture
def renamed(request, cluster, tmp_path, flink_home, client_kind):
    rules = f"RULE:[1:$1@$0]({ALICE}@{REALM})s/.*/weaver/\nRULE:[2:$1@$0]([nd]n@{REALM})s/.*/hdfs/\nRULE:[2:$1@$0]([rn]m@{REALM})s/.*/yarn/\nDEFAULT"
    settings = {"hadoop.security.auth_to_local": rules}
    yield from secured_of(request, cluster, "renamed", tmp_path, flink_home, client_kind, set=settings)


@pytest.mark.extended
@pytest.mark.heddle_only("the groups of users that the machine has not are its affair")
@pytest.mark.slow("a cluster of its own")
def test_a_user_with_another_name_in_hadoop(renamed, jar):
    """auth_to_local makes a `weaver` of alice: the home, the application and all files are weaver's."""
    work, hdfs = renamed, renamed.cluster.hdfs
    hdfs.mkdir("/user/weaver", "700")
    hdfs.give("/user/weaver", "weaver")
    hdfs.home = "/user/weaver"
    client = member(work)
    session = client.session("-nm", work.name)
    assert work.cluster.yarn.app(session.application)["user"] == "weaver"
    assert hdfs.status(f"/user/weaver/.flink/{session.application}")["owner"] == "weaver"
    session.run(jar, "WordCount").ok()
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


# ---- daemons that fail


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("a ResourceManager that is started again")
def test_the_resourcemanager_is_started_again(work, jar):
    """The job goes on, and a TaskManager that is lost afterwards gets another one."""
    client, cluster = member(work), work.cluster
    session = client.session("-nm", work.name, "-Dtaskmanager.numberOfTaskSlots=1")
    session.run(jar, "Counting", *counting(work), options=["-d"]).ok()
    app = SecuredApplication(cluster, session.application)
    before = app.settle()
    cluster.kill("resourcemanager")
    cluster.up()
    wait_for("the application", lambda: cluster.yarn.app(app.id)["state"] == "RUNNING", 90)
    app.recovered(app.checkpoint() or before.checkpoint)
    assert app.workers() == before.workers
    [lost] = processes.taskmanager_jvms(cluster, app.id)
    app.recovered(app.kill(lost))
    assert app.settle().workers.keys() != before.workers.keys()
    session.stop().ok()
    check_gone(cluster, session.application, "SUCCEEDED")


@pytest.mark.extended
@pytest.mark.heddle_only("the directory of a session that was killed stays")
@pytest.mark.parametrize("by", [KEYTAB, TICKETS])
def test_an_application_that_yarn_kills(work, jar, by):
    """Where no logs are collected, YARN cancels the tokens at once, perhaps before heddle-am has removed the
    application's directory. Then the next command does."""
    cluster, client = work.cluster, member(work, by=by)
    before, _ = tokens_in(cluster.daemon_log("namenode"), ALICE)
    session = client.session("-nm", work.name)
    session.run(jar, "Sleepy", "--seconds", "600", options=["-d"]).ok()
    cluster.yarn.wait_workers(session.application, 1)
    cluster.yarn.kill(session.application)
    check_gone(cluster, session.application, "KILLED", files=False)
    if by == TICKETS:
        # With a keytab Flink obtains tokens for itself, which nobody cancels.
        wait_for("the tokens cancelled", lambda: not uncancelled(cluster, ALICE, before), 60)
    client.flink("list", *session.target())
    wait_for("the directory in HDFS gone", lambda: staging(cluster, session.application) is None, 20)


@pytest.mark.extended
@pytest.mark.heddle_only("it has no store")
def test_a_private_file_of_lib(work):
    """What others may not read stays in the private store, which HDFS keeps for its owner with block tokens
    as anything else."""
    flink = own_flink(work.flink_home, work.directory / "flink")
    (flink / "lib/hive-site.xml").write_text("<configuration/>")
    (flink / "lib/hive-site.xml").chmod(0o600)
    session = member(work, flink_home=flink).session("-nm", work.name)
    [place] = [path for path in work.cluster.hdfs.tree(f"{work.cluster.hdfs.home}/.heddle/private") if path.endswith("/hive-site.xml")]
    assert work.cluster.hdfs.status(place)["permission"] == "600"
    assert work.cluster.localized("hive-site.xml", session.application)
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")
