"""The operators: run a program, and start or stop a session."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

from . import command, links
from ._compat import AirflowException, AirflowFailException, BaseOperator, conf, mask_secret
from .answer import CommandFailed, Completed, Progress, failed, job_ids, succeeded
from .hook import HeddleHook, exception
from .settings import with_secrets
from .triggers import HeddleTrigger
from .watch import FINAL, PATIENCE, Watch, next_job

# How long a wait sleeps at most before it looks whether the task was killed.
BLINK = 1.0


def seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


class _Deployment(BaseOperator):
    """What both operators have: the connection, the configuration, the name of the submission, and what is
    done when the task is killed."""

    operator_extra_links = (links.HeddleWebInterfaceLink(),)
    template_fields_renderers = {"configuration": "json", "arguments": "json"}
    ui_color = "#d5ece4"

    def __init__(
        self,
        *,
        name: str | None = None,
        yarn_queue: str | None = None,
        configuration: Mapping[str, Any] | None = None,
        secret_configuration: Mapping[str, Any] | None = None,
        submission: str | None = None,
        start_timeout: str | None = None,
        conn_id: str | None = None,
        env: Mapping[str, Any] | None = None,
        heed_retry_helps: bool = True,
        leave_when_killed: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.yarn_queue = yarn_queue
        self.configuration = configuration
        self.secret_configuration = secret_configuration
        self.submission = submission
        self.start_timeout = start_timeout
        self.conn_id = conn_id
        self.env = env
        self.heed_retry_helps = heed_retry_helps
        self.leave_when_killed = leave_when_killed
        self._progress = Progress()
        self._executed = self._deploying = self._killed = self._ended = False

    @cached_property
    def hook(self) -> HeddleHook:
        return HeddleHook(self.conn_id, self.env)

    def _submission_name(self, context: Any) -> str:
        if self.submission:
            return command.check_submission(self.submission)
        ti = context["ti"]
        # A task that is cleared is done again, and only then Airflow changes the number of its tries.
        tries = getattr(ti, "max_tries", None)
        return command.submission_name(
            ti.dag_id,
            ti.task_id,
            ti.run_id,
            getattr(ti, "map_index", -1),
            tries if isinstance(tries, int) else 0,
            self.hook.settings.namespace,
        )

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Airflow stores the fields right after this, so it has to know by then what it must not show."""
        super().render_template_fields(context, jinja_env)
        self._configurations()

    def _configurations(self) -> tuple[dict[str, str], dict[str, str]]:
        """The settings for the command line, and the secret ones."""
        shown, secret = command.split_configuration(self.configuration or {})
        secret |= {
            key: command.setting(value) for key, value in (self.secret_configuration or {}).items() if value is not None
        }
        for value in secret.values():
            mask_secret(value)
        return {key: value for key, value in shown.items() if key not in secret}, secret

    def _deploy(self, context: Any, words: Sequence[str], secret: Mapping[str, str], what: str) -> dict[str, Any]:
        """Runs a command that starts something; its answer. XComs are pushed as soon as there is something to
        tell, so that the link works while the command still waits."""

        def hear(line: str) -> None:
            if self._progress.feed(line):
                self._tell(context)

        try:
            with with_secrets(self.hook.variables(), secret) as variables:
                self._deploying = True
                completed = self.hook.run(words, variables, on_line=hear)
        finally:
            self._deploying = False
        if self._killed:
            raise AirflowException("the task was killed" + (f"\n{failed(completed, what)}" if completed.code else ""))
        answer = succeeded(completed, what)
        self._progress.application = answer.get("application") or self._progress.application
        self._progress.web_interface = answer.get("webInterface")
        self._tell(context)
        return answer

    def _tell(self, context: Any) -> None:
        told = {links.APPLICATION: self._progress.application, links.WEB_INTERFACE: self._progress.web_interface}
        for key, value in told.items():
            if value:
                context["ti"].xcom_push(key=key, value=value)

    def on_kill(self) -> None:
        """A deployment is undone by heddle itself; what runs already is ended here."""
        self._killed = True
        process = self.hook.process
        if self._deploying and process is not None:
            process.terminate()
        else:
            self._end_what_runs()

    def _end_what_runs(self) -> None:
        application = self._progress.application
        if self.leave_when_killed or self._ended or application is None:
            return
        self._ended = True
        try:
            self._end(application)
        except (AirflowException, CommandFailed) as failure:
            self.log.error("%s", failure)

    def _end(self, application: str) -> None:
        HeddleHook(self.conn_id, self.env).kill(application)

    def _guarded(self, do: Any, context: Any) -> Any:
        """Turns what heddle and this package refuse into Airflow's exceptions, and leaves nothing running for
        a task that was killed."""
        self._executed = True
        try:
            return do(context)
        except CommandFailed as failure:
            raise exception(failure, self.heed_retry_helps) from None
        except ValueError as error:
            raise AirflowFailException(str(error)) from None
        finally:
            if self._killed:
                self._end_what_runs()

    def _follow(self, watch: Watch, poll_interval: float) -> None:
        """Waits on the worker."""
        told = ""
        while True:
            completed: Completed = self.hook.ask(watch.words())
            self._check_alive()
            result = watch.step(completed, time.monotonic())
            if result is not None:
                if not result.reached:
                    raise AirflowException(result.text)
                self.log.info("%s", watch.told)
                return
            if watch.told != told:
                told = watch.told
                self.log.info("%s", told)
            until = time.monotonic() + poll_interval
            while (left := until - time.monotonic()) > 0:
                self._check_alive()
                time.sleep(min(left, BLINK))

    def _check_alive(self) -> None:
        if self._killed:
            raise AirflowException("the task was killed")


