"""Runs in, tables and charts out."""

import shlex
import statistics

from harness.cluster import ROOT
from harness.sections import markdown, replace, surroundings

from . import chart, failover, in_process, logs, recovery
from .cases import CASES, TUNED, clients

MIB = 2**20
# Figure -> (title, unit, divisor, digits), in the order of a table's rows.
FIGURES = {
    "wall": (None, "s", 1, 2),
    "returned": ("the command's return", "s", 1, 2),
    "jobEnd": ("job end", "s", 1, 2),
    "cpu": ("client CPU", "s", 1, 3),
    "peak": ("client peak memory", "MiB", MIB, 1),
    "uploaded": ("uploaded", "kB", 1000, 0),
    "localized": ("localized by the nodes", "kB", 1000, 0),
    "amMemory": ("ApplicationMaster resident", "MiB", MIB, 1),
    "jobManagerMemory": ("JobManager's JVM resident", "MiB", MIB, 1),
}
DOCS, RELIABILITY = ROOT / "docs/benchmarks", ROOT / "docs/reliability.md"
SUITE, SCALE = "suite", "scale"
# What README shows of them.
FRONT = ("session-warm", "list", "per-job", "application")
COLOURS = {"heddle": "#26a69a", "heddle-plain": "#b2dfdb", "reference": "#ffa726", TUNED: "#ffe0b2"}


def of_runs(number):
    return f"medians of {number} runs" if number > 1 else "one run"


def titles():
    return {name: measured.title for name, measured in clients("").items()}


# ---- the suite


def medians(rounds):
    """case -> figure -> client -> median of the runs that came to their end."""
    found = {}
    for case in CASES:
        for figure in FIGURES:
            values = {}
            for name in rounds[0]:
                seen = [r[name][case][figure] for r in rounds if figure in r[name].get(case, {})]
                if seen:
                    values[name] = statistics.median(seen)
            if values:
                found.setdefault(case, {})[figure] = values
    return found


def failures(rounds):
    return [(number + 1, name, case) for number, r in enumerate(rounds) for name in r for case in r[name] if "failed" in r[name][case]]


def shown(value, unit, divisor, digits):
    return f"{value / divisor:,.{digits}f} {unit}"


def ratio(values, name):
    """How many times what heddle takes another takes."""
    if "heddle" not in values or name not in values or not values["heddle"]:
        return ""
    return f"{values[name] / values['heddle']:,.1f}"


def rows(found, names):
    """(case, or nothing for its further figures; figure; a cell for each client; a ratio for each other than
    heddle)."""
    others = [name for name in names if name != "heddle"]
    for case, figures in found.items():
        for figure, values in figures.items():
            title, *form = FIGURES[figure]
            cells = [shown(values[name], *form) if name in values else "–" for name in names]
            yield CASES[case].title if figure == "wall" else "", title or CASES[case].measured, cells, [ratio(values, name) for name in others]


def head(names):
    title = titles()
    return ["", "", *(title[name] for name in names), *(f"{title[name]} : heddle" for name in names if name != "heddle")]


def reached(found):
    """Which targets are, as (case, the other client, target, ratio)."""
    for case, figures in found.items():
        for other, target in CASES[case].targets.items():
            values = figures.get("wall", {})
            if "heddle" in values and other in values:
                yield case, other, target, values[other] / values["heddle"]


def suite_text(rounds):
    """For the terminal."""
    names, found = list(rounds[0]), medians(rounds)
    table = [head(names)] + [[case, figure, *cells, *ratios] for case, figure, cells, ratios in rows(found, names)]
    lines = [f"Figures are {of_runs(len(rounds))}.", *aligned(table)]
    for case, other, target, got in reached(found):
        lines.append(f"{'reached' if got >= target else 'MISSED'}: {CASES[case].title}: {got:.1f} times as fast as {titles()[other]}, wanted {target}")
    lines += [f"failed: run {number}, {titles()[name]}, {case}" for number, name, case in failures(rounds)]
    return "\n".join(lines)


def aligned(table):
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        cells = [cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))]
        yield "  ".join(cells).rstrip()


def waterfall(steps):
    """heddle's own steps of a warm session and a warm application, as tables."""
    lines = []
    for case, told in steps.get("heddle", {}).items():
        table = [["Step", "", "begins", "takes"]]
        for step in told["steps"]:
            times = (step["beginMs"], step["endMs"] - step["beginMs"])
            table.append([step["name"], step.get("subject", ""), *(f"{value / 1000:.2f} s" for value in times)])
        lines += ["", f"One more, by `--timing`: {CASES[case].title}", "", *markdown(table)]
    return lines


