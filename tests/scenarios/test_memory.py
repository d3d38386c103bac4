"""`heddle memory`: what it announces, and that Flink and YARN show exactly that."""

import json
import re
import shutil

import pytest

from conftest import Workspace, label
from harness.checks import check_refused
from harness.cluster import Cluster, Flink

pytestmark = [pytest.mark.heddle_only("Flink's client has no such command"), pytest.mark.xdist_group("memory")]

TM, JM = "taskmanager.memory", "jobmanager.memory"
MB = 1 << 20
# Nodes larger than those of the tests.
LARGE = ["--offline", "-Dflink.yarn.scheduler.maximum-allocation-mb=65536"]


def memory(client, *options, **more):
    return client.run("heddle", "memory", *options, **more)


def announced(client, *options, **more):
    return json.loads(memory(client, "--output", "json", *options, **more).ok().out)


def kinds(found):
    return {advice["kind"] for advice in found["advice"]}


def pool(process, name):
    [found] = [pool for pool in process["pools"] if pool["name"] == name]
    return found


def configure(client, values):
    """Writes these sizes in the place of those that the configuration file comes with."""
    file = client.conf / "config.yaml"
    without = re.sub(r"^(jobmanager|taskmanager):.*\n(?:(?:[ #].*)?\n)*", "", file.read_text(), flags=re.MULTILINE)
    file.write_text(without + "".join(f"{key}: {value}\n" for key, value in values.items()))


# What is announced, without a deployment


def test_the_table(client):
    configure(client, {f"{JM}.process.size": "1600m", f"{TM}.process.size": "4097m", "taskmanager.numberOfTaskSlots": 2})
    out = memory(client, "-Djobmanager.memory.off-heap.size=200m").ok().out
    assert "\x1b" not in out, "colours into a pipe"
    assert max(map(len, out.splitlines()[1:])) <= 80, out
    for line in (
        r"TaskManager: 4097 MiB in a container of 4224 MiB, 2 vcores, 2 slots",
        r" += +process +4097 mb +4296015872",
        r" +set by taskmanager.memory.process.size \(config.yaml:\d+\)",
        r" ▓ O +off-heap +200 mb +209715200",
        r" +set by jobmanager.memory.off-heap.size \(-D\)",
        r" ▒ T +task heap +1459.6 mb +1530553930 +-Xmx -Xms",
        r" +what is left of Flink's memory 3431.3 mb",
        r" Per slot +task heap 729.8 mb, managed 686.3 mb, network 171.6 mb",
    ):
        assert re.search(f"^{line}$", out, re.MULTILINE), f"{line}\n{out}"
    for part in ("-Xmx 1587.6 mb", "Flink's memory 3431.3 mb", "process 4097 mb"):
        assert f" {part} " in out, part


