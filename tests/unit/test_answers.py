"""The schema of answers: whole, as the manual has it, and what the check of answers finds."""

import json
import re

import pytest

from harness import answers
from harness.cluster import ROOT

PAGE = (ROOT / "docs/json.md").read_text()
MANUAL = PAGE + (ROOT / "docs/memory.md").read_text() + (ROOT / "docs/timing.md").read_text()
TOLD = {word for span in re.findall(r"`([^`\n]+)`", MANUAL) for word in re.findall(r"\w+", span)}
# The commands of a row of the page, by their names in the schema; an option stands for one of several
# answers.
ROWS = {
    "`yarn-session.sh`": ("started",),
    "`yarn-session.sh -q`": ("query",),
    "`flink run`": ("started",),
    "`flink run-application`": ("started",),
    "`sql-client.sh`": ("started",),
    "`heddle version`, `flink --version`": ("version",),
    "any command with `--help`": ("help",),
    "any command with `--dry-run`": ("dryRun",),
}


def parts(rule):
    """A schema and all schemas in it."""
    if isinstance(rule, dict):
        yield rule
        for key, inner in rule.items():
            if key in ("properties", "$defs"):
                for one in inner.values():
                    yield from parts(one)
            elif key not in ("enum", "required"):
                yield from parts(inner)
    elif isinstance(rule, list):
        for inner in rule:
            yield from parts(inner)


def named(name):
    return answers.commands().get(name) or answers.schema()["$defs"][name]


def ways(rule):
    """The answers that a command has, each with its keys."""
    while "$ref" in rule:
        rule = answers.referred(rule["$ref"])
    if "properties" not in rule and "anyOf" in rule:
        return [one for way in rule["anyOf"] for one in ways(way)]
    return [rule]


def error(**more):
    known = dict.fromkeys(("cause", "application", "finding"))
    known |= {"message": "m", "what": "w", "causes": [], "class": "usage", "hints": [], "retryHelps": False, "usage": True, "unsupported": False}
    return {"error": known | more}


def test_the_schema_is_whole():
    every = list(parts(answers.schema()))
    for rule in every:
        unknown = set(rule) - answers.KEYWORDS - answers.ANNOTATIONS
        assert not unknown, rule
        assert set(rule.get("required", [])) <= set(rule.get("properties", rule.get("required", []))), rule
        re.compile(rule.get("pattern", ""))
    references = [rule["$ref"] for rule in every if "$ref" in rule]
    assert all(isinstance(answers.referred(reference), dict) for reference in references)
    used = {reference.removeprefix("#/$defs/") for reference in references}
    assert set(answers.schema()["$defs"]) - {"commands", "failed"} <= used
    assert [f"#/$defs/commands/$defs/{name}" for name in answers.commands()] == [way["$ref"] for way in answers.schema()["anyOf"]]


@pytest.mark.parametrize("name", list(answers.commands()))
def test_each_command_can_fail(name):
    assert answers.problems(error(), named(name)) == []
    assert answers.problems(error(surprise=1), named(name))
    assert answers.problems({"error": {"message": "m"}}, named(name))


def rows():
    table = re.search(r"^\| Command \| Answer \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)[1]
    return dict(re.findall(r"^\| (.+?) \| (.+) \|$", table, re.MULTILINE))


def test_the_page_has_a_row_for_each_command():
    told = {name for row in rows() for name in ROWS.get(row, (row.strip("`").split()[-1],))}
    assert set(answers.commands()) - told == {"yarn-session.sh", "run", "run-application", "sql-client.sh", "reference"}


@pytest.mark.parametrize("row", list(rows()))
def test_the_page_has_the_keys_of_each_answer(row):
    [name] = ROWS.get(row, (row.strip("`").split()[-1],))
    keys = {key for way in ways(named(name)) for key in way.get("properties", {})} - {"error"}
    # That of `heddle memory` has a page of its own.
    told = TOLD if name == "memory" else set(re.findall(r"`(\w+)`", rows()[row]))
    # These have a section of their own.
    missing = keys - told - {"timing"} - ({"jobs", "state", "finalStatus", "diagnostics"} if name == "started" else set())
    assert not missing, f"docs/json.md does not tell of {missing}"


def test_each_key_is_in_the_manual():
    keys = {key for rule in parts(answers.schema()) for key in rule.get("properties", {})}
    # Those of what would be submitted are in the schema, with their meanings in the code.
    plan = {key for name in ("dryRun", "container", "setting") for rule in parts(named(name)) for key in rule.get("properties", {})}
    cluster = {key for rule in parts(named("query")) for key in rule.get("properties", {})}
    assert not keys - TOLD - plan - cluster


def test_the_example_on_the_page():
    [example] = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert answers.problems(json.loads(example), named("stop")) == []


def test_the_error_that_the_library_makes():
    snapshot = (ROOT / "yarn-client/src/snapshots/yarn_client__error__tests__error_for_programs.snap").read_text()
    assert answers.problems({"error": json.loads(snapshot.split("---\n")[2])}, named("failed")) == []


def test_what_is_wrong_is_named():
    job = {"id": "a", "name": None, "state": "RUNNING", "started": "2023-11-14T22:13:20.123Z", "ended": None}
    listed = {"application": "application_1700000000000_0001", "webInterface": "http://h:1", "jobs": [job]}
    assert answers.problems(listed, named("list")) == []
    for wrong, said in [
        ({**listed, "more": 1}, "answer.more is not in the schema"),
        ({**listed, "application": "x"}, "does not fit"),
        ({**listed, "jobs": [{**job, "started": "yesterday"}]}, "answer.jobs[0].started"),
        ({**listed, "jobs": [{**job, "id": 1}]}, "answer.jobs[0].id is 1, and no string"),
        ([listed], "and no object"),
    ]:
        found = answers.problems(wrong, named("list"))
        assert len(found) == 1 and said in found[0], found
    assert answers.problems({"application": None, "webInterface": None}, named("list"))
    assert "none of" in answers.problems(error(**{"class": "bad luck"}), named("list"))[0]


def test_a_number_is_no_truth_value():
    assert answers.problems(True, {"type": "integer"}) and answers.problems(True, {"type": ["number", "null"]})
    assert not answers.problems(1.5, {"type": "number"}) and answers.problems(1.5, {"type": "integer"})


@pytest.mark.parametrize("line, name", [
    ("flink list --output json", "list"), ("/x/heddle ps --output=json", "ps"), ("heddle session -q --output json", "yarn-session.sh"),
    ("yarn-session.sh -d --output json", "yarn-session.sh"), ("sql-gateway.sh -j x.jar --output json", "sql-client.sh"),
    ("heddle version --output json", "version"), ("flink run --help --output json", "help"), ("heddle nothing --output json", "failed"),
    ("flink run -c Main job.jar --output json", None), ("heddle ps", None), ("heddle ps --output text", None),
])  # fmt: skip
def test_which_command_a_line_is(line, name):
    assert answers.command_of(line.split()) == name


def test_an_answer_is_one_line():
    line = ["heddle", "version", "--output", "json"]
    answers.check(line, '{"heddle": "0.1.0"}\n')
    for out in ("", "{}", '{"heddle": "0.1.0"}\n{}\n', 'a\n{"heddle": "0.1.0"}\n', "{}\n"):
        with pytest.raises(AssertionError):
            answers.check(line, out)
