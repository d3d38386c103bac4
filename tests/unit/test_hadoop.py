"""The pseudo-distributed Hadoop as far as it can be tested without starting it."""

import os
import subprocess
import threading
import xml.etree.ElementTree

import pytest

from harness.cluster import Cluster
from harness.hadoop import cli, pids
from harness.hadoop.cluster import PseudoCluster
from harness.hadoop.configuration import PORTS, Options, Sites, free_ports, put
from harness.hadoop.environment import Failure


def created(directory, name="one", **options):
    made = PseudoCluster(name, directory)
    made.create("3.3.6", Options(**options))
    made.write_configuration()
    return made


def read(file):
    return {p.findtext("name"): p.findtext("value") for p in xml.etree.ElementTree.parse(file).getroot()}


def test_a_name_is_no_path(tmp_path):
    for name in ("", "a/b", "..", ".hidden"):
        with pytest.raises(Failure, match="cannot be the name"):
            PseudoCluster(name, tmp_path)


def test_what_was_created_is_found_again(tmp_path):
    made = created(tmp_path, node_memory=4096, set={"a.b": "c"})
    found = PseudoCluster("one", tmp_path)
    assert found.load()
    assert (found.hadoop, found.ports, found.options) == ("3.3.6", made.ports, Options(node_memory=4096, set={"a.b": "c"}))
    assert found.problems()[0] == "namenode is not running"
    assert not PseudoCluster("two", tmp_path).load()


def test_two_clusters_share_no_port(tmp_path):
    ports = [*created(tmp_path).ports.values(), *created(tmp_path, "two").ports.values()]
    assert len(set(ports)) == 32
    assert set(ports) <= set(PORTS)


def test_no_port_is_left(tmp_path):
    with pytest.raises(Failure, match="no free ports"):
        free_ports(len(PORTS) + 1, tmp_path)


def test_clients_have_less_than_daemons(tmp_path):
    made = created(tmp_path)
    client = read(made.conf / "yarn-site.xml")
    assert client["yarn.resourcemanager.address"] == f"localhost:{made.ports['rm']}"
    assert not any(key.startswith("yarn.nodemanager.local-dirs") for key in client)
    first, second = (read(made.directory / f"daemons/nodemanager{n}/yarn-site.xml") for n in (1, 2))
    assert client.items() <= first.items()
    assert first["yarn.nodemanager.address"] != second["yarn.nodemanager.address"]
    assert first["yarn.nodemanager.local-dirs"] == f"{made.directory}/nodemanager1/local"
    assert not (made.conf / "capacity-scheduler.xml").exists()
    assert not (made.conf / "resource-types.xml").exists()


def test_a_setting_of_the_user_wins_in_its_file(tmp_path):
    keys = {
        "fs.trash.interval": "5",
        "dfs.replication": "2",
        "yarn.nodemanager.vmem-check-enabled": "true",
        "yarn.scheduler.capacity.node-locality-delay": "40",
    }
    made = created(tmp_path, set=keys)
    daemon = made.directory / "daemons/resourcemanager"
    assert read(made.conf / "core-site.xml")["fs.trash.interval"] == "5"
    assert read(made.conf / "hdfs-site.xml")["dfs.replication"] == "2"
    assert read(made.conf / "yarn-site.xml")["yarn.nodemanager.vmem-check-enabled"] == "true"
    assert read(daemon / "yarn-site.xml")["yarn.nodemanager.vmem-check-enabled"] == "true"
    assert read(daemon / "capacity-scheduler.xml")["yarn.scheduler.capacity.node-locality-delay"] == "40"


