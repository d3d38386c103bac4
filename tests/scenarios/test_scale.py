"""Many containers of one session, on simulated nodes under a real ResourceManager (tests/scale)."""

import contextlib
import os

import pytest

from bench.common import Master
from harness.client import Client
from harness.cluster import ROOT, Cluster
from harness.waiting import wait_for
from scale.simulator import MASTER_MB, WORKER_MB, Simulator, built_taskrunners, lone_node

WANTED, NODES = 100, 50


@pytest.fixture
def simulated(tmp_path):
    """A cluster of its own: one real node with room for the ApplicationMaster alone, and the others when they
    have joined."""
    taskrunners = built_taskrunners()
    with contextlib.ExitStack() as ended:
        name = f"{os.environ['HEDDLE_TEST_CLUSTER']}-scale"
        ended.callback(Cluster(name).down)
        made = lone_node(name)
        simulator = Simulator(made, NODES, 8192, tmp_path / "simulator.log", taskrunners)
        ended.callback(simulator.close)
        yield made, simulator


@pytest.mark.extended
@pytest.mark.slow("a cluster of its own, and the first time a program is built")
@pytest.mark.timeout(600)
@pytest.mark.heddle_only("Flink's own ApplicationMaster stops them one after another")
def test_a_hundred_containers_start_and_all_are_stopped(simulated, client_kind, tmp_path, flink_home, jar):
    cluster, simulator = simulated
    client = Client(client_kind, cluster, tmp_path / "client", ROOT, flink_home)
    session = client.session("-jm", MASTER_MB, "-tm", WORKER_MB, "-Dresourcemanager.taskmanager-timeout=600000")
    simulator.join()
    session.run(jar, "Sleepy", "--seconds", "600", options=["-d", "-p", WANTED]).ok()
    wait_for("all taskrunners linked", lambda: simulator.count()["linked"] >= WANTED, 60)

    told = simulator.report()
    assert told["running"] == WANTED, "none is launched that Flink did not ask for"
    assert told["calls"]["startContainers"] == WANTED, "each by one call"
    assert Master(cluster, session.application).memory()["am"]["now"] < 24 << 20, "12 MiB is usual"
    assert len({container["node"] for container in told["containers"]}) > NODES / 2, "not heaped on some"

    session.stop().ok()
    cluster.yarn.wait_state(session.application, "FINISHED")
    wait_for("all containers stopped", lambda: simulator.count()["running"] == 0, 30)
    simulator.leave()
