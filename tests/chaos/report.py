"""What journals of runs come to: how many faults of each kind, and how long the jobs needed after them."""

import json
import math
from collections import defaultdict


def percentile(values, share):
    """The smallest of the values that so many of a hundred of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]


def read(files):
    """The entries of all journals, in their order."""
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def table(entries):
    """Rows of Markdown: kind, how many faults hit something, how many did not, p50 and p95 of the
    recoveries."""
    hit, missed, times = defaultdict(int), defaultdict(int), defaultdict(list)
    kinds = {}
    for entry in entries:
        if fault := entry.get("fault"):
            kinds[fault["number"]] = fault["kind"]
            (hit if entry["hit"] else missed)[fault["kind"]] += 1
        for number, seconds in entry.get("recovered", []):
            times[kinds[number]].append(seconds)
    lines = ["| Fault | Made | Hit nothing | p50 | p95 |", "|---|---|---|---|---|"]
    for kind in sorted(set(hit) | set(missed)):
        of = times[kind]
        figures = [f"{percentile(of, share):.1f} s" if of else "-" for share in (50, 95)]
        lines.append(f"| {kind} | {hit[kind]} | {missed[kind]} | {' | '.join(figures)} |")
    return lines


def memory(entries):
    """The resident memory of the ApplicationMasters at the first and at the last look, in kB; the largest
    one."""
    looks = [[a["rss_kb"] for a in entry["audit"]["applications"].values()] for entry in entries if "audit" in entry]
    return (max(looks[0]), max(looks[-1]), max(map(max, looks))) if looks else None
