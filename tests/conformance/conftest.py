"""Options and the closing words of `scripts/conformance`."""

import json
import subprocess
import sys
from collections import defaultdict

import pytest

from . import cases, compare


def pytest_addoption(parser):
    parser.addoption("--case", action="append", default=[], metavar="NAME", help="only this case; may be given several times")
    parser.addoption("--reuse", action="store_true", help="of Flink's own client, what an earlier run has seen of the same case")
    parser.addoption("--loaded", action="store_true", help="the main cases, with eight busy processes beside")


def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Seen(config))


@pytest.fixture(scope="session")
def busy(request):
    """Eight processes that take whatever processor time they get, for as long as the cases run."""
    if not request.config.getoption("--loaded"):
        yield []
        return
    made = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
    yield made
    assert all(process.poll() is None for process in made), "the machine was not busy to the end"
    for process in made:
        process.kill()
        process.wait()


class Seen:
    """Which differences were seen, by the row that allows them; workers' reports come here too."""

    def __init__(self, config):
        self.config, self.compared = config, 0
        self.rows = defaultdict(list)

    def pytest_runtest_logreport(self, report):
        if report.when != "call":
            return
        for name, value in report.user_properties:
            if name == "allowed":
                self.compared += 1
                for row, where, path in json.loads(value):
                    self.rows[row].append((where, path))

    def pytest_terminal_summary(self, terminalreporter):
        write = terminalreporter.write_line
        if not self.compared:
            return
        terminalreporter.section("differences on purpose")
        write(f"{self.compared} compared, {sum(map(len, self.rows.values()))} differences that {len(self.rows)} rows of differences.toml allow:")
        for row, found in sorted(self.rows.items(), key=lambda entry: -len(entry[1])):
            paths = sorted({path for _, path in found})
            more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
            write(f"  {row}: {len(found)}, in {', '.join(paths[:3])}{more}")
        # Only a run of everything can tell.
        if not (self.config.getoption("--case") or self.config.getoption("--loaded") or self.config.option.keyword):
            unused = [row.id for row in compare.table() if row.id not in self.rows]
            write(f"rows that nothing was allowed by: {', '.join(unused) or 'none'}")


def pytest_generate_tests(metafunc):
    if "case" not in metafunc.fixturenames:
        return
    from conftest import FLINK_VERSION

    chosen, loaded = metafunc.config.getoption("--case"), metafunc.config.getoption("--loaded")
    found = cases.read()
    if wrong := set(chosen) - set(found):
        raise pytest.UsageError(f"no case is called {', '.join(sorted(wrong))}; there are {', '.join(found)}")
    wanted = []
    for case in found.values():
        if (chosen and case.name not in chosen) or (loaded and not case.loaded and not chosen):
            continue
        if case.flinks and not FLINK_VERSION.startswith(tuple(case.flinks)):
            continue
        # From 2.0 on Flink has no per-job clusters.
        modes = [mode for mode in case.modes if mode != "per-job" or int(FLINK_VERSION.split(".")[0]) < 2]
        wanted += [pytest.param(case, mode, id=f"{case.name}-{mode}") for mode in modes]
    metafunc.parametrize(("case", "mode"), wanted)
