"""What clippy.toml bans in each crate, and calls that need a deadline where clippy cannot see whether they
have one."""

import re
import tomllib

from .crates import ROOT, members
from .sources import closing, without_tests

# A call to HDFS has no deadline of its own: each of these files makes its calls within one of these
# functions.
HDFS_FILES = ("hadoop-fs/src/hdfs.rs", "hadoop-fs/src/upload.rs")
WITHIN = re.compile(r"\b(?:guard|timeout)\(")
HDFS_CALL = re.compile(r"\.hdfs\s*\.(\w+)\(")
# It only makes the iterator, whose steps are calls.
NO_CALL = {"list_status_iter"}


def banned(file):
    return {each["path"] for each in tomllib.loads(file.read_text())["disallowed-methods"]}


def forgotten_bans(root=ROOT):
    """What the workspace bans and a crate with a clippy.toml of its own, which replaces the workspace's, does
    not."""
    common = banned(root / "clippy.toml")
    files = [directory / "clippy.toml" for directory in members(root)]
    return [f"{file.parent.name}: {path}" for file in files if file.is_file() for path in sorted(common - banned(file))]


def calls_without_deadline(text):
    """The names of calls to HDFS that stand outside of a deadline."""
    code = without_tests(text)
    spans = [(match.end(), closing(code, match.end() - 1)) for match in WITHIN.finditer(code)]
    found = [match for match in HDFS_CALL.finditer(code) if match[1] not in NO_CALL]
    return [match[1] for match in found if not any(start <= match.start() < end for start, end in spans)]
