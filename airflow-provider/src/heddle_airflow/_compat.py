"""What Airflow 2 and 3 have under different names."""

from __future__ import annotations

try:
    from airflow.sdk import BaseOperator, BaseOperatorLink
    from airflow.sdk.bases.sensor import BaseSensorOperator, PokeReturnValue
    from airflow.sdk.execution_time.xcom import XCom

    AIRFLOW_3 = True
except ImportError:
    from airflow.models import XCom  # type: ignore[no-redef,assignment]
    from airflow.models.baseoperator import BaseOperator  # type: ignore[no-redef,assignment]
    from airflow.sensors.base import BaseSensorOperator, PokeReturnValue  # type: ignore[no-redef,assignment]

    try:
        from airflow.models.baseoperatorlink import BaseOperatorLink  # type: ignore[no-redef,assignment]
    except ImportError:  # before 2.8
        from airflow.models.baseoperator import BaseOperatorLink  # type: ignore[no-redef,attr-defined,assignment]

    AIRFLOW_3 = False

try:
    from airflow.sdk.bases.hook import BaseHook
except ImportError:  # before 3.1
    from airflow.hooks.base import BaseHook  # type: ignore[no-redef,assignment]

try:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException
except ImportError:  # before 3.1
    from airflow.exceptions import AirflowException, AirflowFailException  # type: ignore[no-redef,assignment]

try:
    from airflow.sdk.log import mask_secret
except ImportError:  # before 3.0
    from airflow.utils.log.secrets_masker import mask_secret  # type: ignore[no-redef,assignment]

from airflow.configuration import conf
from airflow.triggers.base import BaseTrigger, TriggerEvent

# Whether the triggerer itself tells a trigger that somebody has ended its task.
TRIGGERS_ARE_TOLD = hasattr(BaseTrigger, "on_kill")

__all__ = [
    "AIRFLOW_3",
    "AirflowException",
    "AirflowFailException",
    "BaseHook",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "BaseTrigger",
    "PokeReturnValue",
    "TRIGGERS_ARE_TOLD",
    "TriggerEvent",
    "XCom",
    "conf",
    "mask_secret",
]
