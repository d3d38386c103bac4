"""What is given to users: the archives of `scripts/package --archives`, made from what the other scenarios
run.

Nothing here needs the cluster. Installing is done below a directory of its own and needs root.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from harness.cluster import ROOT

ARCH = platform.machine()
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
NAME = f"heddle-{VERSION}-linux-{ARCH}"
COMMANDS = ["flink", "flink-yarn-session", "heddle", "sql-client.sh", "sql-gateway.sh", "yarn-session.sh"]
JARS = ["flink-bridge.jar", "flink-client-fs.jar", "heddle-agent.jar"]
PROGRAMS = ["bin/heddle", "libexec/heddle-am", "libexec/heddle-taskrunner"]

# They share what takes a minute to make. The timeout is for that.
pytestmark = [
    pytest.mark.heddle_only("it is heddle's package"),
    pytest.mark.xdist_group("package"),
    pytest.mark.timeout(1200),
]
as_root = pytest.mark.skipif(os.getuid() != 0, reason="installs packages, which needs root")


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout}"
    return done.stdout


def need(command, package):
    run("bash", "-c", f". {ROOT}/scripts/lib.sh; need {command} {package}")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files(directory):
    """All below a directory, with the contents where it has some."""
    return {
        str(path.relative_to(directory)): digest(path) if path.is_file() and not path.is_symlink() else None
        for path in directory.rglob("*")
    }


@pytest.fixture(scope="module")
def tree():
    return Path(os.environ.get("HEDDLE_TEST_DIST") or ROOT / "dist/heddle")


@pytest.fixture(scope="module")
def archives(tree, tmp_path_factory):
    made = tmp_path_factory.mktemp("archives")
    run(ROOT / "scripts/packaging/archives", tree, ARCH, made)
    return made


@pytest.fixture(scope="module")
def unpacked(archives, tmp_path_factory):
    directory = tmp_path_factory.mktemp("unpacked")
    run("tar", "-xzf", archives / f"{NAME}.tar.gz", "-C", directory)
    return directory / NAME


def one(directory, pattern):
    [found] = directory.glob(pattern)
    return found


def check_runs(command):
    """Without anything of this machine: no PATH, no Java, no Hadoop."""
    assert f"heddle {VERSION}" in run(command, "--version", env={})


def check_complete(root):
    """What the programs look for is found from where they lie, through the links."""
    own = root / "usr/lib/heddle"
    assert os.readlink(own / "conf") == "/etc/heddle"
    assert (root / "etc/heddle/log4j.properties").is_file()
    assert all((own / "lib" / jar).is_file() for jar in JARS)
    assert (own / "libexec/heddle-am").is_file() and (own / "libexec/heddle-taskrunner").is_file()


@pytest.mark.extended
def test_made_again_elsewhere_it_is_the_same(tree, archives, tmp_path):
    """Another directory, user's settings, modes and times of files."""
    copy, made = tmp_path / "another place", tmp_path / "made"
    shutil.copytree(tree, copy, symlinks=True, copy_function=shutil.copyfile)
    for path in copy.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o700 if path.parent.name in ("bin", "libexec") else 0o600)
    made.mkdir()
    other = {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "TMPDIR": str(tmp_path)}
    command = f"umask 077; exec '{ROOT}/scripts/packaging/archives' '{copy}' {ARCH} '{made}'"
    run("bash", "-c", command, env=os.environ | other)
    assert files(made) == files(archives)


def test_checksums(archives, unpacked):
    for directory in (archives, unpacked):
        run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=directory)
        listed = {line.split("  ", 1)[1] for line in (directory / "SHA256SUMS").read_text().splitlines()}
        assert listed == {name for name, content in files(directory).items() if content} - {"SHA256SUMS"}, directory


