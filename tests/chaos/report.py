"""What journals of runs come to: how many faults of each kind, how long jobs needed after them, and the
memory of heddle-am."""

import json
import math
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass

from harness.sections import TITLES, markdown

SECTION = "chaos"
# A job that a fault does not disturb has its next checkpoint within this time, in seconds: one is triggered
# each second, and is seen a moment after it is complete.
UNDISTURBED = 3.0
# What heddle-am may have more than in its first hour, in percent.
GROWTH = 10
HOUR = 3600


@dataclass(frozen=True)
class Journal:
    """The entries of one run, in their order."""

    entries: list

    @property
    def run(self):
        """What the run says of itself. An older journal says nothing, and is one of heddle's."""
        return next((entry["run"] for entry in self.entries if "run" in entry), {})

    @property
    def client(self):
        return self.run.get("client", "heddle")

    def faults(self):
        """Of each fault: itself, and whether it has hit something."""
        return [(entry["fault"], bool(entry["hit"])) for entry in self.entries if "fault" in entry]

    def mean(self):
        """Seconds between two faults."""
        pauses = [fault["at"] for fault, _ in self.faults()]
        return statistics.mean(pauses) if pauses else 0.0

    def recoveries(self):
        """Kind and seconds of each fault that tells how long a job needs after it alone.

        A job that was not well yet when the fault began needs time for the fault before, too, and one that
        was undone early would have lasted longer.
        """
        kinds = {fault["number"]: fault["kind"] for fault, _ in self.faults()}
        for entry in self.entries:
            for one in entry.get("recovered", []):
                number, seconds, counts = parts(one)
                if counts:
                    yield kinds[number], seconds

    def refused(self):
        """Why its times do not count; None if they do.

        Where faults follow each other faster than a job recovers, a time is that of several faults.
        """
        if self.run.get("planted"):
            return "not counted: it has a planted defect"
        disturbed = [seconds for _, seconds in self.recoveries() if seconds > UNDISTURBED]
        usual = statistics.median(disturbed) if disturbed else 0.0
        if self.mean() >= usual:
            return None
        return f"not counted: a job that is disturbed needs {usual:.1f} s"


def parts(one):
    """Of an entry of `recovered`: number of the fault, seconds, whether it counts."""
    if isinstance(one, dict):
        return one["fault"], one["seconds"], one["well"] and not one["cut"]
    # An older journal has pairs.
    number, seconds = one
    return number, seconds, True


def read(files):
    return [Journal([json.loads(line) for line in file.read_text().splitlines()]) for file in files]


