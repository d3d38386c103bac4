"""usage: xcoms.py DAG

Prints what the tasks of a DAG have left as XComs: a list of [task, key, value]. Runs in the Python of Airflow
2 or 3.
"""

import json
import sys

from airflow.utils.session import create_session

try:
    from airflow.models.xcom import XComModel

    def value(row):
        return XComModel.deserialize_value(row)

except ImportError:
    from airflow.models import XCom as XComModel

    def value(row):
        # Its value is made when the row is loaded.
        return row.value


with create_session() as session:
    rows = session.query(XComModel).filter(XComModel.dag_id == sys.argv[1])
    print(json.dumps([[row.task_id, row.key, value(row)] for row in rows]))