def test_tarball(archives, unpacked):
    with tarfile.open(archives / f"{NAME}.tar.gz") as tar:
        members = tar.getmembers()
    assert {m.name.split("/")[0] for m in members} == {NAME}
    assert {(m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, "", "")}
    assert len({m.mtime for m in members}) == 1
    assert not [m.name for m in members if m.issym() and (m.linkname.startswith("/") or ".." in m.linkname)]
    assert {m.mode for m in members if m.isreg() and m.name.split("/")[1] in ("bin", "libexec")} == {0o755}

    inside = files(unpacked)
    expected = [f"bin/{name}" for name in COMMANDS]
    expected += [*PROGRAMS, *(f"lib/{jar}" for jar in JARS), "conf/log4j.properties", "conf/grafana/heddle.json"]
    expected += ["share/man/man1/heddle.1", "share/man/man1/yarn-session.sh.1", "share/bash-completion/completions/flink"]
    expected += ["share/zsh/site-functions/_heddle", "share/fish/vendor_completions.d/heddle.fish"]
    expected += ["LICENSE", "THIRD-PARTY-LICENSES", "SHA256SUMS"]
    assert not set(expected) - set(inside)
    check_runs(unpacked / "bin/heddle")


def test_programs_fit_old_systems_and_tell_nothing_of_this_one(unpacked):
    need("readelf", "binutils")
    for name in PROGRAMS:
        program = unpacked / name
        symbols = re.findall(r"GLIBC_(\d+)\.(\d+)", run("readelf", "--wide", "--version-info", program))
        assert max((int(a), int(b)) for a, b in symbols) <= (2, 17), name
        content = program.read_bytes()
        for place in (ROOT, Path.home() / ".cargo", Path.home() / ".rustup"):
            assert os.fsencode(place) not in content, f"{name} holds the path {place}"


def test_bill_of_materials_and_licences(archives, unpacked):
    """What is linked and nothing else: `cc` builds, `proptest` tests, `serde_derive` is a macro, `hdrs` an
    option."""
    bom = json.loads((archives / f"{NAME}.cdx.json").read_text())
    assert bom["metadata"]["component"]["name"] == "heddle" and bom["metadata"]["component"]["version"] == VERSION
    locked = {(p["name"], p["version"]) for p in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]}
    crates = {(c["name"], c["version"]) for c in bom["components"] if c.get("purl", "").startswith("pkg:cargo/")}
    assert crates < locked
    names = {name for name, _ in crates}
    assert {"tokio", "hdfs-native", "prost", "rustls", "clap"} <= names
    assert not {"cc", "proptest", "insta", "serde_derive", "tonic-prost-build", "hdrs"} & names
    assert all(c["licenses"] for c in bom["components"])
    hashes = {c["name"]: c["hashes"][0]["content"] for c in bom["components"] if c["name"] in PROGRAMS}
    assert hashes == {name: digest(unpacked / name) for name in PROGRAMS}
    refs = {c["bom-ref"] for c in [*bom["components"], bom["metadata"]["component"]]}
    assert {d["ref"] for d in bom["dependencies"]} == refs

    # What the jars hold of others has another name, so that nobody else finds it.
    for jar in (unpacked / "lib").glob("*.jar"):
        with zipfile.ZipFile(jar) as content:
            assert not [name for name in content.namelist() if not name.startswith(("META-INF/", "dev/heddle/")) and name != "dev/"]

    licences = (unpacked / "THIRD-PARTY-LICENSES").read_text()
    [asm] = [c for c in bom["components"] if c.get("purl", "").startswith("pkg:maven/org.ow2.asm/asm@")]
    assert licences.count(f"asm {asm['version']}") == 2
    assert {"ref": f"pkg:maven/dev.heddle/heddle-agent@{VERSION}", "dependsOn": [asm["bom-ref"]]} in bom["dependencies"]
    with zipfile.ZipFile(unpacked / "lib/heddle-agent.jar") as agent:
        manifest = agent.read("META-INF/MANIFEST.MF").decode()
        assert "Premain-Class: dev.heddle.agent.Agent" in manifest and "Agent-Class: dev.heddle.agent.Agent" in manifest
        assert agent.read(f"META-INF/licenses/asm-{asm['version']}.txt").decode().strip() in licences
        # For Java 8.
        assert {agent.read(name)[7] for name in agent.namelist() if name.endswith(".class")} <= set(range(49, 53))
    assert not [(name, version) for name, version in crates if licences.count(f"{name} {version}") < 2]


