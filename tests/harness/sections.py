"""The sections of pages of the manual that scripts write: what is in them, and how they are replaced."""

import os
import re
import subprocess
import time
from pathlib import Path

from .cluster import HADOOP_VERSION, ROOT
from .matrix import USUAL_FLINK

# Kind of client -> its name in the tables of docs/reliability.md.
TITLES = {"heddle": "heddle", "reference": "Flink's own"}


def surroundings(what, profile="release"):
    """Machine, releases, date: a sentence. `profile`: that of cargo, with which the package is built unless
    one is named."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", info, re.MULTILINE)
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / 2**20
    java = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr.splitlines()[0].split('"')[1]
    version = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    build = f" ({os.environ.get('HEDDLE_PROFILE', profile)} build)" if "HEDDLE_TEST_DIST" not in os.environ else ""
    machine = f"{model[1] if model else os.uname().machine}, {os.cpu_count()} cores, {memory:.0f} GiB"
    return f"{time.strftime('%Y-%m-%d')}: {machine}, Java {java}, Hadoop {HADOOP_VERSION}, Flink {USUAL_FLINK}, heddle {version}{build}; {what}."


def markdown(table, words=2):
    """The first columns hold words, the others numbers."""
    return [f"| {' | '.join(row)} |" for row in (table[0], ["---"] * words + ["--:"] * (len(table[0]) - words), *table[1:])]


def replace(page, section, script, command, lines):
    """Puts the command that was typed and the lines between the section's marks in the page."""
    begin, end = f"<!-- {section}: written by {script} -->", f"<!-- end of {section} -->"
    before, found, rest = page.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    assert found and ended, f"{page} has no lines `{begin}` and `{end}`"
    page.write_text("\n".join([f"{before}{begin}", f"`{command}`", "", *lines, f"{end}{after}"]))
