"""Kerberos: a KDC of MIT's, principals with keytabs, and daemons that accept nobody who cannot prove who he
is."""

import contextlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..configuration import Sites
from ..environment import Failure, hadoop_directory, user
from .base import Daemon, Part
from .hdfs import wait_listening

REALM = "HEDDLE.TEST"
PROTECTIONS = ("authentication", "integrity", "privacy")
# All daemons run on this host, and their principals are written out: what `_HOST` stands for is not the same
# for clients, ResourceManagers and NodeManagers.
HOST = "localhost"
# Principals of daemons by their first part -> the name by which Hadoop knows them.
SERVICES = {"nn": "hdfs", "dn": "hdfs", "jn": "hdfs", "rm": "yarn", "nm": "yarn"}
# `gateway` may act for others, as a scheduler or notebook does that serves several users.
USERS = ("alice", "bob", "gateway")
SUPERUSER = "hdfs"
# The kernel's name of the threads `DelegationTokenRenewer #0` and so on, and where it keeps shares of
# processors.
WATCHER, SHARES = "DelegationToken\n", Path("/sys/fs/cgroup/cpu")
# What stands in for a class of Hadoop's that needs its native library.
SECURE_IO = Path(__file__).resolve().parent.parent / "secure-io" / "SecureIOUtils.java"
# Program -> the package in which Debian has it.
PROGRAMS = {
    "krb5kdc": "krb5-kdc", "kdb5_util": "krb5-kdc", "kadmin.local": "krb5-admin-server", "kinit": "krb5-user", "kdestroy": "krb5-user",
    "curl": "curl", "env": "coreutils",
}  # fmt: skip

KRB5_CONF = """\
[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
udp_preference_limit = 1
forwardable = true
renew_lifetime = 7d

[realms]
{realm} = {{
  kdc = {host}:{port}
}}

[domain_realm]
{host} = {realm}
"""

KDC_CONF = """\
[kdcdefaults]
kdc_listen = {host}:{port}
kdc_tcp_listen = {host}:{port}

[realms]
{realm} = {{
  database_name = {directory}/principal
  key_stash_file = {directory}/stash
  acl_file = {directory}/acl
  max_life = 1d
  max_renewable_life = 7d
  supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
}}

[logging]
kdc = STDERR
"""


@dataclass(frozen=True)
class Kdc(Daemon):
    def command(self, cluster):
        return [program("krb5kdc"), "-n", "-P", f"{home(cluster)}/pid"]


