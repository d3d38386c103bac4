"""The command `scripts/pseudo-cluster`."""

import argparse
import json
import shlex
import sys

from .cluster import PseudoCluster
from .configuration import Options
from .environment import DEFAULT_FLINK, DEFAULT_HADOOP, ROOT, Failure, fetch, hadoop_directory, say, user
from .parts import kerberos
from .parts.kerberos import PROTECTIONS

DESCRIPTION = """\
A pseudo-distributed Hadoop made of its real daemons: NameNode, DataNode, ResourceManager and two NodeManagers;
if wanted, two NameNodes or ResourceManagers of which one is active, and ZooKeeper.

Several can run side by side: each has a name, ports of its own and a directory of its own under .cache/clusters
(or $HEDDLE_CLUSTER_DIR). Every daemon is a process of its own, so that each can be stopped, paused or killed alone;
`up` starts whatever is missing. `status` tells the names of the daemons.
"""


# What can be done to single daemons: the method of PseudoCluster, and its explanation.
CONTROLS = {
    "kill": "end daemons with SIGKILL",
    "stop": "end daemons with SIGTERM",
    "pause": "suspend daemons (SIGSTOP)",
    "resume": "let suspended daemons go on (SIGCONT)",
    "start": "start daemons that do not run, without waiting until they are ready",
}


def pairs(words):
    return dict(word.partition("=")[::2] for word in words)


def parser():
    made = argparse.ArgumentParser(
        prog="pseudo-cluster", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name, text):
        sub = verbs.add_parser(name, help=text, description=text)
        sub.add_argument("--name", default="main", help="which cluster (default: main)")
        return sub

    up = verb("up", "start the cluster, or what is missing of it, and wait until it is ready")
    new = Options()

    def number(option, unit, text):
        value = getattr(new, option.removeprefix("--").replace("-", "_"))
        up.add_argument(option, type=int, default=value, metavar=unit, help=f"{text} (default: {value})")

    up.add_argument("--hadoop", metavar="VERSION", help=f"of a new cluster (default: {DEFAULT_HADOOP})")
    number("--heartbeat", "MS", "between NodeManager heartbeats")
    number("--node-memory", "MB", "per NodeManager")
    number("--node-vcores", "N", "per NodeManager")
    number("--max-memory", "MB", "of one container")
    up.add_argument("--log-aggregation", action="store_true")
    up.add_argument(
        "--recovery", action="store_true",
        help="ResourceManagers and NodeManagers that go on after a restart with what they had",
    )  # fmt: skip
    text = "each NodeManager has an address of its own (127.0.0.2 and so on), as on real machines"
    up.add_argument("--node-addresses", action="store_true", help=text)
    text = "containers run as the user who has submitted them (`submitter`), or all as this user; needs root"
    up.add_argument("--container-users", metavar="submitter|USER", help=text)
    text = "a KDC, keytabs for users and daemons, and nobody believed without a ticket; brings --recovery"
    up.add_argument("--kerberos", action="store_true", help=f"{text}; `env` prints KRB5_CONFIG")
    text = f"what RPC and data transfer do with --kerberos: {', '.join(PROTECTIONS)} (default: {new.protection})"
    up.add_argument("--protection", choices=PROTECTIONS, default=new.protection, metavar="WHAT", help=text)
    text = "of delegation tokens with --kerberos (default: Hadoop's)"
    up.add_argument("--token-renewal", type=int, metavar="S", help=f"after so long without renewal they are void; {text}")
    up.add_argument("--token-lifetime", type=int, metavar="S", help=f"after so long they are void in any case; {text}")
    up.add_argument("--zookeeper", action="store_true", help="with a ZooKeeper; `env` prints ZOOKEEPER_QUORUM")
    text = "two are one active and one standby, with automatic failover, and bring ZooKeeper"
    up.add_argument("--resourcemanagers", type=int, choices=(1, 2), default=1, help=f"{text} (default: 1)")
    up.add_argument("--namenodes", type=int, choices=(1, 2), default=1, help=f"{text} (default: 1)")
    up.add_argument("--node-label", metavar="NAME", help="an exclusive node label, which the second NodeManager has")
    up.add_argument(
        "--resource-type", dest="resource_types", action="append", default=[], metavar="NAME=AMOUNT",
        help="a type of resource beside memory and vcores (as yarn.io/gpu), and how much of it each NodeManager has",
    )  # fmt: skip
    up.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any Hadoop setting, for clients and daemons"
    )
    down = verb("down", "stop every process of the cluster and remove its directory")
    down.add_argument("--keep", action="store_true", help="keep the directory: data, logs, ports")
    verb("status", "exit 0 only when the cluster is ready").add_argument("--json", action="store_true")
    for name, text in CONTROLS.items():
        verb(name, text).add_argument("daemons", nargs="+", metavar="DAEMON")
    verb("env", "print exports for a shell").add_argument("--flink", default=DEFAULT_FLINK, metavar="VERSION")
    return made


