"""The table of the full run in docs/compatibility.md: for each part of `scripts/test --all` its last run.

The table itself is what is kept: the row of a part that is run again is replaced, the others stay.
"""

from dataclasses import dataclass

BEGIN, END = "<!-- full run: written by scripts/test --all -->", "<!-- end of full run -->"
HEAD = ("Part", "Date", "Commit", "Passed", "Failed", "Skipped", "Minutes")


@dataclass(frozen=True)
class Row:
    part: str
    date: str
    commit: str
    # None where a part has no tests to count, as formatting.
    counts: object
    good: bool
    minutes: float

    def cells(self):
        if self.counts is None:
            told = ("yes" if self.good else "**no**", "", "")
        else:
            failed = f"**{self.counts.failed}**" if self.counts.failed or not self.good else "0"
            told = (str(self.counts.passed), failed, str(self.counts.skipped))
        return (self.part, self.date, self.commit, *told, f"{self.minutes:.1f}")


def parsed(lines):
    """The rows of a table, as tuples of cells, without its head."""
    rows = [tuple(cell.strip() for cell in line.strip().strip("|").split("|")) for line in lines if line.startswith("|")]
    return rows[2:]


def merged(old, new, order):
    """The rows of both, of the same part the new one, in the order of the parts."""
    rows = {cells[0]: cells for cells in old} | {cells[0]: cells for cells in new}
    return [rows[part] for part in order if part in rows]


def table(rows):
    lines = [HEAD, ["---"] * len(HEAD), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def written(document, new, order):
    """The document with the rows of these parts replaced; None where it has no place for them."""
    before, found, rest = document.partition(BEGIN)
    old, closed, after = rest.partition(END)
    if not (found and closed):
        return None
    rows = merged(parsed(old.splitlines()), [row.cells() for row in new], order)
    return "\n".join([f"{before}{BEGIN}", *table(rows), f"{END}{after}"])
