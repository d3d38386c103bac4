"""The link from a task to Flink's web interface."""

from __future__ import annotations

from typing import Any

from ._compat import BaseOperatorLink, XCom

# The keys of the XComs that the operators leave.
APPLICATION, WEB_INTERFACE, JOBS = "application", "web_interface", "jobs"


class HeddleWebInterfaceLink(BaseOperatorLink):
    """The web interface of the cluster that the task has started or used, as long as that runs."""

    name = "Flink web interface"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        # Airflow 3 asks on the worker, at the end of the task. An XCom that is not there is an error there.
        if getattr(operator, "_executed", False):
            return operator._progress.web_interface or ""
        return XCom.get_value(key=WEB_INTERFACE, ti_key=ti_key) or ""
