"""The command lines of heddle, as lists of words. Nothing here runs anything or needs Airflow."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

APPLICATION, PER_JOB, SESSION = "application", "per-job", "session"
MODES = (APPLICATION, PER_JOB, SESSION)

APPLICATION_ID = re.compile(r"application_\d+_\d+")
# What heddle accepts as the name of a submission, which becomes a tag in YARN.
SUBMISSION = re.compile(r"[a-z0-9._-]{1,80}")
# Flink's key for the id of the one job that a program starts. Its own client takes it, too.
FIXED_JOB_ID = "$internal.pipeline.job-id"
# Parts of the names of keys that hold secrets, in small letters and with `-` for `.` and `_`.
SECRETS = (
    "password",
    "secret",
    "fs-azure-account-key",
    "apikey",
    "api-key",
    "auth-params",
    "service-key",
    "token",
    "basic-auth",
    "jaas-config",
    "http-headers",
    "private-key",
    "privatekey",
    "passphrase",
    "credential",
    "access-key",
    "accesskey",
    "account-key",
    "encryption-key",
    "keystore-key",
)


def is_sensitive(key: str) -> bool:
    """Whether the value of this key of Flink's configuration is a secret. A key that names what provides
    credentials, such as a class, holds none."""
    name = key.lower().replace(".", "-").replace("_", "-")
    return any(part in name and not (part == "credential" and "provider" in name) for part in SECRETS)


def setting(value: Any) -> str:
    """A value as Flink's configuration has it: lists with `;`, truth in small letters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ";".join(setting(part) for part in value)
    return str(value)


def split_configuration(configuration: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """The settings for the command line, where everybody on the machine can read them, and those that hold
    secrets. A value that is None is left out, so that a template can leave a key alone."""
    given = {key: setting(value) for key, value in configuration.items() if value is not None}
    shown = {key: value for key, value in given.items() if not is_sensitive(key)}
    return shown, {key: value for key, value in given.items() if key not in shown}


def submission_name(
    dag_id: str, task_id: str, run_id: str, map_index: int = -1, max_tries: int = 0, namespace: str = ""
) -> str:
    """The name by which a retry finds what an earlier try of the same task instance has started.

    `max_tries` is how many tries Airflow grants the task instance, which changes when the task is cleared:
    whoever clears a task wants it to be done again, so a cleared task has another name. Of the ids only a
    part can be read in the name; the hash at its end stands for all of them.
    """
    parts = (namespace, dag_id, task_id, run_id, str(map_index), str(max_tries))
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
    readable = [re.sub(r"[^a-z0-9_.]+", "-", part.lower()).strip("-.")[:28] for part in (dag_id, task_id)]
    return "-".join([part for part in readable if part] + [digest])


def check_submission(name: str) -> str:
    if not SUBMISSION.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot name a submission: a name has up to 80 characters, "
            "which are small letters, digits, '-', '_' and '.'"
        )
    return name


def check_application(application: str) -> str:
    if not APPLICATION_ID.fullmatch(application):
        raise ValueError(f"{application!r} is no application id, such as application_1700000000000_0001")
    return application


def job_id(submission: str, number: int) -> str:
    """The id of the job that try `number` of a submission starts on a session."""
    return hashlib.sha256(f"{submission}\0{number}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Program:
    """A program, and how it is to be run."""

    path: str
    mode: str = APPLICATION
    main_class: str | None = None
    arguments: Sequence[str] = ()
    name: str | None = None
    queue: str | None = None
    # Without secrets.
    configuration: Mapping[str, str] = field(default_factory=dict)
    parallelism: int | None = None
    savepoint: str | None = None
    allow_non_restored_state: bool = False
    classpaths: Sequence[str] = ()
    # Further options of `heddle run`, such as those of Python.
    options: Sequence[str] = ()
    # For a session: its application id, and the id of the job.
    session: str | None = None
    job: str | None = None
    submission: str | None = None
    start_timeout: str | None = None
    # The command waits until `main()`, which runs on this machine, has ended.
    attached: bool = False

    def words(self) -> list[str]:
        """The command behind the word `heddle`. Raises ValueError for what cannot be."""
        if self.mode not in MODES:
            raise ValueError(f"the mode is one of {', '.join(MODES)}, and not {self.mode!r}")
        if (self.session is not None) != (self.mode == SESSION):
            raise ValueError("a session has to be named for the mode `session`, and for no other")
        if not self.path:
            raise ValueError("no program is named")
        words = ["run-application"] if self.mode == APPLICATION else ["run"]
        words += ["-t", f"yarn-{self.mode}", "--output", "json"]
        if self.mode != APPLICATION and not self.attached:
            words.append("-d")
        if self.session is not None:
            words.append(f"-Dyarn.application.id={check_application(self.session)}")
        elif self.submission is not None:
            words += ["--submission", check_submission(self.submission)]
        if self.start_timeout is not None and self.session is None:
            words += ["--timeout", self.start_timeout]
        if self.job is not None:
            words.append(f"-D{FIXED_JOB_ID}={self.job}")
        if self.name is not None and self.session is None:
            words.append(f"-Dyarn.application.name={self.name}")
        if self.queue is not None and self.session is None:
            words.append(f"-Dyarn.application.queue={self.queue}")
        words += properties(self.configuration)
        if self.parallelism is not None:
            words += ["-p", str(self.parallelism)]
        if self.savepoint is not None:
            words += ["-s", self.savepoint]
            words += ["-n"] if self.allow_non_restored_state else []
        for url in self.classpaths:
            words += ["-C", url]
        if self.main_class is not None:
            words += ["-c", self.main_class]
        words += self.options
        words += ["-py", self.path] if self.path.endswith(".py") else [self.path]
        return words + [str(argument) for argument in self.arguments]


def properties(configuration: Mapping[str, str]) -> list[str]:
    return [f"-D{key}={value}" for key, value in configuration.items()]


def start_session(
    name: str | None,
    queue: str | None,
    configuration: Mapping[str, str],
    submission: str,
    start_timeout: str | None,
) -> list[str]:
    words = ["session", "-d", "--output", "json", "--submission", check_submission(submission)]
    words += ["--timeout", start_timeout] if start_timeout is not None else []
    words += ["-nm", name] if name is not None else []
    words += ["-qu", queue] if queue is not None else []
    return words + properties(configuration)


def stop_session(application: str) -> list[str]:
    """Its standard input has to be the word `stop`."""
    return ["session", "-id", check_application(application), "--output", "json"]


def status(application: str) -> list[str]:
    return ["status", "--output", "json", check_application(application)]


def kill(application: str) -> list[str]:
    return ["kill", "--output", "json", check_application(application)]


def on_session(application: str) -> list[str]:
    return ["-t", "yarn-session", f"-Dyarn.application.id={check_application(application)}", "--output", "json"]


def jobs(session: str) -> list[str]:
    return ["list", "-a", *on_session(session)]


def cancel(session: str, job: str) -> list[str]:
    return ["cancel", *on_session(session), job]
