"""Each error: exit code 1, one clear message and a hint, and nothing left in YARN or HDFS.

The cluster is the module's own, because its daemons are paused and killed; the tests run one after another.
"""

import re
import shutil
import signal
import time

import pytest

from conftest import workspace_on
from harness.checks import Before, check_refused, is_temporary
from harness.waiting import wait_for

pytestmark = pytest.mark.xdist_group("own-cluster")

# What a client may take to give up on a server that does not answer.
PATIENCE = 100


@pytest.fixture
def work(request, own_cluster, tmp_path, flink_home, client_kind):
    yield from workspace_on(request, own_cluster, tmp_path, flink_home, client_kind)


def deploy(client, *arguments, **options):
    small = [word for option in ("-jm", "-tm") if option not in arguments for word in (option, "1024")]
    return client.run("yarn-session.sh", "-d", *small, *arguments, **options)


# ---- settings


def test_no_hadoop_configuration(work):
    client = work.client()
    for command in (["yarn-session.sh", "-d"], ["flink", "list", "-t", "yarn-session", "-Dyarn.application.id=application_1_0001"]):
        result = client.run(*command, env={"HADOOP_CONF_DIR": None})
        check_refused(result, "HADOOP_CONF_DIR", "/etc/hadoop/conf")


def test_hadoop_configuration_that_is_not_there(work):
    missing = work.directory / "no-such-conf"
    check_refused(deploy(work.client(), env={"HADOOP_CONF_DIR": missing}), missing)


def test_no_flink_home(work):
    before = Before(work.cluster)
    check_refused(deploy(work.client(), env={"FLINK_HOME": None, "FLINK_CONF_DIR": None}), "FLINK_HOME")
    missing = work.directory / "no-flink-here"
    check_refused(deploy(work.client(), env={"FLINK_HOME": missing, "FLINK_CONF_DIR": None}), missing)
    before.check_untouched()


def test_broken_yaml(work):
    before, client = Before(work.cluster), work.client()
    file = client.conf / "config.yaml"
    file.write_text("taskmanager:\n  numberOfTaskSlots: 2\n  memory: [1, 2\nrest.port: 8081\n")
    result = deploy(client)
    check_refused(result, "config.yaml")
    assert re.search(r"config\.yaml(:| line |, line )[34]\b", result.err), "says the line"
    before.check_untouched()


def test_a_value_of_the_wrong_kind(work):
    before, client = Before(work.cluster), work.client()
    check_refused(deploy(client, "-Djobmanager.memory.process.size=plenty"), "jobmanager.memory.process.size", "plenty")
    check_refused(client.run("yarn-session.sh", "-d", "-tm", "1x"), "1x")
    before.check_untouched()


def test_broken_hadoop_xml(work):
    client, conf = work.client(), work.directory / "broken-conf"
    shutil.copytree(work.cluster.conf, conf)
    (conf / "yarn-site.xml").write_text("<configuration><property><name>a</name></configuration>")
    check_refused(deploy(client, env={"HADOOP_CONF_DIR": conf}), conf / "yarn-site.xml")


# ---- what the cluster cannot give


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-jm", "9000"], ["9000", "6144", "jobmanager.memory.process.size", "yarn.scheduler.maximum-allocation-mb"]),
        (["-tm", "9000"], ["9000", "6144", "taskmanager.memory.process.size", "yarn.scheduler.maximum-allocation-mb"]),
        (["-s", "40"], ["40", "16", "taskmanager.numberOfTaskSlots", "yarn.scheduler.maximum-allocation-vcores"]),
        (["-Dyarn.appmaster.vcores=40"], ["40", "16", "yarn.appmaster.vcores", "yarn.scheduler.maximum-allocation-vcores"]),
    ],
    ids=["jm-memory", "tm-memory", "tm-vcores", "am-vcores"],
)
def test_too_large(work, arguments, words):
    before = Before(work.cluster)
    check_refused(deploy(work.client(), *arguments), *words)
    before.check_untouched()


