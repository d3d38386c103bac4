"""Tokens and keys on a secured cluster: who has which, that nobody else is told them, and that a job outlives
them."""

import contextlib
import os
import re
import signal
import stat
import time
from types import SimpleNamespace

import pytest

from conftest import FLINK_VERSION, Workspace, no_kerberos, release, secured_of, workspace_on
from harness import availability, credentials, processes
from harness.availability import counting
from harness.checks import check_gone, staging
from harness.client import SMALL
from harness.cluster import FINISHED, Flink
from harness.credentials import AMRM, HDFS, RESOURCE_MANAGER, Identity, found_in
from harness.kerberos import ALICE, REALM, TICKETS, Secured, SecuredApplication, member, sql_gateway, tokens_in
from harness.waiting import wait_for
from harness.why import check

pytestmark = pytest.mark.timeout(600)

ONE_AFTER_ANOTHER = pytest.mark.xdist_group("kerberos-cluster")
# What is larger in HDFS is a jar.
TEXT = 1 << 20


# ---- who has which


@pytest.fixture(scope="module")
def held(secured, tmp_path_factory, flink_home, client_kind, jar):
    """A session by alice's keytab with a job that goes on and on; the tests only look at it."""
    name = f"kerberos-held-{client_kind}-{os.getpid()}"
    work = Workspace(secured, client_kind, tmp_path_factory.mktemp(name), flink_home, name)
    client = member(work)
    session = client.session("-nm", name)
    run = session.run(jar, "Sleepy", "--seconds", "3000", options=["-d"]).ok()
    secured.yarn.wait_workers(session.application, 1)
    wait_for("a TaskManager", lambda: Flink(session.url).taskmanagers())
    yield SimpleNamespace(work=work, cluster=secured, client=client, session=session, application=session.application, results=[session.result, run])
    session.stop()
    secured.yarn.wait_state(session.application, *FINISHED)
    work.close()


def containers_of(held):
    """Container -> what YARN has given it: first that of the ApplicationMaster, then those of
    TaskManagers."""
    found = {file.parent.name: credentials.of_file(file) for file in held.cluster.localized("container_tokens", held.application)}
    [master] = {p.container for p in processes.of_application(held.cluster, held.application) if processes.is_master(p)}
    return found[master], [found[name] for name in found if name != master]


@ONE_AFTER_ANOTHER
@pytest.mark.reference(extended=True)
def test_who_has_which_tokens(held):
    """TaskManagers get the file system's token and none with which one could speak for the application or the
    user to YARN; with heddle the JVM of the JobManager does not, either."""
    master, workers = containers_of(held)
    assert AMRM in master.kinds and HDFS in master.kinds, master.kinds
    assert workers
    for worker in workers:
        assert HDFS in worker.kinds and not worker.kinds & {AMRM, RESOURCE_MANAGER}, worker.kinds
    for token in [token for one in (master, *workers) for token in one.of_kind(HDFS)]:
        assert Identity.of(token).owner == f"{ALICE}@{REALM}"
        if held.client.is_heddle:
            assert Identity.of(token).renewer == "yarn", "the ResourceManager renews it"
    if not held.client.is_heddle:
        return
    assert RESOURCE_MANAGER in master.kinds, "for heddle-am"
    [jvm] = [p for p in processes.jvms(held.cluster, held.application) if processes.is_master(p)]
    file = jvm.environment["HADOOP_TOKEN_FILE_LOCATION"]
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    of_jvm = credentials.of_file(file)
    assert of_jvm.kinds == {HDFS}, of_jvm
    assert not [alias for alias in of_jvm.secrets if alias.startswith("heddle.")], of_jvm.secrets.keys()
    for process in processes.jvms(held.cluster, held.application):
        assert "HADOOP_USER_NAME" not in process.environment, process


@ONE_AFTER_ANOTHER
@pytest.mark.extended
@pytest.mark.heddle_only("it wants a ticket or a keytab")
def test_tokens_alone_are_sufficient(held, jar):
    """A file of tokens and no ticket, as a scheduler gives it: the application is their owner's. At its end
    nobody cancels them, because they are others'. YARN would cancel that of HDFS, which no other application
    has."""
    cluster, client, name = held.cluster, member(held.work, by=None), f"{held.work.name}-tokens"
    given = client.directory / "tokens"
    fetcher = "org.apache.hadoop.hdfs.tools.DelegationTokenFetcher"
    cluster.administer(fetcher, "--renewer", "yarn", str(given), env={"KRB5CCNAME": cluster.tickets(ALICE)})
    [of_hdfs] = credentials.of_file(given).of_kind(HDFS)
    [of_yarn] = containers_of(held)[0].of_kind(RESOURCE_MANAGER)
    credentials.write(given, of_hdfs, of_yarn)
    given.chmod(0o600)
    client.variables["HADOOP_TOKEN_FILE_LOCATION"] = str(given)
    result = client.application(name, jar, "WordCount").ok()
    assert check_gone(cluster, result.application, "SUCCEEDED", seconds=120)["user"] == ALICE
    assert f"with the tokens of {given} alone" in client.run("heddle", "ps").ok().out
    time.sleep(5)
    made, cancelled = tokens_in(cluster.name_node_log(), ALICE)
    assert Identity.of(of_hdfs).number in made - cancelled


