"""The one comparer, and the table of the differences that are on purpose. Pure, but for reading the table."""

import re
import tomllib
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path

from .normal import flatten

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Difference:
    """Where, and what either has there: None for nothing."""

    path: str
    reference: object
    heddle: object

    def __str__(self):
        return f"{self.path}: Flink's {shown(self.reference)}, heddle's {shown(self.heddle)}"


def shown(value):
    return "nothing" if value is None else f"`{str(value)[:300]}`"


def differences(reference, heddle):
    """Of two observations, which are nested dictionaries with texts, numbers and lists."""
    one, other = flatten(reference), flatten(heddle)
    found = []
    for path in sorted(one.keys() | other.keys()):
        left, right = one.get(path), other.get(path)
        if isinstance(left, list) and isinstance(right, list):
            found += of_lists(path, left, right)
        elif left != right:
            found.append(Difference(path, left, right))
    return found


def of_lists(path, left, right):
    """What only one of them has, entry by entry; then the order of what both have."""
    found, rest = [], list(right)
    common = []
    for entry in left:
        if entry in rest:
            rest.remove(entry)
            common.append(entry)
        else:
            found.append(Difference(path, entry, None))
    found += [Difference(path, None, entry) for entry in rest]
    others = list(right)
    for entry in rest:
        # The last of equal ones is the one too many.
        del others[len(others) - 1 - others[::-1].index(entry)]
    if common != others:
        at = next(i for i, pair in enumerate(zip(common, others)) if pair[0] != pair[1])
        found.append(Difference(f"{path}/order", str(common[at:]), str(others[at:])))
    return found


@dataclass
class Row:
    """One difference on purpose, or several that are the same decision. As `differences.toml` has it."""

    id: str
    # For the page: what Flink's client does, what heddle does, and why.
    about: str
    flink: str
    here: str
    why: str
    # Where: patterns of paths as a shell has them. All modes and cases, unless some are named.
    paths: list
    modes: list = field(default_factory=list)
    cases: list = field(default_factory=list)
    # Regular expressions for the whole value of either; the empty one stands for nothing at all.
    reference: str = ".*"
    heddle: str = ".*"
    # Only seen with a release that begins so, as `2.`.
    flinks: list = field(default_factory=list)

    def allows(self, difference, case, mode):
        if (self.modes and mode not in self.modes) or (self.cases and not any(fnmatchcase(case, name) for name in self.cases)):
            return False
        if not any(fnmatchcase(difference.path, pattern) for pattern in self.paths):
            return False
        sides = ((self.reference, difference.reference), (self.heddle, difference.heddle))
        return all(re.fullmatch(pattern, "" if value is None else str(value), re.DOTALL) for pattern, value in sides)


def table(text=None):
    """The rows of `differences.toml`, in its order."""
    known = {entry.name for entry in fields(Row)}
    rows = []
    for raw in tomllib.loads(text or (HERE / "differences.toml").read_text())["difference"]:
        assert set(raw) <= known, f"row {raw.get('id')}: unknown {set(raw) - known}"
        rows.append(Row(**raw))
    names = [row.id for row in rows]
    assert len(set(names)) == len(names), f"two rows have the same id: {sorted(names)}"
    return rows


def judge(found, rows, case, mode):
    """(differences with the id of the row that allows them, differences that no row allows)."""
    allowed, wrong = [], []
    for difference in found:
        row = next((row for row in rows if row.allows(difference, case, mode)), None)
        if row:
            allowed.append((row.id, difference))
        else:
            wrong.append(difference)
    return allowed, wrong


def page(rows):
    """The section of docs/compatibility.md, as lines."""

    def cell(text):
        return " ".join(text.split()).replace("|", "\\|")

    head = ["| About | Flink's own client | heddle | Why |", "|---|---|---|---|"]
    return [*head, *(f"| {cell(row.about)} | {cell(row.flink)} | {cell(row.here)} | {cell(row.why)} |" for row in rows)]
