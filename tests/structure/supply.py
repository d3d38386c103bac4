"""What is taken from others: crates, Python packages, jars. All of it is named with its hash, and no build
changes that."""

import json
import re
import subprocess
import sys
import tomllib

from .crates import ROOT, members

sys.path.insert(0, str(ROOT / "scripts/packaging"))

REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"
LOCKS = ("Cargo.lock", "fuzz/Cargo.lock")
# Commands of cargo that resolve dependencies.
RESOLVING = "build|check|clippy|doc|fetch|install|metadata|run|rustc|test|tree|zigbuild"
IN_SHELL = re.compile(rf"(?<![\w/.`-])(?:cargo|cargo-zigbuild)\s+(?:{RESOLVING})\b(?:[^\n|;)\\]|\\\n|\\.)*")
IN_PYTHON = re.compile(rf"[\"']cargo[\"'],\s*(?:[\"'](?:{RESOLVING})[\"']|command|\*)[^\])]*")
REQUIREMENT = re.compile(r"^[A-Za-z0-9._-]+==[^\s=]+( \\\n    --hash=sha256:[0-9a-f]{64})+$", re.MULTILINE)


def locked_packages(name, root=ROOT):
    return tomllib.loads((root / name).read_text())["package"]


def bad_sources(packages):
    """Packages that come from elsewhere than crates.io, or without a hash."""
    others = [package for package in packages if "source" in package]
    return [p["name"] for p in others if p["source"] != REGISTRY or not re.fullmatch("[0-9a-f]{64}", p.get("checksum", ""))]


def of_others_here(root=ROOT):
    """Crates of others of which the repository has a changed copy; all are in `vendor/`, none is a member of
    the workspace."""
    patches = [tomllib.loads((root / lock).with_suffix(".toml").read_text()).get("patch", {}) for lock in LOCKS]
    found = []
    for lock, patch in zip(LOCKS, patches):
        for name, how in patch.get("crates-io", {}).items():
            found.append((lock, name, ((root / lock).parent / how["path"]).resolve()))
    return found


def unknown_paths(name, root=ROOT):
    """Packages without a source that are neither heddle's own crates nor changed copies."""
    own = {tomllib.loads((directory / "Cargo.toml").read_text())["package"]["name"] for directory in members(root)}
    copies = {copy for lock, copy, _ in of_others_here(root) if lock == name}
    return [p["name"] for p in locked_packages(name, root) if "source" not in p and p["name"] not in own | copies | {"heddle-fuzz"}]


def denied(packages, root=ROOT):
    """Packages that deny.toml bans."""
    banned = {each["crate"] for each in tomllib.loads((root / "deny.toml").read_text())["bans"]["deny"]}
    return sorted(package["name"] for package in packages if package["name"] in banned)


def metadata():
    """The packages for Linux; None if cargo does not have them all here."""
    command = ["cargo", "metadata", "--locked", "--offline", "--format-version", "1"]
    targets = tomllib.loads((ROOT / "deny.toml").read_text())["graph"]["targets"]
    command += [word for target in targets for word in ("--filter-platform", target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return json.loads(done.stdout)["packages"] if done.returncode == 0 else None


def scripts(root=ROOT):
    """The scripts and the Python of the repository, with their paths."""
    words = ["git", "ls-files", "-z", "--", "scripts", "tests", ".ci", "flink-bridge"]
    listed = subprocess.run(words, cwd=root, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in listed:
        path = root / name
        if name and path.is_file() and not name.startswith("tests/structure/") and path.suffix in ("", ".py", ".sh"):
            yield name, path.read_text(errors="replace")


def unlocked(text):
    """Calls of cargo that could change Cargo.lock."""
    code = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    calls = [match.group() for pattern in (IN_SHELL, IN_PYTHON) for match in pattern.finditer(code)]
    return [call.strip() for call in calls if "--locked" not in call]


def requirement_files(root=ROOT):
    tests = [root / "tests/requirements.txt", root / "tests/docs/requirements.txt", *sorted((root / "tests/airflow").glob("*.txt"))]
    return [*tests, *sorted((root / "scripts/pins").glob("*.txt"))]


def unpinned(text):
    """What a requirements file of pip has besides packages with hashes and comments."""
    rest = REQUIREMENT.sub("", text)
    return [line for line in rest.splitlines() if line.strip() and not line.startswith("#")]
