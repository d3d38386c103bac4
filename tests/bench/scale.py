"""One ApplicationMaster that asks for many containers, on simulated nodes under a real ResourceManager."""

import re
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

from harness.client import Client
from harness.cluster import CACHE, ROOT, get_json
from harness.jars import job_jar
from harness.matrix import USUAL_FLINK
from harness.waiting import wait_for
from scale.simulator import MASTER_MB, WORKER_MB, Simulator, built_taskrunners, hosts_file, lone_node

from .common import Master, failed, say

NAME = "bench-scale"
HOUR = 3600_000
# Nobody's TaskManager ever registers, and nobody is to mind.
PATIENCE = [f"-D{key}={HOUR}" for key in ("resourcemanager.taskmanager-registration.timeout", "slot.request.timeout")]
PATIENCE += [f"-Dresourcemanager.taskmanager-timeout={HOUR}", f"-Dslotmanager.taskmanager-timeout={HOUR}"]
SESSION = [f"-Djobmanager.memory.process.size={MASTER_MB}m", f"-Dtaskmanager.memory.process.size={WORKER_MB}m"]
TRANSITION = re.compile(r"^(\S+ \S+) .*?: (container_\S+) Container Transitioned from (NEW to ALLOCATED|ALLOCATED to ACQUIRED)")
ASKED = re.compile(r"^(\S+ \S+) .*Requesting new worker with resource spec", re.MULTILINE)
# Flink's own ApplicationMaster stops one container after another before it goes.
STOP_PATIENCE = 120
# The ResourceManager's figures are taken anew only after ten seconds.
JMX_SECONDS = 10.5


