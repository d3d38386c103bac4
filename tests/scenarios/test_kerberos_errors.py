"""What can be wrong with a login, with the KDC and with the servers of a secured cluster: one error, a hint,
within 15 seconds, and nothing left in YARN and HDFS."""

import os
import shutil
import time
from pathlib import Path

import pytest

from harness.checks import Before, check_gone, check_refused
from harness.client import SMALL
from harness.kerberos import ALICE, BOB, KEYTAB, REALM, TICKETS, cannot_hide, hidden, keytab_settings, library_file, member
from harness.waiting import wait_for

pytestmark = [
    pytest.mark.heddle_only("it shows a stack trace, and waits for longer"),
    pytest.mark.xdist_group("kerberos-cluster"),
    pytest.mark.timeout(300),
]

PATIENCE = 15
SESSION = ["yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024"]
FAKETIME = shutil.which("faketime")
# Where MIT's library looks for the daemon that keeps tickets of the kind `KCM:`.
KCM = Path("/var/run/.heim_org.h5l.kcm-socket")


@pytest.fixture
def work(secured_work):
    return secured_work


def check_result(result, *words):
    check_refused(result, *words)
    assert result.seconds < PATIENCE, result


def check_deployment(work, client, *words, options=(), before=()):
    """Deploying a session is refused with these words, and has left nothing. `before`: what the command is
    started with."""
    state = Before(work.cluster)
    program, *rest = SESSION
    command = [*before, client.bin / program] if before else [program]
    result = client.run(*command, *rest, "-nm", work.name, *options)
    check_result(result, *words)
    state.check_untouched()
    return result


# ---- the login


def no_tickets(work, client):
    return ["kinit", "security.kerberos.login.keytab"]


def expired_tickets(work, client):
    work.cluster.kinit(ALICE, client.tickets, "-l", "2s")
    time.sleep(4)
    return ["xpired", "kinit"]


def a_cache_that_nobody_keeps(work, client):
    """KCM is a daemon, which this host has not."""
    if KCM.exists():
        pytest.skip(f"somebody listens at {KCM}")
    client.variables["KRB5CCNAME"] = "KCM:"
    return ["KCM", "kinit"]


def a_cache_of_no_known_kind(work, client):
    client.variables["KRB5CCNAME"] = "BASKET:of-alice"
    return ["BASKET:of-alice", "kinit"]


def a_damaged_cache(work, client):
    client.tickets.write_bytes(b"\5\4these are no tickets")
    return ["Bad format in credentials cache", client.tickets, "kinit"]


def no_keytab(work, client):
    path = client.directory / "no-such.keytab"
    client.configure(keytab_settings(path, ALICE))
    return [path, "No such file", "security.kerberos.login.keytab"]


def keytab_of_nobody(work, client):
    """One that this user may not read."""
    if os.geteuid() == 0:
        pytest.skip("root may read each file")
    path = client.directory / "closed.keytab"
    path.write_bytes(work.cluster.keytab(ALICE).read_bytes())
    path.chmod(0)
    client.configure(keytab_settings(path, ALICE))
    return [path, "Permission denied", "security.kerberos.login.keytab"]


def no_krb5_conf(work, client):
    path = client.directory / "no-such-krb5.conf"
    del client.variables["KRB5_CONFIG"]
    client.configure({"security.kerberos.krb5-conf.path": path, **keytab_settings(work.cluster.keytab(ALICE), ALICE)})
    return [path, "No such file", "security.kerberos.krb5-conf.path"]


def no_file_of_tokens(work, client):
    """It counts also where there are tickets, because the user has named it."""
    path = client.directory / "tokens"
    path.write_text("these are no tokens")
    work.cluster.kinit(ALICE, client.tickets)
    client.variables["HADOOP_TOKEN_FILE_LOCATION"] = str(path)
    return [path, "HADOOP_TOKEN_FILE_LOCATION"]


def no_file_of_keys(work, client):
    path = client.directory / "text.keytab"
    path.write_text("these are no keys")
    client.configure(keytab_settings(path, ALICE))
    return [path, "not a keytab"]


def keytab_of_another(work, client):
    path = work.cluster.keytab(BOB)
    client.configure(keytab_settings(path, ALICE))
    return [path, f"{ALICE}@{REALM}", "klist -kt"]


def keytab_without_principal(work, client):
    client.configure({"security.kerberos.login.keytab": work.cluster.keytab(ALICE)})
    return ["security.kerberos.login.keytab", "security.kerberos.login.principal"]


def old_keys(work, client):
    """The principal has got new keys since."""
    path, name = client.directory / "old.keytab", f"changed-{work.name}"
    full = f"{name}@{REALM}"
    work.cluster.principals(f"addprinc -randkey {full}", f"ktadd -norandkey -k {path} {full}", f"cpw -randkey {full}")
    client.configure({"security.kerberos.login.keytab": path, "security.kerberos.login.principal": full})
    return [full, "klist -kt"]


