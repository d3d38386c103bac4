"""The width of prose: the manual's pages, and comments and docstrings of sources. `scripts/docs reflow` wraps
pages, `scripts/docs check` looks.

Blocks of code, tables, headings and what a program has written stay as they are. `wide.txt` says how many
lines of comments are still wider in each language: the numbers may shrink. `scripts/docs reflow FILE...`
wraps those of sources, too.
"""

import ast
import re
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 110
ALLOWED = Path(__file__).with_name("wide.txt")
ITEM = re.compile(r"(\s*)((?:[-*+]|\d+\.)\s+)(.*)")
# What begins a line of another kind than prose.
OTHER = re.compile(r"\s*(\||#|<|!\[|\[[^\]]+\]: )")
WRITTEN, END = re.compile(r"<!-- .*: written by "), re.compile(r"<!-- end of ")
# A word that would begin a list, a heading or a quotation if it stood at the beginning of a line.
MARKER = re.compile(r"([-*+>]|\d+[.)]|#+)$")
LANGUAGES = {".rs": "rust", ".py": "python"}
# A page of the manual that a comment names, if need be with a heading of it.
REFERENCE = re.compile(r'(docs/[\w/-]+\.md)(?:, "([^"]+)")?')
COMMENT = re.compile(r"(\s*(?://[/!]?|#))(?: (.*))?$")


def wrapped(first, rest, text, width=WIDTH):
    """The lines of a paragraph: the first one begins with `first`, others with `rest`."""
    glued = re.sub(r"`[^`]+`", lambda span: span[0].replace(" ", "\0"), " ".join(text.split()))
    words = []
    for word in glued.split(" "):
        if words and MARKER.match(word):
            words[-1] += "\0" + word
        else:
            words.append(word)
    lines = textwrap.wrap(
        " ".join(words), width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace("\0", " ") for line in lines]


def reflowed(text, width=WIDTH):
    out, first, rest, paragraph, fence, written = [], "", "", [], False, False

    def flush():
        nonlocal first, rest
        if paragraph:
            out.extend(wrapped(first, rest, " ".join(paragraph), width))
        paragraph.clear()
        first = rest = ""

    for line in text.splitlines():
        if fence or written or line.lstrip().startswith("```") or WRITTEN.match(line):
            flush()
            out.append(line)
            fence ^= line.lstrip().startswith("```")
            written = (written or bool(WRITTEN.match(line))) and not END.match(line)
        elif not line.strip() or OTHER.match(line):
            flush()
            out.append(line)
        elif item := ITEM.fullmatch(line):
            flush()
            first, rest = item[1] + item[2], " " * len(item[1] + item[2])
            paragraph.append(item[3])
        else:
            if not paragraph:
                first = rest = line[: len(line) - len(line.lstrip())]
            paragraph.append(line)
    flush()
    return "\n".join(out) + "\n"


def pages():
    """Those that are written by hand."""
    found = [*(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")), *(ROOT / "docs").rglob("*.md")]
    return sorted(path for path in found if path.parent.name != "reference")


def wide_comments(path):
    """How many lines of comments and docstrings are too wide."""
    lines = path.read_text().splitlines()
    # In Rust a line that begins with `#` is an attribute, or a line of a text.
    found = sum(wide(line) for line in lines if not (path.suffix == ".rs" and line.startswith("#")))
    if path.suffix == ".py":
        for first, last in docstrings("\n".join(lines)):
            found += sum(len(line) > WIDTH and "http" not in line for line in lines[first:last])
    return found


def docstrings(text):
    """The lines of each docstring of a Python source: the index of the first, and of the one behind the
    last."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and ast.get_docstring(node):
            yield node.body[0].lineno - 1, node.body[0].end_lineno


def with_narrow_docstrings(text):
    """A Python source whose docstrings that have a wide line are wrapped."""
    lines = text.splitlines()
    # From the end, so that the numbers of the lines before stay right.
    for first, last in sorted(docstrings(text), reverse=True):
        block = lines[first:last]
        if not any(len(line) > WIDTH for line in block):
            continue
        indent = block[0][: len(block[0]) - len(block[0].lstrip())]
        inner = [line.removeprefix(indent) for line in block]
        # The quotation marks at the end stay on a line of their own where they have one.
        end = [inner.pop()] if inner[-1].strip() in ('"""', "'''") else []
        inner = reflowed("\n".join(inner), WIDTH - len(indent)).splitlines() + end
        lines[first:last] = [f"{indent}{line}".rstrip() for line in inner]
    return "\n".join(lines) + "\n"


def wide(line):
    return len(line) > WIDTH and COMMENT.match(line) is not None and "http" not in line


def with_narrow_comments(text):
    """A source whose blocks of comments that have a wide line are wrapped. What a script prints as its usage
    stays."""
    out, block, prefix = [], [], None

    def flush():
        nonlocal block
        if prefix and any(map(wide, block)) and not any("usage: " in line for line in block):
            inner = reflowed("\n".join(COMMENT.match(line)[2] or "" for line in block), WIDTH - len(prefix) - 1)
            block = [f"{prefix} {line}".rstrip() for line in inner.splitlines()]
        out.extend(block)
        block = []

    for line in text.splitlines():
        found = COMMENT.match(line)
        if found is None or found[1] != prefix:
            flush()
            prefix = found[1] if found else None
        block.append(line)
    flush()
    return "\n".join(out) + "\n"


def sources():
    """Of Rust, Python and shell."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in listed:
        path = ROOT / name
        if "generated" in path.parts or name.startswith("vendor/"):
            continue
        if path.is_file() and (path.suffix in (".rs", ".py") or path.parent.name in ("scripts", "packaging", "docker") and not path.suffix):
            yield name, path


def wide_sources():
    found = Counter()
    for name, path in sources():
        found[LANGUAGES.get(path.suffix, "shell")] += wide_comments(path)
    return {name: count for name, count in found.items() if count}


def allowed():
    return {name: int(count) for count, name in (line.split(" ", 1) for line in ALLOWED.read_text().splitlines())}


def main():
    for name in sys.argv[1:] or map(str, pages()):
        path = Path(name)
        old = path.read_text()
        new = reflowed(old) if path.suffix == ".md" else with_narrow_comments(old)
        if path.suffix == ".py":
            new = with_narrow_docstrings(new)
        if new != old:
            path.write_text(new)
            print(path)


if __name__ == "__main__":
    main()
