"""What `scripts/bench --in-process` makes of its runs."""

from bench import in_process, report
from bench.cases import TUNED

SECONDS = {"heddle": 2.0, "reference": 9.0, TUNED: 5.0}


def runs(**seconds):
    for number in (1, 2, 3):
        for kind, wall in (SECONDS | seconds).items():
            yield {"kind": kind, "run": number, "wall": wall * number, "cpu": wall / 2, "uploaded": 20_000}


def test_medians_and_the_target():
    found = [*runs(), {"kind": "heddle", "run": 4, "failed": "no"}]
    assert in_process.medians(found)["reference"] == {"wall": 18.0, "cpu": 4.5, "uploaded": 20_000}
    assert in_process.reached(found) == 4.5
    assert in_process.rows(found) == [
        ["", "with the agent", "Flink alone", "Flink alone, tuned", "Flink alone : with the agent", "Flink alone, tuned : with the agent"],
        ["call to its return", "4.00 s", "18.00 s", "10.00 s", "4.5", "2.5"],
        ["CPU of the tool", "1.00 s", "4.50 s", "2.50 s", "4.5", "2.5"],
        ["uploaded", "20 kB", "20 kB", "20 kB", "1.0", "1.0"],
    ]
    text = report.in_process_text(found)
    assert "reached: 4.5 times as fast with the agent as without, wanted 3" in text
    assert "failed: run 4, with the agent" in text


def test_a_target_that_is_missed_or_not_measured():
    assert in_process.verdict(list(runs(heddle=4.0))).startswith("MISSED: 2.2 times")
    alone = [figures for figures in runs() if figures["kind"] == "heddle"]
    assert in_process.verdict(alone) is None and in_process.rows(alone)[0] == ["", "with the agent"]
