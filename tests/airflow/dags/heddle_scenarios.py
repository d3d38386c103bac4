"""The DAGs of tests/scenarios/test_airflow.py, for Airflow 2 and 3. What differs from run to run is in
environment variables."""

import os
from datetime import datetime, timedelta

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG

from heddle_airflow import HeddleApplicationSensor, HeddleRunOperator, HeddleSessionOperator

JAR, NAME = os.environ["SCENARIO_JAR"], os.environ["SCENARIO_NAME"]
SMALL = {"jobmanager.memory.process.size": "1024m", "taskmanager.memory.process.size": "1024m"}
COMMON = {"conn_id": "heddle_scenario", "retries": 1, "retry_delay": timedelta(0), "start_timeout": "3min"}
PROGRAM = {"program": JAR, "main_class": "WordCount", "configuration": SMALL, "poll_interval": 1}


def dag(name):
    return DAG(dag_id=name, schedule=None, start_date=datetime(2026, 1, 1), catchup=False)


with dag("waits"):
    # The secret is of no use, and must be on no command line.
    HeddleRunOperator(
        task_id="count",
        name=f"{NAME}-{{{{ dag.dag_id }}}}",
        secret_configuration={"s3.secret-key": os.environ.get("SCENARIO_SECRET", "x")},
        arguments=["--output", os.environ.get("SCENARIO_OUTPUT", "")],
        **PROGRAM,
        **COMMON,
    )

with dag("deferred"):
    count = HeddleRunOperator(task_id="count", name=f"{NAME}-deferred", deferrable=True, **PROGRAM, **COMMON)
    ended = HeddleApplicationSensor(
        task_id="ended", application=count.output, deferrable=True, poke_interval=1, timeout=120, conn_id="heddle_scenario"
    )
    count >> ended

with dag("sleeps"):
    sleepy = PROGRAM | {"main_class": "Sleepy", "arguments": ["--seconds", "600"]}
    HeddleRunOperator(task_id="sleep", name=f"{NAME}-sleeps", **sleepy, **(COMMON | {"retries": 0}))

with dag("session"):
    start = HeddleSessionOperator(task_id="start", name=f"{NAME}-session", configuration=SMALL, **COMMON)
    runs = HeddleApplicationSensor(
        task_id="runs", application=start.output, target_states=["running"], poke_interval=1, timeout=120, conn_id="heddle_scenario"
    )
    job = HeddleRunOperator(
        task_id="job", mode="session", session=start.output, **(PROGRAM | {"configuration": None}), **COMMON
    )
    stop = HeddleSessionOperator(task_id="stop", action="stop", application=start.output, conn_id="heddle_scenario")
    start >> runs >> job >> stop

with dag("refused"):
    HeddleRunOperator(task_id="count", name=f"{NAME}-refused", yarn_queue="nowhere", **PROGRAM, **COMMON)

with dag("fails"):
    HeddleRunOperator(task_id="throw", name=f"{NAME}-fails", **(PROGRAM | {"main_class": "ThrowInMain"}), **(COMMON | {"retries": 0}))