def percentile(values, share):
    """The smallest of the values that so many of a hundred of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]


def clients(journals):
    """Those that are there, heddle first."""
    return [client for client in TITLES if any(journal.client == client for journal in journals)]


def runs(journals):
    """A table with a row for each run."""
    lines = [["Run", "Kinds", "Faults", "Hit nothing", "Mean pause", "Times"]]
    for journal in journals:
        made, run = journal.faults(), journal.run
        name = TITLES[journal.client] + (f", seed {run['seed']}" if "seed" in run else "")
        kinds = ", ".join(run.get("kinds") or []) or "all"
        failed = "; the run has failed" if any("failed" in entry for entry in journal.entries) else ""
        what = (journal.refused() or "counted") + failed
        lines.append([name, kinds, f"{len(made)}", f"{sum(not hit for _, hit in made)}", f"{journal.mean():.1f} s", what])
    return lines


def times(journals):
    """A table with a row for each kind of fault, and the clients beside each other.

    How often it was made and has hit something, in how many cases the time counts, and p50 and p95 of these.
    """
    made, counted = Counter(), defaultdict(list)
    for journal in journals:
        made.update((journal.client, fault["kind"]) for fault, hit in journal.faults() if hit)
        if not journal.refused():
            for kind, seconds in journal.recoveries():
                counted[journal.client, kind].append(seconds)
    named = clients(journals)
    lines = [["Fault", *(cell for client in named for cell in (f"{TITLES[client]}: made", "timed", "p50", "p95"))]]
    for kind in sorted({kind for _, kind in made}):
        cells = [kind]
        for client in named:
            of = counted[client, kind]
            cells += [f"{made[client, kind]}", f"{len(of)}", *shown(of)]
        lines.append(cells)
    sums = Counter()
    for (client, _), number in made.items():
        sums[client] += number
    return [*lines, ["in all", *(cell for client in named for cell in (f"{sums[client]:,}", "", "", ""))]]


def shown(seconds):
    """p50 and p95 as cells."""
    if not seconds:
        return "–", "–"
    if max(seconds) <= UNDISTURBED:
        return "job not disturbed", f"{percentile(seconds, 95):.1f} s"
    return tuple(f"{percentile(seconds, share):.1f} s" for share in (50, 95))


@dataclass(frozen=True)
class Resident:
    """Resident memory of one heddle-am, in kB: in its first hour, at the last look and at most, and how many
    faults were made between the first and the last look. `hour`: whether it has lived for longer than an
    hour; else `first` is that of the first look."""

    first: int
    last: int
    most: int
    faults: int
    hour: bool

    @property
    def growth(self):
        """In percent."""
        return 100 * (self.last - self.first) / self.first


def resident(journals):
    """Of the heddle-am that has lived through most faults; None without two looks at one."""
    found = defaultdict(list)
    for number, journal in enumerate(journals):
        if journal.client != "heddle":
            continue
        made = 0
        for entry in journal.entries:
            made += bool(entry.get("fault") and entry["hit"])
            for application, figures in entry.get("audit", {}).get("applications", {}).items():
                # Each attempt has a heddle-am of its own.
                found[number, application, figures.get("attempt")].append((entry.get("at", 0), made, figures["rss_kb"]))
    lives = [looks for looks in found.values() if len(looks) > 1]
    if not lives:
        return None
    looks = max(lives, key=lambda looks: looks[-1][1] - looks[0][1])
    (begin, before, first), (end, after, last) = looks[0], looks[-1]
    hour = end - begin > HOUR
    if hour:
        first = max(kb for at, _, kb in looks if at - begin <= HOUR)
    return Resident(first, last, max(kb for _, _, kb in looks), after - before, hour)


def figures(of):
    """Of a `Resident`: what the first figure is, the figures, and how much more the last one is."""
    first = "in its first hour, at most" if of.hour else "at the first look"
    kept = "" if of.growth <= GROWTH else f", MORE than the {GROWTH} % that are wanted"
    return first, [f"{kb / 1024:.1f} MiB" for kb in (of.first, of.last, of.most)], f"{of.growth:+.1f} %{kept}"


def memory(journals):
    """A table with the row of heddle-am; empty where nothing is known of it."""
    of = resident(journals)
    if of is None:
        return []
    first, cells, growth = figures(of)
    heading = ["Resident memory", first, f"after {of.faults:,} faults", "at most", f"change (wanted: {GROWTH} % at most)"]
    return [heading, ["the heddle-am that lived through most faults", *cells, growth]]


def memory_text(journals):
    """The same as a sentence."""
    of = resident(journals)
    if of is None:
        return "Resident memory of heddle-am: there are not two looks at one."
    title, (first, last, most), growth = figures(of)
    return f"Resident memory of heddle-am: {first} {title}, {last} after {of.faults:,} faults, {most} at most: {growth}"


def lines(journals):
    """All tables in Markdown."""
    found = [*markdown(runs(journals)), "", *markdown(times(journals), words=1)]
    if table := memory(journals):
        found += ["", *markdown(table, words=1)]
    return found


def surroundings(journals):
    """Where the runs were made, each once."""
    return list(dict.fromkeys(journal.run["surroundings"] for journal in journals if "surroundings" in journal.run))