def suite_markdown(rounds, steps):
    names, found = list(rounds[0]), medians(rounds)
    table = [head(names)] + [[case, figure, *cells, *ratios] for case, figure, cells, ratios in rows(found, names)]
    targets = [["Case", "Compared with", "wanted", "reached"]]
    targets += [[CASES[case].title, titles()[other], f"{target}", f"{got:.1f}"] for case, other, target, got in reached(found)]
    lines = [surroundings(of_runs(len(rounds))), "", "![Times in seconds](suite.svg)", "", *markdown(table), "", *markdown(targets)]
    if failed := failures(rounds):
        lines += ["", "Failed and left out: " + "; ".join(f"run {number}, {titles()[name]}, {case}" for number, name, case in failed) + "."]
    return lines + waterfall(steps)


# ---- scale

# Title and how to read it from one entry.
SCALE_FIGURES = {
    "first grant after the first request, s": lambda r: r["firstGranted"],
    "last grant, s": lambda r: r["lastGranted"],
    "last container launched, s": lambda r: r["lastLaunched"],
    "launched after the last grant, s": lambda r: r["launchedAfterLastGrant"],
    "granted per second": lambda r: r["grantedPerSecond"],
    "launched per second": lambda r: r["launchedPerSecond"],
    "from its arrival at the ApplicationMaster to its start, median, ms": lambda r: r["startDelayMs"]["median"],
    "the same, at most, ms": lambda r: r["startDelayMs"]["most"],
    "ApplicationMaster CPU, s": lambda r: r["cpuSeconds"]["am"],
    "JobManager's JVM CPU, s": lambda r: r["cpuSeconds"]["jobManager"],
    "ApplicationMaster resident, MiB": lambda r: r["memory"]["am"]["now"] / MIB,
    "ApplicationMaster resident at most, MiB": lambda r: r["memory"]["am"]["most"] / MIB,
    "calls of the ResourceManager per container": lambda r: r["resourceManager"]["allocatePerContainer"],
    "calls of NodeManagers per container": lambda r: sum(n for call, n in r["nodeManagers"]["calls"].items() if call != "nodeHeartbeat") / r["containers"],
    "bytes to NodeManagers per container": lambda r: r["nodeManagers"]["bytes"]["startContainers"] / r["containers"],
    "containers granted beyond those asked for": lambda r: r["granted"] - r["containers"],
    "nodes that got some": lambda r: r["nodesUsed"],
    "most on one node": lambda r: r["mostOnOneNode"],
    "end of the session to the last container stopped, s": lambda r: r["stopSeconds"],
}


def scale_table(found):
    groups = {}
    for run in found:
        groups.setdefault((run["containers"], run["client"]), []).append(run)
    keys = sorted(groups)
    table = [["Containers", *(f"{count:,} {titles()[kind]}" for count, kind in keys)]]
    for title, read in SCALE_FIGURES.items():
        row = [title]
        for key in keys:
            values = [read(run) for run in groups[key] if "failed" not in run]
            values = [value for value in values if value is not None]
            row.append(f"{statistics.median(values):,.2f}".rstrip("0").rstrip(".") if values else "–")
        table.append(row)
    return table


def scale_runs(found):
    return f"{found[0]['nodes']} simulated nodes, {of_runs(max(run['run'] for run in found))}"


def scale_text(found):
    lines = [f"{scale_runs(found)}.", *aligned([[row[0], "", *row[1:]] for row in scale_table(found)])]
    return "\n".join(lines + [f"failed: {run['containers']} containers, {titles()[run['client']]}" for run in found if "failed" in run])


def scale_markdown(found):
    return [surroundings(scale_runs(found)), "", "![Seconds to the last container launched](scale.svg)", "", *markdown(scale_table(found), words=1)]


# ---- docs/reliability.md


def recovery_text(found):
    return "\n".join(aligned(recovery.rows(found)))


# ---- logs


def logs_medians(found):
    """For JSON, whose keys are texts."""
    return [{"format": kind, "mb": megabytes, "clients": clients} for (kind, megabytes), clients in logs.medians(found).items()]


def logs_text(found):
    return "\n".join([*aligned(logs.rows(found)), *logs.verdicts(found)])


def write_logs(found, command):
    targets = [["Logs", "wanted", "reached"]]
    targets += [[f"{megabytes} MiB, {logs.FORMAT_TITLES[kind]}", f"{logs.TARGET}", f"{got:.1f}"] for kind, megabytes, got in logs.reached(found)]
    runs = max(figures["run"] for figures in found)
    lines = [surroundings(of_runs(runs)), "", *markdown(logs.rows(found)), "", *markdown(targets, words=1)]
    write(logs.SECTION, lines, command)


# ---- deployments in a tool's own process


def in_process_text(found):
    """For the terminal."""
    lines = [*aligned([[row[0], "", *row[1:]] for row in in_process.rows(found)]), *filter(None, [in_process.verdict(found)])]
    return "\n".join(lines + [f"failed: run {run['run']}, {in_process.KINDS[run['kind']].title}" for run in found if "failed" in run])


