"""The crates of the workspace: which there are, and on which others each may depend."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# From the lowest layer to the highest. A crate depends only on crates of layers below its own, so that what
# knows about deployments never reaches into what speaks a protocol. A new crate gets its place here.
LAYERS = [
    {"hadoop-rpc", "flink-model", "generated-code"},
    {"diagnosis"},
    {"outcomes"},
    {"hadoop-fs", "hadoop-gssapi", "yarn-api", "flink-rest", "prometheus-http", "taskrunner"},
    {"artifact-store", "yarn-logs"},
    {"yarn-client", "app-master"},
    {"cli"},
]

# What a crate must not depend on, at any price: `flink-model`, `diagnosis` and `outcomes` compute, without
# I/O.
IMPURE = {"tokio", "reqwest", "rustix", "hdfs-native", "tempfile", "rand", "chrono"}
FORBIDDEN = {"flink-model": IMPURE, "diagnosis": IMPURE, "outcomes": IMPURE}

# Crates in which circles of modules are still being untied. This list shrinks; nothing is added to it.
STILL_WITH_CIRCLES = set()


def members(root=ROOT):
    """The directories of the workspace's crates."""
    return [root / name for name in tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["members"]]


def dependencies(directory):
    """What a crate depends on, also to be built and for features that are off; not what only its tests
    need."""
    manifest = tomllib.loads((directory / "Cargo.toml").read_text())
    return set(manifest.get("dependencies", {})) | set(manifest.get("build-dependencies", {}))


def wrong_arrows(crates):
    """What is wrong with the dependencies of crates, given as name -> names it depends on; each as a text."""
    layer = {name: number for number, names in enumerate(LAYERS) for name in names}
    wrong = [f"{name} has no layer" for name in sorted(crates) if name not in layer]
    for name, needs in sorted(crates.items()):
        for other in sorted(needs):
            if other in FORBIDDEN.get(name, ()):
                wrong.append(f"{name} must not depend on {other}")
            elif name in layer and other in layer and layer[other] >= layer[name]:
                wrong.append(f"{name} -> {other} does not lead downward")
    return wrong
