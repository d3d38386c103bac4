"""The orchestration of the tests: which parts are chosen, how results are read, and what is recorded."""

import signal
import subprocess

import pytest

from harness.suite import cli, counts, record, tools
from harness.suite.parts import NAMES, is_shell
from harness.suite.run import Run


def parts(*words):
    return [part.name for part in cli.chosen(cli.parser().parse_args(words))]


def test_the_parts_of_each_run():
    assert parts("--quick") == ["formatting", "scripts", "lints", "harness", "bridge", "crates"]
    assert parts() == [*parts("--quick"), "manual", "scenarios"]
    assert parts("--all") == NAMES
    assert parts("-k", "word_count") == ["scenarios"]
    assert parts("--all", "--part", "extended", "--part", "fuzzing") == ["fuzzing", "extended"]
    assert parts("--matrix") == ["matrix"] and parts("--docker") == ["containers"]
    with pytest.raises(SystemExit):
        parts("--part", "nothing")


def test_what_is_compiled_beside_is_what_a_later_part_runs():
    def beside(*words):
        return cli.compiles_beside(cli.chosen(cli.parser().parse_args(words)))

    assert beside() and beside("--all") and beside("--part", "crates", "--part", "manual")
    assert beside("--part", "fuzzing", "--part", "extended")
    for words in (["--quick"], ["-k", "a"], ["--part", "extended"], ["--part", "lints", "--part", "libhdfs"], ["--part", "fuzzing"]):
        assert not beside(*words), words


def test_what_is_compiled_beside_ends_with_the_run():
    run = Run()
    run.compiler = subprocess.Popen(["sleep", "60"], process_group=0)
    run.finish()
    assert run.compiler.poll() == -signal.SIGTERM


JUNIT = """<testsuites><testsuite>
<testcase classname="scenarios.test_a" name="test_one[heddle]" time="61.5"><properties><property name="slow" value="two clusters"/></properties></testcase>
<testcase classname="scenarios.test_a" name="test_two" time="70"/>
<testcase classname="scenarios.test_b" name="test_three" time="1"><failure message="no"/></testcase>
<testcase classname="scenarios.test_b" name="test_four" time="0"><skipped message="no browser"/></testcase>
</testsuite></testsuites>"""


def test_a_report_of_pytest():
    found = counts.of_junit(JUNIT)
    assert str(found) == "2 passed, 1 failed, 1 skipped"
    assert counts.slowest(found.cases, 2) == [
        "   70.0 s  test_a::test_two",
        "   61.5 s  test_a::test_one[heddle]  (two clusters)",
    ]
    assert counts.unexplained(found.cases) == ["test_a::test_two"]


def test_what_cargo_prints():
    lines = [
        "running 3 tests\n",
        "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
        "test result: FAILED. 5 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
    ]
    assert str(counts.of_cargo(lines)) == "7 passed, 1 failed, 1 skipped"


DOCUMENT = f"before\n{record.BEGIN}\n{record.END}\nafter\n"


def row(part, counted, good=True, date="2026-11-28"):
    return record.Row(part, date, "0123456789ab", counted, good, 2.54)


def test_each_part_has_its_own_row():
    text = record.written(DOCUMENT, [row("scenarios", counts.Counts(300, 0, 2))], NAMES)
    text = record.written(text, [row("formatting", None)], NAMES)
    text = record.written(text, [row("scenarios", counts.Counts(299, 1, 2), False, "2026-11-29")], NAMES)
    assert text.splitlines() == [
        "before",
        record.BEGIN,
        "| Part | Date | Commit | Passed | Failed | Skipped | Minutes |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| formatting | 2026-11-28 | 0123456789ab | yes |  |  | 2.5 |",
        "| scenarios | 2026-11-29 | 0123456789ab | 299 | **1** | 2 | 2.5 |",
        record.END,
        "after",
    ]


def test_a_document_without_a_place():
    assert record.written("nothing", [row("scenarios", None)], NAMES) is None


def test_the_document_has_its_place():
    assert record.BEGIN in cli.DOCUMENT.read_text()


def test_variables_of_a_script():
    text = "export DOCKER_HOST=unix:///run/x\\ y\nexport B=2"
    assert tools.exported(text) == {"DOCKER_HOST": "unix:///run/x y", "B": "2"}


def test_what_is_a_shell_script(tmp_path):
    for text, wanted in (("#!/usr/bin/env bash\n", True), ("#!/bin/sh\n", True), ("#!/usr/bin/env python3\n", False), ("", False)):
        (tmp_path / "script").write_text(text)
        assert is_shell(tmp_path / "script") == wanted


def test_a_command_that_fails():
    with pytest.raises(tools.Failure, match="exit code 3"):
        tools.run("sh", "-c", "exit 3")
    code, lines = tools.lines_of("sh", "-c", "echo one; echo two >&2; exit 4")
    assert (code, sorted(lines)) == (4, ["one\n", "two\n"])


def test_a_closed_checkout_is_opened_to_other_users(tmp_path):
    root = tmp_path / "closed/checkout"
    root.mkdir(parents=True)
    root.parent.chmod(0o700)
    root.chmod(0o750)
    cli.open_to_other_users(root)
    assert [directory.stat().st_mode & 0o777 for directory in (root.parent, root)] == [0o711, 0o751]
