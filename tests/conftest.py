"""Fixtures of the scenarios. Run them by `scripts/test`, or by pytest alone with
`--client heddle|reference|both`.

Without `--client` heddle runs everything and the reference the scenarios marked `reference`: those hold for
both by the contract, so a difference is a finding. `both` runs the reference wherever it has the feature.
"""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from harness import matrix, processes, selection
from harness.client import Client
from harness.cluster import FINISHED, HADOOP_VERSION, ROOT, Cluster, Flink, request as call
from harness.jars import job_jar
from harness.kerberos import Secured, missing as no_kerberos
from harness.waiting import wait_for

FLINK_VERSION = os.environ.get("HEDDLE_TEST_FLINK_VERSION", "1.20.5")
NEWER_FLINK = os.environ.get("HEDDLE_TEST_NEWER_FLINK", "2.3.0")


def pytest_addoption(parser):
    parser.addoption("--client", choices=["plain", "heddle", "reference", "both"], default="plain")
    parser.addoption(
        "--select", choices=selection.SELECTIONS, default="plain", help="which scenarios, by their markers (harness/selection.py)"
    )
    parser.addoption("--matrix", action="store_true", help="test_matrix.py with every release of Flink and Hadoop")
    parser.addoption("--matrix-results", metavar="FILE", help="where the results of test_matrix.py are added")


def pytest_configure(config):
    text = "reference(extended=False): the plain run has this scenario with Flink's own client too; if extended, only `scripts/test --all`"
    config.addinivalue_line("markers", text)
    config.addinivalue_line("markers", "heddle_only(why): Flink's own client has no such feature or guarantee")
    config.addinivalue_line("markers", "extended: takes long, or repeats what a cheaper test shows; only `scripts/test --all` has it")
    config.addinivalue_line("markers", "slow(why): it may take more than a minute, and this is why")
    config.addinivalue_line("markers", "every_hadoop: `scripts/test --matrix` runs it on each release of Hadoop")
    config.addinivalue_line("markers", "browser: needs a headless browser")
    # The workers' reports come to the process that started them, which alone writes.
    if (file := config.getoption("--matrix-results")) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(matrix.Record(file))
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        # One cluster for all workers. Whoever names one keeps it.
        config.made_clusters = "HEDDLE_TEST_CLUSTER" not in os.environ
        if config.made_clusters:
            os.environ["HEDDLE_TEST_CLUSTER"] = f"test-{os.getpid()}"


def pytest_unconfigure(config):
    if getattr(config, "made_clusters", False):
        for suffix in ("", "-own", "-options", "-hadoop", "-fair", "-kerberos", "-kerberos-hadoop"):
            Cluster(os.environ["HEDDLE_TEST_CLUSTER"] + suffix).down()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.failed = report.failed
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Here and not in the tests, so that what cannot even be set up is in the results."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    what = {"client": params.get("client_kind", "heddle")}
    if "place" in params:
        flink, hadoop = params["place"]
        what |= {"flink": flink, "hadoop": hadoop, "mode": params["mode"]}
    elif item.get_closest_marker("every_hadoop"):
        what |= {"flink": FLINK_VERSION, "hadoop": HADOOP_VERSION, "scenario": item.name}
    if slow := item.get_closest_marker("slow"):
        what["slow"] = slow.args[0]
    item.user_properties += what.items()


def select(config):
    """Whoever asks for scenarios by name gets all that have it."""
    named = config.option.keyword or config.option.markexpr
    return "all" if named and config.getoption("--select") == "plain" else config.getoption("--select")


def pytest_generate_tests(metafunc):
    if "client_kind" not in metafunc.fixturenames:
        return
    marks = {mark.name: mark for mark in reversed(list(metafunc.definition.iter_markers()))}
    kinds = selection.clients(metafunc.config.getoption("--client"), select(metafunc.config), marks)
    # A module is done with one client before the other comes: they share what a module deploys.
    metafunc.parametrize("client_kind", kinds, scope="module")