class HeddleRunOperator(_Deployment):
    """Runs a Flink program on YARN. A retry goes on with what an earlier try has started.

    The task's XComs are `application` (also the return value), `web_interface` and, for a session, `jobs`.

    :param program: the jar, or the Python or SQL script: a path on the worker, or an address on HDFS. A SQL
        script needs the mode `application`.
    :param mode: `application` (`main()` runs on the cluster), `per-job` (`main()` runs on the worker, on a
        cluster of its own) or `session` (on the session that `session` names).
    :param main_class: the class with `main()`, if the jar's manifest does not name it.
    :param arguments: of the program. They can be seen by everybody who sees the application.
    :param session: for the mode `session`: its application id, such as
        ``{{ ti.xcom_pull("start") }}``.
    :param name: the application's name in YARN.
    :param yarn_queue: the queue of YARN. (`queue` is Airflow's, of its executors).
    :param configuration: settings of Flink, YARN and heddle. Those whose keys hold secrets, such as
        `s3.secret-key`, go by a private file, and all others are options.
    :param secret_configuration: settings that go by the private file whatever their keys are.
    :param parallelism: instead of the configured one.
    :param savepoint: savepoint or checkpoint to start from.
    :param allow_non_restored_state: skip state that no operator of the program takes.
    :param classpaths: URLs for the program's class path, readable on every node.
    :param options: further options of `heddle run`, such as `--py-env`.
    :param submission: the name by which a retry finds the application. By default it is made of the ids of
        the DAG, the run and the task.
    :param start_timeout: limit of the start, as `90s` or `10min`.
    :param wait_for_completion: wait for the end of the application or job. Without, the task succeeds when
        it runs.
    :param attached: for the modes `per-job` and `session`: `main()` does not end with the submission, but
        waits for its jobs, as programs do that fetch results.
    :param several_jobs: for an attached program on a session that starts more than one job. A retry then
        runs the program again, because only one job can be found by its id.
    :param deferrable: wait on the triggerer instead of the worker.
    :param poll_interval: the time between two questions while waiting.
    :param patience: how long, while waiting, nobody may know the state.
    :param conn_id: a connection of the type heddle.
    :param env: environment variables of the commands; in a deferrable task not of those on the triggerer.
    :param heed_retry_helps: no further try if heddle says that the same command fails again.
    :param leave_when_killed: an application that runs goes on when the task is killed.
    """

    template_fields: Sequence[str] = (
        "program",
        "main_class",
        "arguments",
        "session",
        "name",
        "yarn_queue",
        "configuration",
        "secret_configuration",
        "savepoint",
        "classpaths",
        "options",
        "submission",
        "conn_id",
        "env",
    )

    def __init__(
        self,
        *,
        program: str,
        mode: str = command.APPLICATION,
        main_class: str | None = None,
        arguments: Sequence[Any] = (),
        session: str | None = None,
        parallelism: int | None = None,
        savepoint: str | None = None,
        allow_non_restored_state: bool = False,
        classpaths: Sequence[str] = (),
        options: Sequence[str] = (),
        wait_for_completion: bool = True,
        attached: bool = False,
        several_jobs: bool = False,
        deferrable: bool | None = None,
        poll_interval: float | timedelta = 15.0,
        patience: float | timedelta = PATIENCE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.program = program
        self.mode = mode
        self.main_class = main_class
        self.arguments = arguments
        self.session = session
        self.parallelism = parallelism
        self.savepoint = savepoint
        self.allow_non_restored_state = allow_non_restored_state
        self.classpaths = classpaths
        self.options = options
        self.wait_for_completion = wait_for_completion
        self.attached = attached
        self.several_jobs = several_jobs
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = deferrable
        self.poll_interval = seconds(poll_interval)
        self.patience = seconds(patience)
        if mode not in command.MODES:
            raise ValueError(f"the mode is one of {', '.join(command.MODES)}, and not {mode!r}")
        if attached and mode == command.APPLICATION:
            raise ValueError("attached: in the mode application main() does not run on the worker")
        if several_jobs and not (attached and mode == command.SESSION):
            raise ValueError("several_jobs is for an attached program on a session")
        self._job: str | None = None

    def execute(self, context: Any) -> Any:
        return self._guarded(self._run, context)

    def _run(self, context: Any) -> Any:
        shown, secret = self._configurations()
        name = self._submission_name(context)
        session = self.session if self.mode == command.SESSION else None
        there = False
        if session is not None:
            answer = succeeded(self.hook.ask(command.jobs(session)), f"list the jobs of {session}")
            if not self.several_jobs:
                self._job, there = next_job(answer, name)
            self._progress.application, self._progress.web_interface = session, answer.get("webInterface")
        program = command.Program(
            path=self.program,
            mode=self.mode,
            main_class=self.main_class,
            arguments=[str(argument) for argument in self.arguments],
            name=self.name,
            queue=self.yarn_queue,
            configuration=shown,
            parallelism=self.parallelism,
            savepoint=self.savepoint,
            allow_non_restored_state=self.allow_non_restored_state,
            classpaths=list(self.classpaths),
            options=list(self.options),
            session=session,
            job=self._job,
            submission=name,
            start_timeout=self.start_timeout,
            attached=self.attached,
        )
        words = program.words()
        if there:
            self.log.info("The job %s of an earlier try is there already", self._job)
            self._tell(context)
        else:
            answer = self._deploy(context, words, secret, f"run {self.program}")
        application = self._progress.application
        if application is None:
            raise AirflowException(f"heddle has named no application: {answer}")
        jobs = [self._job] if self._job else job_ids(answer)
        if jobs:
            context["ti"].xcom_push(key=links.JOBS, value=jobs)
        self._check_alive()
        if not self.wait_for_completion or self.several_jobs:
            return application
        watch = Watch(application, self._job, patience=self.patience)
        if not self.deferrable:
            self._follow(watch, self.poll_interval)
            return application
        self.defer(
            trigger=HeddleTrigger(
                application,
                self._job,
                settings=self.hook.settings.as_dict(),
                poll_interval=self.poll_interval,
                patience=self.patience,
                kill=not self.leave_when_killed,
            ),
            method_name="execute_complete",
        )

    def execute_complete(self, context: Any, event: Mapping[str, Any] | None = None) -> str:
        """Goes on when the trigger has fired."""
        if not event:
            raise AirflowException("the trigger has ended without an event")
        if not event["reached"]:
            raise AirflowException(event["text"])
        return event["application"]

    def _end(self, application: str) -> None:
        if self.mode != command.SESSION:
            super()._end(application)
        elif self._job is not None:
            # The session is others' as well.
            words = command.cancel(application, self._job)
            succeeded(HeddleHook(self.conn_id, self.env).run(words), f"cancel job {self._job}")


class HeddleSessionOperator(_Deployment):
    """Starts a Flink session on YARN, or stops one. A retry of a start finds the session that an earlier try
    has started.

    After a start the task's XComs are `application` (also the return value) and `web_interface`.

    :param action: `start` or `stop`.
    :param application: for `stop`: the application id of the session.
    :param name: the application's name in YARN.

    All other parameters are those of `HeddleRunOperator`.
    """

    template_fields: Sequence[str] = (
        "application",
        "name",
        "yarn_queue",
        "configuration",
        "secret_configuration",
        "submission",
        "conn_id",
        "env",
    )

    def __init__(self, *, action: str = "start", application: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.action = action
        self.application = application
        if action not in ("start", "stop"):
            raise ValueError(f"the action is start or stop, and not {action!r}")
        if (application is not None) != (action == "stop"):
            raise ValueError("an application is named to stop it, and only then")

    def execute(self, context: Any) -> str:
        return self._guarded(self._start if self.action == "start" else self._stop, context)

    def _start(self, context: Any) -> str:
        shown, secret = self._configurations()
        words = command.start_session(self.name, self.yarn_queue, shown, self._submission_name(context), self.start_timeout)
        self._deploy(context, words, secret, "start a session")
        application = self._progress.application
        if application is None:
            raise AirflowException("heddle has named no application")
        if self._progress.web_interface is None:
            raise AirflowFailException(
                f"the session of this submission, {application}, has ended already\nhint: clear the task to start another one"
            )
        self._check_alive()
        return application

    def _stop(self, context: Any) -> str:
        application = command.check_application(str(self.application))
        answer = self.hook.ask(command.status(application)).answer()
        state = answer.get("state") if isinstance(answer, dict) else None
        if state in FINAL:
            self.log.info("The session %s has ended already: %s", application, state)
            return application
        completed = self.hook.run(command.stop_session(application), stdin="stop\n", seconds=600)
        succeeded(completed, f"stop the session {application}")
        return application
