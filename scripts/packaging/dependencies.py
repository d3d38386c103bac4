#!/usr/bin/env python3
"""What of others is in the programs and jars that are shipped: the texts of its licences, and the bill of
materials (CycloneDX).

Only what is linked for the target counts: no build scripts, no macros, nothing that only tests use. Run by
`scripts/package --archives`, in an environment with cyclonedx-python-lib.
"""

import argparse
import hashlib
import html.parser
import json
import os
import re
import subprocess
import sys
import tomllib
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType, Pedigree
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from licences import ROOT, changed_copy, expression, of_others, unacceptable
from packageurl import PackageURL

PACKAGES = ["cli", "app-master", "taskrunner"]
LICENCE_FILE = re.compile(r"^(licen[cs]e|copying|notice|copyright|unlicense|third.?party)([-_. ].*)?$", re.IGNORECASE)
CODE = {".rs", ".c", ".h", ".py", ".go", ".json", ".toml", ".sh", ".yml", ".yaml"}
RULE = "=" * 100


def die(message, *hints):
    print(f"error: {message}", *(f"hint: {hint}" for hint in hints), sep="\n", file=sys.stderr)
    sys.exit(1)


def output(*command):
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def shipped(target):
    """The crates that are linked, by package id, and how they depend on each other."""
    tree = output("cargo", "tree", "--locked", "--edges", "normal,no-proc-macro", "--target", target, "--prefix", "none",
                  "--no-dedupe", "--format", "{p}", *(f"--package={name}" for name in PACKAGES))
    names = {tuple(line.split()[:2]) for line in tree.splitlines() if line.strip()}
    metadata = json.loads(output("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    crates = {c["id"]: c for c in metadata["packages"] if (c["name"], "v" + c["version"]) in names}
    edges = {node["id"]: [d["pkg"] for d in node["deps"] if d["pkg"] in crates and any(k["kind"] is None for k in d["dep_kinds"])]
             for node in metadata["resolve"]["nodes"] if node["id"] in crates}
    return crates, edges


def check_licences(crates):
    """Each has to leave us a choice among the accepted ones."""
    for crate in unacceptable(crates.values()):
        die(f"{crate['name']} {crate['version']} cannot be shipped: its licence is {crate['license'] or 'not given'}",
            "look for another crate, or accept the licence in deny.toml")


def licence_files(directory):
    """Those of a crate itself and of the sources of others that it holds."""
    return sorted(path for path in directory.rglob("*")
                  if LICENCE_FILE.match(path.name) and path.suffix not in CODE and path.is_file()
                  and not {"test", "tests", "target"} & set(path.relative_to(directory).parts[:-1]))


def texts_of(crate, crates):
    """Licence texts with what each is called; where a crate has none in its archive, those of its siblings or
    ours."""
    directory = Path(crate["manifest_path"]).parent
    found = [(str(path.relative_to(directory)), path) for path in licence_files(directory)]
    if any("notice" not in name.lower() for name, _ in found):
        return found
    for other in sorted(crates.values(), key=lambda c: c["name"]):
        if other is not crate and other["repository"] == crate["repository"] and crate["repository"]:
            if siblings := licence_files(Path(other["manifest_path"]).parent):
                return found + [(path.name, path) for path in siblings]
    if "Apache-2.0" in expression(crate):
        return [*found, ("Apache-2.0", ROOT / "LICENSE")]
    return die(f"{crate['name']} {crate['version']} has no licence text, and none is known",
               f"its authors say {crate['license']}: {crate['repository']}")


class Text(html.parser.HTMLParser):
    """The words of an HTML page."""

    def __init__(self, page):
        super().__init__()
        self.parts, self.hidden = [], False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.hidden = tag in ("style", "script", "title")

    def handle_endtag(self, tag):
        self.hidden = False

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data)

    def lines(self):
        text = "\n".join(line.rstrip() for line in "".join(self.parts).splitlines())
        return re.sub(r"\n{3,}", "\n\n", text).strip()


def toolchain(zig):
    """What the compilers link in: name, version, licence, text."""
    version = re.search(r"^release: (.*)$", output("rustc", "-vV"), re.MULTILINE).group(1)
    page = Path(output("rustc", "--print", "sysroot").strip(), "share/doc/rust/COPYRIGHT-library.html")
    if not page.is_file():
        die(f"the licences of Rust's standard library are not in {page}", "install Rust from https://rustup.rs")
    yield "rust-std", version, "MIT OR Apache-2.0", Text(page.read_text("utf-8")).lines()
    zig_version = output(sys.executable, "-m", "ziglang", "version").strip()
    yield "zig-compiler-rt", zig_version, "MIT", (zig / "LICENSE").read_text("utf-8").strip()
    unwind = (zig / "lib/libunwind/LICENSE.TXT").read_text("utf-8").strip()
    yield "llvm-libunwind", zig_version, "Apache-2.0 WITH LLVM-exception", unwind


class Shaded(NamedTuple):
    """A library of others that is in one of the jars, under another package name."""

    jar: str
    group: str
    name: str
    version: str
    licence: str
    text: str
    sha256: str


def shaded():
    """What the jars hold of others. The other jars hold nothing."""
    agent = ROOT / "flink-bridge/agent"
    version = re.search(r"<artifactId>asm</artifactId>\s*<version>(.*?)</version>", (agent / "pom.xml").read_text("utf-8")).group(1)
    text = agent / f"src/main/resources/META-INF/licenses/asm-{version}.txt"
    if not text.is_file():
        die(f"the licence of asm {version} is not in {text}", "compare it with the one of the release before, and rename that")
    jar = f"org/ow2/asm/asm/{version}/asm-{version}.jar"
    pinned = dict(reversed(line.split()) for line in (ROOT / "scripts/pins/maven.sha256").read_text("utf-8").splitlines())
    if jar not in pinned:
        die(f"scripts/pins/maven.sha256 has no hash of {jar}")
    yield Shaded("heddle-agent", "org.ow2.asm", "asm", version, "BSD-3-Clause", text.read_text("utf-8").strip(), pinned[jar])


def write_licences(file, crates, tools):
    others = sorted((c for c in crates.values() if of_others(c)), key=lambda c: (c["name"], c["version"]))
    texts = {}
    for crate in others:
        for name, path in texts_of(crate, crates):
            text = path.read_text("utf-8", "replace").replace("\r\n", "\n").strip("\n")
            # The same text is often wrapped in another way.
            texts.setdefault(" ".join(text.split()), (text, []))[1].append(f"{crate['name']} {crate['version']} ({name})")
    for name, version, _, text in tools:
        texts.setdefault(" ".join(text.split()), (text, []))[1].append(f"{name} {version}")
    with file.open("w", encoding="utf-8") as out:
        print("The programs of heddle contain the following, under the licences named and printed below.\n", file=out)
        for crate in others:
            changed = ["(changed by heddle)"] if changed_copy(crate) else []
            print(f"  {crate['name']} {crate['version']}: {expression(crate)}", crate["repository"] or "", *changed, file=out)
        for name, version, licence, _ in tools:
            print(f"  {name} {version}: {licence}", file=out)
        for text, users in sorted(texts.values(), key=lambda pair: (-len(pair[1]), pair[1])):
            print("", RULE, *sorted(set(users)), RULE, "", text, sep="\n", file=out)


def sha256(path):
    return HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(path.read_bytes()).hexdigest())