def secrets_of(held):
    """Name -> bytes: passwords of all tokens, heddle's own secrets, and the keys of the keytab."""
    master, workers = containers_of(held)
    found = {}
    for number, one in enumerate([master, *workers]):
        found |= {f"{token.kind} of container {number}": token.password for token in one.tokens.values()}
        # Others are a certificate, and what is read from files.
        found |= {f"{alias} of container {number}": secret for alias, secret in one.secrets.items() if alias.endswith((".root", "-key"))}
    return found, keys_of(held.cluster)


def keys_of(cluster):
    found = {f"key {number}": key for number, key in enumerate(credentials.keys(cluster.keytab(ALICE).read_bytes()))}
    assert found
    return found


def below(*places):
    """The files below directories, with what is in them."""
    for place in places:
        for path in sorted(place.rglob("*")):
            if path.is_file():
                yield path, path.read_bytes()


@ONE_AFTER_ANOTHER
@pytest.mark.reference(extended=True)
def test_secrets_are_nowhere_else(held):
    """Passwords of tokens and keys of the keytab are in no command line, environment, log, output or file of
    HDFS, but for the keytab in the application's directory; keys are not in what the ResourceManager
    keeps."""
    tokens, keys = secrets_of(held)
    secrets, cluster, hdfs = tokens | keys, held.cluster, held.cluster.hdfs
    for pid in processes.all_pids():
        if process := processes.read(pid):
            assert not found_in("\0".join(process.command).encode(), secrets), process
    for process in processes.of_application(cluster, held.application):
        assert not found_in("\0".join(process.environment.values()).encode(), secrets), process
    logs = list(cluster.directory.glob(f"nodemanager*/logs/{held.application}"))
    assert logs
    for path, content in below(*logs, cluster.directory / "logs", held.client.directory / "logs", held.client.properties):
        assert not found_in(content, secrets), path
    for result in held.results:
        assert not found_in(result.text.encode(), secrets), result

    keytab, files = cluster.keytab(ALICE).read_bytes(), hdfs.tree(f"{hdfs.home}/.flink/{held.application}")
    small = {path: hdfs.read_bytes(path) for path, (length, _) in files.items() if length <= TEXT}
    uploaded = [path for path, content in small.items() if content == keytab]
    assert len(uploaded) == 1, files
    for path, content in small.items():
        assert path in uploaded or not found_in(content, secrets), path
    for path, (length, _) in hdfs.tree(f"{hdfs.home}/.heddle").items():
        assert length > TEXT or not found_in(hdfs.read_bytes(path), secrets), path
    for path, content in below(cluster.directory / "data/resourcemanager"):
        assert not found_in(content, keys), path
    if held.client.is_heddle:
        status = hdfs.status(uploaded[0])
        assert (status["owner"], status["permission"]) == (ALICE, "600")
    # The check can fail: YARN's own files have what is looked for.
    assert any(found_in(content, tokens) for _, content in below(cluster.directory / "data/resourcemanager"))


@ONE_AFTER_ANOTHER
@pytest.mark.heddle_only("it has no dry run")
@pytest.mark.extended
def test_plans_hold_no_secret(held, jar):
    """Neither keys nor tokens are in a plan, in whatever form it is shown, nor in what is said with -v."""
    words = ["-t", "yarn-application", *SMALL, "--dry-run"]
    for more in ([], ["-v"], ["--output", "json"]):
        plan = held.client.flink("run-application", *words, *more, "-c", "WordCount", jar).ok()
        assert not found_in(plan.text.encode(), keys_of(held.cluster)), plan


