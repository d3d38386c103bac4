"""The plan of a run of `scripts/chaos`, and what its journals come to."""

from collections import Counter

import pytest

from chaos import planted, report
from chaos.plan import CLOSE, KINDS, MEAN, plan
from chaos.watch import recovery


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


def test_a_planted_defect_is_noticed_by_what_it_does(tmp_path):
    said = {
        "sink": "AssertionError: application_1_0001: key 1 has [5, 6] more than once",
        "attempts": "AssertionError: application_1_0001 has ended: FAILED: two attempts",
        "availability": "AssertionError: not within 240 s: a new checkpoint (last seen: False)",
        "leftover": "AssertionError: not within 60 s: no process (last seen: False)",
    }
    for name in planted.NAMES:
        assert planted.noticed(name, said[name])
        # That no application recovers may be the end of it, too.
        others = [other for other, wrong in said.items() if other != name and planted.noticed(name, wrong)]
        assert others == (["attempts"] if name == "availability" else [])
        assert not planted.noticed(name, None) and not planted.noticed(name, "AssertionError: not within 120 s: the cluster")
        assert set(planted.of(name, tmp_path, "/java").faults) <= set(KINDS)


def test_a_recovery_ends_with_a_checkpoint_that_was_begun_after_the_fault():
    seen = [(10.0, 1), (11.0, 2), (20.0, 3), (21.0, 4)]
    assert recovery(seen, 11.5) == 9.5, "the third may have been complete when the fault was made"
    assert recovery(seen, 5.0) == 6.0
    assert recovery(seen, 20.5) is None


def test_what_journals_come_to():
    made = [{"fault": {"number": number, "kind": "kill-jobmanager"}, "hit": "it" if number else None} for number in range(21)]
    looks = [{"audit": {"applications": {"a": {"rss_kb": rss}, "b": {"rss_kb": 9}}}} for rss in (10, 40, 20)]
    entries = [looks[0], *made, {"recovered": [(number, float(number)) for number in range(1, 21)]}, *looks[1:]]
    assert report.table(entries)[2:] == ["| kill-jobmanager | 20 | 1 | 10.0 s | 19.0 s |"]
    assert report.memory(entries) == (10, 20, 40)