def test_too_small_for_flinks_memory_model(work):
    before = Before(work.cluster)
    check_refused(deploy(work.client(), "-jm", "200"), "jobmanager.memory.process.size", "200")
    before.check_untouched()


@pytest.mark.every_hadoop
def test_unknown_queue_before_any_upload(work):
    before, store = Before(work.cluster), f"{work.hdfs_dir}/store"
    result = deploy(work.client(), "-qu", "qa-taem", f"-Dheddle.store.dir={work.cluster.fs}{store}")
    check_refused(result, "qa-taem", "default", "qa-team", "reports")
    assert work.cluster.hdfs.tree(store) == {}
    before.check_untouched()


@pytest.mark.reference
def test_unknown_queue(work):
    """What both clients do; Flink's own has uploaded everything by then."""
    result = deploy(work.client(), "-qu", "no-such-queue", "-nm", work.name)
    assert result.code == 1 and "no-such-queue" in result.text
    assert not [app for app in work.cluster.yarn.by_name(work.name) if app["finalStatus"] == "SUCCEEDED"]


@pytest.mark.reference(extended=True)
def test_a_ship_path_that_does_not_exist(work):
    before, client = Before(work.cluster), work.client()
    result = deploy(client, "-t", work.directory / "no-such-file")
    assert result.code == 1 and "no-such-file" in result.text
    if client.is_heddle:
        check_refused(result, "no-such-file", "yarn.ship-files")
        before.check_untouched()


# ---- applications that are not there


@pytest.mark.reference(extended=True)
def test_wrong_application_id(work):
    client = work.client()
    for application in ("application_1_0001", "nonsense"):
        for command in (
            ["flink", "list", "-t", "yarn-session", f"-Dyarn.application.id={application}"],
            ["yarn-session.sh", "-id", application],
        ):
            result = client.run(*command, seconds=PATIENCE)
            assert result.code == 1 and application in result.text, result
            if client.is_heddle:
                check_refused(result, application)


@pytest.mark.reference(extended=True)
def test_a_session_that_has_ended(work):
    client = work.client()
    session = client.session("-nm", work.name)
    session.stop().ok()
    work.cluster.yarn.wait_state(session.application, "FINISHED")
    for command in (["flink", "list", *session.target()], ["yarn-session.sh", "-id", session.application]):
        result = client.run(*command, seconds=PATIENCE)
        assert result.code == 1 and session.application in result.text, result
        if client.is_heddle:
            check_refused(result, session.application, "SUCCEEDED")


def test_no_session_named_at_all(work):
    check_refused(work.client().flink("list", "-t", "yarn-session"), "yarn.application.id")


def test_a_properties_file_that_is_no_use(work):
    client = work.client()
    file = client.properties / f".yarn-properties-{work.cluster.user}"
    file.write_text("dynamicPropertiesString=\n")
    check_refused(client.flink("list"), file)


@pytest.mark.heddle_only("it deploys the session first, and kills it then")
def test_a_place_for_the_properties_file_that_is_not_there(work):
    client = work.client()
    location = f"-Dyarn.properties-file.location={work.directory / 'gone'}"
    check_refused(client.run("yarn-session.sh", "-d", "-nm", work.name, location), "yarn.properties-file.location", work.directory / "gone")
    assert not work.cluster.yarn.by_name(work.name), "an application was submitted"


# ---- servers that do not answer


# What the cluster's administrator would set; without it there are two minutes for whoever deploys.
SOON = ("-Dflink.yarn.resourcemanager.connect.max-wait.ms=3000", "-Dflink.hadoop.ipc.client.connect.max.retries=3")