@pytest.hookimpl(tryfirst=True)  # before xdist puts the groups into the ids
def pytest_collection_modifyitems(config, items):
    chosen, selected = config.getoption("--client"), select(config)

    def stays(item):
        kind = item.callspec.params.get("client_kind") if hasattr(item, "callspec") else None
        return selection.kept(chosen, selected, {mark.name: mark for mark in reversed(list(item.iter_markers()))}, kind)

    kept = [item for item in items if stays(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
    for item in items:
        if not item.get_closest_marker("xdist_group") and "session" in item.fixturenames:
            kind = item.callspec.params.get("client_kind", "") if hasattr(item, "callspec") else ""
            item.add_marker(pytest.mark.xdist_group(f"{item.module.__name__}-{kind}"))


def fetch(what, version):
    """What cannot be had fails the test, by name."""
    done = subprocess.run([ROOT / f"scripts/fetch-{what}", version], capture_output=True, text=True)
    assert done.returncode == 0, f"{what} {version} cannot be fetched: {done.stderr}"
    return Path(done.stdout.strip())


def fetch_flink(version):
    return fetch("flink", version)


@pytest.fixture(scope="session")
def flink_home():
    return fetch_flink(FLINK_VERSION)


@pytest.fixture(scope="session")
def newer_flink():
    """A release of the next major version."""
    return fetch_flink(NEWER_FLINK)


@pytest.fixture(scope="session")
def cluster():
    """The cluster that all tests share: nobody stops its daemons."""
    return Cluster(os.environ["HEDDLE_TEST_CLUSTER"]).up()


@pytest.fixture(scope="session")
def own_cluster():
    """A cluster whose daemons may be paused and killed; its tests run one after another (`xdist_group`)."""
    cluster = Cluster(f"{os.environ['HEDDLE_TEST_CLUSTER']}-own").up()
    yield cluster
    if not os.environ.get("HEDDLE_TEST_KEEP"):
        cluster.down()


@pytest.fixture(scope="session")
def secured():
    """A cluster with Kerberos, whose tests run one after another (`xdist_group`)."""
    if why := no_kerberos():
        pytest.skip(why)
    cluster = Secured(f"{os.environ['HEDDLE_TEST_CLUSTER']}-kerberos").up()
    yield cluster
    if not os.environ.get("HEDDLE_TEST_KEEP"):
        cluster.down()


@pytest.fixture(scope="session")
def jar(flink_home):
    return job_jar(flink_home, FLINK_VERSION)


@pytest.fixture(scope="session")
def newer_jar(newer_flink):
    return job_jar(newer_flink, NEWER_FLINK)


def with_sql_gateway(home):
    """What fetch-flink warns of, and nothing else needs, fails the tests of it."""
    assert list(home.glob("opt/flink-sql-gateway-*.jar")), f"{home} has no SQL gateway: it could not be fetched from Maven's registry"
    return home


@pytest.fixture(scope="session")
def sql_flink(flink_home):
    return with_sql_gateway(flink_home)


@pytest.fixture(scope="session")
def newer_sql_flink(newer_flink):
    return with_sql_gateway(newer_flink)


def label(request):
    """A name for directories and applications that no other test has."""
    text = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return f"{text[:40]}-{os.getpid() % 10000}-{time.monotonic_ns() // 1000 % 1000000}"


def end_all(cluster, name):
    """Kills what still runs under names that begin with `name`; returns all such applications and those
    killed."""
    mine = [app for app in cluster.yarn.apps() if app["name"].startswith(name)]
    live = [app["id"] for app in mine if app["state"] not in FINISHED]
    for application in live:
        cluster.yarn.kill(application)
    for application in live:
        cluster.yarn.wait_state(application, *FINISHED)
    for app in mine:
        wait_for(f"no process of {app['id']}", lambda: not processes.of_application(cluster, app["id"]), 20)
    return mine, live


class Workspace:
    """One test's, or one module's, own client and names."""

    def __init__(self, cluster, kind, directory, flink_home, name):
        self.cluster, self.kind, self.directory, self.name = cluster, kind, directory, name
        self.flink_home, self.clients = flink_home, []
        self.hdfs_dir = f"/tmp/{name}"

    def client(self, kind=None, flink_home=None, java_home=None):
        kind = kind or self.kind
        made = Client(kind, self.cluster, self.directory / f"{kind}-{len(self.clients)}", ROOT, flink_home or self.flink_home, java_home)
        self.clients.append(made)
        return made

    def close(self, failed=False):
        """Ends and removes everything of the test; it should have left nothing, unless it failed half-way."""
        for client in self.clients:
            client.end_all()
        mine, live = end_all(self.cluster, self.name)
        self.cluster.hdfs.delete(self.hdfs_dir)
        staging = f"{self.cluster.hdfs.home}/.flink"
        kept = self.cluster.hdfs.list(staging) or {}
        left = [app["id"] for app in mine if app["id"] in kept]
        for application in left:
            self.cluster.hdfs.delete(f"{staging}/{application}")
        left = [application for application in left if application not in self.cluster.yarn.killed]
        assert failed or not live, f"left running: {live}"
        # Flink's own client leaves the directory of a session that was killed.
        assert failed or self.kind == "reference" or not left, f"left in HDFS: {left}"


def speaks_kerberos(java):
    """Whether this Java has what Hadoop's clients authenticate with: some that are made smaller lack it."""
    modules = subprocess.run([f"{java}/bin/java", "--list-modules"], capture_output=True, text=True, timeout=60)
    return modules.returncode != 0 or "jdk.security.jgss" in modules.stdout


def release(version):
    """A release of Flink for a cluster with Kerberos, with a Java that speaks Kerberos."""
    home, java, opened = fetch_flink(version), fetch("java", matrix.java_for(version)), ""
    if not speaks_kerberos(java) and matrix.java_for(version) == "11":
        java, opened = fetch("java", "17"), matrix.OPENED
    if not speaks_kerberos(java):
        pytest.skip(f"the Java in {java} has no module jdk.security.jgss, without which it cannot use Kerberos")
    return matrix.Release(home, java, job_jar(home, version), opened)


def cluster_of(request, base, name, tmp_path, flink_home, client_kind, make=Cluster, **options):
    """A workspace on a cluster of one test's own, whose daemons and nodes may come to harm."""
    made = make(f"{base.name}-{name}")
    try:
        made.up(**options)
        work = Workspace(made, client_kind, tmp_path, flink_home, label(request))
        yield work
        end_all(made, work.name)
        work.close(getattr(request.node, "failed", True))
    finally:
        made.down()


def secured_of(request, base, name, tmp_path, flink_home, client_kind, **options):
    """The same with Kerberos. The test's directory in HDFS is everybody's."""
    if why := no_kerberos():
        pytest.skip(why)
    for made in cluster_of(request, base, name, tmp_path, flink_home, client_kind, make=Secured, **options):
        made.cluster.hdfs.mkdir(made.hdfs_dir, "777")
        yield made


@pytest.fixture
def patient(request, cluster, tmp_path, flink_home, client_kind):
    """NodeManagers whose SIGKILL comes late, so that there is a sample of the moment of the SIGTERM."""
    settings = {"yarn.nodemanager.sleep-delay-before-sigkill.ms": 20000}
    yield from cluster_of(request, cluster, "patient", tmp_path, flink_home, client_kind, set=settings)


@pytest.fixture
def pairs(request, cluster, tmp_path, flink_home, client_kind):
    """Two ResourceManagers and two NameNodes, of which one each is active."""
    yield from cluster_of(request, cluster, "pairs", tmp_path, flink_home, client_kind, recovery=True, resourcemanagers=2, namenodes=2)


def workspace_on(request, cluster, tmp_path, flink_home, client_kind):
    """A test's workspace on a cluster that others use as well."""
    made = Workspace(cluster, client_kind, tmp_path, flink_home, label(request))
    yield made
    made.close(getattr(request.node, "failed", True))


@pytest.fixture
def work(request, cluster, tmp_path, flink_home, client_kind):
    yield from workspace_on(request, cluster, tmp_path, flink_home, client_kind)


@pytest.fixture
def secured_work(request, secured, tmp_path, flink_home, client_kind):
    """Its directory in HDFS is everybody's: the users of the realm are not those who look at the cluster."""
    for made in workspace_on(request, secured, tmp_path, flink_home, client_kind):
        secured.hdfs.mkdir(made.hdfs_dir, "777")
        yield made


@pytest.fixture
def client(work):
    return work.client()


@pytest.fixture
def session(module_session):
    """A session that the tests of one module share; each finds it without running jobs."""
    yield module_session
    rest = Flink(module_session.url)
    for job, state in rest.jobs().items():
        if state not in ("FINISHED", "FAILED", "CANCELED"):
            call(f"{rest.base}/jobs/{job}?mode=cancel", "PATCH")
            rest.wait_job(job, "FINISHED", "FAILED", "CANCELED")


@pytest.fixture(scope="module")
def module_session(request, cluster, tmp_path_factory, flink_home, client_kind):
    name = f"{request.module.__name__.rpartition('.')[2]}-{client_kind}-{os.getpid()}"
    made = Workspace(cluster, client_kind, tmp_path_factory.mktemp(name), flink_home, name)
    session = made.client().session("-nm", name, "-Dtaskmanager.numberOfTaskSlots=4")
    yield session
    session.stop()
    cluster.yarn.wait_state(session.application, *FINISHED)
    made.close()


@pytest.fixture
def chromium():
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("no headless browser on this machine")
    return found


@pytest.fixture
def hdfs_dir(request, cluster):
    """A directory in HDFS of the test's own, as a path without the file system."""
    path = f"/tmp/{label(request)}"
    cluster.hdfs.mkdir(path)
    yield path
    cluster.hdfs.delete(path)