class Kerberos(Part):
    """`protection`: what RPC and data transfer do beside authentication. `renew` and `lifetime` of delegation
    tokens are in seconds; None leaves Hadoop's."""

    def __init__(self, protection, renew=None, lifetime=None):
        self.protection, self.renew, self.lifetime = protection, renew, lifetime

    def daemons(self):
        return [Kdc("kdc", ("kdc",), 0)]

    def environment(self, cluster):
        return {"KRB5_CONFIG": str(krb5_conf(cluster)), "KRB5_KDC_PROFILE": f"{home(cluster)}/kdc.conf"}

    def java_options(self, cluster):
        # Hadoop 2 asks the classes of the JDK itself for realms and mechanisms.
        opened = [word for package in ("krb5", "jgss") for word in ("--add-exports", f"java.security.jgss/sun.security.{package}=ALL-UNNAMED")]
        return [f"-Djava.security.krb5.conf={krb5_conf(cluster)}", *opened]

    def classes(self, cluster):
        return [home(cluster) / "classes"]

    def everywhere(self, cluster):
        core = {
            "hadoop.security.authentication": "kerberos",
            "hadoop.security.authorization": "true",
            "hadoop.rpc.protection": self.protection,
            "hadoop.security.auth_to_local": "".join(
                f"RULE:[2:$1@$0]({service}@{REALM})s/.*/{name}/\n" for service, name in SERVICES.items()
            ) + "DEFAULT",
            "hadoop.proxyuser.gateway.hosts": "*",
            "hadoop.proxyuser.gateway.users": "alice",
            "hadoop.proxyuser.yarn.hosts": "*",
            "hadoop.proxyuser.yarn.groups": "*",
            # These are not users of the machine.
            "hadoop.user.group.static.mapping.overrides": ";".join(
                f"{name}={group}" for name, group in groups().items()
            ),
            # Who reads the web pages and REST interfaces, which ask nobody for a ticket.
            "hadoop.http.staticuser.user": user(),
        }  # fmt: skip
        hdfs = {
            "dfs.block.access.token.enable": "true",
            "dfs.data.transfer.protection": self.protection,
            "dfs.namenode.kerberos.principal": principal("nn"),
            "dfs.datanode.kerberos.principal": principal("dn"),
            "dfs.journalnode.kerberos.principal": principal("jn"),
            "dfs.web.authentication.kerberos.principal": principal("HTTP"),
        }
        yarn = {
            "yarn.resourcemanager.principal": principal("rm"),
            "yarn.nodemanager.principal": principal("nm"),
            "yarn.acl.enable": "true",
            "yarn.admin.acl": f"yarn,{user()}",
        }
        return Sites(core=core, hdfs=hdfs, yarn=yarn)

    def of_daemons(self, cluster):
        hdfs = {
            "dfs.namenode.keytab.file": keytab(cluster, "nn"),
            "dfs.datanode.keytab.file": keytab(cluster, "dn"),
            "dfs.journalnode.keytab.file": keytab(cluster, "jn"),
            "dfs.web.authentication.kerberos.keytab": keytab(cluster, "HTTP"),
            "dfs.namenode.kerberos.internal.spnego.principal": principal("HTTP"),
            "dfs.journalnode.kerberos.internal.spnego.principal": principal("HTTP"),
            # The DataNode has ports above 1024, so that an ordinary user can run it.
            "ignore.secure.ports.for.testing": "true",
        }
        yarn = {
            "yarn.resourcemanager.keytab": keytab(cluster, "rm"),
            "yarn.nodemanager.keytab": keytab(cluster, "nm"),
            "yarn.resourcemanager.proxy-user-privileges.enabled": "true",
        }
        scheduler = {
            "yarn.scheduler.capacity.root.acl_administer_queue": "yarn",
            "yarn.scheduler.capacity.root.acl_submit_applications": "*",
        }
        if shortest := self.renew or self.lifetime:
            # Three hours by default: of a token whose end is nearer than that, the ResourceManager would stop
            # the renewal at once, because it can get others for the nodes, and the application's own would
            # end after one interval. This is as much of an interval as three hours are of a day.
            yarn["yarn.resourcemanager.system-credentials.valid-time-remaining"] = shortest * 1000 // 8
        for place, values in (("dfs.namenode", hdfs), ("yarn.resourcemanager", yarn)):
            if self.renew:
                values[f"{place}.delegation.token.renew-interval"] = self.renew * 1000
            if self.lifetime:
                values[f"{place}.delegation.token.max-lifetime"] = self.lifetime * 1000
                values[f"{place}.delegation.key.update-interval"] = self.lifetime * 1000
        return Sites(hdfs=hdfs, yarn=yarn, scheduler=scheduler)

    def prepare(self, cluster, daemon):
        """Makes the principals and their keytabs, the first time."""
        if daemon.name != "kdc":
            wait_listening(cluster, "kdc", "the KDC")
            return
        directory = home(cluster)
        directory.mkdir(exist_ok=True)
        directory.chmod(0o711)
        values = {"realm": REALM, "host": HOST, "port": cluster.ports["kdc"], "directory": directory}
        krb5_conf(cluster).write_text(KRB5_CONF.format(**values))
        (directory / "kdc.conf").write_text(KDC_CONF.format(**values))
        if (directory / "principal").exists():
            return
        lib = f"{hadoop_directory(cluster.hadoop)}/lib/*"
        javac = [f"{cluster.environment()['JAVA_HOME']}/bin/javac", "--release", "8", "-Xlint:-options", "-nowarn", "-proc:none"]
        run(cluster, [*javac, "-cp", lib, "-d", directory / "classes", SECURE_IO])
        (directory / "acl").touch()
        run(cluster, [program("kdb5_util"), "create", "-s", "-r", REALM, "-P", os.urandom(16).hex()])
        names = [*SERVICES, "HTTP", SUPERUSER, *users()]
        lines = []
        for name in names:
            lines += [f"addprinc -randkey {principal(name)}", f"ktadd -norandkey -k {keytab(cluster, name)} {principal(name)}"]
        said = administer(cluster, *lines)
        for name in names:
            if not keytab(cluster, name).exists():
                raise Failure(f"kadmin.local has made no keytab for {principal(name)}: {said}")
            keytab(cluster, name).chmod(0o600)

    def problems(self, cluster):
        return [] if cluster.listens("kdc") else ["the KDC does not listen"]

    def started(self, cluster, fresh, daemons):
        """Makes /tmp and the homes of all users, as the superuser of HDFS."""
        for name in daemons:
            if name.startswith("resourcemanager"):
                slow_down_the_watcher(cluster.pid(name))
        if not fresh:
            return
        cache = f"FILE:{home(cluster)}/superuser.cache"
        kinit(cluster, SUPERUSER, cache)
        places = [("/tmp", "1777", SUPERUSER), ("/user", "755", SUPERUSER), *((f"/user/{name}", "700", name) for name in users())]
        for path, mode, owner in places:
            webhdfs(cluster, cache, path, f"op=MKDIRS&permission={mode}")
            webhdfs(cluster, cache, path, f"op=SETOWNER&owner={owner}")


