"""Runs Apache Flink on Hadoop YARN from Airflow, by heddle's commands.

What does not need Airflow is in the modules `answer`, `command`, `process`, `settings` and `watch`, which are
tested without it. The classes for DAGs are loaded when they are named, so that those modules can be used
where there is no Airflow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .hook import HeddleHook
    from .links import HeddleWebInterfaceLink
    from .operators import HeddleRunOperator, HeddleSessionOperator
    from .sensors import HeddleApplicationSensor
    from .triggers import HeddleTrigger

__version__ = "0.1.0"
__all__ = [
    "HeddleApplicationSensor",
    "HeddleHook",
    "HeddleRunOperator",
    "HeddleSessionOperator",
    "HeddleTrigger",
    "HeddleWebInterfaceLink",
    "get_provider_info",
]

_MODULES = {
    "HeddleApplicationSensor": "sensors",
    "HeddleHook": "hook",
    "HeddleRunOperator": "operators",
    "HeddleSessionOperator": "operators",
    "HeddleTrigger": "triggers",
    "HeddleWebInterfaceLink": "links",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def get_provider_info() -> dict[str, Any]:
    """What Airflow asks each provider for: the type of connection, and the link to the web interface."""
    return {
        "package-name": "heddle-airflow",
        "name": "heddle",
        "description": "Runs Apache Flink on Hadoop YARN by heddle's commands.",
        "versions": [__version__],
        "connection-types": [
            {"connection-type": "heddle", "hook-class-name": "heddle_airflow.hook.HeddleHook"},
        ],
        "extra-links": ["heddle_airflow.links.HeddleWebInterfaceLink"],
    }
