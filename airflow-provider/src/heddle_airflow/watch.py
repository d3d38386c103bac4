"""Waiting for a state of an application or a job, as decisions from one answer to the next. Nothing here runs
anything, reads a clock or needs Airflow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from . import command
from .answer import Completed, error_text, finding_lines

# The states of `heddle status`, and those in which an application stays.
STATES = ("waiting", "starting", "running", "ending", "succeeded", "failed", "killed", "ended", "unknown")
FINAL = frozenset({"succeeded", "failed", "killed", "ended"})
# What `heddle status` ends with when it could ask; each other exit code is an error.
ANSWERS = frozenset({0, 3, 4, 5, 6, 7})
# The states of Flink in which a job stays.
FINAL_JOB = frozenset({"FINISHED", "FAILED", "CANCELED"})
# How long, in seconds, nobody may know the state.
PATIENCE = 600.0


@dataclass(frozen=True)
class Result:
    """How the waiting has ended."""

    reached: bool
    state: str
    # What is told of an end that was not waited for.
    text: str = ""

    def payload(self) -> dict[str, Any]:
        """For the event of a trigger."""
        return {"reached": self.reached, "state": self.state, "text": self.text}


class Watch:
    """Waits until an application, or with `job` one job on a session, is in one of the states `goal`.

    The owner runs the words, and gives `step` what came of it and the time, until there is a result.
    """

    def __init__(
        self, application: str, job: str | None = None, goal: Collection[str] = ("succeeded",), patience: float = PATIENCE
    ) -> None:
        wrong = sorted(set(goal) - set(STATES)) if job is None else []
        if wrong or not goal:
            raise ValueError(f"the states to wait for are among {', '.join(STATES)}, and not {', '.join(wrong) or 'none'}")
        self.application, self.job, self.patience = application, job, patience
        self.goal = frozenset(goal)
        # What was heard last, to tell changes, and since when nobody knows.
        self.told = ""
        self.silent_since: float | None = None

    def words(self) -> list[str]:
        return command.jobs(self.application) if self.job else command.status(self.application)

    def step(self, completed: Completed, now: float) -> Result | None:
        """`now` is in seconds, of a clock that only goes forward. Afterwards `told` is the state in words."""
        heard = self._job(completed) if self.job else self._application(completed)
        if isinstance(heard, Result):
            return heard
        state, self.told = heard
        if state != "unknown" or "unknown" in self.goal:
            self.silent_since = None
            return Result(True, state) if state in self.goal else None
        since = self.silent_since = now if self.silent_since is None else self.silent_since
        if now - since < self.patience:
            return None
        return Result(False, "unknown", f"for {int(now - since)} s nobody could tell the state of {self._what()}: {self.told}")

    def _what(self) -> str:
        return f"job {self.job} of {self.application}" if self.job else self.application

    def _application(self, completed: Completed) -> Result | tuple[str, str]:
        answer = completed.answer()
        if completed.code not in ANSWERS or not isinstance(answer, dict) or answer.get("state") not in STATES:
            return "unknown", silence(completed)
        state, reason = str(answer["state"]), str(answer.get("reason") or "")
        told = f"{self.application} is {state.upper()}" + (f": {reason}" if reason else "")
        if state in FINAL and state not in self.goal:
            return Result(False, state, "\n".join([told, *finding_lines(answer.get("finding"))]))
        return state, told

    def _job(self, completed: Completed) -> Result | tuple[str, str]:
        answer = completed.answer()
        if completed.code != 0 or not isinstance(answer, dict):
            return "unknown", silence(completed)
        found = [job for job in answer.get("jobs") or [] if job.get("id") == self.job]
        state = str(found[0].get("state") or "") if found else ""
        if not state:
            return "unknown", f"the session {self.application} does not know job {self.job}"
        told = f"{self._what()} is {state}"
        if state == "FINISHED":
            return "succeeded", told
        if state in FINAL_JOB:
            hint = f"hint: the web interface of the session, and `heddle logs {self.application}`, tell more"
            return Result(False, state.lower(), f"{told}\n{hint}")
        return "running", told


def silence(completed: Completed) -> str:
    """Why a command has told no state."""
    error = completed.error()
    return error_text(error).splitlines()[0] if error else f"heddle has ended with {completed.code}"


def next_job(answer: Any, submission: str, most: int = 1000) -> tuple[str, bool]:
    """Which job on a session a try goes on with or starts, by the jobs that the session knows: the id, and
    whether it is there already.

    A job that runs or has finished is that of an earlier try. One that has failed or was cancelled does not
    count, and Flink accepts no second job with its id, so the next id is taken.
    """
    states = {job.get("id"): job.get("state") for job in (answer.get("jobs") or [])}
    for number in range(most):
        job = command.job_id(submission, number)
        if job not in states:
            return job, False
        if states[job] not in ("FAILED", "CANCELED"):
            return job, True
    raise ValueError(f"{most} jobs of the submission {submission} have failed on this session")
