"""Command lines: what is asked of heddle, and what is refused before."""

import re
import tomllib
from pathlib import Path

import pytest

from heddle_airflow import command

ROOT = Path(__file__).resolve().parents[2]
SESSION = "application_1700000000000_0007"


def test_an_application():
    program = command.Program(
        path="/jobs/orders.jar",
        main_class="com.example.Orders",
        arguments=["--date", "2026-11-21"],
        name="orders",
        queue="etl",
        configuration={"taskmanager.numberOfTaskSlots": "2"},
        parallelism=4,
        savepoint="hdfs:///savepoints/1",
        allow_non_restored_state=True,
        classpaths=["file:///opt/a.jar"],
        submission="orders-1",
        start_timeout="10min",
    )
    assert program.words() == [
        "run-application", "-t", "yarn-application", "--output", "json", "--submission", "orders-1", "--timeout", "10min",
        "-Dyarn.application.name=orders", "-Dyarn.application.queue=etl", "-Dtaskmanager.numberOfTaskSlots=2",
        "-p", "4", "-s", "hdfs:///savepoints/1", "-n", "-C", "file:///opt/a.jar", "-c", "com.example.Orders",
        "/jobs/orders.jar", "--date", "2026-11-21",
    ]  # fmt: skip


def test_a_per_job_cluster_waits_only_if_asked():
    words = command.Program(path="a.jar", mode="per-job", submission="x").words()
    assert words == ["run", "-t", "yarn-per-job", "--output", "json", "-d", "--submission", "x", "a.jar"]
    assert "-d" not in command.Program(path="a.jar", mode="per-job", submission="x", attached=True).words()


def test_on_a_session_a_job_is_found_by_its_id():
    """heddle refuses the name of a submission there, and a session has its name and queue already."""
    program = command.Program(
        path="a.jar", mode="session", session=SESSION, job="0" * 32, submission="x", start_timeout="1min", name="n", queue="q"
    )
    assert program.words() == [
        "run", "-t", "yarn-session", "--output", "json", "-d", f"-Dyarn.application.id={SESSION}",
        f"-D$internal.pipeline.job-id={'0' * 32}", "a.jar",
    ]  # fmt: skip


def test_python_and_its_options():
    words = command.Program(path="hdfs:///jobs/a.py", options=["-pyarch", "venv.zip"], arguments=["1"], submission="x").words()
    assert words[-5:] == ["-pyarch", "venv.zip", "-py", "hdfs:///jobs/a.py", "1"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mode": "cluster"}, "the mode is one of"),
        ({"mode": "session"}, "a session has to be named"),
        ({"session": SESSION}, "a session has to be named"),
        ({"mode": "session", "session": "7"}, "no application id"),
        ({"path": ""}, "no program"),
        ({"submission": "Upper"}, "cannot name a submission"),
        ({"submission": "x" * 81}, "cannot name a submission"),
    ],
)
def test_what_cannot_be(wrong, said):
    with pytest.raises(ValueError, match=said):
        command.Program(**({"path": "a.jar"} | wrong)).words()


def test_names_of_submissions():
    name = command.submission_name("Daily ETL", "load.Orders", "scheduled__2026-11-21T00:00:00+00:00")
    assert re.fullmatch(r"daily-etl-load\.orders-[0-9a-f]{20}", name) and command.check_submission(name)
    long = command.submission_name("d" * 200, "t" * 200, "r" * 200)
    assert command.check_submission(long)
    assert command.check_submission(command.submission_name("ü", "é", "run"))
    others = [
        command.submission_name(*words)
        for words in [
            ("a", "b", "run"),
            ("a", "b", "other run"),
            ("a", "c", "run"),
            ("a", "b", "run", 0),
            ("a", "b", "run", 1),
            # Cleared after its second try.
            ("a", "b", "run", -1, 3),
            ("a", "b", "run", -1, 1, "another Airflow"),
            ("ab", "", "run"),
        ]
    ]
    assert len(set(others)) == len(others)
    assert command.submission_name("a", "b", "run") == command.submission_name("a", "b", "run"), "a retry finds it"


def test_secrets_are_told_apart():
    shown, secret = command.split_configuration({
        "s3.access-key": "a", "s3.secret-key": "b", "security.ssl.rest.keystore-password": "c", "fs.azure.account.key.x": "d",
        "parallelism.default": 4, "pipeline.object-reuse": True, "yarn.tags": None, "yarn.ship-files": ["a", "b"],
        "fs.s3a.aws.credentials.provider": "com.example.Provider",
    })  # fmt: skip
    assert set(secret) == {"s3.access-key", "s3.secret-key", "security.ssl.rest.keystore-password", "fs.azure.account.key.x"}
    assert shown == {
        "parallelism.default": "4",
        "pipeline.object-reuse": "true",
        "yarn.ship-files": "a;b",
        "fs.s3a.aws.credentials.provider": "com.example.Provider",
    }


def test_the_same_keys_are_secret_for_heddle():
    text = (ROOT / "flink-model/src/config/secrets/mod.rs").read_text()
    lists = re.findall(r"const (?:FLINKS|OTHERS): \[&str; \d+\] = \[(.*?)\];", text, re.DOTALL)
    assert sorted(re.findall(r'"([^"]+)"', "".join(lists))) == sorted(command.SECRETS)


def test_the_versions_agree():
    project = tomllib.loads((ROOT / "airflow-provider/pyproject.toml").read_text())["project"]
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
    import heddle_airflow

    assert project["version"] == workspace["version"] == heddle_airflow.__version__
    assert heddle_airflow.get_provider_info()["versions"] == [project["version"]]
