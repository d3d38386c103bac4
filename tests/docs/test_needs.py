"""The table of needs: all forty, counted, and each shown by something that there is."""

import re
from collections import Counter

from manual import ROOT

PAGE = (ROOT / "docs/needs.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)]


def test_the_forty_needs_are_counted():
    assert [row[0] for row in ROWS] == [str(number) for number in range(1, 41)]
    states = Counter(re.match(r"(answered|partly|not)\b", row[4])[1] for row in ROWS)
    numbers = {1: "one"}
    told = [numbers.get(states[state], states[state]) for state in ("answered", "partly", "not")]
    verb = "is" if states["not"] == 1 else "are"
    assert f"**{told[0]} are answered, {told[1]} partly, and {told[2]} {verb} not.**" in PAGE
    assert all(row[4].startswith("partly: ") for row in ROWS if row[4].startswith("partly")), "what is missing is named"


def test_what_shows_it_is_there():
    missing = {name for row in ROWS for name in re.findall(r"test_\w+\.py", row[3]) if not (ROOT / "tests/scenarios" / name).is_file()}
    assert not missing
