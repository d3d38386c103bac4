"""The sensor: waits for a state of an application."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from . import command
from ._compat import AirflowException, AirflowFailException, BaseSensorOperator, PokeReturnValue, conf
from .hook import HeddleHook
from .operators import seconds
from .triggers import HeddleTrigger
from .watch import PATIENCE, Result, Watch


class HeddleApplicationSensor(BaseSensorOperator):
    """Waits until a Flink application on YARN is in one of some states, as `heddle status` tells them.
    Whoever has started the application does not matter. The return value is the state.

    It fails, without another try, when the application has ended otherwise.

    :param application: the application id.
    :param target_states: the states to wait for: `waiting`, `starting`, `running`, `ending`, `succeeded`,
        `failed`, `killed`, `ended`.
    :param deferrable: wait on the triggerer instead of the worker.
    :param patience: how long nobody may know the state. On the worker in the mode `reschedule` it has no
        effect: the sensor's `timeout` has.
    :param conn_id: a connection of the type heddle.
    :param env: environment variables of the commands on the worker.
    """

    template_fields: Sequence[str] = ("application", "target_states", "conn_id", "env")
    ui_color = "#e3f1ec"

    def __init__(
        self,
        *,
        application: str,
        target_states: Sequence[str] = ("succeeded",),
        deferrable: bool | None = None,
        patience: float | timedelta = PATIENCE,
        conn_id: str | None = None,
        env: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.application = application
        self.target_states = target_states
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = deferrable
        self.patience = seconds(patience)
        self.conn_id = conn_id
        self.env = env
        self._watch: Watch | None = None

    def poke(self, context: Any) -> PokeReturnValue:
        result = self._look()
        return PokeReturnValue(is_done=result is not None, xcom_value=result.state if result else None)

    def execute(self, context: Any) -> Any:
        if not self.deferrable:
            return super().execute(context)
        result = self._look()
        if result is not None:
            return result.state
        self.defer(
            timeout=timedelta(seconds=self.timeout),
            trigger=HeddleTrigger(
                self.application,
                goal=list(self.target_states),
                settings=HeddleHook(self.conn_id, self.env).settings.as_dict(),
                poll_interval=seconds(self.poke_interval),
                patience=self.patience,
            ),
            method_name="execute_complete",
        )

    def execute_complete(self, context: Any, event: Mapping[str, Any] | None = None) -> str:
        """Goes on when the trigger has fired."""
        if not event or not event["reached"]:
            if not event or event.get("state") == "unknown":
                raise AirflowException(event["text"] if event else "the trigger has ended without an event")
            raise AirflowFailException(event["text"])
        return event["state"]

    def _look(self) -> Result | None:
        """Asks once. Raises for an end that was not waited for."""
        if self._watch is None:
            try:
                self._watch = Watch(command.check_application(self.application), goal=self.target_states, patience=self.patience)
            except ValueError as error:
                raise AirflowFailException(str(error)) from error
        before = self._watch.told
        result = self._watch.step(HeddleHook(self.conn_id, self.env).ask(self._watch.words()), time.monotonic())
        if result is not None and not result.reached:
            # Whoever cannot be asked now may answer at the next try.
            raise (AirflowException if result.state == "unknown" else AirflowFailException)(result.text)
        if self._watch.told != before:
            self.log.info("%s", self._watch.told)
        return result
