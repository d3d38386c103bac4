"""Each case of `cases.toml` in each of its modes: with Flink's own client, with heddle, and the two
compared."""

import hashlib
import json
import re
from dataclasses import MISSING, fields

import pytest
from conftest import FLINK_VERSION, Workspace, label
from harness.cluster import CACHE, HADOOP_VERSION

from . import compare, observe
from .deployment import Deployment
from .normal import Normal

# What was printed by mistake on a busy machine; nothing in these cases is out of reach.
UNTRUE = re.compile(r"cannot be reached|no longer waited for|does not answer|has not answered|is gone\b", re.IGNORECASE)


def observed(case, mode, work, jar, kept):
    """Runs the case; what was seen goes to the file `kept` as it is, together with what is this deployment's
    own in it."""
    failed = True
    try:
        deployment = Deployment(case, mode, work, FLINK_VERSION, jar)
        seen, normal = deployment.run(), deployment.normal()
        failed = False
    finally:
        # Who kills an application of Flink's own client has its directory left.
        work.close(failed)
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps({"seen": seen, "places": normal.places, "hosts": normal.names, "kept": normal.kept}, indent=1))
    return deployment


def read(kept, mode):
    """An observation in the form in which two are compared."""
    found = json.loads(kept.read_text())
    return Normal(found["places"], found["hosts"], found["kept"])(observe.shaped(found["seen"], mode))


def place(case, mode, kind, jar):
    """
    Where the observation is kept. That of Flink's own client is good for as long as case and jar are the
    same: see `--reuse`. A field that a case does not use does not count, so that a new one leaves all others.
    """
    used = [(entry.name, getattr(case, entry.name)) for entry in fields(case) if getattr(case, entry.name) != default(entry)]
    digest = hashlib.sha256(repr(used).encode() + jar.read_bytes()).hexdigest()[:12]
    return CACHE / f"conformance/{FLINK_VERSION}-{HADOOP_VERSION}-{case.name}-{mode}-{digest}-{kind}.json"


def default(entry):
    return entry.default_factory() if entry.default_factory is not MISSING else entry.default


@pytest.mark.timeout(1800)
def test_case(case, mode, request, record_property, cluster, flink_home, jar, tmp_path, busy):
    name, seen = label(request), {}
    for kind in ("reference", "heddle"):
        kept = place(case, mode, kind, jar)
        if kind == "heddle" or not (request.config.getoption("--reuse") and kept.exists()):
            deployment = observed(case, mode, Workspace(cluster, kind, tmp_path, flink_home, name), jar, kept)
        seen[kind] = read(kept, mode)
        if kind == "reference":
            check_end(case, mode, seen[kind])
    check_words(case, deployment)
    allowed, wrong = compare.judge(compare.differences(seen["reference"], seen["heddle"]), compare.table(), case.name, mode)
    record_property("allowed", json.dumps([(row, f"{case.name}-{mode}", difference.path) for row, difference in allowed]))
    told = "\n".join(map(str, wrong))
    assert not wrong, f"{len(wrong)} differences that no row of differences.toml allows ({kept}):\n{told}"


def check_end(case, mode, seen):
    """That the case comes to what it says: otherwise it would compare something else."""
    client = seen["client"]
    code = client["exit"] if "exit" in client else client["deployment"]["exit"]
    wanted = case.exit.get(mode, 1 if case.refused else 0)
    assert code in (wanted if isinstance(wanted, list) else [wanted]), client
    if not case.refused:
        ended = seen["yarn"].get("ended", {"finalStatus": "none"})
        assert ended["finalStatus"] == case.final.get(mode, "SUCCEEDED"), seen["yarn"]


def check_words(case, deployment):
    """heddle says nothing that is not so, however slow the machine is."""
    results = [getattr(deployment, name) for name in ("session_result", "result") if hasattr(deployment, name)]
    for result in results:
        odd = [line for line in result.err.splitlines() if line.startswith(("error:", "warning:")) or UNTRUE.search(line)]
        odd = [line for line in odd if not any(re.search(pattern, line) for pattern in case.said)]
        assert not odd, f"heddle said {odd}: {result}"