def unknown_to_the_kdc(work, client):
    path, full = client.directory / "gone.keytab", f"gone-{work.name}@{REALM}"
    work.cluster.principals(f"addprinc -randkey {full}", f"ktadd -norandkey -k {path} {full}", f"delprinc -force {full}")
    client.configure({"security.kerberos.login.keytab": path, "security.kerberos.login.principal": full})
    return [full, "realm"]


def tickets_that_may_not_be_used(work, client):
    work.cluster.kinit(ALICE, client.tickets)
    client.configure({"security.kerberos.login.use-ticket-cache": "false"})
    return ["security.kerberos.login"]


CASES = [no_tickets, expired_tickets, no_keytab, keytab_of_another]
MORE = [
    no_file_of_keys, keytab_of_nobody, keytab_without_principal, old_keys, unknown_to_the_kdc, tickets_that_may_not_be_used,
    no_krb5_conf, no_file_of_tokens, a_cache_that_nobody_keeps, a_cache_of_no_known_kind, a_damaged_cache,
]  # fmt: skip


@pytest.mark.parametrize("case", [*CASES, *(pytest.param(case, marks=pytest.mark.extended) for case in MORE)], ids=lambda case: case.__name__)
def test_login(work, case):
    """Logins that cannot be are told apart, each with what mends it."""
    client = member(work, by=None)
    check_deployment(work, client, *case(work, client))


@pytest.mark.extended
def test_every_command_says_it(work, jar):
    """Not only deployments: whatever asks the cluster needs a login."""
    client = member(work, by=None)
    target = ["-t", "yarn-session", "-Dyarn.application.id=application_1_0001"]
    for command in (
        ["flink", "list", *target],
        ["flink", "run", *target, "-c", "WordCount", jar],
        ["flink", "run-application", "-t", "yarn-application", *SMALL, "-c", "WordCount", jar],
        ["flink", "run", "-t", "yarn-per-job", *SMALL, "-c", "WordCount", jar],
        ["yarn-session.sh", "-id", "application_1_0001"],
        ["heddle", "ps"],
        ["heddle", "gc"],
    ):
        check_result(client.run(*command), "kinit")


@pytest.mark.extended
def test_tickets_that_end_while_a_session_runs(work, jar):
    """The session goes on with its tokens; the next command wants another kinit, after which all is as
    before."""
    client = member(work, by=None)
    work.cluster.kinit(ALICE, client.tickets, "-l", "60s")
    session = client.session("-nm", work.name)
    time.sleep(max(0, 62 - session.result.seconds))
    check_result(client.flink("list", *session.target()), "xpired", "kinit")
    assert work.cluster.yarn.app(session.application)["state"] == "RUNNING"
    work.cluster.kinit(ALICE, client.tickets)
    session.run(jar, "WordCount").ok()
    session.stop().ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


# ---- the KDC


@pytest.mark.parametrize(
    ("how", "by"),
    [("pause", KEYTAB), *(pytest.param(how, by, marks=pytest.mark.extended) for how, by in (("pause", TICKETS), ("stop", KEYTAB), ("stop", TICKETS)))],
)
def test_no_kdc(work, how, by):
    """It hangs, or it does not run: whether a ticket of the user or one for a server is missing."""
    client = member(work, by=by)
    getattr(work.cluster, how)("kdc")
    try:
        result = check_deployment(work, client, "KDC", "krb5.conf")
    finally:
        if how == "pause":
            work.cluster.resume("kdc")
        else:
            work.cluster.start("kdc")
            wait_for("the KDC", lambda: work.cluster.listens("kdc"), 30)
    assert result.error_lines()


@pytest.mark.extended
def test_a_realm_that_no_file_names(work):
    """krb5.conf names another realm than the cluster has."""
    client = member(work, by=TICKETS)
    other = client.directory / "krb5.conf"
    other.write_text("[libdefaults]\ndefault_realm = ELSEWHERE.TEST\ndns_lookup_kdc = false\ndns_lookup_realm = false\n")
    client.variables["KRB5_CONFIG"] = str(other)
    client.configure({"security.kerberos.krb5-conf.path": other})
    check_deployment(work, client, "krb5.conf")


@pytest.mark.extended
@pytest.mark.skipif(FAKETIME is None, reason="no faketime on this machine")
def test_a_clock_that_is_wrong(work):
    """This host is twenty minutes ahead. (With a keytab the library sets itself by the KDC's clock.)"""
    # The clock that deadlines are measured with goes right on each host.
    ahead = [FAKETIME, "-m", "--exclude-monotonic", "-f", "+20m"]
    check_deployment(work, member(work, by=TICKETS), "clock", before=ahead)