def test_resource_manager_down(work):
    client, cluster = work.client(), work.cluster
    address = f"{cluster.at('rm')}"
    cluster.signal("resourcemanager", signal.SIGKILL)
    try:
        result = deploy(client, *SOON, seconds=PATIENCE)
        check_refused(result, "ResourceManager", address)
        assert 3 < result.seconds < 15, result
        result = client.flink("list", "-t", "yarn-session", *SOON, "-Dyarn.application.id=application_1_0001", seconds=PATIENCE)
        check_refused(result, "ResourceManager")
        # Without the keys, and with a bound of its own.
        result = deploy(client, "--timeout", "5s", seconds=PATIENCE)
        check_refused(result, "within 5s")
        assert result.text.count("waiting for it, for up to 120 s") == 1 and address in result.text, result
        # Ctrl-C ends the wait at once.
        waits = client.start("yarn-session.sh", "-d")
        waits.wait_text("waiting for it, for up to 120 s")
        waits.interrupt()
        assert waits.result(10).code != 0
    finally:
        cluster.up()
    assert not cluster.hdfs.list(f"{cluster.hdfs.home}/.flink")


def test_servers_that_come_back(work):
    """As after a restart: the command goes on where it was."""
    client, cluster = work.client(), work.cluster
    for daemon in ("resourcemanager", "namenode"):
        cluster.signal(daemon, signal.SIGKILL)
    try:
        # Its 20 s may be too little for a ResourceManager that starts on a machine that others use too.
        reads = client.start("heddle", "ps", "-Dflink.yarn.resourcemanager.connect.max-wait.ms=100000")
        deploys = client.start("yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "-nm", work.name)
        for running, seconds in ((reads, 100), (deploys, 120)):
            running.wait_text(rf"the ResourceManager at {cluster.at('rm')} .*; waiting for it, for up to {seconds} s")
        deploys.wait_text(rf"the NameNode at {cluster.at('nn')} .*; waiting for it, for up to 120 s")
    finally:
        cluster.up()
    assert reads.result().code == 0
    result = deploys.result().ok()
    assert result.text.count("waiting for it") == 2, "each is told once"
    client.run("yarn-session.sh", "-id", result.application, stdin="stop\n").ok()


def test_addresses_that_nobody_has(work):
    """A wrong name stays wrong: no waiting."""
    client = work.client()
    for setting in ("yarn.resourcemanager.address=no-such-host.invalid:1", "hadoop.fs.defaultFS=hdfs://no-such-host.invalid:1"):
        result = deploy(client, f"-Dflink.{setting}", seconds=PATIENCE)
        check_refused(result, "no-such-host.invalid")
        assert "waiting for it" not in result.text and result.seconds < 20, result


def test_resource_manager_mute(work):
    client, cluster = work.client(), work.cluster
    cluster.signal("resourcemanager", signal.SIGSTOP)
    try:
        result = deploy(client, *SOON, seconds=PATIENCE)
    finally:
        cluster.signal("resourcemanager", signal.SIGCONT)
    check_refused(result, "ResourceManager", f"{cluster.at('rm')}")


def test_name_node_down(work):
    client, cluster = work.client(), work.cluster
    before = {app["id"] for app in cluster.yarn.apps()}
    cluster.signal("namenode", signal.SIGKILL)
    try:
        result = deploy(client, *SOON, seconds=PATIENCE)
    finally:
        cluster.up()
    check_refused(result, "NameNode", f"{cluster.at('nn')}")
    assert {app["id"] for app in cluster.yarn.apps()} == before


def test_name_node_mute(work):
    client, cluster = work.client(), work.cluster
    before = {app["id"] for app in cluster.yarn.apps()}
    cluster.signal("namenode", signal.SIGSTOP)
    try:
        result = deploy(client, *SOON, seconds=PATIENCE)
    finally:
        cluster.signal("namenode", signal.SIGCONT)
    check_refused(result, "NameNode", f"{cluster.at('nn')}")
    assert {app["id"] for app in cluster.yarn.apps()} == before


def test_name_node_in_safe_mode(work):
    before = Before(work.cluster)
    work.cluster.safe_mode("enter")
    try:
        result = deploy(work.client(), *SOON, seconds=PATIENCE)
    finally:
        work.cluster.safe_mode("leave")
    check_refused(result, "safe mode")
    before.check_untouched()


def test_no_data_node(work):
    """The NameNode answers, but nothing can be written."""
    client, cluster = work.client(), work.cluster
    before = Before(cluster)
    cluster.signal("datanode", signal.SIGKILL)
    try:
        result = deploy(client, f"-Dheddle.store.dir={cluster.fs}{work.hdfs_dir}/store", seconds=PATIENCE)
    finally:
        cluster.up()
    assert result.code == 1 and len(result.error_lines()) == 1, result
    before.check_untouched()
    left = [path for path in cluster.hdfs.tree(f"{work.hdfs_dir}/store") if not is_temporary(path)]
    assert left == [], "a half file under its final name"


# ---- Ctrl-C


def test_ctrl_c_during_upload(work):
    client, cluster = work.client(), work.cluster
    before, store = Before(cluster), f"{work.hdfs_dir}/store"
    running = client.start("yarn-session.sh", "-nm", work.name, f"-Dheddle.store.dir={cluster.fs}{store}")
    wait_for("the upload", lambda: cluster.hdfs.tree(store), 30, every=0.02)
    running.interrupt()
    result = running.result(20)
    assert (result.code, result.error_lines()) == (130, ["error: interrupted by SIGINT: the deployment was given up"]), result
    before.check_untouched()
    sizes = {path.rpartition("/")[2]: length for path, (length, _) in cluster.hdfs.tree(store).items() if not is_temporary(path)}
    lib = {file.name: file.stat().st_size for file in client.flink_home.glob("lib/*.jar")}
    assert all(lib.get(name, size) == size for name, size in sizes.items()), "a half file under its final name"

    # What is there is of use to the next one.
    session = client.session("-nm", work.name, f"-Dheddle.store.dir={cluster.fs}{store}")
    session.stop().ok()
    cluster.yarn.wait_state(session.application, "FINISHED")


def test_ctrl_c_while_waiting(work):
    client, cluster = work.client(), work.cluster
    before = Before(cluster)
    fill = client.session("-nm", f"{work.name}-fill", "-qu", "narrow")
    running = client.start("yarn-session.sh", "-nm", work.name, "-qu", "narrow", "-jm", "1024", "-tm", "1024")
    wait_for("the application", lambda: cluster.yarn.by_name(work.name), 60)
    [app] = cluster.yarn.by_name(work.name)
    time.sleep(1)
    running.interrupt()
    assert running.result(30).code == 130
    cluster.yarn.wait_state(app["id"], "KILLED", seconds=20)
    wait_for("no directory in HDFS", lambda: app["id"] not in before.staging(), 10)
    fill.stop().ok()
    cluster.yarn.wait_state(fill.application, "FINISHED")


@pytest.mark.extended
@pytest.mark.every_hadoop
def test_says_why_an_application_waits(work):
    """In ACCEPTED: the ResourceManager's own words, when they change."""
    client, cluster = work.client(), work.cluster
    fill = client.session("-nm", f"{work.name}-fill", "-qu", "narrow")
    running = client.start("yarn-session.sh", "-d", "-nm", work.name, "-qu", "narrow", "-jm", "1024", "-tm", "1024")
    running.wait_text(r"Deploying cluster, current state ACCEPTED", 60)
    running.wait_text(r"(?i)waiting for AM container|AM resource limit|exceed", 30)
    time.sleep(3)
    said = [line for line in running.text.splitlines() if "AM resource limit" in line or "is activated" in line]
    assert len(said) == len(set(said)), f"said twice: {said}"
    fill.stop().ok()
    result = running.result(90).ok()
    client.run("yarn-session.sh", "-id", result.application, stdin="stop\n").ok()
    cluster.yarn.wait_state(result.application, "FINISHED")


def test_the_session_does_not_come_up(work):
    """The JobManager fails at start: the client shows why."""
    client, cluster = work.client(), work.cluster
    result = deploy(client, "-nm", work.name, "-Denv.java.opts.jobmanager=-Xmsnonsense")
    check_refused(result, "nonsense")
    [app] = cluster.yarn.by_name(work.name)
    assert cluster.yarn.wait_state(app["id"], "FAILED", "FINISHED")["finalStatus"] == "FAILED"
    wait_for("no directory in HDFS", lambda: app["id"] not in Before(cluster).staging(), 10)
