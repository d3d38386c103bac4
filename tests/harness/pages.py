"""The command lines of the manual's pages about tools that a scenario runs: blocks of shell behind a comment
`run: NAME`."""

import re

from .cluster import ROOT

PAGES = ROOT / "docs/tools"
MARKER = re.compile(r"^<!-- run: ([a-z0-9-]+) -->\n(?:```sh\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)


def command_lines():
    """Name -> what is given to a shell."""
    found = {}
    for page in sorted(PAGES.glob("*.md")):
        for name, text in MARKER.findall(page.read_text()):
            assert text, f"{page}: no block of shell follows `run: {name}`"
            assert name not in found, f"{page}: `run: {name}` is there twice"
            found[name] = text
    return found


def environment_of(text):
    """The variables that a command line takes from its surroundings."""
    set_here = set(re.findall(r"\bexport (\w+)=", text))
    return set(re.findall(r"\$\{?([A-Z_]+)\}?", text)) - set_here