def milliseconds(stamp):
    """Of log4j's `2026-01-31 12:00:00,000`, local time."""
    return round(datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S,%f").timestamp() * 1000)


def scheduler_calls(cluster):
    """What ApplicationMasters have asked the ResourceManager so far: allocate calls, bytes in, bytes out."""
    time.sleep(JMX_SECONDS)
    port = cluster.ports["rm-scheduler"]

    def bean(name):
        return get_json(f"{cluster.yarn.rm}/jmx?qry=Hadoop:service=ResourceManager,name={name}ForPort{port}")["beans"][0]

    traffic = bean("RpcActivity")
    return {
        "allocate": bean("RpcDetailedActivity").get("AllocateNumOps", 0),
        "bytesIn": traffic["ReceivedBytes"],
        "bytesOut": traffic["SentBytes"],
    }


def grants(cluster, application):
    """From the ResourceManager's log: container -> when the scheduler gave it, and when the ApplicationMaster
    got it."""
    number = application.removeprefix("application_")
    allocated, acquired = {}, {}
    with open(cluster.directory / "logs/resourcemanager.log", errors="replace") as log:
        for line in log:
            if number in line and (found := TRANSITION.match(line)):
                (allocated if found[3].startswith("NEW") else acquired)[found[2]] = milliseconds(found[1])
    return allocated, acquired


def figures(count, begin, report, allocated, acquired, log):
    """Everything in seconds after Flink's first request of a worker."""
    workers = {c["id"]: c for c in report["containers"]}
    asked = [milliseconds(stamp) for stamp in ASKED.findall(log)] or [begin]
    first = asked[0]
    given = sorted(allocated[c] for c in workers if c in allocated)
    got = sorted(acquired[c] for c in workers if c in acquired)
    started = sorted(c["started"] for c in workers.values())
    linked = sorted(c["linked"] for c in workers.values() if c["linked"])
    waits = sorted(workers[c]["started"] - acquired[c] for c in workers if c in acquired)

    on_node = Counter(c["node"] for c in workers.values())

    def after(moment):
        return round((moment - first) / 1000, 3)

    result = {
        "flinkAsked": after(asked[-1]),
        "firstGranted": after(given[0]),
        "lastGranted": after(given[-1]),
        "lastFetched": after(got[-1]),
        "lastLaunched": after(started[-1]),
        "launchedAfterLastGrant": round((started[-1] - given[-1]) / 1000, 3),
        "launchedAfterLastFetch": round((started[-1] - got[-1]) / 1000, 3),
        "grantedPerSecond": round(count / max(0.001, (given[-1] - given[0]) / 1000), 1),
        "launchedPerSecond": round(count / max(0.001, (started[-1] - started[0]) / 1000), 1),
        # From the ApplicationMaster's heartbeat that brought a container to the call that started it,
        # milliseconds.
        "startDelayMs": {"median": waits[len(waits) // 2], "most": waits[-1]} if waits else None,
        "granted": len(allocated) - 1,
        "nodesUsed": len(on_node),
        "mostOnOneNode": max(on_node.values()),
        "launched": len(workers),
    }
    if linked:
        result["lastLinked"] = after(linked[-1])
    return result


def one(client, count, simulator, jar, options):
    """One session that asks for `count` workers, from its start to its end."""
    cluster = client.cluster
    result = client.run("yarn-session.sh", "-d", "-nm", f"{NAME}-{client.kind}-{count}", *options).ok()
    application = result.application
    master = Master(cluster, application)
    simulator.join()
    try:
        calls, cpu, begin = scheduler_calls(cluster), master.cpu(), round(time.time() * 1000)
        target = ["-t", "yarn-session", f"-Dyarn.application.id={application}"]
        client.flink("run", "-d", *target, "-p", count, "-c", "Sleepy", jar, "--seconds", "3600", seconds=300).ok()
        # The scheduler may give one container for each heartbeat of a node; twice that, and some.
        patience = 120 + 3 * count / simulator.nodes
        wait_for(f"{count} containers started", lambda: simulator.count()["started"] >= count, patience, every=0.1)
        if client.is_heddle:
            wait_for(f"{count} taskrunners", lambda: simulator.count()["linked"] >= count, 120, every=0.1)
        after = master.cpu()
        # Meanwhile each taskrunner has sent a sample of its memory.
        calls_after = scheduler_calls(cluster)
        memory, report = master.memory(), simulator.report()
        allocated, acquired = grants(cluster, application)
        found = figures(count, begin, report, allocated, acquired, cluster.log_text(application, "jobmanager.log"))
        used = {key: calls_after[key] - calls[key] for key in calls}
        found |= {
            "cpuSeconds": {name: round(after[name] - cpu[name], 2) for name in cpu},
            "memory": memory,
            "resourceManager": used | {"allocatePerContainer": round(used["allocate"] / count, 3)},
            "nodeManagers": {"calls": report["calls"], "bytes": report["bytes"], "connections": report["connections"]},
        }
        return found | stop(client, application, simulator)
    finally:
        cluster.yarn.kill(application)
        simulator.leave()


def stop(client, application, simulator):
    """Ends the session: seconds until nothing runs any more, None when that takes too long to wait for."""
    begin = time.monotonic()
    client.run("yarn-session.sh", "-id", application, stdin="stop\n", seconds=300).ok()
    client.cluster.yarn.wait_state(application, "FINISHED", seconds=120)
    try:
        wait_for("all containers stopped", lambda: simulator.count()["running"] == 0, STOP_PATIENCE, every=0.1)
    except AssertionError:
        return {"stopSeconds": None, "leftRunning": simulator.count()["running"]}
    return {"stopSeconds": round(time.monotonic() - begin, 2), "leftRunning": 0}


def run(counts, kinds, nodes, flink_home, arguments):
    """Every count with every client in turns: a list of what was found, one entry for each run."""
    found = []
    taskrunners = built_taskrunners() if "heddle" in kinds else None
    options = [f"-D{option}" for option in arguments.option]
    with tempfile.TemporaryDirectory(prefix="heddle-scale-") as made:
        directory, jar = Path(made), job_jar(flink_home, USUAL_FLINK)
        cluster = lone_node(NAME, arguments.set)
        memory = max(8, -(-max(counts) * 13 // (10 * nodes))) * 1024
        hosts = hosts_file(directory / "hosts", nodes)
        session = [*SESSION, *PATIENCE, f"-Denv.java.opts.jobmanager=-Djdk.net.hosts.file={hosts}"]
        simulator = None
        try:
            simulator = Simulator(cluster, nodes, memory, CACHE / "scale/simulator.log", taskrunners, arguments.heartbeat)
            for number in range(arguments.runs or 1):
                for count in counts:
                    for kind in kinds if number % 2 == 0 else kinds[::-1]:
                        what = {"run": number + 1, "client": kind, "containers": count, "nodes": nodes}
                        say(f"run {number + 1}: {count} containers, {kind}")
                        try:
                            client = Client(kind, cluster, directory / f"{kind}-{count}", ROOT, flink_home)
                            found.append(what | one(client, count, simulator, jar, [*session, *(options if client.is_heddle else [])]))
                        except (AssertionError, OSError) as error:
                            found.append(what | failed(f"{count} containers, {kind}", error))
        finally:
            if simulator:
                simulator.close()
            cluster.down()
    return found
