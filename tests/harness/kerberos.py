"""A cluster with Kerberos under test: its users, how their clients log in, and how it is looked at
meanwhile."""

import json
import os
import re
import shutil
import socket
import subprocess
import urllib.error
from pathlib import Path

from . import processes
from .availability import Application
from .checks import check_gone
from .client import SMALL
from .cluster import HADOOP_VERSION, Cluster, Flink, Hdfs, Yarn, request
from .hadoop.environment import user
from .hadoop.parts import kerberos
from .hadoop.parts.kerberos import REALM, SUPERUSER, USERS, administer, keytab, krb5_conf, principal, program
from .matrix import COUNTS, TEXT
from .waiting import wait_for

ALICE, BOB, GATEWAY = USERS
# How a client logs in.
KEYTAB, TICKETS = "keytab", "tickets"
LIBRARY = "libgssapi_krb5.so.2"
# From this release on HDFS believes the names that its web interface is told, unless it is configured
# otherwise.
BELIEVES = (3, 3)
# What NameNode and ResourceManager log of their delegation tokens. The owner is a principal, or the name of
# somebody for whom another user acts.
LOGGED = re.compile(r"(Creating password|Token cancellation requested) for identifier: .*? owner=([^@,]+)[^,]*, .*sequenceNumber=(\d+)")


def missing():
    """Why there can be no such cluster on this machine; None if there can."""
    packages = kerberos.missing_packages()
    return f"no {', '.join(packages)} on this machine" if packages else None


class Secured(Cluster):
    """A cluster with Kerberos. It is looked at and cleaned up as its administrators do, who are other users
    than those of the clients. What it calls its home is that of alice, who does most of what is tried."""

    def up(self, hadoop=HADOOP_VERSION, **options):
        super().up(hadoop, kerberos=True, **options)
        self.yarn = SecuredYarn(self)
        self.hdfs = Hdfs(self.hdfs.active, SUPERUSER)
        self.hdfs.home = home(ALICE)
        if tuple(map(int, self.hadoop.split(".")[:2])) < BELIEVES:
            self.hdfs.request = Negotiating(self)
        return self

    def kinit(self, name, cache, *options):
        """Gives tickets of a user to whoever reads this file; the value of KRB5CCNAME."""
        kerberos.kinit(self, name, f"FILE:{cache}", *options)
        return f"FILE:{cache}"

    def keytab(self, name):
        return keytab(self, name)

    def principals(self, *lines):
        """Commands of kadmin."""
        return administer(self, *lines)

    @property
    def krb5_conf(self):
        return krb5_conf(self)

    def tickets(self, name):
        """For what the tests themselves do, not the clients."""
        return self.kinit(name, self.directory / f"kerberos/{name}.of-tests")

    def administrator(self):
        return {"KRB5CCNAME": self.tickets(user())}

    def name_node_log(self):
        """Of all NameNodes."""
        return self.daemon_log("namenode")

    def daemon_log(self, kind):
        """Of all daemons of this kind, such as `resourcemanager`."""
        return "".join(log.read_text(errors="replace") for log in sorted(self.directory.glob(f"logs/{kind}*.log")))


class SecuredYarn(Yarn):
    def __init__(self, cluster):
        super().__init__(cluster.yarn.active, cluster.yarn.nms, cluster.yarn.user)
        self.cluster = cluster

    def kill(self, application):
        """The REST interface lets nobody change anything."""
        self.killed.add(application)
        self.cluster.administer("org.apache.hadoop.yarn.client.cli.ApplicationCLI", "application", "-kill", application)


class Negotiating:
    """Asks as `harness.cluster.request` does, with a ticket, which only curl can show without a JVM."""

    def __init__(self, cluster):
        self.cluster, self.cache = cluster, cluster.tickets(SUPERUSER)

    def __call__(self, url, method="GET", body=None, timeout=20, headers=None, context=None):
        command = [program("curl"), "--silent", "--show-error", "--negotiate", "--user", ":", "--max-time", str(timeout)]
        command += ["--request", method, "--write-out", "\n%{http_code}"]
        command += ["--location"] if method == "GET" else []
        for name, value in (headers or {}).items():
            command += ["--header", f"{name}: {value}"]
        command += ["--data-binary", "@-"] if body is not None else []
        environment = self.cluster.environment() | {"KRB5CCNAME": self.cache}
        done = subprocess.run([*command, url], env=environment, input=body or b"", capture_output=True)
        if done.returncode != 0:
            raise urllib.error.URLError(done.stderr.decode(errors="replace"))
        answer, _, code = done.stdout.rpartition(b"\n")
        if int(code) >= 400:
            raise urllib.error.HTTPError(url, int(code), answer.decode(errors="replace"), None, None)
        return answer


def home(name):
    return f"/user/{name}"


def keytab_settings(path, name):
    """Flink's keys for a login by a keytab."""
    return {"security.kerberos.login.keytab": path, "security.kerberos.login.principal": principal(name)}


