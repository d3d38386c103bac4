"""Prose is not wider than 110 columns."""

import re

import pytest

import prose
from manual import ROOT


@pytest.mark.parametrize("page", prose.pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_are_wrapped(page):
    text = page.read_text()
    wanted = prose.reflowed(text)
    wide = [new for old, new in zip(text.splitlines(), wanted.splitlines()) if old != new]
    assert text == wanted, f"scripts/docs reflow; the first difference: {wide[:1]}"


def test_comments_of_sources():
    """The number of a language that has become better is to be lowered."""
    found, allowed = prose.wide_sources(), prose.allowed()
    worse = [f"{name}: {count}" for name, count in found.items() if count > allowed.get(name, 0)]
    assert not worse, f"comments wider than {prose.WIDTH} columns: {worse}"


def test_pages_that_comments_name_are_there():
    """Of a page also the heading: docs/design.md, "The parts"."""
    missing = []
    java = (("flink-bridge", path) for path in (ROOT / "flink-bridge").rglob("src/**/*.java"))
    for name, path in [*prose.sources(), *java]:
        for page, heading in prose.REFERENCE.findall(path.read_text()):
            headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE) if (ROOT / page).is_file() else None
            if headings is None or heading and heading not in headings:
                missing.append(f"{name}: {page} {heading}".strip())
    assert not missing


def test_reflow():
    text = "# A heading stays\n\nshort\nlines " + "word " * 30 + "\n- item " + "`a b` " * 30 + "\n\n| a | b |\n```sh\ncode  stays\n```\n"
    lines = prose.reflowed(text).splitlines()
    assert max(map(len, lines)) <= prose.WIDTH
    assert lines[:3] == ["# A heading stays", "", "short lines" + " word" * 19]
    assert "code  stays" in lines and "| a | b |" in lines
    assert all(line.count("`") % 2 == 0 for line in lines if not line.startswith("```"))
    [item] = [number for number, line in enumerate(lines) if line.startswith("- item")]
    assert lines[item + 1].startswith("  `a b`")
    assert prose.reflowed("\n".join(lines) + "\n").splitlines() == lines


def test_no_word_becomes_a_marker():
    lines = prose.reflowed("w " * 54 + "xx - dash 12. number\n").splitlines()
    assert not any(prose.MARKER.match(line.split(" ")[0]) for line in lines)


def test_comments_are_wrapped():
    text = "fn f() {\n    // short\n    /// " + "word " * 40 + "\n    /// - item\n    let a = 1; // " + "x " * 80 + "\n}\n"
    lines = prose.with_narrow_comments(text).splitlines()
    assert lines[:2] == ["fn f() {", "    // short"]
    assert lines[2].startswith("    /// word") and lines[3].startswith("    /// word") and max(map(len, lines[2:4])) <= prose.WIDTH
    assert lines[4] == "    /// - item"
    source = 'def f():\n    """' + "word " * 40 + "\n\n    more\n    " + '"""\n    return 1\n'
    lines = prose.with_narrow_docstrings(source).splitlines()
    assert max(map(len, lines)) <= prose.WIDTH and lines[1].startswith('    """word') and lines[2].startswith("    word")
    assert lines[-4:] == ["", "    more", '    """', "    return 1"]
    usage = "#!/bin/sh\n# usage: x\n# " + "word " * 40 + "\n"
    assert prose.with_narrow_comments(usage) == usage
