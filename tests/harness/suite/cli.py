"""The command `scripts/test`."""

import argparse
import os
import signal
import stat
import sys
import time

from ..hadoop.environment import ROOT, Failure, say
from . import counts, record
from .parts import NAMES, PARTS
from .run import Run
from .tools import output

DOCUMENT = ROOT / "docs/compatibility.md"
DESCRIPTION = """\
Everything that a change has to pass: formatting, lints, unit tests, the package, the manual, and the scenarios on a real
pseudo-distributed Hadoop, with heddle and, for a chosen scenario of each kind, with Flink's own client. At most 40 minutes
on two cores, from nothing.

--all adds what takes long or repeats what a cheaper test shows, and writes what each part came to into
docs/compatibility.md. Where time is short it can be done in parts.
"""
EPILOG = f"""\
Parts: {", ".join(NAMES)}.

HEDDLE_PROFILE is the cargo profile of what the scenarios run (default: quick); HEDDLE_TEST_WORKERS how many of them run
at once (default: 3).
"""


def parser():
    made = argparse.ArgumentParser(
        prog="scripts/test", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--quick", action="store_true", help="no package, no manual and no scenarios")
    made.add_argument("--all", action="store_true", help="every part")
    made.add_argument("--part", action="append", choices=NAMES, metavar="NAME", help="only this part; can be given several times")
    made.add_argument("--matrix", action="store_true", help="only the part `matrix`, which rewrites the tables of releases")
    made.add_argument("--docker", action="store_true", help="only the part `containers`")
    made.add_argument(
        "--client", choices=["plain", "heddle", "reference", "both"], default="plain",
        help="which client the scenarios use (default: plain: heddle, and Flink's own for scenarios marked `reference`)",
    )  # fmt: skip
    made.add_argument("-k", dest="expression", default="", help="only the scenarios that match, as pytest takes it")
    return made


def chosen(arguments):
    """The parts that the command line asks for."""
    names = list(arguments.part or [])
    names += ["matrix"] if arguments.matrix else []
    names += ["containers"] if arguments.docker else []
    if names:
        return [part for part in PARTS if part.name in names]
    if arguments.expression:
        return [part for part in PARTS if part.name == "scenarios"]
    if arguments.all:
        return PARTS
    return [part for part in PARTS if part.quick or (part.plain and not arguments.quick)]


def compiles_beside(parts):
    """Whether the programs of the package are wanted, and other parts come before those that run them."""
    needs_package = [part.package and not part.quick for part in parts]
    return any(needs_package) and not needs_package[0]


def commit():
    """What was tested; other changes than of the table itself are told."""
    head = output("git", "rev-parse", "--short=12", "HEAD")
    return head + (" with changes" if output("git", "status", "--porcelain", "--", ".", ":!docs/compatibility.md") else "")


def open_to_other_users(root):
    """Lets other users pass to the checkout of a CI, which may be in a closed directory: scenarios have
    several users, and a file is shared only if every user of the machine can read it."""
    os.umask(0o022)
    for directory in (root, *root.parents):
        status = directory.stat()
        if status.st_uid == os.geteuid() and not status.st_mode & stat.S_IXOTH:
            directory.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXGRP | stat.S_IXOTH)
            say(f"other users may pass {directory} now")


def keep(row):
    """Writes the row of a part into the document."""
    text = record.written(DOCUMENT.read_text(), [row], NAMES)
    if text is None:
        raise Failure(f"{DOCUMENT} has no lines `{record.BEGIN}` and `{record.END}`")
    DOCUMENT.write_text(text)


def do(part, run, recorded):
    """Runs one part; whether it was good."""
    run.step(part.title)
    began, found, good = time.monotonic(), None, True
    try:
        found = part.do(run)
        good = found is None or found.failed == 0
    except Failure as failure:
        good = False
        tell(failure)
    if found is not None:
        say(f"{part.title}: {found}")
    if recorded:
        minutes = (time.monotonic() - began) / 60
        keep(record.Row(part.name, time.strftime("%Y-%m-%d", time.gmtime()), commit(), found, good, minutes))
    return good


def tell(failure):
    say(f"error: {failure}")
    for hint in failure.hints:
        say(f"hint: {hint}")


def test(arguments):
    parts = chosen(arguments)
    # Of some scenarios nothing is recorded, and the others' results would be lost.
    recorded = bool(arguments.all or arguments.part) and not arguments.expression
    run = Run(everything=arguments.all, client=arguments.client, expression=arguments.expression)
    # The scenarios of the package make archives of their own, of what the other scenarios run.
    run.archives = any(part.name == "containers" for part in parts)
    failed = []
    try:
        run.prepare(scenarios=any(not part.quick for part in parts), compile_beside=compiles_beside(parts))
        for part in parts:
            if not do(part, run, recorded):
                failed.append(part.title)
                if not recorded:
                    break
    finally:
        run.finish()
    if run.cases:
        say("\nThe slowest:")
        for line in counts.slowest(run.cases):
            say(line)
        for name in counts.unexplained(run.cases):
            say(f"warning: {name} took more than {counts.SLOW_SECONDS} s, and no marker `slow` says why")
    run.step("done" if not failed else f"FAILED: {', '.join(failed)}")
    return 1 if failed else 0


def stop(number, _frame):
    sys.exit(128 + number)


def main():
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        arguments = parser().parse_args()
        if os.environ.get("CI") == "true":
            open_to_other_users(ROOT)
            # Nothing is compiled a second time here, for which the compiler would have to take notes.
            os.environ.setdefault("CARGO_INCREMENTAL", "0")
        sys.exit(test(arguments))
    except Failure as failure:
        tell(failure)
        sys.exit(1)
