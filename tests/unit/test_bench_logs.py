"""What `scripts/bench --logs` makes of its runs."""

import json

from bench import logs, report


def runs():
    for kind in logs.FORMATS:
        for megabytes in (10, 100):
            for number in (1, 2, 3):
                for client, seconds in (("heddle", 0.25), ("hadoop", 4)):
                    figures = {"wall": seconds * number, "cpu": seconds, "peak": 12 * 2**20}
                    yield {"format": kind, "mb": megabytes, "client": client, "run": number} | figures


def test_medians_and_the_target():
    found = list(runs())
    assert logs.medians(found)["tfile", 100]["heddle"] == {"wall": 0.5, "cpu": 0.25, "peak": 12 * 2**20}
    assert list(logs.reached(found)) == [("tfile", 100, 16), ("ifile", 100, 16)]
    text = report.logs_text(found)
    assert "reached: 100 MiB, IndexedFile: 16.0 times as fast" in text and "MISSED" not in text
    assert logs.rows(found)[1] == ["10 MiB, TFile", "time", "0.50 s", "8.00 s", "16.0"]
    json.dumps(report.logs_medians(found))


def test_a_target_that_is_missed():
    found = [figures | {"wall": 1} for figures in runs()]
    assert all(verdict.startswith("MISSED: 100 MiB") for verdict in logs.verdicts(found))
