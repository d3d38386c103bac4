"""What the manual promises is what there is: docs/stability.md, CHANGELOG.md and CONTRIBUTING.md."""

import re
import tomllib

import pytest

from harness.cluster import ROOT
from harness.matrix import FLINKS, HADOOPS

PAGE = (ROOT / "docs/stability.md").read_text()
CHANGES = (ROOT / "CHANGELOG.md").read_text()
WAYS_IN = (ROOT / "CONTRIBUTING.md").read_text()
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def section(title, page=PAGE):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)[1]


def rows(title):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in section(title).splitlines() if re.match(r"\| (?!What |With |-)", line)]


def anchors(path):
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w-]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower().replace(" ", "-")) for heading in headings}


@pytest.mark.parametrize("page, base", [(PAGE, "docs"), (CHANGES, "."), (WAYS_IN, ".")], ids=["stability", "changes", "ways in"])
def test_links_lead_somewhere(page, base):
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#([^)]+))?\)", page)
    assert links
    for link, anchor in links:
        path = ROOT / base / link
        assert path.exists(), link
        assert not anchor or anchor in anchors(path), f"{link}#{anchor}"


def test_what_is_promised_is_described():
    told = rows("What is promised")
    assert len(told) >= 10
    for what, where, stays in told:
        assert stays and (re.search(r"\]\(|crate", where) or what.startswith("requests")), what


def test_the_library():
    modules = set(re.findall(r"`(\w+)`", next(row[2] for row in rows("What is promised") if "yarn-client" in row[1])))
    public = set(re.findall(r"^pub mod (\w+);", (ROOT / "yarn-client/src/lib.rs").read_text(), re.MULTILINE))
    assert modules and modules <= public
    # What the example needs is among them.
    used = set(re.findall(r"use yarn_client::(\w+)", (ROOT / "yarn-client/examples/many.rs").read_text()))
    assert used <= modules


def test_the_releases():
    told = {row[0]: row[1] for row in rows("What heddle works with")}
    minor = [".".join(release.split(".")[:2]) for release in FLINKS]
    assert f"from {minor[0]} to {minor[-1]}" in told["Flink"]
    hadoops = [".".join(release.split(".")[:2]) for release in HADOOPS]
    assert f"{hadoops[0]} to {hadoops[-1]}" in told["Hadoop"] and f"{', '.join(hadoops[:-1])} and {hadoops[-1]}" in told["Hadoop"]
    oldest = re.search(r"^oldest_glibc=([\d.]+)$", (ROOT / "scripts/packaging/common.sh").read_text(), re.MULTILINE)[1]
    assert f"glibc {oldest}" in told["Linux"]


def test_the_form_of_the_changelog():
    releases = re.findall(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$", CHANGES, re.MULTILINE)
    assert releases[0] == ("Unreleased", "") and all(date for _, date in releases[1:])
    assert VERSION in CHANGES
    assert set(re.findall(r"^### (.*)$", CHANGES, re.MULTILINE)) <= KINDS


def test_what_is_deprecated_is_in_the_changelog():
    table = re.search(r"^\| Deprecated \| Since .*\n\|---.*\n((?:\|.*\n?)+)", PAGE, re.MULTILINE)[1]
    names = [line.strip("|").split("|")[0].strip() for line in table.splitlines()]
    assert names == ["nothing"] or all(name in CHANGES for name in names)


def test_what_a_newcomer_is_sent_to_is_there():
    named = {span for span in re.findall(r"`([\w./-]+/[\w./-]+)`", WAYS_IN)}
    assert len(named) > 5
    missing = [name for name in named if not name.startswith("dist/") and not (ROOT / name).exists()]
    assert not missing
