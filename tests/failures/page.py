"""The page of the manual with the failures, and the samples in other pages."""

import re

from docs.prose import reflowed
from harness.cluster import ROOT

# It is there once a run has written it.
PAGE = ROOT / "docs" / "failures.md"
NAVIGATION = ROOT / "mkdocs.yml"
ENTRY, AFTER = "  - Failures, explained: failures.md", "  - Why it fails or waits: why.md"
COMMAND = "scripts/explain-failures"
HEAD = """\
# Failures, explained

Each of these failures and waits was made on a real cluster, by a program or a setting that is wrong on purpose.
Below each is what `heddle why` said of it, word for word. Only ids, addresses, names and directories were
changed. `scripts/explain-failures` has written this page. [Why it fails or waits](why.md) describes the command."""


def block(text):
    """As code, which nothing in it can end."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`{3,}", text)), default=0))
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def rendered(told, surroundings):
    """`told` are (case, text) in the order of the page."""
    parts = [HEAD, surroundings]
    for case, text in told:
        parts += [f"## {case.title}", case.done, block(text)]
    return reflowed("\n\n".join(parts) + "\n")


def write(told, surroundings):
    PAGE.write_text(rendered(told, surroundings))
    navigation = NAVIGATION.read_text()
    if ENTRY not in navigation:
        assert AFTER in navigation, f"{NAVIGATION} has no line `{AFTER}`"
        NAVIGATION.write_text(navigation.replace(AFTER, f"{AFTER}\n{ENTRY}"))


def with_sample(page, name, text):
    """The text of a page with a sample between its marks."""
    begin, end = f"<!-- {name}: written by {COMMAND} -->", f"<!-- end of {name} -->"
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    assert found and ended, f"there are no lines `{begin}` and `{end}`"
    return f"{before}{begin}\n{block(text)}\n{end}{after}"


def write_sample(name, file, text):
    path = ROOT / "docs" / file
    path.write_text(with_sample(path.read_text(), name, text))