@ONE_AFTER_ANOTHER
@pytest.mark.extended
@pytest.mark.heddle_only("its client has no such commands")
def test_commands_that_deploy_nothing_cancel_their_tokens(held, jar):
    """Each token that a command has fetched for itself is cancelled when it ends, also after an error."""
    cluster, client = held.cluster, member(held.work, by=TICKETS)
    deploys = ["yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "-nm", held.work.name]
    missing = f"{cluster.fs}/no-such-directory/no-such.jar"
    for command in (
        [*deploys, "--dry-run"],
        ["heddle", "gc"],
        ["flink", "run-application", "-t", "yarn-application", *SMALL, "-c", "WordCount", missing],
    ):
        before, _ = tokens_in(cluster.name_node_log(), ALICE)
        client.run(*command)
        given, cancelled = tokens_in(cluster.name_node_log(), ALICE)
        assert given - before, f"{command} has not even asked for one"
        assert given - before <= cancelled, command


@ONE_AFTER_ANOTHER
@pytest.mark.extended
@pytest.mark.heddle_only("it asks for its tokens in another order")
def test_a_deployment_that_fails_leaves_no_token(held):
    """The ResourceManager takes the application and rejects it afterwards, because it cannot renew a token.
    It cancels none of them then. So heddle cancels them: those of HDFS for its own clients and for the
    application, and that of the ResourceManager."""
    cluster, client = held.cluster, member(held.work, by=TICKETS)
    daemons = {"namenode": 2, "resourcemanager": 1}
    before = {daemon: tokens_in(cluster.daemon_log(daemon), ALICE)[0] for daemon in daemons}
    option = "-Dsecurity.kerberos.token.provider.hadoopfs.renewer=nobody"
    result = client.run("yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "-nm", held.work.name, option)
    # YARN renews tokens when an application is submitted, and only their renewer may.
    assert result.code == 1 and len(result.error_lines()) == 1 and result.hints(), result
    for daemon, count in daemons.items():
        given, cancelled = tokens_in(cluster.daemon_log(daemon), ALICE)
        new = given - before[daemon]
        assert len(new) >= count and new <= cancelled, (daemon, new, new - cancelled)


# ---- how long they live

RENEWAL, LIFETIME = 60, 180
# Releases that handle tokens in other ways, for a shorter time.
OTHERS = ("1.13.6", "1.16.3", "1.17.2", "2.3.0")
SHORT = pytest.mark.xdist_group("kerberos-short-lived")
# These wait most of the time, so they may wait beside the others.
SHORT_OTHERS = pytest.mark.xdist_group("kerberos-short-lived-releases")


@pytest.fixture(scope="module")
def short_lived_cluster():
    """Tokens live three minutes, if they are renewed every minute. All tests of one process share it."""
    if why := no_kerberos():
        pytest.skip(why)
    name = f"{os.environ['HEDDLE_TEST_CLUSTER']}-short-lived-{os.environ.get('PYTEST_XDIST_WORKER', 'one')}"
    made = Secured(name)
    try:
        yield made.up(token_renewal=RENEWAL, token_lifetime=LIFETIME, log_aggregation=True)
    finally:
        made.down()


@pytest.fixture
def short_lived(request, short_lived_cluster, tmp_path, flink_home, client_kind):
    """A workspace there, whose directory in HDFS is everybody's."""
    for made in workspace_on(request, short_lived_cluster, tmp_path, flink_home, client_kind):
        made.cluster.hdfs.mkdir(made.hdfs_dir, "777")
        yield made


def replace_worker(app):
    """Kills the TaskManager; the tokens of the one that YARN gives instead, once the job goes on."""
    [old] = wait_for("one TaskManager", lambda: found if len(found := processes.taskmanager_jvms(app.cluster, app.id)) == 1 else None)
    newest = app.kill(old)
    print(f"recovered[tokens]: {app.recovered(newest):.1f} s")
    app.settle()
    [new] = processes.taskmanager_jvms(app.cluster, app.id)
    assert new.container != old.container
    return credentials.of_process(new)


@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("a job that runs for longer than its tokens live")
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    ("version", "lifetimes"),
    [pytest.param(FLINK_VERSION, 3, marks=SHORT), *(pytest.param(version, 1, marks=SHORT_OTHERS) for version in OTHERS)],
)
def test_a_job_outlives_its_tokens(short_lived, version, lifetimes):
    """With a keytab: checkpoints all the time, another TaskManager after each lifetime, then commands, the
    end, aggregated logs and nothing left."""
    work, cluster = short_lived, short_lived.cluster
    flink = release(version)
    client = member(work, release=flink)
    session = client.session("-nm", work.name, *flink.options, "-Dtaskmanager.numberOfTaskSlots=1")
    job = session.run(flink.jobs, "Counting", *counting(work), options=["-d"]).ok().job
    app = SecuredApplication(cluster, session.application)
    app.settle()
    for _ in range(lifetimes):
        time.sleep(LIFETIME + 10)
        tokens = replace_worker(app).of_kind(HDFS)
        if client.is_heddle:
            assert tokens and all(Identity.of(token).latest > 1000 * time.time() for token in tokens), list(map(Identity.of, tokens))
    other = member(work, by=TICKETS, release=flink)
    saved = other.flink("savepoint", *session.target(), job, f"{cluster.fs}{work.hdfs_dir}/savepoints").ok()
    assert "Savepoint completed" in saved.out
    other.flink("cancel", *session.target(), job).ok()
    session.stop().ok()
    check_gone(cluster, session.application, "SUCCEEDED")
    logs = lambda: [path for path in cluster.hdfs.tree(f"/tmp/logs/{ALICE}") if session.application in path]  # noqa: E731
    wait_for("the aggregated logs", logs, 90, every=1)


@SHORT
@pytest.mark.extended
@pytest.mark.heddle_only("it says nothing of tokens")
@pytest.mark.slow("a job that runs for longer than its tokens live")
@pytest.mark.timeout(1200)
def test_tokens_alone_end_with_their_lifetime(short_lived, jar):
    """With tickets alone nobody can ask for other tokens: a TaskManager that is lost after their end is the
    end of the job, which says why, and the next command cleans up."""
    work, cluster = short_lived, short_lived.cluster
    client = member(work, by=TICKETS)
    settings = {
        "taskmanager.numberOfTaskSlots": 1,
        "restart-strategy": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": 2,
        "restart-strategy.fixed-delay.delay": "1 s",
        # A connection that was opened before the end of the token stays good for as long as it is used, as
        # that of the JobManager is by its checkpoints. If state this small were in the checkpoint's own file,
        # which the JobManager writes, then a new TaskManager would not need HDFS, and the job would go on.
        "state.storage.fs.memory-threshold": 0,
        # Where no TaskManager can be had, each try waits for so long; the default is five minutes.
        "slot.request.timeout": 60000,
    }
    options = [f"-D{key}={value}" for key, value in settings.items()]
    result = client.application(work.name, jar, "Counting", *counting(work), options=options).ok()
    app = SecuredApplication(cluster, result.application)
    app.settle()
    wait_for("state in HDFS", lambda: files_of_state(work), 20)
    before = cluster.name_node_log()
    time.sleep(LIFETIME + 10)
    # On a busy machine a connection may have been idle for ten seconds, and then the job has failed without
    # more ado.
    for worker in processes.taskmanager_jvms(cluster, app.id):
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)
    ended = cluster.yarn.wait_state(app.id, *FINISHED, seconds=300)
    assert ended["finalStatus"] == "FAILED", ended
    assert re.search(rf"The {HDFS} for \S+ has expired", ended["diagnostics"]), ended["diagnostics"]
    # What has failed the job is a refusal of the NameNode's, and nothing else.
    assert re.search("Auth failed for|is expired", cluster.name_node_log()[len(before) :])
    finding, _ = check(client, app.id, ["token-expired"], "security.kerberos.login.keytab", "<path of a keytab>")
    assert finding["class"] == "security", finding
    client.flink("list", "-t", "yarn-application", f"-Dyarn.application.id={app.id}")
    wait_for("the directory in HDFS gone", lambda: staging(cluster, app.id) is None, 20)


