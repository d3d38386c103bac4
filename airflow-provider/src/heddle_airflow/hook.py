"""The connection, and how commands of heddle are run with it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from . import command
from ._compat import AirflowException, AirflowFailException, BaseHook
from .answer import CommandFailed, Completed, succeeded
from .process import QUESTION, Process
from .settings import Settings


class HeddleHook(BaseHook):
    """Runs heddle's commands on this worker.

    :param conn_id: a connection of the type heddle, which says where heddle and the configurations are.
        Without one, the environment of the worker says that, as for somebody who types the commands.
    :param env: environment variables of the commands; they win over the connection.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "heddle_default"
    conn_type = "heddle"
    hook_name = "heddle (Flink on YARN)"

    def __init__(self, conn_id: str | None = None, env: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id, self.env = conn_id, dict(env or {})
        # The command that runs now.
        self.process: Process | None = None

    @staticmethod
    def get_ui_field_behaviour() -> dict[str, Any]:
        return {
            "hidden_fields": ["host", "schema", "password", "port"],
            "relabeling": {"login": "User of Hadoop"},
            "placeholders": {
                "login": "only on clusters without Kerberos",
                "extra": '{"heddle": "/usr/bin/heddle", "flink_home": "/opt/flink", "hadoop_conf_dir": "/etc/hadoop/conf"}',
            },
        }

    @cached_property
    def settings(self) -> Settings:
        if self.conn_id is None:
            return Settings()
        connection = self.get_connection(self.conn_id)
        try:
            return Settings.of_connection(connection.login, connection.extra_dejson)
        except ValueError as error:
            raise AirflowFailException(f"connection {self.conn_id}: {error}") from error

    def variables(self) -> dict[str, str]:
        return self.settings.variables(os.environ, self.env)

    def run(
        self,
        words: Sequence[str],
        variables: Mapping[str, str] | None = None,
        stdin: str = "",
        seconds: float | None = None,
        on_line: Callable[[str], None] | None = None,
        quiet: bool = False,
    ) -> Completed:
        """Runs a command to its end. What it writes to the standard error stream is in the task's log, unless
        `quiet` is set."""
        argv = [self.settings.heddle, *words]
        if not quiet:
            self.log.info("%s", shlex.join(argv))

        def hear(line: str) -> None:
            if line and not quiet:
                self.log.info("%s", line)
            if on_line is not None:
                on_line(line)

        try:
            process = Process(argv, variables if variables is not None else self.variables(), stdin)
        except OSError as error:
            raise AirflowException(
                f"{argv[0]} cannot be run on this worker: {error.strerror}\n"
                "hint: install heddle, or name the program in the connection (heddle)"
            ) from error
        self.process = process
        try:
            return process.run(hear, seconds)
        finally:
            self.process = None

    def ask(self, words: Sequence[str]) -> Completed:
        """A command that only asks."""
        return self.run(words, seconds=QUESTION, quiet=True)

    def kill(self, application: str) -> None:
        """Kills an application; one that has ended already is fine."""
        succeeded(self.run(command.kill(application), seconds=QUESTION), f"kill {application}")

    def test_connection(self) -> tuple[bool, str]:
        """For the button of the connection's form, which is on the API server or the webserver."""
        completed = self.run(["ps", "--output", "json"], seconds=QUESTION, quiet=True)
        if completed.code == 0:
            return True, f"{len(completed.answer() or [])} applications run"
        error = completed.error() or {}
        return False, str(error.get("message") or f"heddle has ended with {completed.code}")


def exception(failure: CommandFailed, heed: bool = True) -> AirflowException:
    """The exception for Airflow. If heddle says that a retry does not help, and with `heed`, it is one after
    which Airflow does not try again."""
    if heed and failure.retry_helps is False:
        return AirflowFailException(str(failure))
    return AirflowException(str(failure))