def member(work, name=ALICE, by=KEYTAB, release=None, **more):
    """A client of a user of the realm, who logs in by a keytab or by tickets of kinit, or with `by` None by
    nothing. `release`: of Flink, if it is not the usual one (`matrix.Release`)."""
    cluster = work.cluster
    more |= {"flink_home": release.home, "java_home": release.java} if release else {}
    client = work.client(**more)
    client.tickets = client.directory / "tickets"
    # Also where no tickets are: those of whoever runs the tests must not help.
    client.variables = {"KRB5_CONFIG": str(cluster.krb5_conf), "KRB5CCNAME": f"FILE:{client.tickets}"}
    java_options = release.java_options if release else ""
    if java_options:
        client.configure({"env.java.opts": java_options})
    if not client.is_heddle:
        client.variables["JVM_ARGS"] = f"-Djava.security.krb5.conf={cluster.krb5_conf} {java_options}".rstrip()
    client.configure({"security.kerberos.krb5-conf.path": cluster.krb5_conf})
    if by == KEYTAB:
        client.configure(keytab_settings(cluster.keytab(name), name))
    elif by == TICKETS:
        cluster.kinit(name, client.tickets)
    return client


def word_count(work, client, jar, mode, flink, *options):
    """Counts words of a file in HDFS into files in HDFS; the application's id, which has ended and left
    nothing. `flink`: the release of the client."""
    hdfs, at = work.cluster.hdfs, f"{work.cluster.fs}{work.hdfs_dir}"
    hdfs.write(f"{work.hdfs_dir}/in/words.txt", TEXT)
    paths = ("--input", f"{at}/in", "--output", f"{at}/out")
    if mode == "session":
        session = client.session("-nm", work.name, *options)
        application = session.application
        session.run(jar, "WordCount", *paths).ok()
        session.stop().ok()
    elif mode == "per-job":
        application = client.per_job(work.name, jar, "WordCount", *paths, options=options).ok().application
    else:
        verb = "run" if flink.startswith("2.") else "run-application"
        words = ["-t", "yarn-application", *SMALL, f"-Dyarn.application.name={work.name}", *options, "-c", "WordCount", jar, *paths]
        application = client.flink(verb, *words).ok().application
    app = check_gone(work.cluster, application, "SUCCEEDED", seconds=120)
    assert app["user"] == ALICE, app
    assert dict(line.split(",") for line in hdfs.read_all(f"{work.hdfs_dir}/out").split()) == COUNTS
    # The TaskManagers' files are hers as well.
    assert hdfs.status(f"{work.hdfs_dir}/out")["owner"] == ALICE
    return application


class Proxied(Flink):
    """Through the ResourceManager, which knows where the web interface is. It warns of what others'
    applications may show, unless a cookie tells it that one has been warned."""

    def __init__(self, cluster, application):
        super().__init__(f"{cluster.yarn.rm}/proxy/{application}")
        self.cookie = {"Cookie": f"checked_{application}=true"}

    def get(self, path):
        return json.loads(request(f"{self.base}/{path}", headers=self.cookie))


class SecuredApplication(Application):
    """An application on such a cluster, with one job."""

    def rest(self):
        return Proxied(self.cluster, self.id)


def tokens_in(log, owner):
    """The numbers of a user's delegation tokens in the log of a NameNode or ResourceManager: of those given,
    and of those cancelled."""
    given, cancelled = set(), set()
    for what, name, number in LOGGED.findall(log):
        if name == owner:
            (given if what.startswith("Creating") else cancelled).add(int(number))
    return given, cancelled


def sql_gateway(client, verb, *words):
    """Starts Flink's SQL gateway at a port that nobody else has; the command, and the JVM that it leads
    to."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    endpoint = "sql-gateway.endpoint.rest"
    command = client.start("sql-gateway.sh", verb, *words, f"-D{endpoint}.address=localhost", f"-D{endpoint}.port={port}")
    own = f"-D{endpoint}.port={port}"
    find = lambda: [process for process in processes.with_words("gateway.SqlGateway", own) if process.is_jvm]  # noqa: E731
    [jvm] = wait_for("the gateway's JVM", find)
    return command, jvm


def uncancelled(cluster, owner, before):
    """The numbers of the tokens that a user has got since `before`, what `tokens_in` has given as those
    given, and that nobody has cancelled."""
    given, cancelled = tokens_in(cluster.daemon_log("namenode"), owner)
    return given - before - cancelled


def library_file():
    """The file of the Kerberos library on this machine; None if it has none."""
    places = (Path("/"), Path("/usr"))
    found = [file for place in places for part in ("lib/*", "lib64", "lib") for file in place.glob(f"{part}/{LIBRARY}")]
    return found[0].resolve() if found else None


def cannot_hide():
    """Why a file cannot be hidden from a command on this machine; None if it can."""
    if os.geteuid() != 0:
        return "only root can have a mount of its own"
    if shutil.which("unshare") is None:
        return "there is no unshare"
    tried = subprocess.run(["unshare", "--mount", "sh", "-c", "mount --bind /dev/null /etc/hostname"], capture_output=True, text=True)
    return None if tried.returncode == 0 else f"a command cannot have a mount of its own here: {tried.stderr.strip()}"


def hidden(file, empty):
    """The words before a command that finds the file `empty` in the place of another one."""
    return [shutil.which("unshare"), "--mount", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"', str(empty), str(file)]


__all__ = [
    "ALICE", "BOB", "GATEWAY", "KEYTAB", "REALM", "TICKETS", "Proxied", "Secured", "SecuredApplication", "cannot_hide", "hidden", "home",
    "keytab_settings", "library_file", "member", "missing", "principal", "sql_gateway", "tokens_in",
    "uncancelled", "word_count",
]  # fmt: skip