@pytest.mark.extended
def test_no_library(work, cluster):
    """What to install is said where the library is needed, and only there: the plain cluster is served
    without it."""
    file = library_file() or pytest.skip("there is none on this machine anyway")
    if why := cannot_hide():
        pytest.skip(why)
    client = member(work)
    empty = client.directory / "empty"
    empty.touch()
    before = hidden(file, empty)
    check_deployment(work, client, "libgssapi-krb5-2", "krb5-libs", before=before)
    plain = member(work, by=None)
    plain.run(*before, plain.bin / "heddle", "ps", env={"HADOOP_CONF_DIR": str(cluster.conf), "KRB5_CONFIG": None}).ok()


# ---- the servers

ELSEWHERE = f"elsewhere@{REALM}"
SERVERS = {"yarn.resourcemanager.principal": "rm", "dfs.namenode.kerberos.principal": "nn"}


@pytest.mark.parametrize("key", ["yarn.resourcemanager.principal", pytest.param("dfs.namenode.kerberos.principal", marks=pytest.mark.extended)])
def test_a_server_that_is_another(work, key):
    """A server whose principal is not the one that the configuration names gets no ticket; `.pattern` allows
    it, or does not."""
    service, client = SERVERS[key], member(work, by=TICKETS)
    wrong = f"-Dflink.hadoop.{key}={service}/{ELSEWHERE}"
    check_deployment(work, client, f"{service}/localhost", f"{service}/{ELSEWHERE}", ".pattern", options=[wrong])
    check_deployment(work, client, f"{service}/localhost", options=[wrong, f"-Dflink.hadoop.{key}.pattern={service}/else*@{REALM}"])
    if key.startswith("yarn"):
        client.configure({f"flink.hadoop.{key}": f"{service}/{ELSEWHERE}", f"flink.hadoop.{key}.pattern": f"{service}/local*@{REALM}"})
        client.run("heddle", "ps").ok()


@pytest.mark.extended
def test_a_server_that_the_kdc_does_not_know(work):
    """The KDC has its principal no more, which is another matter than a wrong one in the configuration."""
    client, full, away = member(work, by=TICKETS), f"rm/localhost@{REALM}", f"rm/away@{REALM}"
    work.cluster.principals(f"renprinc -force {full} {away}")
    try:
        check_deployment(work, client, full)
    finally:
        work.cluster.principals(f"renprinc -force {away} {full}")


def test_a_server_that_asks_for_no_ticket(work, cluster):
    """The configuration says Kerberos, and the server believes everybody: nothing is told to it."""
    before, client = Before(cluster), member(work, by=TICKETS)
    settings = {"hadoop.security.authentication": "kerberos"}
    settings |= {key: f"{service}/localhost@{REALM}" for key, service in SERVERS.items()}
    options = [f"-Dflink.hadoop.{key}={value}" for key, value in settings.items()]
    program, *rest = SESSION
    result = client.run(program, *rest, "-nm", work.name, *options, env={"HADOOP_CONF_DIR": str(cluster.conf)})
    check_result(result, "SIMPLE", "hadoop.security.authentication")
    before.check_untouched()


@pytest.mark.extended
def test_a_client_that_does_not_know_of_kerberos(work):
    """The cluster's own refusal, with a hint to the key that is wrong."""
    options = ["-Dflink.hadoop.hadoop.security.authentication=simple"]
    check_deployment(work, member(work, by=TICKETS), "KERBEROS", options=options)


@pytest.mark.extended
def test_protections_that_do_not_meet(work):
    """The client wants privacy, and the cluster has authentication alone."""
    options = ["-Dflink.hadoop.hadoop.rpc.protection=privacy"]
    check_deployment(work, member(work, by=TICKETS), "hadoop.rpc.protection", options=options)


@pytest.mark.extended
@pytest.mark.parametrize("value", ["kerbros", "token"])
def test_a_method_that_is_none(work, value):
    """A value that heddle does not know is an error, and no login of another kind."""
    options = [f"-Dflink.hadoop.hadoop.security.authentication={value}"]
    check_deployment(work, member(work, by=TICKETS), "hadoop.security.authentication", value, options=options)


@pytest.mark.extended
def test_no_tokens_although_file_systems_are_named(work, jar):
    """With `security.delegation.tokens.enabled` false none may be asked for, as with Flink's own client."""
    options = ["-Dsecurity.delegation.tokens.enabled=false", f"-Dsecurity.kerberos.access.hadoopFileSystems={work.cluster.fs}"]
    words = ["security.kerberos.access.hadoopFileSystems", "security.delegation.tokens.enabled"]
    check_deployment(work, member(work), *words, options=options)


@pytest.mark.extended
def test_a_file_system_that_gives_no_token(work):
    """One that does not exist is named by its key, before anything is submitted."""
    key, nowhere = "security.kerberos.access.hadoopFileSystems", "hdfs://localhost:1"
    check_deployment(work, member(work, by=TICKETS), nowhere, options=[f"-D{key}={nowhere}"])
