"""The profile `kerberos`: nobody is believed without a ticket, and all that the plain cluster does works with
one."""

import pytest

from stack import INPUT, TEXT, check_counts, wait_for, word_count

VARIABLES = {"COMPOSE_PROFILES": "kerberos"}
SMALL = ["-Djobmanager.memory.process.size=1024m", "-Dtaskmanager.memory.process.size=1024m"]
KEYTAB = "/etc/keytabs/alice.keytab"


@pytest.fixture(scope="module")
def tickets(stack):
    """Alice has called kinit, and has a text in her home."""
    stack.run("kinit", "-kt", KEYTAB, "alice").ok()
    stack.put(TEXT, INPUT.removeprefix("hdfs://"))


@pytest.fixture(scope="module")
def session(stack, tickets):
    return stack.run("yarn-session.sh", "-nm", "test", "-jm", "1024", "-tm", "1024", "-d").ok()


def test_nobody_is_believed(stack):
    """bob has called no kinit, and may read no keytab but his own."""
    refused = stack.run("yarn-session.sh", "-d", user="bob")
    assert refused.code != 0 and "hint:" in refused.err and "kinit" in refused.err, refused.text
    assert stack.run("hdfs", "dfs", "-ls", "/", user="bob").code != 0
    for name in ("nn", "rm", "hdfs", "alice"):
        assert stack.run("cat", f"/etc/keytabs/{name}.keytab", user="bob").code != 0, name
    stack.run("klist", "-kt", "/etc/keytabs/bob.keytab", user="bob").ok()


def test_a_password(stack):
    """As people do it."""
    stack.run("bash", "-c", "echo bob | kinit bob && klist && kdestroy", user="bob").ok()


def test_a_session_by_a_ticket(stack, session):
    assert stack.app(session.application)["user"] == "alice"
    stack.run("flink", "run", "-p", "2", *word_count("session")).ok()
    check_counts(stack, "session")


def test_an_application_by_a_keytab(stack, tickets):
    """Without a ticket cache; its logs come to HDFS."""
    login = [f"-Dsecurity.kerberos.login.keytab={KEYTAB}", "-Dsecurity.kerberos.login.principal=alice"]
    words = ["run-application", "-t", "yarn-application", "--attached", *SMALL, *login, *word_count("application")]
    done = stack.run("env", "KRB5CCNAME=FILE:/tmp/none", "flink", *words).ok()
    check_counts(stack, "application")
    assert stack.ended(done.application) == "SUCCEEDED"
    logs = lambda: stack.run("yarn", "logs", "-applicationId", done.application).out  # noqa: E731
    wait_for("the aggregated logs", lambda: (text := logs()) and "LogType:taskmanager.log" in text and "LogType:heddle-am.log" in text, 90, every=2)


def test_per_job(stack, tickets):
    """`main()` on the client, which keeps a call to the ApplicationMaster on another host open."""
    done = stack.run("flink", "run", "-t", "yarn-per-job", *SMALL, *word_count("per-job")).ok()
    check_counts(stack, "per-job")
    assert stack.ended(done.application) == "SUCCEEDED"


def test_a_gateway(stack, tickets):
    """It may act for alice, and for nobody else."""
    stack.run("kinit", "-kt", "/etc/keytabs/gateway.keytab", "gateway", user="gateway").ok()
    as_another = lambda name, *words: stack.run("env", f"HADOOP_PROXY_USER={name}", *words, user="gateway")  # noqa: E731
    done = as_another("alice", "flink", "run-application", "-t", "yarn-application", "--attached", *SMALL, *word_count("of-the-gateway")).ok()
    check_counts(stack, "of-the-gateway")
    assert stack.app(done.application)["user"] == "alice"
    refused = as_another("bob", "heddle", "ps")
    assert refused.code != 0 and "impersonate" in refused.err, refused.text


def test_another_user(stack, session):
    """bob cannot end alice's session."""
    stack.run("kinit", "-kt", "/etc/keytabs/bob.keytab", "bob", user="bob").ok()
    killed = stack.run("heddle", "kill", session.application, user="bob")
    assert killed.code != 0 and "hint:" in killed.err, killed.text
    assert stack.app(session.application)["state"] == "RUNNING"


def test_the_session_stops(stack, session):
    stack.run("bash", "-c", f"echo stop | yarn-session.sh -id {session.application}").ok()
    assert stack.ended(session.application) == "SUCCEEDED"
    assert session.application not in str(stack.files("/user/alice/.flink"))