def test_a_label_and_a_resource_type(tmp_path):
    made = created(tmp_path, node_label="fast", resource_types={"yarn.io/gpu": "2"})
    assert read(made.conf / "yarn-site.xml")["yarn.node-labels.enabled"] == "true"
    assert read(made.conf / "resource-types.xml") == {"yarn.resource-types": "yarn.io/gpu"}
    node, master = (made.directory / "daemons" / name for name in ("nodemanager1", "resourcemanager"))
    assert read(node / "node-resources.xml") == {"yarn.nodemanager.resource-type.yarn.io/gpu": "2"}
    assert not (master / "node-resources.xml").exists()
    scheduler = read(master / "capacity-scheduler.xml")
    assert scheduler["yarn.scheduler.capacity.root.default.accessible-node-labels.fast.capacity"] == "60"


def test_values_are_escaped(tmp_path):
    Sites(core={"a": "<&>"}).write(tmp_path)
    assert read(tmp_path / "core-site.xml") == {"a": "<&>"}


def test_a_file_that_is_written_again_is_never_seen_in_part(tmp_path):
    """Each process of a test run writes the configuration that the clients of the others read."""
    file, texts = tmp_path / "core-site.xml", ["a" * 100_000, "b" * 100_000]
    put(file, texts[0])
    seen, over = [], threading.Event()

    def reader():
        while not over.is_set():
            seen.append(file.read_text() in texts)

    thread = threading.Thread(target=reader)
    thread.start()
    for number in range(300):
        put(file, texts[number % 2])
    over.set()
    thread.join()
    assert seen and all(seen)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_process_is_told_from_its_successor():
    child = subprocess.Popen(["sleep", "60"])
    recorded = pids.record(child.pid)
    assert pids.alive(recorded)
    assert not pids.alive(recorded | {"start": recorded["start"] - 1})
    pids.kill([recorded | {"start": recorded["start"] - 1}])
    assert pids.alive(recorded)
    pids.stop([recorded], 5)
    assert not pids.alive(recorded)
    child.wait()
    assert not pids.alive(pids.record(child.pid))


def test_the_command_line():
    words = ["up", "--name", "x", "--heartbeat", "300", "--resource-type", "a=1", "--set", "k=v=w", "--log-aggregation"]
    arguments = cli.parser().parse_args(words)
    wanted = Options(heartbeat=300, log_aggregation=True, resource_types={"a": "1"}, set={"k": "v=w"})
    assert cli.options(arguments) == wanted


def test_options_of_another_version_are_left_out():
    assert Options.of({"heartbeat": 5, "unheard-of": 1}) == Options(heartbeat=5)


def test_no_such_cluster(tmp_path):
    absent = PseudoCluster("absent", tmp_path)
    assert cli.status(absent) == {"name": "absent", "ready": False, "problems": ["no cluster `absent`"], "daemons": {}}
    with pytest.raises(Failure, match="there is no cluster"):
        cli.exports(absent, "1.20.5")


def test_localized_files_are_found_while_applications_end(tmp_path, monkeypatch):
    """A directory that goes away between its listing and the look into it is none of the test's business."""
    cluster = Cluster("one", tmp_path)
    local = cluster.directory / "nodemanager1/local"
    shared, private = local / "filecache/10/a.jsa", local / "usercache/me/filecache/11/a.jsa"
    inside = local / "usercache/me/appcache/application_1_1/container_1/lib/a.jsa"
    gone = local / "usercache/me/filecache/12"
    for file in (shared, private, inside, gone / "a.jsa"):
        file.parent.mkdir(parents=True)
        file.write_text("")
    scandir = os.scandir

    def racing(path):
        if str(path) == str(gone):
            raise FileNotFoundError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", racing)
    assert sorted(cluster.localized("a.jsa")) == [shared, private]
    assert cluster.localized("a.jsa", "application_1_1") == [inside]


