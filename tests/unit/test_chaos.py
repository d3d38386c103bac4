"""The plan of a run of `scripts/chaos`."""

from collections import Counter

import pytest

from chaos.plan import CLOSE, KINDS, MEAN, plan


def test_a_seed_always_gives_the_same_faults():
    assert plan(7, 200) == plan(7, 200) != plan(8, 200)
    assert plan(7, 200)[:50] == plan(7, 50)
    assert [fault.number for fault in plan(1, 3)] == [0, 1, 2]


def test_the_faults_are_spread_as_they_should_be():
    faults = plan(1, 10_000)
    kinds = Counter(fault.kind for fault in faults)
    assert sum(share for share, _ in KINDS.values()) == 100
    for kind, (share, longest) in KINDS.items():
        assert abs(kinds[kind] / 100 - share) < 2
        assert all(fault.lasts <= longest for fault in faults if fault.kind == kind)
        assert all(fault.lasts >= 1 for fault in faults if fault.kind == kind and longest)
    assert abs(sum(fault.at for fault in faults) / len(faults) / MEAN - 0.95) < 0.1
    assert sum(fault.at < CLOSE for fault in faults) > 500


def test_only_some_kinds():
    assert {fault.kind for fault in plan(1, 50, kinds=["kill-jobmanager", "restart-zookeeper"])} == {"kill-jobmanager", "restart-zookeeper"}
    with pytest.raises(ValueError, match="no-such"):
        plan(1, 50, kinds=["no-such"])
