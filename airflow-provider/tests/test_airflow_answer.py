"""What is made of heddle's answers: errors, states, and the job that a try goes on with."""

import json
import re
from pathlib import Path

import pytest

from heddle_airflow import answer, command, watch
from heddle_airflow.answer import Completed

APPLICATION = "application_1700000000000_0001"
ROOT = Path(__file__).resolve().parents[2]
FINDING = {
    "rule": "heap", "text": "The heap of\n a TaskManager is full",
    "fix": [
        {"key": "taskmanager.memory.process.size", "value": "4g", "explanation": "more memory", "choice": 1},
        {"key": "taskmanager.numberOfTaskSlots", "value": "1", "explanation": "fewer slots", "choice": 2},
    ],
}  # fmt: skip


def error(**more):
    told = {"message": "could not start: the queue is full", "hints": ["take another queue"], "retryHelps": False, "finding": None}
    return Completed(1, json.dumps({"error": told | more}))


def told(state, code=0, **more):
    return Completed(code, json.dumps({"application": APPLICATION, "state": state, "reason": "because", "finding": None} | more))


def test_an_error_with_its_hints_and_its_cause():
    failure = answer.failed(error(finding=FINDING, application=APPLICATION), "run a.jar")
    assert str(failure).splitlines() == [
        "could not start: the queue is full",
        "cause: The heap of a TaskManager is full",
        "hint: set taskmanager.memory.process.size: 4g (more memory)",
        "hint: or set taskmanager.numberOfTaskSlots: 1 (fewer slots)",
        "hint: take another queue",
    ]
    assert failure.retry_helps is False and failure.application == APPLICATION


def test_what_an_error_says_already_is_not_said_twice():
    hints = ["set taskmanager.memory.process.size: 4g (more memory)"]
    failure = answer.failed(error(message="it failed: The heap of a TaskManager is full", hints=hints, finding=FINDING), "run")
    lines = str(failure).splitlines()
    assert [line for line in lines if line.startswith("cause:")] == []
    assert len(lines) == len(set(lines)) == 3


def test_a_command_that_was_killed_or_interrupted():
    killed = answer.failed(Completed(-9, "", ("error: x", "something")), "run a.jar")
    assert str(killed) == "heddle could not run a.jar, and has given no answer: signal 9 has ended it\nerror: x"
    assert killed.retry_helps is None
    interrupted = answer.failed(Completed(143, error().out), "run a.jar")
    assert interrupted.retry_helps is None, "the deployment has no fault"


@pytest.mark.parametrize("out", ["", "not json", "3", "[]"])
def test_no_answer(out):
    with pytest.raises(answer.CommandFailed):
        answer.succeeded(Completed(0, out), "run")


def test_progress():
    progress = answer.Progress()
    assert not progress.feed("2026-11-21 10:00:00,000 INFO  heddle [] - Uploading 3 files")
    assert progress.feed(f"2026-11-21 10:00:00,000 INFO  heddle [] - Submitted application {APPLICATION}")
    assert (progress.application, progress.web_interface) == (APPLICATION, None)
    assert progress.feed(f"… INFO  heddle [] - Found Web Interface node1:8081 of application '{APPLICATION}'.")
    assert progress.web_interface == "http://node1:8081"
    found = answer.Progress()
    assert found.feed(f"The submission nightly is there already: application {APPLICATION}") and found.application == APPLICATION


def test_an_application_until_its_end():
    waits = watch.Watch(APPLICATION)
    assert waits.words() == ["status", "--output", "json", APPLICATION]
    assert waits.step(told("starting", 3), 0) is None and "STARTING: because" in waits.told
    assert waits.step(told("running"), 1) is None
    assert waits.step(told("succeeded"), 2) == watch.Result(True, "succeeded")
    ended = waits.step(told("failed", 4, finding=FINDING), 2)
    assert (ended.reached, ended.state) == (False, "failed")
    assert ended.text.splitlines()[1] == "cause: The heap of a TaskManager is full"
    assert watch.Watch(APPLICATION, goal=["failed"]).step(told("failed", 4), 0).reached


def test_silence_is_borne_for_a_while():
    waits = watch.Watch(APPLICATION, patience=60)
    silent = [told("unknown", 7), error(), Completed(-9, ""), Completed(0, "garbage")]
    assert [waits.step(each, now) for now, each in enumerate(silent)] == [None] * 4
    assert waits.step(told("running"), 50) is None
    assert waits.step(told("unknown", 7), 100) is None, "it counts anew"
    result = waits.step(error(), 160)
    assert (result.reached, result.state) == (False, "unknown") and "the queue is full" in result.text


@pytest.mark.parametrize("goal", [[], ["done"], ["running", "RUNNING"]])
def test_states_that_there_are_not(goal):
    with pytest.raises(ValueError, match="states to wait for"):
        watch.Watch(APPLICATION, goal=goal)


def test_the_states_and_exit_codes_are_heddles():
    page = (ROOT / "docs/reference/exit-codes.md").read_text().partition("## States")[2].partition("## Containers")[0]
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    states = {word.lower() for word in re.findall(r"\b[A-Z]{5,}\b", page)}
    assert codes == watch.ANSWERS and states == set(watch.STATES)


def jobs(**states):
    return {"jobs": [{"id": command.job_id("s", int(key[1:])), "state": state} for key, state in states.items()]}


def test_a_job_on_a_session():
    job = command.job_id("s", 0)
    waits = watch.Watch(APPLICATION, job)
    assert waits.words() == ["list", "-a", "-t", "yarn-session", f"-Dyarn.application.id={APPLICATION}", "--output", "json", job][:-1]

    def step(state):
        return waits.step(Completed(0, json.dumps(jobs(j0=state))), 0)

    assert step("RUNNING") is None and step("RESTARTING") is None and step(None) is None
    assert step("FINISHED") == watch.Result(True, "succeeded")
    assert not step("CANCELED").reached and "is FAILED" in step("FAILED").text
    assert waits.step(Completed(0, json.dumps({"jobs": []})), 0) is None


def test_which_job_a_try_goes_on_with():
    first, second = command.job_id("s", 0), command.job_id("s", 1)
    assert watch.next_job({"jobs": []}, "s") == (first, False)
    assert watch.next_job(jobs(j0="RUNNING"), "s") == (first, True)
    assert watch.next_job(jobs(j0="FINISHED"), "s") == (first, True)
    assert watch.next_job(jobs(j0="FAILED"), "s") == (second, False)
    assert watch.next_job(jobs(j0="CANCELED", j1="RUNNING"), "s") == (second, True)
    assert re.fullmatch("[0-9a-f]{32}", first) and first != second != command.job_id("t", 1)
    with pytest.raises(ValueError, match="have failed"):
        watch.next_job(jobs(j0="FAILED", j1="FAILED"), "s", most=2)