def files_of_state(work):
    """What TaskManagers have written of checkpoints, beside the files of the JobManager."""
    files = work.cluster.hdfs.tree(f"{work.hdfs_dir}/checkpoints")
    return [path for path in files if "/chk-" in path and not path.endswith("_metadata")]


@SHORT
@pytest.mark.extended
@pytest.mark.heddle_only("its gateway logs in by Java's Kerberos")
@pytest.mark.slow("a gateway that runs for longer than its tokens live")
@pytest.mark.timeout(600)
def test_a_sql_gateway_outlives_its_tokens(short_lived, sql_flink):
    """Its token is renewed until its greatest age, and another one takes its place before that."""
    work, cluster = short_lived, short_lived.cluster
    client = member(work, by=TICKETS, flink_home=sql_flink)
    session = client.session("-nm", work.name)
    where = ["-Dexecution.target=yarn-session", f"-Dyarn.application.id={session.application}"]
    gateway, jvm = sql_gateway(client, "start-foreground", *where)
    file = jvm.environment["HADOOP_TOKEN_FILE_LOCATION"]
    [first] = credentials.of_file(file).of_kind(HDFS)
    time.sleep(LIFETIME + 10)
    [later] = credentials.of_file(file).of_kind(HDFS)
    assert later != first and Identity.of(later).latest > 1000 * time.time(), Identity.of(later)
    gateway.kill()
    wait_for("the file gone", lambda: not os.path.exists(file), 20)
    session.stop().ok()
    # The session's own tokens have ended, so the next command removes its directory.
    check_gone(cluster, session.application, "SUCCEEDED", files=False)
    client.flink("list", *session.target())
    wait_for("the directory in HDFS gone", lambda: staging(cluster, session.application) is None, 20)