def write_in_process(found, command):
    lines = [surroundings(of_runs(max(run["run"] for run in found))), "", *markdown(in_process.rows(found), words=1)]
    if (got := in_process.reached(found)) is not None:
        lines += ["", *markdown([["Compared with", "wanted", "reached"], [in_process.KINDS["reference"].title, f"{in_process.TARGET}", f"{got:.1f}"]], words=1)]
    if any("failed" in run for run in found):
        lines += ["", "Failed and left out: " + "; ".join(f"run {run['run']}, {in_process.KINDS[run['kind']].title}" for run in found if "failed" in run) + "."]
    write(in_process.SECTION, lines, command)


# ---- failover


def failover_text(found):
    """For the terminal."""
    return "\n".join([*aligned(failover.rows(found)), *filter(None, [failover.verdict(found)])])


# ---- where it goes


def draw(file, title, labels, series):
    """`series` are client -> values."""
    DOCS.mkdir(exist_ok=True)
    shown = [(titles()[name], COLOURS[name], values) for name, values in series.items()]
    (DOCS / file).write_text(chart.bars(title, labels, shown))


def draw_suite(seconds):
    """Both charts of the suite. `seconds` are case -> client -> median, in the order in which they are
    shown."""
    names = list(next(iter(seconds.values())))
    for file, cases in (("suite.svg", list(seconds)), ("front.svg", [case for case in FRONT if case in seconds])):
        series = {name: [seconds[case].get(name) for case in cases] for name in names}
        draw(file, "Seconds, medians; less is better", [CASES[case].title.replace("`", "") for case in cases], series)


def write_suite(rounds, steps, command):
    found, names = medians(rounds), list(rounds[0])
    draw_suite({case: {name: found[case]["wall"].get(name) for name in names} for case in found if "wall" in found[case]})
    write(SUITE, suite_markdown(rounds, steps), command)


def redraw():
    """The charts from the tables in the page, without measuring anything."""
    page = (DOCS / "index.md").read_text()
    cases = {case.title: name for name, case in CASES.items()}
    of_title = {title: name for name, title in titles().items()}
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| ")]
    names = next([of_title[cell] for cell in row if cell in of_title] for row in table if row[:2] == ["", ""])
    seconds = {}
    for case, figure, *cells in table:
        if case in cases and figure.startswith("command to"):
            numbers = [float(cell.removesuffix(" s")) if cell.endswith(" s") else None for cell in cells]
            seconds[cases[case]] = dict(zip(names, numbers))
    draw_suite(seconds)
    launched = {}
    # The first table is the one that scripts/bench has written.
    heads = next(row[1:] for row in table if row[0] == "Containers")
    cells = next(row[1:] for row in table if row[0] == "last container launched, s")
    for title, cell in zip(heads, cells):
        count, _, client = title.partition(" ")
        launched.setdefault(of_title[client], {})[int(count.replace(",", ""))] = None if cell == "–" else float(cell.replace(",", ""))
    draw_scale(launched)


def draw_scale(seconds):
    """`seconds` are client -> number of containers -> seconds, None where it has failed."""
    counts = sorted({count for values in seconds.values() for count in values})
    series = {kind: [values.get(count) for count in counts] for kind, values in sorted(seconds.items())}
    title = "Seconds from the first request to the last container launched"
    draw("scale.svg", title, [f"{count:,} containers" for count in counts], series)


def write_scale(found, command):
    seconds = {}
    for count, kind in sorted({(run["containers"], run["client"]) for run in found}):
        runs = [run for run in found if (run["containers"], run["client"]) == (count, kind) and "failed" not in run]
        seconds.setdefault(kind, {})[count] = statistics.median(run["lastLaunched"] for run in runs) if runs else None
    draw_scale(seconds)
    write(SCALE, scale_markdown(found), command)


def write_recovery(found, command):
    lines = [surroundings("a job with a checkpoint each half second on two TaskManagers, default ZooKeeper session timeout"), ""]
    write(recovery.SECTION, lines + markdown(recovery.rows(found)), command, RELIABILITY)


def write_failover(found, command):
    lines = [surroundings("two ResourceManagers, default ZooKeeper session timeout; the active one is killed, and `flink list` begins at once"), ""]
    write(failover.SECTION, lines + markdown(failover.rows(found), words=1), command, RELIABILITY)


def write(section, lines, command, page=DOCS / "index.md"):
    replace(page, section, "scripts/bench", command, lines)


def command_line(arguments):
    """As it was typed, without what says only where results go."""
    kept, skip = [], False
    for word in arguments:
        if skip or word in ("--write",) or word.startswith("--json"):
            skip = word == "--json"
            continue
        kept.append(word)
    return shlex.join(["scripts/bench", *kept])
