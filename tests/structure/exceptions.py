"""The exceptions from the rules of the compiler: each `allow` and `expect` with its reason, and `unsafe`
code."""

import re
import subprocess
import tomllib

from .crates import ROOT, members
from .sources import COMMENT_OR_LITERAL, blank, closing

ATTRIBUTE = re.compile(r"#!?\[\s*(?:cfg_attr\s*\([^\]]*?\b)?(?:allow|expect)\s*\(")
REASON = re.compile(r'\breason\s*=\s*"[^"]{10,}"')
UNSAFE = re.compile(r"\bunsafe\b(?!_)")
# The files that may have `unsafe` code. Each use of it says below `SAFETY:` why it is sound.
UNSAFE_FILES = {
    "hadoop-fs/src/attributes.rs",
    "hadoop-gssapi/src/calls.rs",
    "hadoop-gssapi/src/kdc_tests/acceptor.rs",
    "hadoop-gssapi/src/library.rs",
    "hadoop-gssapi/src/raw.rs",
}


def rust_files(root=ROOT):
    """The files of Rust that people have written for heddle, with their paths in the repository."""
    listed = subprocess.run(["git", "ls-files", "-z", "--", "*.rs"], cwd=root, check=True, capture_output=True, text=True).stdout
    names = [name for name in listed.split("\0") if name and "/generated/" not in name and not name.startswith("vendor/")]
    return {name: (root / name).read_text() for name in names if (root / name).exists()}


def code_of(text):
    """The text with nothing in its comments and literals."""
    return COMMENT_OR_LITERAL.sub(lambda match: blank(match.group()), text)


def without_reason(text):
    """The numbers of the lines with an attribute that makes an exception and gives no reason."""
    code, found = code_of(text), []
    for match in ATTRIBUTE.finditer(code):
        whole = text[match.start() : closing(code, code.index("[", match.start())) + 1]
        if not REASON.search(whole):
            found.append(text.count("\n", 0, match.start()) + 1)
    return found


def unsound(text):
    """The numbers of the lines with `unsafe` that no comment above explains, with `SAFETY:`."""
    lines, found = text.splitlines(), []
    for match in UNSAFE.finditer(code_of(text)):
        number = text.count("\n", 0, match.start())
        above = number - 1
        # The comment stands above the statement, of which this may be a later line.
        while above >= 0 and not lines[above].lstrip().startswith("//") and not lines[above].rstrip().endswith((";", "{", "}")):
            above -= 1
        comment = []
        while above >= 0 and lines[above].lstrip().startswith("//"):
            comment.append(lines[above])
            above -= 1
        if not any("SAFETY:" in line for line in comment):
            found.append(number + 1)
    return found


def lints_turned_off(root=ROOT):
    """Lints that a manifest turns off, where no reason can be given, and crates that may have `unsafe`
    code."""
    found = []
    for directory in [root, *members(root)]:
        manifest = tomllib.loads((directory / "Cargo.toml").read_text())
        lints = manifest.get("lints") or manifest.get("workspace", {}).get("lints", {})
        if lints.get("workspace"):
            continue
        for tool, levels in lints.items():
            for name, level in levels.items():
                level = level["level"] if isinstance(level, dict) else level
                if level == "allow":
                    found.append(f"{directory.name}: {tool}::{name}")
                if name == "unsafe_code" and level != "forbid" and not any(f.startswith(directory.name) for f in UNSAFE_FILES):
                    found.append(f"{directory.name}: unsafe_code is not forbidden")
    return found
