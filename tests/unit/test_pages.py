"""The command lines of the manual that scenarios run: each has a scenario, and each scenario its line."""

import re

from harness.cluster import ROOT
from harness.pages import command_lines, environment_of

SCENARIOS = (ROOT / "tests/scenarios/test_tools.py").read_text()


def test_each_line_is_run():
    lines = command_lines()
    assert len(lines) > 10
    assert set(re.findall(r'"((?:amoro|dolphinscheduler|flink-cdc|history|kyuubi|openlineage|seatunnel|zeppelin)-[a-z-]+)"', SCENARIOS)) == set(lines)


def test_the_variables_of_a_line():
    text = 'export A="$B" && ${C}/bin/x -Dy="$D_E" $A\n'
    assert environment_of(text) == {"B", "C", "D_E"}


def test_lines_take_the_variables_that_scenarios_give():
    for name, text in command_lines().items():
        for variable in environment_of(text):
            assert re.search(rf"\b{variable}\b", SCENARIOS), f"{name}: nobody sets {variable}"
