"""Deployments in a tool's own process (tests/deployers) on a cluster with Kerberos: with the tickets of that
process, and for another user. Hadoop's classes learn from the class path that there is Kerberos, so the tool
has Hadoop's configuration there."""

import pytest

from conftest import release
from harness import credentials, processes
from harness.checks import check_gone
from harness.credentials import HDFS, Identity
from harness.deployers import Deployer
from harness.kerberos import ALICE, BOB, GATEWAY, REALM, TICKETS, home, member
from harness.matrix import USUAL_FLINK

pytestmark = [pytest.mark.xdist_group("kerberos-cluster"), pytest.mark.timeout(600)]


@pytest.fixture
def work(secured_work):
    return secured_work


def deployer_of(work, name):
    """A tool whose process has the tickets of a user."""
    made = release(USUAL_FLINK)
    return Deployer(member(work, name, by=TICKETS, release=made), made, USUAL_FLINK)


def words_of(work, deployer):
    return ["--jar", deployer.release.jobs, "--main", "WordCount", "--argument", "--output", "--argument", f"{work.cluster.fs}{work.hdfs_dir}/out"]


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_with_the_tickets_of_the_process(work):
    deployer = deployer_of(work, ALICE)
    told = deployer.run("factory", "session", work.name, *words_of(work, deployer), "--end", "shut-down")
    app = check_gone(work.cluster, told.application, "SUCCEEDED", seconds=120)
    assert app["user"] == ALICE
    assert list(told.only["jobs"].values()) == ["FINISHED"]
    assert work.cluster.hdfs.status(f"{work.hdfs_dir}/out")["owner"] == ALICE
    assert bool(work.cluster.log_files(told.application, "heddle-am.log")) == (work.kind == "heddle")


@pytest.mark.extended
@pytest.mark.heddle_only("from 1.17 on it refuses to act for others unless there are no tokens")
def test_for_another_user(work):
    """The descriptor is made for alice by a gateway that may act for her, and deploys outside of that."""
    deployer = deployer_of(work, GATEWAY)
    told = deployer.run("factory", "session", work.name, "--proxy-user", ALICE)
    application = told.application
    assert work.cluster.yarn.app(application)["user"] == ALICE
    assert work.cluster.hdfs.status(f"{home(ALICE)}/.flink/{application}")["owner"] == ALICE
    found = 0
    for process in processes.jvms(work.cluster, application):
        for token in credentials.of_process(process).of_kind(HDFS):
            identity, found = Identity.of(token), found + 1
            assert (identity.owner, identity.real_user) == (ALICE, f"{GATEWAY}@{REALM}"), identity
    assert found, "there was nothing to look at"
    deployer.client.variables["HADOOP_PROXY_USER"] = ALICE
    deployer.client.run("heddle", "kill", application).ok()
    check_gone(work.cluster, application, "KILLED")


@pytest.mark.extended
@pytest.mark.heddle_only("it uploads first")
def test_for_a_user_whom_it_may_not_act_for(work):
    deployer = deployer_of(work, GATEWAY)
    told = deployer.run("factory", "session", work.name, "--proxy-user", BOB)
    text = "\n".join(message for _, message in told.errors)
    assert "impersonate" in text and BOB in text, told
    assert not work.cluster.yarn.by_name(work.name)