@pytest.fixture
def short_lived_node(request, cluster, tmp_path, flink_home, client_kind):
    """The same on a single node, so that another attempt finds its files there."""
    options = {"token_renewal": RENEWAL, "token_lifetime": LIFETIME, "zookeeper": True, "nodes": 1}
    yield from secured_of(request, cluster, "short-lived-node", tmp_path, flink_home, client_kind, **options)


@SHORT
@pytest.mark.extended
@pytest.mark.heddle_only("it says nothing of tokens")
@pytest.mark.slow("a cluster of its own, and a job that runs for longer than its tokens live")
@pytest.mark.timeout(1200)
def test_another_attempt_after_the_end_of_the_tokens(short_lived_node, jar):
    """YARN starts it with the tokens of the submission, which have ended, where the node has the files
    already. With the keytab it obtains others, and TaskManagers that come later have these."""
    work, cluster = short_lived_node, short_lived_node.cluster
    client = member(work)
    session = client.session("-nm", work.name, *availability.ONE_SLOT, *availability.options(work, FLINK_VERSION))
    session.run(jar, "Counting", *counting(work), options=["-d"]).ok()
    app = SecuredApplication(cluster, session.application)
    before = app.settle()
    time.sleep(LIFETIME + 10)
    app.recovered(app.kill(app.master()))
    assert app.settle().attempt == before.attempt + 1
    assert "which have reached their greatest age" in cluster.log_text(app.id, "heddle-am.log")
    tokens = replace_worker(app).of_kind(HDFS)
    assert tokens and all(Identity.of(token).latest > 1000 * time.time() for token in tokens), list(map(Identity.of, tokens))
    session.stop().ok()
    check_gone(cluster, app.id, "SUCCEEDED")


# ---- failovers


@pytest.fixture
def secured_pairs(request, cluster, tmp_path, flink_home, client_kind):
    """Two ResourceManagers and two NameNodes with Kerberos, of which one each is active."""
    yield from secured_of(request, cluster, "secured-pairs", tmp_path, flink_home, client_kind, resourcemanagers=2, namenodes=2)


@pytest.mark.xdist_group("kerberos-pairs")
@pytest.mark.extended
@pytest.mark.reference(extended=True)
@pytest.mark.slow("a cluster of its own, and three failovers")
@pytest.mark.timeout(1200)
def test_failovers(secured_pairs, jar):
    """The active ResourceManager dies, then the active NameNode, then the ApplicationMaster: tokens are good
    at the others, and for the next attempt. Commands go on meanwhile."""
    work, cluster = secured_pairs, secured_pairs.cluster
    client = member(work)
    session = client.session("-nm", work.name, *availability.ONE_SLOT, *availability.options(work, FLINK_VERSION))
    session.run(jar, "Counting", *counting(work), options=["-d"]).ok()
    app = SecuredApplication(cluster, session.application)
    before = app.settle()
    for kind, active in [("resourcemanager", cluster.active_resourcemanager), ("namenode", cluster.active_namenode)]:
        gone = active()
        cluster.kill(cluster.daemon_of(gone))
        listed = client.flink("list", *session.target()).ok()
        assert "Counting" in listed.text, listed
        wait_for(f"the other {kind}", lambda active=active, gone=gone: active() not in (None, gone), 90)
        cluster.start(cluster.daemon_of(gone))
        newest = app.checkpoint() or before.checkpoint
        print(f"recovered[{kind}, Kerberos]: {app.recovered(newest):.1f} s")
    assert app.settle().attempt == before.attempt
    # A TaskManager and an ApplicationMaster of after the failovers.
    replace_worker(app)
    app.recovered(app.kill(app.master()))
    assert app.settle().attempt == before.attempt + 1
    member(work, by=TICKETS).session("-nm", f"{work.name}-2").stop().ok()
    session.stop().ok()
    wait_for("nothing left", lambda: not processes.of_application(cluster, session.application), 60)
