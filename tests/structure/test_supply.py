"""Everything that is taken from others is pinned, and only what deny.toml accepts is taken."""

import re
import shutil
import subprocess
import tomllib

import pytest

from . import supply
from .crates import ROOT


@pytest.mark.parametrize("lock", supply.LOCKS)
def test_crates_come_from_crates_io_with_hashes_and_none_is_banned(lock):
    packages = supply.locked_packages(lock)
    assert not supply.bad_sources(packages)
    assert not supply.denied(packages)


def test_changed_copies_of_crates_say_what_they_are():
    found = supply.of_others_here()
    assert {directory for *_, directory in found} == {path for path in (ROOT / "vendor").iterdir() if path.is_dir()}
    for _, name, directory in found:
        package = tomllib.loads((directory / "Cargo.toml").read_text())["package"]
        assert package["name"] == directory.name == name and package["license"]
        assert (directory / "LICENSE").is_file() and package["version"] in (directory / "HEDDLE.md").read_text()


@pytest.mark.parametrize("lock", supply.LOCKS)
def test_no_other_crate_is_taken_from_a_directory(lock):
    assert not supply.unknown_paths(lock)


def test_the_fuzz_targets_are_built_with_the_same_crates():
    ours = {(p["name"], p["version"]) for p in supply.locked_packages("Cargo.lock")}
    known = {name for name, _ in ours}
    fuzzed = {(p["name"], p["version"]) for p in supply.locked_packages("fuzz/Cargo.lock")}
    assert not {package for package in fuzzed - ours if package[0] in known}


def test_licences():
    from licences import of_others, unacceptable

    if (packages := supply.metadata()) is None:
        pytest.skip("cargo has not all crates here and cannot fetch them offline")
    others = [package for package in packages if of_others(package)]
    assert "hdfs-native" in {package["name"] for package in others}
    assert not [f"{p['name']} {p['version']}: {p['license']}" for p in unacceptable(others)]


def test_cargo_deny():
    if not shutil.which("cargo-deny"):
        pytest.skip("cargo-deny is not here: nothing is known of advisories; licences, bans and sources are checked without it")
    subprocess.run(["cargo", "deny", "--locked", "--offline", "check", "licenses", "bans", "sources"], cwd=ROOT, check=True)
    # Without a copy of the database of advisories there is nothing to check.
    told = subprocess.run(["cargo", "deny", "--locked", "check", "advisories"], cwd=ROOT, capture_output=True, text=True)
    if told.returncode != 0 and "failed to fetch advisory database" in told.stderr:
        pytest.skip("the database of advisories cannot be had here")
    assert told.returncode == 0, told.stderr


def test_no_call_of_cargo_changes_the_lock_file():
    found = {name: calls for name, text in supply.scripts() if (calls := supply.unlocked(text))}
    assert not found


@pytest.mark.parametrize("file", supply.requirement_files(), ids=lambda file: file.name)
def test_python_packages_have_hashes(file):
    assert not supply.unpinned(file.read_text())


@pytest.mark.parametrize("file", sorted((ROOT / "scripts/pins").glob("*.sha256")), ids=lambda file: file.name)
def test_downloaded_files_have_hashes(file):
    lines = file.read_text().splitlines()
    assert lines and all(re.fullmatch(r"[0-9a-f]{64}  \S+\.jar", line) for line in lines)
    assert len({line.split()[1] for line in lines}) == len(lines)


def test_each_release_of_the_matrix_is_pinned():
    import sys

    sys.path.insert(0, str(ROOT / "tests"))
    from harness.matrix import FLINKS, HADOOPS

    archives = (ROOT / "scripts/pins/archives.txt").read_text()
    for flink in FLINKS:
        assert f"\napache-flink=={flink} " in archives and f"\napache-flink-libraries=={flink} " in archives
    assert not [hadoop for hadoop in HADOOPS if not (ROOT / f"scripts/pins/hadoop-{hadoop}.sha256").exists()]


# ---- the checks themselves


def test_calls_that_are_not_locked_are_found():
    assert supply.unlocked("cargo build --workspace \\\n    --locked\n# cargo build\ncargo fmt\n") == []
    assert supply.unlocked('x=$(cargo build --release | tail -1)\nrun("cargo", "test", "-p", "x")') == [
        "cargo build --release",
        '"cargo", "test", "-p", "x"',
    ]
    assert supply.unlocked('["cargo", "run", "--locked", "-p", "x"]') == []


def test_packages_without_hashes_are_found():
    pinned = "a==1 \\\n    --hash=sha256:" + "0" * 64 + "\n"
    assert supply.unpinned(f"# why\n{pinned}") == []
    assert supply.unpinned(f"{pinned}b==2\nc\n-r other\n") == ["b==2", "c", "-r other"]


def test_crates_from_elsewhere_are_found():
    good = {"name": "a", "source": supply.REGISTRY, "checksum": "0" * 64}
    assert supply.bad_sources([good, {"name": "own"}]) == []
    assert supply.bad_sources([{**good, "source": "git+https://x/y"}, {"name": "b", "source": supply.REGISTRY}]) == ["a", "b"]
    assert supply.denied([good, {"name": "openssl-sys"}]) == ["openssl-sys"]
