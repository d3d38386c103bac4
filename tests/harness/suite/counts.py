"""What tests came to, as the programs tell it that ran them."""

import re
import xml.etree.ElementTree
from dataclasses import dataclass, field

# A scenario that takes longer has to say why, by the marker `slow`.
SLOW_SECONDS = 60


@dataclass(frozen=True)
class Case:
    """One test, with everything that was set up for it."""

    name: str
    seconds: float
    # Why it may take long; empty where nobody has said so.
    why: str = ""


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    cases: list = field(default_factory=list)

    def __add__(self, other):
        added = (getattr(self, name) + getattr(other, name) for name in ("passed", "failed", "skipped", "cases"))
        return Counts(*added)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def of_junit(text):
    """Of the file that `pytest --junitxml` writes, or Maven's Surefire."""
    counts = Counts()
    for case in xml.etree.ElementTree.fromstring(text).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            counts.failed += 1
        elif "skipped" in kinds:
            counts.skipped += 1
        else:
            counts.passed += 1
        file = case.get("classname", "").rpartition(".")[2]
        reasons = [item.get("value") for item in case.iter("property") if item.get("name") == "slow"]
        counts.cases.append(Case(f"{file}::{case.get('name')}", float(case.get("time") or 0), "".join(reasons)))
    return counts


def of_cargo(lines):
    """Of what `cargo test` prints: the sum of its programs."""
    counts = Counts()
    for line in lines:
        if found := re.match(r"test result: .* (\d+) passed; (\d+) failed; (\d+) ignored;", line):
            counts += Counts(*map(int, found.groups()))
    return counts


def slowest(cases, number=20):
    """Lines for the terminal: the tests that took longest."""
    chosen = sorted(cases, key=lambda case: -case.seconds)[:number]
    return [f"{case.seconds:7.1f} s  {case.name}{f'  ({case.why})' if case.why else ''}" for case in chosen]


def unexplained(cases):
    """Names of tests that take long, and nobody says why."""
    return [case.name for case in cases if case.seconds > SLOW_SECONDS and not case.why]
