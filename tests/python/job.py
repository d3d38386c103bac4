"""A PyFlink job with a function that needs a package of its environment.

Its argument is the URL of the directory for the result, or `-` for the standard output.
"""

import sys

from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment
from pyflink.table.udf import udf


@udf(result_type=DataTypes.STRING())
def told(word):
    import heddle_test_package

    return f"{heddle_test_package.loud(word)} by {sys.prefix}"


def main(out):
    import heddle_test_package

    print(heddle_test_package.loud("main"), "by", sys.prefix)
    tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
    tables.create_temporary_function("told", told)
    query = "SELECT told(word) AS said FROM (VALUES ('warp'), ('weft')) AS words(word)"
    if out == "-":
        with tables.execute_sql(query).collect() as rows:
            for row in rows:
                print("row:", row[0])
        return
    tables.execute_sql(f"CREATE TABLE said (said STRING) WITH ('connector' = 'filesystem', 'format' = 'csv', 'path' = '{out}')")
    tables.execute_sql(f"INSERT INTO said {query}").wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
