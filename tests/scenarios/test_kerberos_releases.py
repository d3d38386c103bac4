"""WordCount in each mode on secured clusters of other releases: one Flink for each way in which it has
handled tokens on the usual Hadoop, and the usual Flink on each other Hadoop."""

import os
from types import SimpleNamespace

import pytest

from conftest import FLINK_VERSION, no_kerberos, release, workspace_on
from harness.kerberos import KEYTAB, TICKETS, Secured, member, word_count
from harness.matrix import HADOOPS, MODES, USUAL_HADOOP, versions_in

pytestmark = [
    pytest.mark.extended,
    pytest.mark.slow("releases that no other scenario here runs, and clusters of their own"),
    pytest.mark.timeout(900),
]

FLINKS = ("1.13.6", "1.16.3", "1.17.2", "2.3.0")
# Both logins for each release. The application's JobManager is the one that obtains tokens with the keytab.
LOGINS = {"session": TICKETS, "per-job": KEYTAB, "application": KEYTAB}


def places():
    """Pairs of Flink and Hadoop. Those on the usual Hadoop share the cluster of the other scenarios."""
    shared, own = pytest.mark.xdist_group("kerberos-cluster"), pytest.mark.xdist_group("kerberos-other-hadoop")
    found = [(flink, USUAL_HADOOP, shared) for flink in FLINKS]
    found += [(FLINK_VERSION, hadoop, own) for hadoop in HADOOPS if hadoop != USUAL_HADOOP]
    return [pytest.param((flink, hadoop), id=f"flink-{flink}-hadoop-{hadoop}", marks=mark) for flink, hadoop, mark in found]


# Not called `place`, because results of that name go to the tables of clusters without Kerberos.
@pytest.fixture(scope="module", params=places())
def secured_place(request):
    flink, hadoop = request.param
    if why := no_kerberos():
        pytest.skip(why)
    found = release(flink)
    if hadoop == USUAL_HADOOP:
        yield SimpleNamespace(flink=flink, release=found, cluster=request.getfixturevalue("secured"))
        return
    cluster = Secured(f"{os.environ['HEDDLE_TEST_CLUSTER']}-kerberos-hadoop")
    try:
        yield SimpleNamespace(flink=flink, release=found, cluster=cluster.up(hadoop))
    finally:
        cluster.down()


@pytest.fixture
def work(request, secured_place, tmp_path, client_kind):
    for made in workspace_on(request, secured_place.cluster, tmp_path, secured_place.release.home, client_kind):
        made.cluster.hdfs.mkdir(made.hdfs_dir, "777")
        yield made


@pytest.mark.reference(extended=True)
@pytest.mark.parametrize("mode", MODES)
def test_word_count_of_other_releases(work, secured_place, mode):
    flink, found = secured_place.flink, secured_place.release
    if work.kind == "reference" and mode == "per-job" and flink.startswith("2."):
        pytest.skip("Flink's own client has no per-job mode from 2.0 on")
    client = member(work, by=LOGINS[mode], release=found)
    application = word_count(work, client, found.jobs, mode, flink, *found.options)
    # What ran was what is meant to have run.
    for log in ("jobmanager.log", "taskmanager.log"):
        said = versions_in(work.cluster.log_text(application, log))
        assert (said["flink"], said["hadoop"]) == (flink, work.cluster.hadoop), (log, said)
