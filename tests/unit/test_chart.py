"""The charts of docs/benchmarks: whole labels, and nothing beyond the edge."""

import re
import xml.etree.ElementTree

import pytest

from bench import chart
from harness.cluster import ROOT

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("largest", "wanted"), [(24.8, [0, 5, 10, 15, 20, 25]), (0.07, [0, 0.02, 0.04, 0.06, 0.08]), (3, [0, 1, 2, 3])]
)
def test_round_numbers_on_the_axis(largest, wanted):
    assert chart.axis(largest) == pytest.approx(wanted)


def test_values():
    assert [chart.told(value) for value in (0.07, 2.62, 24.77, 1234)] == ["0.07 s", "2.6 s", "24.8 s", "1,234 s"]


@pytest.mark.parametrize("file", ["suite.svg", "front.svg", "scale.svg"])
def test_the_charts_of_the_manual_show_all_of_their_words(file):
    root = xml.etree.ElementTree.fromstring((ROOT / "docs/benchmarks" / file).read_text())
    width = float(root.get("width"))
    texts = list(root.iter(f"{SVG}text"))
    assert any(re.fullmatch(r"[\d.]+ s", text.text) for text in texts)
    for text in texts:
        assert "…" not in text.text
        long = len(text.text) * float(text.get("font-size")) * chart.LETTER
        begin = float(text.get("x")) - {"start": 0, "middle": long / 2, "end": long}[text.get("text-anchor")]
        assert begin >= 0 and begin + long <= width, text.text
    ends = [float(bar.get("x")) + float(bar.get("width")) for bar in root.iter(f"{SVG}rect") if bar.get("x")]
    assert max(ends) <= width
