"""The plan of a run of `scripts/chaos`, and what its journals come to."""

from collections import Counter

import pytest

from chaos import planted, report
from chaos.plan import CLOSE, KINDS, MEAN, Fault, plan
from chaos.run import Hit, recoveries
from chaos.watch import Seen, recovery, was_well


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


def test_a_recovery_ends_with_a_checkpoint_that_was_triggered_after_the_fault():
    seen = [Seen(10.0, 9.8), Seen(11.9, 11.4), Seen(20.0, 19.7), Seen(21.0, 20.7)]
    assert recovery(seen, 11.5, 11.6) == 8.5, "the second one was under way when the fault was made"
    assert recovery(seen, 11.0, 11.2) == 0.9
    assert recovery(seen, 20.6, 20.8) is None
    assert was_well(seen, 9.0, 10.5) and not was_well(seen, 9.0, 9.9), "complete, but not seen yet"
    assert not was_well(seen, 11.6, 19.9), "nothing but the one from before the fault is complete"


def test_what_the_journal_says_of_faults():
    def hit(number, began, lasts, *concerned):
        return Hit(Fault(number, "kill-jobmanager", 0, lasts, 0.5), began, began + 0.1, list(concerned))

    watched = {"a": [Seen(101.0, 100.7), Seen(111.0, 110.7), Seen(130.0, 129.0)], "b": [Seen(105.0, 104.0), Seen(131.0, 130.0)]}
    hits = [hit(0, 100.0, 0, "a"), hit(1, 103.0, 0, "a", "b"), hit(2, 110.0, 0, "a"), hit(3, 120.0, 30, "a"), hit(4, 130.5, 0, "a")]
    assert recoveries(hits, watched, 132.0) == [
        {"fault": 0, "seconds": 1.0, "well": True, "cut": False},
        {"fault": 1, "seconds": 8.0, "well": True, "cut": False},
        # The job had not recovered from the one before.
        {"fault": 2, "seconds": 1.0, "well": False, "cut": False},
        # The look has ended it.
        {"fault": 3, "seconds": 10.0, "well": True, "cut": True},
    ]


def journal(times, *more, client="heddle", mean=60.0, kind="kill-jobmanager", **run):
    """Of a run with one fault for each of these times (None: it has hit nothing), and one look at the end."""
    made = [{"fault": {"number": n, "kind": kind, "at": mean}, "hit": seconds and "it"} for n, seconds in enumerate(times)]
    found = [{"fault": n, "seconds": seconds, "well": True, "cut": False} for n, seconds in enumerate(times) if seconds]
    return report.Journal([{"run": {"client": client} | run}, *made, {"recovered": found}, *more])


def test_p50_and_p95_of_each_kind_with_both_clients_beside_each_other():
    ours, theirs = journal([None, *map(float, range(1, 21))]), journal([44.0, 50.0], client="reference")
    harmless = journal([1.2, 2.9], kind="restart-nodemanager")
    assert report.times([theirs, ours, harmless]) == [
        ["Fault", "heddle: made", "timed", "p50", "p95", "Flink's own: made", "timed", "p50", "p95"],
        ["kill-jobmanager", "20", "20", "10.0 s", "19.0 s", "2", "2", "44.0 s", "50.0 s"],
        ["restart-nodemanager", "2", "2", "job not disturbed", "2.9 s", "0", "0", "–", "–"],
        ["in all", "22", "", "", "", "2", "", "", ""],
    ]
    assert len({len(row) for row in report.times([ours])}) == 1


def test_a_fault_while_the_job_was_not_well_or_that_was_cut_short_is_not_timed():
    found = [{"fault": 0, "seconds": 70.0, "well": False, "cut": False}, {"fault": 1, "seconds": 1.0, "well": True, "cut": True}]
    run = journal([9.0, 8.0], {"recovered": found})
    assert sorted(seconds for _, seconds in run.recoveries()) == [8.0, 9.0]


def test_faults_that_follow_each_other_faster_than_a_job_recovers_are_counted_and_not_timed():
    quick, calm = journal([9.0, 8.0, 1.0], mean=4.0, seed=7), journal([7.0], seed=8, kinds=["kill-jobmanager"])
    assert report.times([quick, calm])[1] == ["kill-jobmanager", "4", "1", "7.0 s", "7.0 s"]
    assert report.runs([quick, calm])[1:] == [
        ["heddle, seed 7", "all", "3", "0", "4.0 s", "not counted: a job that is disturbed needs 8.5 s"],
        ["heddle, seed 8", "kill-jobmanager", "1", "0", "60.0 s", "counted"],
    ]
    assert journal([1.0, 2.0], mean=0.5).refused() is None, "nothing was disturbed"
    assert "planted" in journal([1.0], planted="sink").refused()
    assert report.runs([journal([1.0], {"failed": "no"})])[1][-1] == "counted; the run has failed"


def test_an_older_journal():
    entries = [{"fault": {"number": n, "kind": "kill-taskmanager", "at": 9.0}, "hit": "it"} for n in range(2)]
    old = report.Journal([*entries, {"recovered": [[0, 4.0], [1, 5.0]]}])
    assert (old.client, list(old.recoveries())) == ("heddle", [("kill-taskmanager", 4.0), ("kill-taskmanager", 5.0)])


def look(at, rss, attempt=1):
    return {"at": at, "audit": {"applications": {"app": {"attempt": attempt, "rss_kb": rss}}}}


def test_the_memory_of_the_heddle_am_that_lived_through_most_faults():
    fault = {"fault": {"number": 0, "kind": "kill-taskmanager", "at": 8.0}, "hit": "it"}
    entries = [look(0, 10240), *[fault] * 600, look(3000, 13312), *[fault] * 400, look(7200, 14336), *[fault] * 9, look(7300, 9216, 2)]
    [heading, row] = report.memory([report.Journal(entries)])
    assert heading[1:] == ["in its first hour, at most", "after 1,000 faults", "at most", "change (wanted: 10 % at most)"]
    assert row[1:] == ["13.0 MiB", "14.0 MiB", "14.0 MiB", "+7.7 %"]
    short = report.Journal([look(0, 10240), *[fault] * 5, look(60, 12288)])
    told = report.memory_text([short])
    assert told.endswith("10.0 MiB at the first look, 12.0 MiB after 5 faults, 12.0 MiB at most: +20.0 %, MORE than the 10 % that are wanted")
    # That of Flink's own client is the JobManager's JVM.
    theirs = report.Journal([{"run": {"client": "reference"}}, *entries])
    assert report.memory([theirs]) == [] == report.memory([report.Journal([look(0, 1)])])


def test_the_tables_are_markdown():
    run = journal([7.0], look(0, 10240), look(9, 10240), surroundings="here", seed=1)
    lines = report.lines([run, run])
    assert lines[0] == "| Run | Kinds | Faults | Hit nothing | Mean pause | Times |"
    assert [line for line in lines if not line.startswith("|")] == ["", ""]
    assert report.surroundings([run, run]) == ["here"]
