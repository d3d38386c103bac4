"""What the Rust files of a crate define and import, as far as the checks of the structure need it.

This is no parser of Rust: it blanks out comments, literals and test code, and then reads `mod` and `use`
items and paths. That is enough for code that rustfmt has formatted.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

COMMENT_OR_LITERAL = re.compile(
    r"""//[^\n]*
      | /\*.*?\*/
      | \bb?r(?P<hashes>\#*)".*?"(?P=hashes)
      | b?"(?:\\.|[^"\\])*"
      | b?'(?:\\[^\n]+?|[^\\'\n])'
    """,
    re.VERBOSE | re.DOTALL,
)
TEST_ATTRIBUTE = re.compile(r"#\[cfg\((?:test|all\(test\b[^\]]*)\)\]")
TEST_MODULE = re.compile(r"\bmod\s+(?:tests|\w+_tests)\b")
ATTRIBUTE = re.compile(r"\s*#\[")
VISIBILITY = r"(?:pub(?:\s*\([^)]*\))?\s+)?"
ENDS_WITH_SEMICOLON = re.compile(rf"\s*{VISIBILITY}(?:use|const(?!\s+fn)|static|type|let)\b")
USE = re.compile(rf"(?P<visibility>{VISIBILITY})\buse\s+(?P<tree>[^;]+);")
MODULE_FILE = re.compile(rf"(?:#\[path\s*=\s*(?P<path>\s+)\]\s*)?{VISIBILITY}\bmod\s+(?P<name>\w+)\s*;")
DEFINITION = re.compile(
    r"\b(?:fn|struct|enum|union|trait|type|const|static|mod|macro_rules!)\s+(?:mut\s+)?(?:r#)?(?P<name>\w+)"
)
PATH = re.compile(r"(?<![\w:$])(?:r#)?[A-Za-z_]\w*(?:\s*::\s*(?:r#)?[A-Za-z_]\w*)+")
CLOSING = {"{": "}", "(": ")", "[": "]"}


def blank(text):
    """The same number of characters and lines, with nothing in them."""
    return re.sub(r"[^\n]", " ", text)


def closing(code, start):
    """The index of the bracket that closes the one at `start`."""
    wanted = []
    for index in range(start, len(code)):
        character = code[index]
        if character in CLOSING:
            wanted.append(CLOSING[character])
        elif wanted and character == wanted[-1]:
            wanted.pop()
            if not wanted:
                return index
    return len(code) - 1


def end_of_item(code, start):
    """The index after the item (or the field, or the arm of a match) that starts at `start`, its attributes
    included."""
    while attribute := ATTRIBUTE.match(code, start):
        start = closing(code, attribute.end() - 1) + 1
    semicolon_only = ENDS_WITH_SEMICOLON.match(code, start) is not None
    index = start
    while index < len(code):
        character = code[index]
        if character == ";" or (character == "," and not semicolon_only):
            return index + 1
        if character in "})]":
            return index
        if character in CLOSING:
            index = closing(code, index)
            if character == "{" and not semicolon_only:
                return index + 1
        index += 1
    return len(code)


def without_tests(text):
    """Code alone: comments, literals, and items that only tests have are blank."""
    code = COMMENT_OR_LITERAL.sub(lambda match: blank(match.group()), text)
    for pattern in (TEST_ATTRIBUTE, TEST_MODULE):
        while match := pattern.search(code):
            end = end_of_item(code, match.start())
            code = code[: match.start()] + blank(code[match.start() : end]) + code[end:]
    return code


def flatten(tree):
    """The paths of a `use`, each with the name it has afterwards: `a::{b, c as d, self}` has three."""
    tree = tree.strip()
    brace = tree.find("{")
    if brace < 0:
        path, _, alias = (part.strip() for part in tree.partition(" as "))
        segments = [segment.strip().removeprefix("r#") for segment in path.split("::") if segment.strip()]
        if len(segments) > 1 and segments[-1] == "self":
            segments.pop()
        return [(segments, alias or segments[-1])] if segments else []
    prefix = [segment.strip() for segment in tree[:brace].split("::") if segment.strip()]
    inside, parts, depth, start = tree[brace + 1 : closing(tree, brace)], [], 0, 0
    for index, character in enumerate(inside + ","):
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 0:
            parts.append(inside[start:index])
            start = index + 1
    found = []
    for part in parts:
        for segments, name in flatten(part):
            if segments == ["self"]:
                found.append((prefix, name if name != "self" else prefix[-1]))
            else:
                found.append((prefix + segments, name))
    return found


@dataclass
class Import:
    """One path of a `use`."""

    path: list
    name: str
    reexported: bool
    line: int
    text: str


@dataclass
class Module:
    """A module with a file of its own."""

    path: tuple
    file: Path
    children: dict = field(default_factory=dict)
    defines: set = field(default_factory=set)
    imports: list = field(default_factory=list)
    paths: list = field(default_factory=list)
    words: set = field(default_factory=set)


def read_module(file, path=()):
    """The module in `file` and, as its children, those it declares."""
    text = file.read_text()
    code = without_tests(text)
    module = Module(path, file)
    lines = text.splitlines()

    def line_of(offset):
        number = code.count("\n", 0, offset) + 1
        return number, lines[number - 1].strip()

    def take_use(match):
        for segments, name in flatten(match["tree"]):
            reexported = match["visibility"].strip().startswith("pub")
            module.imports.append(Import(segments, name, reexported, *line_of(match.start("tree"))))
        return blank(match.group())

    directory = file.parent if file.name in ("mod.rs", "lib.rs", "main.rs") else file.with_suffix("")
    for match in MODULE_FILE.finditer(code):
        name = match["name"]
        if match["path"]:
            candidates = [file.parent / re.search(r'"([^"]*)"', text[match.start("path") : match.end("path")])[1]]
        else:
            candidates = [directory / f"{name}.rs", directory / name / "mod.rs"]
        for candidate in candidates:
            if candidate.exists():
                module.children[name] = read_module(candidate, (*path, name))
    rest = USE.sub(take_use, code)
    module.defines = {match["name"] for match in DEFINITION.finditer(rest)} - module.children.keys()
    module.words = set(re.findall(r"\w+", rest))
    for match in PATH.finditer(rest):
        segments = [segment.strip().removeprefix("r#") for segment in match.group().split("::")]
        module.paths.append((segments, *line_of(match.start())))
    return module


def read_crate(directory):
    """The root module of a crate: that of its library, where it has one."""
    for name in ("lib.rs", "main.rs"):
        if (root := directory / "src" / name).exists():
            return read_module(root)
    raise FileNotFoundError(f"{directory} has neither src/lib.rs nor src/main.rs")


def every(module):
    """A module and all below it."""
    yield module
    for child in module.children.values():
        yield from every(child)