def write_sbom(file, version, target, tree, crates, edges, tools, libraries):
    checksums = {(p["name"], p["version"]): p.get("checksum")
                 for p in tomllib.loads((ROOT / "Cargo.lock").read_text("utf-8"))["package"]}

    def component(kind, name, version, licence, purl=None, hashes=()):
        return Component(type=kind, name=name, version=version, purl=purl, hashes=hashes,
                         bom_ref=str(purl) if purl else f"{name}@{version}", licenses=[LicenseExpression(value=licence)])

    def of_crate(crate):
        checksum = checksums[crate["name"], crate["version"]]
        hashes = [HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else []
        purl = PackageURL("cargo", name=crate["name"], version=crate["version"]) if of_others(crate) else None
        made = component(ComponentType.LIBRARY, crate["name"], crate["version"], expression(crate), purl, hashes)
        if changed_copy(crate):
            made.pedigree = Pedigree(notes=f"A changed copy: vendor/{crate['name']}/HEDDLE.md in heddle's repository says how.")
        return made

    bom = Bom()
    bom.metadata.timestamp = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc)
    root = component(ComponentType.APPLICATION, "heddle", version, "Apache-2.0")
    bom.metadata.component = root
    bom.metadata.properties.add(Property(name="heddle:target", value=target))
    bom.metadata.properties.add(Property(name="heddle:rustc", value=output("rustc", "--version").strip()))
    bom.metadata.properties.add(Property(name="heddle:javac", value=output("javac", "-version").strip()))

    components = {key: of_crate(crate) for key, crate in crates.items()}
    linked_by_compiler = [component(ComponentType.LIBRARY, *tool[:3]) for tool in tools]
    within = {each: component(ComponentType.LIBRARY, each.name, each.version, each.licence,
                              PackageURL("maven", each.group, each.name, each.version),
                              [HashType(alg=HashAlgorithm.SHA_256, content=each.sha256)]) for each in libraries}
    programs = []
    for path, crate in [("bin/heddle", "cli"), ("libexec/heddle-am", "app-master"),
                        ("libexec/heddle-taskrunner", "taskrunner")]:
        program = component(ComponentType.APPLICATION, path, version, "Apache-2.0", None, [sha256(tree / path)])
        linked = next(c for key, c in components.items() if crates[key]["name"] == crate)
        bom.register_dependency(program, [linked, *linked_by_compiler])
        programs.append(program)
    for path in sorted((tree / "lib").glob("*.jar")):
        purl = PackageURL("maven", "dev.heddle", path.stem, version)
        jar = component(ComponentType.LIBRARY, path.stem, version, "Apache-2.0", purl, [sha256(path)])
        bom.register_dependency(jar, [within[each] for each in libraries if each.jar == path.stem])
        programs.append(jar)
    bom.register_dependency(root, programs)
    for key, found in edges.items():
        bom.register_dependency(components[key], [components[other] for other in found])
    bom.components.update([*components.values(), *linked_by_compiler, *within.values(), *programs])
    # By the contents, where a random number is usual.
    contents = "\n".join(sorted(f"{c.bom_ref} {[h.content for h in c.hashes]}" for c in bom.components))
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, f"heddle {version} {target}\n{contents}")

    text = JsonV1Dot6(bom).output_as_string(indent=2)
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        die(f"the bill of materials does not fit CycloneDX's schema: {error}")
    file.write_text(text + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", required=True, help="heddle's")
    parser.add_argument("--target", required=True, help="Rust's name of the platform")
    parser.add_argument("--zig", required=True, type=Path, help="the directory of the ziglang package")
    parser.add_argument("--tree", required=True, type=Path, help="what is shipped, as in dist/heddle")
    parser.add_argument("--licences", required=True, type=Path, help="the file to write the texts to")
    parser.add_argument("--sbom", required=True, type=Path, help="the file to write the bill of materials to")
    a = parser.parse_args()
    crates, edges = shipped(a.target)
    check_licences(crates)
    tools, libraries = list(toolchain(a.zig)), list(shaded())
    write_licences(a.licences, crates, [*tools, *((each.name, each.version, each.licence, each.text) for each in libraries)])
    write_sbom(a.sbom, a.version, a.target, a.tree, crates, edges, tools, libraries)


if __name__ == "__main__":
    main()
