"""The trigger of deferrable tasks: asks heddle from time to time, on the triggerer."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from . import command
from ._compat import AIRFLOW_3, TRIGGERS_ARE_TOLD, BaseTrigger, TriggerEvent
from .process import ask
from .settings import Settings
from .watch import PATIENCE, Watch


class HeddleTrigger(BaseTrigger):
    """Fires when an application, or one job on a session, has reached a state or can no longer reach it.

    Its arguments are stored in Airflow's database, so they hold no secrets: what the connection says, and the
    environment of the triggerer, are enough to ask.

    :param application: the application id; of the session, if `job` is set.
    :param job: the id of a job on a session.
    :param goal: the states of `heddle status` that are waited for; for a job always `succeeded`.
    :param settings: what the connection says.
    :param poll_interval: the time between two questions, in seconds.
    :param patience: how long, in seconds, nobody may know the state.
    :param kill: end the application or job if somebody ends the task while it is deferred.
    """

    def __init__(
        self,
        application: str,
        job: str | None = None,
        goal: Sequence[str] = ("succeeded",),
        settings: Mapping[str, Any] | None = None,
        poll_interval: float = 30.0,
        patience: float = PATIENCE,
        kill: bool = False,
    ) -> None:
        super().__init__()
        self.application, self.job, self.goal = application, job, list(goal)
        self.settings = Settings(**(settings or {}))
        self.poll_interval, self.patience, self.kill = poll_interval, patience, kill

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "heddle_airflow.triggers.HeddleTrigger",
            {
                "application": self.application,
                "job": self.job,
                "goal": self.goal,
                "settings": self.settings.as_dict(),
                "poll_interval": self.poll_interval,
                "patience": self.patience,
                "kill": self.kill,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        watch = Watch(self.application, self.job, self.goal, self.patience)
        variables, told = self.settings.variables(os.environ), ""
        try:
            while True:
                completed = await ask([self.settings.heddle, *watch.words()], variables)
                result = watch.step(completed, time.monotonic())
                if result is not None:
                    break
                if watch.told != told:
                    told = watch.told
                    self.log.info("%s", told)
                await asyncio.sleep(self.poll_interval)
        except asyncio.CancelledError:
            if not TRIGGERS_ARE_TOLD and await self._task_was_ended():
                await self.on_kill()
            raise
        yield TriggerEvent({**result.payload(), "application": self.application})

    async def on_kill(self) -> None:
        """Airflow 3.3 and later call it when somebody has marked or cleared the deferred task."""
        if not self.kill:
            return
        words = command.cancel(self.application, self.job) if self.job else command.kill(self.application)
        completed = await ask([self.settings.heddle, *words], self.settings.variables(os.environ))
        if completed.code != 0:
            self.log.warning("%s could not be ended: %s", self.job or self.application, "\n".join(completed.lines))

    async def _task_was_ended(self) -> bool:
        """Before Airflow 3.3 a trigger learns only that it is cancelled, also when the triggerer is stopped
        and another one goes on. The state of the task tells which of the two it is."""
        task = getattr(self, "task_instance", None)
        if not self.kill or task is None:
            return False
        try:
            from asgiref.sync import sync_to_async

            return await sync_to_async(self._state)(task) != "deferred"
        except Exception as error:
            self.log.warning("%s goes on: the state of the task is not known: %s", self.application, error)
            return False

    @staticmethod
    def _state(task: Any) -> str | None:
        if AIRFLOW_3:
            from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

            states = RuntimeTaskInstance.get_task_states(
                dag_id=task.dag_id, task_ids=[task.task_id], run_ids=[task.run_id], map_index=task.map_index
            )
            of_run = states.get(task.run_id, {})
            return of_run.get(task.task_id, of_run.get(f"{task.task_id}_{task.map_index}"))
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session

        with create_session() as session:
            query = session.query(TaskInstance.state).filter(
                TaskInstance.dag_id == task.dag_id,
                TaskInstance.task_id == task.task_id,
                TaskInstance.run_id == task.run_id,
                TaskInstance.map_index == task.map_index,
            )
            return query.scalar()
