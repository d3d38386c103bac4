"""Several users of a secured cluster: nobody gets at what is another's, and a gateway acts only for those it
may act for."""

import urllib.error

import pytest

from harness import credentials, processes
from harness.checks import Before, check_gone, check_refused
from harness.client import SMALL
from harness.credentials import HDFS, Identity
from harness.kerberos import ALICE, BOB, GATEWAY, REALM, TICKETS, home, member
from harness.waiting import wait_for

pytestmark = [pytest.mark.xdist_group("kerberos-cluster"), pytest.mark.timeout(600)]


@pytest.fixture
def work(secured_work):
    return secured_work


@pytest.mark.heddle_only("its files are other ones, and it cannot kill")
def test_nobody_gets_at_what_is_anothers(work, jar):
    """bob neither reads alice's directories, nor kills, joins or sees into her session, nor learns what runs
    there, nor deploys into her home; his own session runs beside hers."""
    hdfs, alice, bob = work.cluster.hdfs, member(work), member(work, BOB, by=TICKETS)
    session = alice.session("-nm", work.name)
    application = session.application
    session.run(jar, "Sleepy", "--seconds", "600", options=["-d"]).ok()
    for path in (home(ALICE), f"{home(ALICE)}/.flink/{application}", f"{home(ALICE)}/.heddle"):
        assert hdfs.list(path), "the check can fail"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            hdfs.list(path, user=BOB)

    killed = bob.run("heddle", "kill", application)
    check_refused(killed, application)
    for words in (["list"], ["cancel", "0" * 32], ["run", "-c", "WordCount", jar]):
        verb, *rest = words
        result = bob.flink(verb, *session.target(), *rest)
        assert result.code == 1 and len(result.error_lines()) == 1, result
        assert session.url not in result.text, result
    for verb in ("status", "why"):
        told = bob.run("heddle", verb, application)
        assert session.url not in told.text and "Sleepy" not in told.text, told
    assert work.cluster.yarn.app(application)["state"] == "RUNNING"

    into = f"-Dyarn.staging-directory={work.cluster.fs}{home(ALICE)}"
    check_refused(bob.run("yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "-nm", work.name, into), BOB)
    [app] = work.cluster.yarn.by_name(work.name)
    assert app["id"] == application, "nothing of bob's was submitted"

    own = bob.session("-nm", f"{work.name}-of-bob")
    assert work.cluster.yarn.app(own.application)["user"] == BOB
    assert hdfs.status(f"{home(BOB)}/.flink/{own.application}")["owner"] == BOB
    own.stop().ok()
    check_gone(work.cluster, own.application, "SUCCEEDED")
    wait_for("his directory in HDFS gone", lambda: own.application not in (hdfs.list(f"{home(BOB)}/.flink") or {}), 10)
    session.stop().ok()
    check_gone(work.cluster, application, "SUCCEEDED")


@pytest.mark.extended
@pytest.mark.heddle_only("from 1.17 on it refuses to act for others unless there are no tokens")
def test_a_gateway_acts_for_alice(work, jar):
    """HADOOP_PROXY_USER: the application, its files and its tokens are alice's, and the ticket is the
    gateway's."""
    client = member(work, GATEWAY, by=TICKETS)
    client.variables["HADOOP_PROXY_USER"] = ALICE
    session = client.session("-nm", work.name)
    application = session.application
    assert work.cluster.yarn.app(application)["user"] == ALICE
    assert work.cluster.hdfs.status(f"{home(ALICE)}/.flink/{application}")["owner"] == ALICE
    out = f"{work.hdfs_dir}/out"
    session.run(jar, "WordCount", "--output", f"{work.cluster.fs}{out}").ok()
    assert work.cluster.hdfs.status(out)["owner"] == ALICE
    for process in processes.jvms(work.cluster, application):
        for token in credentials.of_process(process).of_kind(HDFS):
            identity = Identity.of(token)
            assert (identity.owner, identity.real_user) == (ALICE, f"{GATEWAY}@{REALM}"), identity
    session.stop().ok()
    check_gone(work.cluster, application, "SUCCEEDED")


@pytest.mark.extended
@pytest.mark.heddle_only("it shows a stack trace")
def test_a_gateway_may_not_act_for_everybody(work, jar):
    """For bob it may not: refused in one line, and nothing is left."""
    client, before = member(work, GATEWAY, by=TICKETS), Before(work.cluster)
    client.variables["HADOOP_PROXY_USER"] = BOB
    words = ["-t", "yarn-application", *SMALL, f"-Dyarn.application.name={work.name}", "-c", "WordCount", jar]
    result = client.flink("run-application", *words)
    check_refused(result, GATEWAY, "impersonate", BOB)
    assert result.seconds < 15, result
    before.check_untouched()
    check_refused(client.run("heddle", "ps"), "impersonate")


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_a_user_without_a_home(work):
    """One whom the cluster believes, but who has no directory: nothing is submitted."""
    full = f"homeless-{work.name}"[:60]
    keys = work.directory / "homeless.keytab"
    work.cluster.principals(f"addprinc -randkey {full}@{REALM}", f"ktadd -norandkey -k {keys} {full}@{REALM}")
    client = member(work, by=None)
    client.configure({"security.kerberos.login.keytab": keys, "security.kerberos.login.principal": f"{full}@{REALM}"})
    result = client.run("yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "-nm", work.name)
    assert result.code == 1 and full in result.text, result
    if client.is_heddle:
        check_refused(result, home(full))
    assert not [app for app in work.cluster.yarn.by_name(work.name) if app["state"] == "RUNNING"]
