"""Faults at random: `scripts/chaos` on a cluster of its own."""

import os
import subprocess

import pytest

from harness.cluster import ROOT, Cluster
from harness.hadoop.environment import CLUSTERS

pytestmark = [
    pytest.mark.heddle_only("scripts/chaos compares with Flink's own client by itself"),
    pytest.mark.slow("it makes one fault after the other"),
    pytest.mark.timeout(3600),
    pytest.mark.xdist_group("chaos"),
]


@pytest.fixture
def chaos(cluster, tmp_path):
    """Runs `scripts/chaos` with these words; its output."""
    name = f"{cluster.name}-chaos"

    def run(*words):
        command = [ROOT / "scripts/chaos", "--name", name, "--journal", tmp_path / "journal.jsonl", *map(str, words)]
        environment = {"HEDDLE_TEST_DIST": str(ROOT / "dist/heddle")} | os.environ
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        print(done.stdout)
        return done.stdout

    yield run
    if (CLUSTERS / name).exists():
        Cluster(name).down()


def test_forty_faults(chaos):
    told = chaos("--seed", 40, "--faults", 40, "--mean", 3, "--audit", 40)
    assert told.count("each exactly once") == 2, told


@pytest.mark.extended
def test_two_hundred_faults(chaos):
    told = chaos("--seed", 200, "--faults", 200, "--mean", 4, "--audit", 40, "--fresh", 80)
    assert told.count("goes on with the job of") == 4
    assert told.count("each exactly once") == 2, told


@pytest.mark.extended
def test_each_planted_defect_is_noticed(chaos):
    told = chaos("--sensitivity", "--seed", 50, "--faults", 50, "--mean", 2, "--audit", 10)
    assert told.count(": noticed: ") == 4, told
