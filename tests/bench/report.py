"""Runs in, tables and charts out."""

import os
import re
import shlex
import statistics
import subprocess
import time
from pathlib import Path

from harness.cluster import HADOOP_VERSION, ROOT
from harness.matrix import USUAL_FLINK

from .cases import CASES, TUNED, contestants

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
DOCS = ROOT / "docs/benchmarks"
SUITE, SCALE = "suite", "scale"
COLOURS = {"heddle": "#26a69a", "heddle-plain": "#b2dfdb", "reference": "#ffa726", TUNED: "#ffe0b2"}


def of_runs(number):
    return f"medians of {number} runs" if number > 1 else "one run"


def titles():
    return {name: contestant.title for name, contestant in contestants("").items()}


# ---- the suite -------------------------------------------------------------------------------------------------


def medians(rounds):
    """case -> figure -> contestant -> median of the runs that came to their end."""
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
    """(case, or nothing for its further figures; figure; a cell for each contestant; a ratio for each other than heddle)."""
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
    """Which targets are, as (case, opponent, target, ratio)."""
    for case, figures in found.items():
        for opponent, target in CASES[case].targets.items():
            values = figures.get("wall", {})
            if "heddle" in values and opponent in values:
                yield case, opponent, target, values[opponent] / values["heddle"]


def suite_text(rounds):
    """For the terminal."""
    names, found = list(rounds[0]), medians(rounds)
    table = [head(names)] + [[case, figure, *cells, *ratios] for case, figure, cells, ratios in rows(found, names)]
    lines = [f"Figures are {of_runs(len(rounds))}.", *aligned(table)]
    for case, opponent, target, got in reached(found):
        lines.append(f"{'reached' if got >= target else 'MISSED'}: {CASES[case].title}: {got:.1f} times as fast as {titles()[opponent]}, wanted {target}")
    lines += [f"failed: run {number}, {titles()[name]}, {case}" for number, name, case in failures(rounds)]
    return "\n".join(lines)


def aligned(table):
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        cells = [cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))]
        yield "  ".join(cells).rstrip()


def markdown(table, words=2):
    """The first columns hold words, the others numbers."""
    return [f"| {' | '.join(row)} |" for row in (table[0], ["---"] * words + ["--:"] * (len(table[0]) - words), *table[1:])]


def waterfall(legs):
    """heddle's own legs of a warm session and a warm application, as tables."""
    lines = []
    for case, told in legs.get("heddle", {}).items():
        table = [["Leg", "", "begins", "takes"]]
        for leg in told["legs"]:
            times = (leg["beginMs"], leg["endMs"] - leg["beginMs"])
            table.append([leg["name"], leg.get("subject", ""), *(f"{value / 1000:.2f} s" for value in times)])
        lines += ["", f"One more, by `--timing`: {CASES[case].title}", "", *markdown(table)]
    return lines


def suite_markdown(rounds, legs):
    names, found = list(rounds[0]), medians(rounds)
    table = [head(names)] + [[case, figure, *cells, *ratios] for case, figure, cells, ratios in rows(found, names)]
    targets = [["Case", "Opponent", "wanted", "reached"]]
    targets += [[CASES[case].title, titles()[opponent], f"{target}", f"{got:.1f}"] for case, opponent, target, got in reached(found)]
    lines = [surroundings(of_runs(len(rounds))), "", "![Times in seconds](suite.svg)", "", *markdown(table), "", *markdown(targets)]
    if failed := failures(rounds):
        lines += ["", "Failed and left out: " + "; ".join(f"run {number}, {titles()[name]}, {case}" for number, name, case in failed) + "."]
    return lines + waterfall(legs)


# ---- scale -----------------------------------------------------------------------------------------------------

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


# ---- where it goes ---------------------------------------------------------------------------------------------


def surroundings(what):
    """Machine, releases, date: a sentence."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", info, re.MULTILINE)
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / 2**20
    java = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr.splitlines()[0].split('"')[1]
    version = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    build = f" ({os.environ.get('HEDDLE_PROFILE', 'release')} build)" if "HEDDLE_TEST_DIST" not in os.environ else ""
    machine = f"{model[1] if model else os.uname().machine}, {os.cpu_count()} cores, {memory:.0f} GiB"
    return f"{time.strftime('%Y-%m-%d')}: {machine}, Java {java}, Hadoop {HADOOP_VERSION}, Flink {USUAL_FLINK}, heddle {version}{build}; {what}."


def chart(file, title, labels, series):
    """Horizontal bars. Nothing in it moves or comes from elsewhere."""
    import pygal
    from pygal.style import Style

    # White behind it, because a page may be dark.
    look = {"background": "white", "plot_background": "white", "guide_stroke_color": "#e0e0e0", "major_guide_stroke_color": "#bdbdbd"}
    sizes = {"value_font_size": 11, "label_font_size": 12, "legend_font_size": 13, "font_family": "sans-serif"}
    style = Style(colors=[COLOURS[name] for name in series], opacity="1", **look, **sizes)
    made = pygal.HorizontalBar(style=style, js=(), title=title, width=900, height=60 * len(labels) + 140, legend_at_bottom=True, print_values=True)
    made.config.value_formatter = lambda value: "" if value is None else f"{value:.1f} s"
    made.uuid = file.stem
    made.x_labels = labels[::-1]
    for name, values in series.items():
        made.add(titles()[name], values[::-1])

    def plain(root):
        for parent in list(root.iter()):
            for child in list(parent):
                if isinstance(child.tag, str) and child.tag.endswith("script"):
                    parent.remove(child)
        return root

    made.add_xml_filter(plain)
    file.write_bytes(made.render())


def write_suite(rounds, legs, command):
    found, names = medians(rounds), list(rounds[0])
    cases = [case for case in found if "wall" in found[case]]
    series = {name: [found[case]["wall"].get(name) for case in cases] for name in names}
    DOCS.mkdir(exist_ok=True)
    chart(DOCS / "suite.svg", "Seconds, medians", [CASES[case].title.replace("`", "") for case in cases], series)
    replace(SUITE, suite_markdown(rounds, legs), command)


def write_scale(found, command):
    counts = sorted({run["containers"] for run in found})
    kinds = sorted({run["client"] for run in found})
    series = {}
    for kind in kinds:
        values = [[run["lastLaunched"] for run in found if run["client"] == kind and run["containers"] == count and "failed" not in run] for count in counts]
        series[kind] = [statistics.median(v) if v else None for v in values]
    DOCS.mkdir(exist_ok=True)
    chart(DOCS / "scale.svg", "Seconds from the first request to the last container launched", [f"{count:,} containers" for count in counts], series)
    replace(SCALE, scale_markdown(found), command)


def replace(section, lines, command):
    """Puts the lines between a section's marks in the page."""
    page = DOCS / "index.md"
    begin, end = f"<!-- {section}: written by scripts/bench -->", f"<!-- end of {section} -->"
    before, found, rest = page.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    assert found and ended, f"{page} has no lines `{begin}` and `{end}`"
    page.write_text("\n".join([f"{before}{begin}", f"`{command}`", "", *lines, f"{end}{after}"]))


def command_line(arguments):
    """As it was typed, without what says only where results go."""
    kept, skip = [], False
    for word in arguments:
        if skip or word in ("--write",) or word.startswith("--json"):
            skip = word == "--json"
            continue
        kept.append(word)
    return shlex.join(["scripts/bench", *kept])