@as_root
def test_deb_leaves_nothing_behind(archives, tmp_path):
    need("dpkg", "dpkg")
    package = one(archives, "*.deb")
    assert "Depends: libc6 (>= 2.17)\n" in run("dpkg-deb", "--info", package)
    root, state = tmp_path / "root", tmp_path / "root/var/lib/dpkg"
    for directory in (state / "info", state / "updates", root / "usr/bin"):
        directory.mkdir(parents=True)
    old = "Package: libc6\nStatus: install ok installed\nArchitecture: {}\nVersion: 2.17-1\nMaintainer: x\nDescription: x\n\n"
    (state / "status").write_text(old.format(run("dpkg", "--print-architecture").strip()))
    dpkg = ["dpkg", f"--root={root}", "--log=/dev/null", "--force-script-chrootless"]
    before = {name for name in files(root) if not name.startswith("var/")}

    run(*dpkg, "--install", package)
    check_runs(root / "usr/bin/heddle")
    assert "yarn-session.sh" in run(root / "usr/lib/heddle/bin/yarn-session.sh", "--help", env={})
    check_complete(root)
    assert sorted(path.name for path in (root / "usr/bin").iterdir()) == ["heddle"]
    assert run(*dpkg, "--verify", "heddle") == ""
    # What an administrator has changed outlives the removal, not the purge.
    settings = root / "etc/heddle/log4j.properties"
    settings.write_text(settings.read_text() + "# ours\n")
    run(*dpkg, "--install", package)
    assert settings.read_text().endswith("# ours\n")
    run(*dpkg, "--remove", "heddle")
    assert {name for name in files(root) if not name.startswith("var/")} - before == {"etc", "etc/heddle", "etc/heddle/log4j.properties"}
    run(*dpkg, "--purge", "heddle")
    assert not {name for name in files(root) if not name.startswith("var/")} - before - {"etc"}
    assert not [name for name in files(state / "info") if name.startswith("heddle")]


@pytest.mark.extended
def test_lintian(archives):
    need("lintian", "lintian")
    found = run("lintian", "--allow-root", "--pedantic", one(archives, "*.deb"))
    assert found == "", "fix what it finds, or explain it by overrides in the package"


@as_root
def test_rpm_leaves_nothing_behind(archives, tmp_path):
    need("rpm", "rpm")
    package = one(archives, "*.rpm")
    assert "digests OK" in run("rpm", "--checksig", "--nosignature", package)
    wanted = [line for line in run("rpm", "-qp", "--requires", package).splitlines() if not line.startswith("rpmlib(")]
    assert wanted == ["libc.so.6(GLIBC_2.17)(64bit)"]
    root = tmp_path / "root"
    root.mkdir()
    rpm = ["rpm", "--root", str(root), "--dbpath", "/var/lib/rpm"]
    run(*rpm, "--initdb")
    before = {name for name in files(root) if not name.startswith("var/")}
    # The directory has no glibc, nor anything else.
    run(*rpm, "--install", "--nodeps", package)
    check_runs(root / "usr/bin/heddle")
    check_complete(root)
    run(*rpm, "--verify", "--nodeps", "heddle")
    run(*rpm, "--erase", "heddle")
    left = {name for name in files(root) if not name.startswith("var/")} - before
    # Not the package's: directories that every system has.
    assert not [name for name in left if "heddle" in name or not (root / name).is_dir()]