def test_two_of_each_bring_what_they_need(tmp_path):
    made = created(tmp_path, resourcemanagers=2, namenodes=2)
    names = {daemon.name for daemon in made.daemons}
    assert {"zookeeper", "journalnode", "failover-nn1", "namenode2", "resourcemanager2"} <= names
    hdfs, yarn = (read(made.conf / f"{name}-site.xml") for name in ("hdfs", "yarn"))
    assert read(made.conf / "core-site.xml")["fs.defaultFS"] == "hdfs://heddle"
    assert hdfs["dfs.namenode.rpc-address.heddle.nn2"] == f"localhost:{made.ports['nn2']}"
    assert "dfs.namenode.rpc-address" not in hdfs and "yarn.resourcemanager.address" not in yarn
    assert yarn["yarn.resourcemanager.scheduler.address.rm2"] == f"localhost:{made.ports['rm2-scheduler']}"
    # Which of the two it is must be known to the daemon alone.
    assert "yarn.resourcemanager.ha.id" not in yarn and "dfs.ha.namenode.id" not in hdfs
    second = read(made.directory / "daemons/resourcemanager2/yarn-site.xml")
    assert second["yarn.resourcemanager.ha.id"] == "rm2" and second["yarn.resourcemanager.store.class"].endswith("ZKRMStateStore")
    assert read(made.directory / "daemons/failover-nn2/hdfs-site.xml")["dfs.ha.namenode.id"] == "nn2"


def test_recovery_alone_keeps_its_state_in_files(tmp_path):
    made = created(tmp_path, recovery=True)
    assert not {daemon.name for daemon in made.daemons} & {"zookeeper", "journalnode"}
    manager, node = (read(made.directory / f"daemons/{name}/yarn-site.xml") for name in ("resourcemanager", "nodemanager1"))
    assert manager["yarn.resourcemanager.store.class"].endswith("FileSystemRMStateStore")
    assert node["yarn.nodemanager.recovery.supervised"] == "true"


def test_with_kerberos_keytabs_are_for_daemons_alone(tmp_path):
    made = created(tmp_path, kerberos=True, protection="privacy", token_renewal=60, token_lifetime=180)
    assert made.daemons[0].name == "kdc", "others start when it listens"
    core, hdfs, yarn = (read(made.conf / f"{name}-site.xml") for name in ("core", "hdfs", "yarn"))
    assert (core["hadoop.security.authentication"], core["hadoop.rpc.protection"]) == ("kerberos", "privacy")
    assert hdfs["dfs.namenode.kerberos.principal"] == "nn/localhost@HEDDLE.TEST" and not any("keytab" in key for key in hdfs)
    assert yarn["yarn.resourcemanager.principal"] == "rm/localhost@HEDDLE.TEST" and not any("keytab" in key for key in yarn)
    manager = read(made.directory / "daemons/resourcemanager/yarn-site.xml")
    assert manager["yarn.resourcemanager.keytab"] == f"{made.directory}/kerberos/rm.keytab"
    assert manager["yarn.resourcemanager.recovery.enabled"] == "true"
    assert manager["yarn.resourcemanager.delegation.token.renew-interval"] == "60000"
    # The ResourceManager goes on renewing the tokens of applications.
    assert manager["yarn.resourcemanager.system-credentials.valid-time-remaining"] == "7500"
    name = read(made.directory / "daemons/namenode/hdfs-site.xml")
    assert name["dfs.namenode.delegation.token.max-lifetime"] == "180000"
    assert made.environment()["KRB5_CONFIG"] == f"{made.directory}/kerberos/krb5.conf"
    assert "-Djava.security.krb5.conf" in " ".join(made.daemons[1].command(made))
    plain = created(tmp_path, "two")
    assert "KRB5_CONFIG" not in plain.environment() and "krb5" not in " ".join(plain.daemons[1].command(plain))


def test_one_daemon_by_its_name(tmp_path):
    made = created(tmp_path)
    child = subprocess.Popen(["sleep", "60"])
    made.state["daemons"]["datanode"] = pids.record(child.pid)
    with pytest.raises(Failure, match="no daemon `datanod`"):
        made.kill("datanod")
    with pytest.raises(Failure, match="namenode does not run"):
        made.pause("namenode")
    made.pause("datanode")
    # A paused process ends too.
    made.stop("datanode")
    child.wait()
    assert made.pid("datanode") is None
