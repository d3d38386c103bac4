"""Defects that are planted to see whether a run notices them: one that does not is worth nothing."""

import re
from dataclasses import dataclass

LEFTOVER = """\
#!/bin/sh
# Leaves a process behind that no end of the container reaches.
setsid sleep 100000 >/dev/null 2>&1 &
exec {java}/bin/java "$@"
"""


@dataclass(frozen=True)
class Planted:
    """`options` and `job`: what the deployment and the job get; `faults`: kinds that bring the defect out."""

    options: tuple = ()
    job: tuple = ()
    faults: tuple = ()


def of(name, directory, java):
    """The planted defect of this name. `directory`: where files for it may be made."""
    if name == "leftover":
        home = directory / "java-that-leaves-something"
        (home / "bin").mkdir(parents=True, exist_ok=True)
        script = home / "bin/java"
        script.write_text(LEFTOVER.format(java=java))
        script.chmod(0o755)
        return Planted(options=(f"-Dcontainerized.taskmanager.env.JAVA_HOME={home}",), faults=("kill-taskmanager",))
    return {
        None: Planted(),
        # The sink writes at once what belongs to a checkpoint that may never be complete.
        "sink": Planted(job=("--committed", "no"), faults=("kill-taskmanager",)),
        # The second end of the ApplicationMaster is the end of the application, however long after the first.
        "attempts": Planted(
            options=("-Dyarn.application-attempts=2", "-Dyarn.application-attempt-failures-validity-interval=-1"),
            faults=("kill-applicationmaster",),
        ),
        # Jobs are not recovered.
        "availability": Planted(
            options=("-Dhigh-availability.type=NONE",), faults=("kill-jobmanager", "kill-applicationmaster")
        ),
    }[name]


# Planted defect -> what a run says that has noticed it. A run that fails with other words has not.
SIGNS = {
    "sink": "more than once",
    "attempts": "has ended: FAILED",
    # Without recovery YARN starts attempts that know nothing of the job, or the application ends.
    "availability": "not within .*: a new checkpoint|has ended",
    "leftover": "not within .*: no process",
}
NAMES = tuple(SIGNS)


def noticed(name, wrong):
    """Whether what a run says is wrong (None: nothing) is what this defect does."""
    return wrong is not None and re.search(SIGNS[name], wrong) is not None
