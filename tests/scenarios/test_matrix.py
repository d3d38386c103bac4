"""WordCount in each mode on the releases of Flink and Hadoop.

A plain run has the oldest Flink (1.20 and 2.3 are in the other scenarios), the extended scenarios have four
Flinks, and `scripts/test --matrix` has all releases of both.
"""

import os

import pytest

from conftest import Workspace, fetch, fetch_flink, label
from harness.checks import check_gone
from harness.client import SMALL
from harness.cluster import Cluster
from harness.jars import job_jar
from harness.matrix import COUNTS, FLINKS, MODES, TEXT, USUAL_HADOOP, java_for, places, versions_in

# It is about what works, not how fast: enough for a machine that does much else.
SECONDS = 240


def pytest_generate_tests(metafunc):
    if "place" in metafunc.fixturenames:
        chosen = []
        for flink, hadoop in places(metafunc.config.getoption("--matrix")):
            # One client after the other on a release. Clusters of other Hadoops come one after another.
            marks = [] if flink == FLINKS[0] else [pytest.mark.extended]
            group = f"flink-{flink}" if hadoop == USUAL_HADOOP else "other-hadoop"
            marks.append(pytest.mark.xdist_group(group))
            chosen.append(pytest.param((flink, hadoop), id=f"flink-{flink}-hadoop-{hadoop}", marks=marks))
        metafunc.parametrize("place", chosen, scope="module", indirect=True)


class Place:
    """A Flink, the Java it runs with, and a cluster of some Hadoop."""

    def __init__(self, flink, hadoop, cluster):
        self.flink, self.hadoop, self.cluster = flink, hadoop, cluster
        self.flink_home, self.java_home = fetch_flink(flink), fetch("java", java_for(flink))
        self.jar = job_jar(self.flink_home, flink)


@pytest.fixture(scope="module")
def place(request):
    flink, hadoop = request.param
    if hadoop == USUAL_HADOOP:
        yield Place(flink, hadoop, request.getfixturevalue("cluster"))
        return
    cluster = Cluster(f"{os.environ['HEDDLE_TEST_CLUSTER']}-hadoop")
    try:
        yield Place(flink, hadoop, cluster.up(hadoop))
    finally:
        cluster.down()


@pytest.fixture
def work(request, place, tmp_path, client_kind):
    made = Workspace(place.cluster, client_kind, tmp_path, place.flink_home, label(request))
    yield made
    made.close(getattr(request.node, "failed", True))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", MODES)
def test_word_count(work, place, mode, record_property):
    if work.kind == "reference" and mode == "per-job" and place.flink.startswith("2."):
        pytest.skip("Flink's own client has no per-job mode from 2.0 on")
    client = work.client(java_home=place.java_home)
    for name in ("one", "two"):
        work.cluster.hdfs.write(f"{work.hdfs_dir}/in/{name}.txt", TEXT)
    at = f"{work.cluster.fs}{work.hdfs_dir}"
    paths = ("--input", f"{at}/in", "--output", f"{at}/out")
    java = [f"-Dcontainerized.{role}.env.JAVA_HOME={place.java_home}" for role in ("master", "taskmanager")]
    options = [*java, "-Dtaskmanager.numberOfTaskSlots=2"]

    if mode == "session":
        session = client.session("-nm", work.name, *options, seconds=SECONDS)
        application = session.application
        session.run(place.jar, "WordCount", *paths, options=["-p", "2"], seconds=SECONDS).ok()
        session.stop().ok()
    elif mode == "per-job":
        application = client.per_job(work.name, place.jar, "WordCount", *paths, options=[*options, "-p", "2"], seconds=SECONDS).ok().application
    else:
        verb = ["run"] if place.flink.startswith("2.") else ["run-application"]
        target = ["-t", "yarn-application", *SMALL, f"-Dyarn.application.name={work.name}", *options, "-p", "2"]
        application = client.flink(*verb, *target, "-c", "WordCount", place.jar, *paths, seconds=SECONDS).ok().application
    check_gone(work.cluster, application, "SUCCEEDED", seconds=SECONDS)

    counts = dict(line.split(",") for line in work.cluster.hdfs.read_all(f"{work.hdfs_dir}/out").split())
    assert counts == {word: str(2 * int(count)) for word, count in COUNTS.items()}
    # What ran was what is meant to have run.
    for log in ("jobmanager.log", "taskmanager.log"):
        said = versions_in(work.cluster.log_text(application, log))
        record_property("java", said["java"])
        assert (said["flink"], said["hadoop"]) == (place.flink, place.hadoop)
        assert said["java"].split(".")[0] == java_for(place.flink)
