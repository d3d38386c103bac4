"""What heddle's commands answer with `--output json`, and what is told of it. Nothing here needs Airflow."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What a command ends with that SIGHUP, SIGINT, SIGKILL or SIGTERM has ended: the error is no error of the
# deployment.
INTERRUPTED = frozenset({128 + number for number in (1, 2, 9, 15)} | {-1, -2, -9, -15})
SUBMITTED = re.compile(r"Submitted application (application_\d+_\d+)|is there already: application (application_\d+_\d+)")
WEB_INTERFACE = re.compile(r"Found Web Interface (\S+) of application '(application_\d+_\d+)'")


@dataclass(frozen=True)
class Completed:
    """A command that has ended: its exit code, which is negative for a signal, its standard output, and the
    last lines of its standard error stream."""

    code: int
    out: str
    lines: tuple[str, ...] = ()

    def answer(self) -> dict[str, Any] | list[Any] | None:
        """The JSON value; None if the command gave none, because it was killed."""
        try:
            value = json.loads(self.out)
        except ValueError:
            return None
        return value if isinstance(value, (dict, list)) else None

    def error(self) -> dict[str, Any] | None:
        """The object `error` of the answer."""
        answer = self.answer()
        error = answer.get("error") if isinstance(answer, dict) else None
        return error if isinstance(error, dict) else None


class CommandFailed(Exception):
    """A command has not done what was asked. `retry_helps` is None where heddle has not said that."""

    def __init__(self, text: str, retry_helps: bool | None = None, application: str | None = None) -> None:
        super().__init__(text)
        self.retry_helps, self.application = retry_helps, application


def finding_lines(finding: Mapping[str, Any] | None) -> list[str]:
    """The cause that heddle has found, and what to set."""
    if not finding:
        return []
    lines = [f"cause: {one_line(finding.get('text'))}"] if finding.get("text") else []
    settings: dict[Any, list[Mapping[str, Any]]] = {}
    for fix in finding.get("fix") or []:
        settings.setdefault(fix.get("choice"), []).append(fix)
    for number, fixes in enumerate(settings.values()):
        pairs = ", ".join(f"{fix.get('key')}: {fix.get('value')}" for fix in fixes)
        reasons = "; ".join(str(fix["explanation"]) for fix in fixes if fix.get("explanation"))
        lines.append(f"hint: {'or ' if number else ''}set {pairs}" + (f" ({reasons})" if reasons else ""))
    return lines


def error_text(error: Mapping[str, Any]) -> str:
    """An error as heddle prints it for people: what, the cause that was found, the hints. Nothing is told
    twice."""
    lines = [str(error.get("message") or error.get("what") or "heddle has told no reason")]
    told = one_line(lines[0])
    hints = [f"hint: {hint}" for hint in error.get("hints") or []]
    for line in [*finding_lines(error.get("finding")), *hints]:
        if one_line(line.partition(": ")[2]) not in told and line not in lines:
            lines.append(line)
    return "\n".join(lines)


def one_line(text: Any) -> str:
    return " ".join(str(text).split())


def failed(completed: Completed, what: str) -> CommandFailed:
    """The exception for a command that has not ended with 0, or has given no answer."""
    error = completed.error()
    if error is not None:
        helps = error.get("retryHelps")
        interrupted = completed.code in INTERRUPTED
        return CommandFailed(
            error_text(error), helps if isinstance(helps, bool) and not interrupted else None, error.get("application")
        )
    how = f"signal {-completed.code} has ended it" if completed.code < 0 else f"its exit code is {completed.code}"
    told = [line for line in completed.lines if line.startswith(("error:", "cause:", "hint:"))]
    return CommandFailed("\n".join([f"heddle could not {what}, and has given no answer: {how}", *told]))


def succeeded(completed: Completed, what: str) -> dict[str, Any]:
    """The answer of a command that has done what was asked; raises `CommandFailed` for all others."""
    answer = completed.answer()
    if completed.code != 0 or not isinstance(answer, dict) or "error" in answer:
        raise failed(completed, what)
    return answer


@dataclass
class Progress:
    """What a command that deploys tells on the way, before it ends."""

    application: str | None = None
    web_interface: str | None = None

    def feed(self, line: str) -> bool:
        """Takes a line of the standard error stream; whether it has told something new."""
        before = (self.application, self.web_interface)
        if found := SUBMITTED.search(line):
            self.application = found[1] or found[2]
        if found := WEB_INTERFACE.search(line):
            address = found[1]
            self.web_interface = address if "://" in address else f"http://{address}"
            self.application = found[2]
        return before != (self.application, self.web_interface)


def job_ids(answer: Mapping[str, Any]) -> list[str]:
    return [job["id"] for job in answer.get("jobs") or [] if isinstance(job, dict) and job.get("id")]