def slow_down_the_watcher(pid):
    """Of a ResourceManager with Kerberos, Hadoop's thread that watches the renewals of tokens never waits: it
    takes a whole processor (`DelegationTokenRenewerPoolTracker`), and so much that tests beside it become
    slow. It gets less here, and not nothing, because the JVM waits for it before each garbage collection."""
    with contextlib.suppress(OSError, ValueError):
        threads = [task for task in Path(f"/proc/{pid}/task").iterdir() if (task / "comm").read_text() == WATCHER]
        # The others of this name renew tokens. They are started later.
        first = min(int(task.name) for task in threads)
        os.setpriority(os.PRIO_PROCESS, first, 10)
        # Where each session has a share of its own, the niceness of a thread counts only within its session.
        if (SHARES / "tasks").exists():
            group = SHARES / "heddle-watcher"
            group.mkdir(exist_ok=True)
            (group / "cpu.shares").write_text("64")
            (group / "tasks").write_text(str(first))


def users():
    """Who has a keytab and a home: also whoever has started the cluster."""
    return list(dict.fromkeys((*USERS, user())))


def groups():
    return {name: name for name in users()} | {SUPERUSER: "supergroup", "yarn": "hadoop"}


def principal(name):
    return f"{name}/{HOST}@{REALM}" if name in SERVICES or name == "HTTP" else f"{name}@{REALM}"


def home(cluster):
    return cluster.directory / "kerberos"


def keytab(cluster, name):
    return home(cluster) / f"{name}.keytab"


def krb5_conf(cluster):
    return home(cluster) / "krb5.conf"


def find(name):
    """Debian has the programs of administrators in a directory that is not on everybody's PATH."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")))


def program(name):
    found = find(name)
    if found is None:
        raise Failure(f"there is no `{name}` on this machine", f"Debian: apt-get install {PROGRAMS[name]}")
    return found


def missing_packages():
    """What has to be installed, by Debian's names, before there can be a cluster with Kerberos here."""
    return sorted({package for name, package in PROGRAMS.items() if find(name) is None})


def administer(cluster, *lines):
    """Commands of kadmin, which says much and whose exit code says nothing."""
    return run(cluster, [program("kadmin.local"), "-r", REALM], "\n".join(lines) + "\n")


def kinit(cluster, name, cache, *options):
    """Tickets of whoever has a keytab, in the cache of this name, such as `FILE:/tmp/tickets`."""
    run(cluster, [program("kinit"), "-k", "-t", keytab(cluster, name), "-c", cache, *options, principal(name)])


def run(cluster, command, told=""):
    """What the program says; it is told this on its standard input."""
    done = subprocess.run(command, env=cluster.environment(), input=told, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise Failure(f"{Path(command[0]).name} failed:\n{done.stderr[-2000:]}")
    return done.stdout + done.stderr


def webhdfs(cluster, cache, path, query):
    """Asks the NameNode. From Hadoop 3.3 on it believes the name, as the web pages do, because nothing else
    is set; earlier ones want a ticket, which only curl can show without a JVM."""
    url = f"{cluster.url(f'{cluster.active_namenode()}-http')}/webhdfs/v1{path}?user.name={SUPERUSER}&{query}"
    environment = f"KRB5CCNAME={cache}"
    curl = [program("curl"), "--silent", "--show-error", "--fail-with-body", "--negotiate", "--user", ":", "--request", "PUT", url]
    run(cluster, [program("env"), environment, *curl])