def test_what_the_terminal_can_show(client):
    plain = memory(client, env={"LANG": "C"}).ok().out
    assert plain.isascii() and "HHHHH" in plain
    assert "\x1b[" in memory(client, env={"CLICOLOR_FORCE": "1"}).ok().out
    wide = memory(client, env={"COLUMNS": "200"}).ok().out
    bars = [line for line in wide.splitlines() if "█████" in line]
    assert len(bars) == 2 and all(150 < len(bar) <= 200 for bar in bars), bars
    terminal = client.start("heddle", "memory", env={"TERM": "xterm"}, terminal=True).result()
    assert "\x1b[" in terminal.ok().out
    for env in ({"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}):
        assert "\x1b[" not in client.start("heddle", "memory", env=env, terminal=True).result().ok().out, env


def test_json(client):
    found = announced(client, f"-D{TM}.process.size=2g", f"-D{TM}.managed.size=300m")
    tm = found["taskManager"]
    total = tm["memory"]["totalProcessMemory"]
    assert total == 2048 * MB == sum(p["bytes"] for p in tm["pools"] if not p["name"].startswith("total"))
    managed = pool(tm, "managedMemory")
    assert managed["settings"] == [{"key": f"{TM}.managed.size", "value": "300m", "origin": "-D"}]
    assert managed["bytes"] == 300 * MB and managed["jvmOptions"] == []
    assert pool(tm, "taskHeap")["jvmOptions"] == ["-Xmx", "-Xms"]
    heap = tm["memory"]["frameworkHeap"] + tm["memory"]["taskHeap"]
    assert tm["jvmOptions"][0] == f"-Xmx{heap}"
    assert tm["container"] | {"requestedMb": 2048, "grantedMb": 2048, "lostMb": 0} == tm["container"]
    assert found["yarn"]["fromCluster"] and found["yarn"]["minimumMb"]["value"] == 128
    assert found["flink"].startswith("1.20") and found["set"] is None and found["atHand"] is None


def test_a_change_that_is_tried(client):
    found = announced(client, f"-D{TM}.process.size=2g", "--set", f"{TM}.process.size=4g", "--set", f"{TM}.managed.fraction=0.0")
    changes = {change["name"]: (change["before"], change["after"]) for change in found["set"]["changes"]}
    assert changes["totalProcessMemory"] == (2048 * MB, 4096 * MB)
    assert changes["managedMemory"][1] == 0
    assert "frameworkHeap" not in changes
    size = pool(found["taskManager"], "totalProcessMemory")
    assert size["rule"] == f"set by {TM}.process.size (--set)"
    out = memory(client, "--set", f"{TM}.process.size=4g").ok().out
    assert re.search(r"^ TaskManager +process +1728 mb → +4096 mb +\+2368 mb$", out, re.MULTILINE), out


def test_old_variables_and_keys(client):
    configure(client, {"jobmanager.heap.size": "1g", "taskmanager.heap.size": "3g"})
    found = announced(client, env={"FLINK_JM_HEAP": "2g"})
    rules = {who: pool(found[who], "totalProcessMemory") for who in ("jobManager", "taskManager")}
    assert rules["jobManager"]["bytes"] == 2048 * MB and "FLINK_JM_HEAP" in rules["jobManager"]["rule"], rules
    assert rules["taskManager"]["bytes"] == 3072 * MB and "taskmanager.heap.size" in rules["taskManager"]["rule"], rules


def test_sizes_that_are_set_in_vain(client):
    vain = ["-Dcontainerized.heap-cutoff-ratio=0.25", f"-D{TM}.managed.size=300m", f"-D{TM}.managed.fraction=0.2"]
    deployed = client.run("yarn-session.sh", "-d", "--dry-run", *vain).ok()
    said = [line for line in deployed.text.splitlines() if "has no effect" in line]
    assert [re.match(r"warning: (\S+) \(-D\)", line)[1] for line in said] == ["containerized.heap-cutoff-ratio", f"{TM}.managed.fraction"]
    assert [advice["kind"] for advice in announced(client, *vain)["advice"] if advice["kind"] == "no-effect"] == ["no-effect"] * 2


def test_a_refusal_has_been_thought_through(client):
    size = f"{TM}.process.size"
    small = ["--set", f"{size}=600m"]
    check_refused(memory(client, *small), "framework heap 128 mb + ", "exceed Flink's memory 152 mb", size)
    refused = memory(client, *small)
    assert not refused.out
    [least] = re.findall(rf"the smallest process size that fits is (\d+)m \({size}\)", refused.err)
    memory(client, "--set", f"{size}={least}m").ok()
    assert memory(client, "--set", f"{size}={int(least) - 1}m").code == 1
    both = ["--set", f"{JM}.flink.size=2g", "--set", f"{JM}.process.size=1g"]
    check_refused(memory(client, *both), "exceed the process size 1 gb", f"leave out {JM}.flink.size (--set) or {JM}.process.size (--set)")
    deployed = client.run("yarn-session.sh", "-d", "-tm", "600m")
    check_refused(deployed, f"the smallest process size that fits is {least}m")
    assert deployed.error_lines() == memory(client, f"-D{size}=600m").error_lines()


def test_more_than_the_largest_container(client):
    result = memory(client, "-Dtaskmanager.memory.process.size=1000g")
    check_refused(result, "1024000 MiB", "the cluster allows at most")
    assert "the largest container has" in result.out


def test_advice(client):
    found = announced(client, *LARGE, "-Dflink.yarn.scheduler.minimum-allocation-mb=4096", f"-D{TM}.process.size=4097m")
    rounding = [a for a in found["advice"] if a["kind"] == "rounding" and a["process"] == "TaskManager"]
    assert [a["value"] for a in rounding[0]["alternatives"]] == ["4096m", "8192m"]
    assert "4097 MiB will be charged as 8192 MiB" in rounding[0]["text"]
    assert "small-heap" in kinds(announced(client, f"-D{JM}.process.size=600m"))
    assert "limited-to-maximum" in kinds(announced(client, *LARGE, f"-D{TM}.process.size=20g", f"-D{TM}.network.max=1g"))
    assert "unused-managed-memory" in kinds(announced(client, "-Dstate.backend.type=hashmap"))
    assert "fewer-vcores-than-slots" in kinds(announced(client, "-Dtaskmanager.numberOfTaskSlots=4", "-Dyarn.containers.vcores=2"))
    assert not kinds(announced(client, f"-D{JM}.process.size=1g", f"-D{TM}.process.size=1g"))


def test_the_fair_scheduler(client):
    fair = "org.apache.hadoop.yarn.server.resourcemanager.scheduler.fair.FairScheduler"
    limits = ["--offline", f"-Dflink.yarn.resourcemanager.scheduler.class={fair}", f"-D{TM}.process.size=1100m"]
    granted = lambda *more: announced(client, *limits, *more)["taskManager"]["container"]["grantedMb"]  # noqa: E731
    assert granted() == 2048, "the increment is 1024 unless set, whatever the minimum is"
    older = "-Dflink.yarn.scheduler.increment-allocation-mb=250"
    assert granted(older) == 1250
    assert granted(older, "-Dflink.yarn.resource-types.memory-mb.increment-allocation=300") == 1200


def test_another_release(client):
    older = announced(client, "--flink-version", "1.16.3", *LARGE, f"-D{TM}.process.size=20g")
    assert older["flink"] == "1.16.3" and older["taskManager"]["memory"]["networkMemory"] == 1024 * MB
    assert older["atHand"]["with"].startswith("Flink 1.20")
    assert {change["name"] for change in older["atHand"]["changes"]} == {"networkMemory", "taskHeap"}
    assert any("flink-conf.yaml" in warning for warning in older["warnings"]), older["warnings"]
    out = memory(client, "--flink-version", "2.3.0").ok().out
    assert "Flink 2.3.0" in out and "Against Flink 1.20" in out and "all sizes are the same" in out
    old_key = memory(client, "--flink-version", "2.3.0", "--offline", "-Dtaskmanager.heap.size=3g").ok().out
    assert "taskmanager.heap.size (-D) has no effect: Flink 2.3.0 does not read it" in re.sub(r"\s+", " ", old_key)


def test_without_anything_installed(client, tmp_path):
    """A directory with a configuration, and a version: no Flink, no Hadoop, no Java."""
    none = {"FLINK_HOME": None, "HADOOP_CONF_DIR": None, "JAVA_HOME": None, "PATH": str(client.bin)}
    found = announced(client, "--flink-version", "2.3.0", env=none)
    assert found["flink"] == "2.3.0" and found["yarn"] is None
    assert found["taskManager"]["container"]["grantedMb"] is None
    assert "is not known: no Hadoop configuration" in memory(client, "--flink-version", "2.3.0", env=none).ok().out.replace("\n" + " " * 11, " ")
    check_refused(memory(client, env=none), "no Flink distribution", "--flink-version")
    older = tmp_path / "older"
    older.mkdir()
    (older / "flink-conf.yaml").write_text("jobmanager.heap.size: 1024m\ntaskmanager.heap.mb: 2048\n")
    found = announced(client, "--flink-version", "1.13.6", env=none | {"FLINK_CONF_DIR": older})
    assert pool(found["taskManager"], "totalProcessMemory")["rule"].startswith("set by taskmanager.heap.mb (")
    assert found["jobManager"]["memory"]["totalProcessMemory"] == 1024 * MB


def test_a_resource_manager_that_is_not_there(client, tmp_path):
    shutil.copytree(client.cluster.conf, tmp_path / "conf")
    elsewhere = "-Dflink.yarn.resourcemanager.address=localhost:1"
    result = memory(client, elsewhere)
    assert "YARN's limits are those of the configuration files" in result.ok().err
    assert not memory(client, "--offline", elsewhere).ok().err


def test_help(client):
    for words in (("help", "memory"), ("memory", "--help")):
        out = client.run("heddle", *words).ok().out
        assert "--set" in out and "--flink-version" in out
    assert "heddle-memory" in client.run("heddle", "man").ok().out.replace("\\-", "-")
    assert "--flink-version" in client.run("heddle", "completion", "bash").ok().out


# What a running cluster shows


SIZES = {
    f"{JM}.process.size": "1100m",
    f"{JM}.enable-jvm-direct-memory-limit": "true",
    f"{TM}.process.size": "1234m",
    f"{TM}.task.off-heap.size": "10m",
    f"{TM}.managed.fraction": "0.15",
    f"{TM}.jvm-metaspace.size": "200m",
    "taskmanager.numberOfTaskSlots": "2",
}


def check_running(work, client, jar, *options, granted=1280):
    """Every size that Flink's REST interface and YARN show is the announced one."""
    configure(client, SIZES)
    found = announced(client)
    jm, tm = found["jobManager"], found["taskManager"]
    result = client.run("yarn-session.sh", "-d", "-nm", work.name, *options, "-Dresourcemanager.taskmanager-timeout=60000").ok()
    application = result.application
    flink = Flink(result.url)
    target = ["-t", "yarn-session", f"-Dyarn.application.id={application}"]
    client.flink("run", "-d", *target, "-c", "Sleepy", jar, "--seconds", "60").ok()

    worker = flink.get(f"taskmanagers/{flink.wait_taskmanagers()[0]['id']}")
    shown = worker["memoryConfiguration"]
    assert shown == {name: tm["memory"][name] for name in shown}
    assert set(tm["memory"]) == set(shown)
    assert worker["slotsNumber"] == tm["slots"]["number"] == 2
    assert worker["metrics"]["nonHeapMax"] >= 0 and worker["hardware"]["managedMemory"] == tm["memory"]["managedMemory"]

    config = flink.config()
    for key, value in jm["properties"].items():
        assert config[key] == value, key
    options = flink.get("jobmanager/environment")["jvm"]["options"]
    assert [o for o in options if re.match(r"-Xm[xs]|-XX:Max(Direct|Metaspace)", o)] == jm["jvmOptions"]
    assert len(jm["jvmOptions"]) == 4

    yarn = work.cluster.yarn
    containers = {c["id"].endswith("_000001"): c["totalMemoryNeededMB"] for c in yarn.wait_workers(application, 1) + yarn.containers(application)}
    assert containers == {True: jm["container"]["grantedMb"], False: tm["container"]["grantedMb"]}
    assert tm["container"]["requestedMb"] == 1234 and tm["container"]["grantedMb"] == granted
    app = yarn.app(application)
    assert app["allocatedMB"] == sum(containers.values())
    # The clusters of the tests count vcores; what the client can know is that they are as asked for, or one.
    asked = sum(p["container"]["requestedVcores"] for p in (jm, tm))
    assert app["allocatedVCores"] == asked == 3
    client.run("yarn-session.sh", "-id", application, stdin="stop\n").ok()
    yarn.wait_state(application, "FINISHED")


def test_flink_shows_what_was_announced(work, client, jar):
    check_running(work, client, jar)


@pytest.mark.extended
def test_newer_flink_shows_what_was_announced(work, newer_flink, newer_jar):
    check_running(work, work.client(flink_home=newer_flink), newer_jar)


@pytest.mark.extended
def test_the_fair_scheduler_grants_what_was_announced(request, cluster, tmp_path, flink_home, jar):
    """Its step is 300 MB here, and no multiple of the minimum."""
    fair = Cluster(f"{cluster.name}-fair")
    scheduler = "org.apache.hadoop.yarn.server.resourcemanager.scheduler.fair.FairScheduler"
    keys = {"yarn.resourcemanager.scheduler.class": scheduler, "yarn.resource-types.memory-mb.increment-allocation": 300}
    try:
        fair.up(set=keys)
        work = Workspace(fair, "heddle", tmp_path, flink_home, label(request))
        # The scheduler takes a queue by the user's name otherwise, which for the user root is none.
        check_running(work, work.client(), jar, "-qu", "root.sizes", granted=1500)
        work.close()
    finally:
        fair.down()