def options(arguments):
    given = Options.of(vars(arguments))
    given.resource_types, given.set = pairs(arguments.resource_types), pairs(arguments.set)
    return given


def status(cluster):
    """A report that other programs read."""
    known = cluster.load()
    problems = cluster.problems()
    daemons = {daemon.name: cluster.pid(daemon.name) for daemon in cluster.daemons} if known else {}
    report = {"name": cluster.name, "ready": not problems, "problems": problems, "daemons": daemons}
    if known:
        report |= {"directory": str(cluster.directory), "conf": str(cluster.conf), "ports": cluster.ports}
        report |= {"hadoop": cluster.hadoop, "user": user()}
        if cluster.options.kerberos:
            report["keytabs"] = {name: str(kerberos.keytab(cluster, name)) for name in kerberos.users()}
    return report


def print_status(cluster, as_json):
    report = status(cluster)
    if as_json:
        print(json.dumps(report, indent=1))
    else:
        for daemon, pid in report["daemons"].items():
            print(f"{daemon:<16} {f'running, pid {pid}' if pid else 'not running'}")
        print("ready" if report["ready"] else "not ready: " + "; ".join(report["problems"]))
    return 0 if report["ready"] else 1


def existing(cluster):
    if not cluster.load():
        start = f"start it with `scripts/pseudo-cluster up --name {cluster.name}`"
        raise Failure(f"there is no cluster `{cluster.name}`", start)
    return cluster


def exports(cluster, flink_version):
    existing(cluster)
    values = {
        "HADOOP_CONF_DIR": cluster.conf,
        "FLINK_HOME": fetch("flink", flink_version),
        # Only for runs of Flink's own client, which finds Hadoop by HADOOP_CLASSPATH; heddle needs none.
        "REFERENCE_HADOOP_CLASSPATH": f"{hadoop_directory(cluster.hadoop)}/lib/*",
    }
    if "zk" in cluster.ports:
        values["ZOOKEEPER_QUORUM"] = cluster.at("zk")
    if cluster.options.kerberos:
        values["KRB5_CONFIG"] = kerberos.krb5_conf(cluster)
    lines = [f"export {key}={shlex.quote(str(value))}" for key, value in values.items()]
    return [*lines, f'export PATH={shlex.quote(str(ROOT / "dist/heddle/bin"))}:"$PATH"']


def run(words):
    arguments = parser().parse_args(words)
    cluster = PseudoCluster(arguments.name)
    if arguments.verb == "up":
        cluster.up(options(arguments), arguments.hadoop)
    elif arguments.verb == "down":
        cluster.down(arguments.keep)
    elif arguments.verb == "status":
        return print_status(cluster, arguments.json)
    elif arguments.verb in CONTROLS:
        getattr(existing(cluster), arguments.verb)(*arguments.daemons)
    else:
        print("\n".join(exports(cluster, arguments.flink)))
    return 0


def main():
    try:
        sys.exit(run(sys.argv[1:]))
    except Failure as failure:
        say(f"error: {failure}")
        for hint in failure.hints:
            say(f"hint: {hint}")
        sys.exit(1)
