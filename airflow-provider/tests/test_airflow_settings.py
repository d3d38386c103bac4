"""The connection, the environment, and the private directory with the secrets."""

import stat
import sys
import time

import pytest

from heddle_airflow import process, settings
from heddle_airflow.settings import Settings


def test_a_connection():
    made = Settings.of_connection("ann", {"heddle": "/opt/heddle/bin/heddle", "flink_home": "/opt/flink", "hadoop_conf_dir": ""})
    assert made == Settings(heddle="/opt/heddle/bin/heddle", flink_home="/opt/flink", user="ann")
    assert Settings(**made.as_dict()) == made
    assert Settings.of_connection(None, {}) == Settings()


@pytest.mark.parametrize("extra", [{"heddle": "/bin/bash"}, {"flinkhome": "/opt/flink"}, {"user": "x"}])
def test_a_connection_that_is_refused(extra):
    with pytest.raises(ValueError):
        Settings.of_connection(None, extra)


def test_variables():
    made = Settings(flink_home="/opt/flink", user="ann", proxy_user="bob")
    inherited = {"FLINK_HOME": "/other", "FLINK_CONF_DIR": "/conf", "PATH": "/bin"}
    found = made.variables(inherited, {"FLINK_CONF_DIR": None, "KRB5CCNAME": "/tmp/cache"})
    assert found == {
        "FLINK_HOME": "/opt/flink", "HADOOP_USER_NAME": "ann", "HADOOP_PROXY_USER": "bob", "PATH": "/bin", "KRB5CCNAME": "/tmp/cache",
    }  # fmt: skip
    assert Settings().variables(inherited) == inherited


@pytest.mark.parametrize(
    ("names", "written"),
    [
        (["flink-conf.yaml"], {"flink-conf.yaml": 's3.secret-key: a "b"\n'}),
        (["config.yaml"], {"config.yaml": 's3.secret-key: "a \\"b\\""\n'}),
        ([], {"config.yaml": 's3.secret-key: "a \\"b\\""\n', "flink-conf.yaml": 's3.secret-key: a "b"\n'}),
    ],
)
def test_secrets_are_in_a_private_copy_that_goes_away(tmp_path, names, written):
    conf = tmp_path / "flink/conf"
    conf.mkdir(parents=True)
    (conf / "log4j.properties").write_text("x")
    for name in names:
        (conf / name).write_text("a: 1\ns3.secret-key: old\nb:\n  s3.secret-key: nested\n")
    variables = {"FLINK_HOME": str(tmp_path / "flink")}
    with settings.with_secrets(variables, {"s3.secret-key": 'a "b"'}) as found:
        private = settings.Path(found["FLINK_CONF_DIR"])
        assert private != conf and (private / "log4j.properties").read_text() == "x"
        assert stat.S_IMODE(private.stat().st_mode) == stat.S_IMODE(private.parent.stat().st_mode) == 0o700
        for name, text in written.items():
            before = "a: 1\nb:\n  s3.secret-key: nested\n" if names else ""
            assert (private / name).read_text() == before + text
            assert stat.S_IMODE((private / name).stat().st_mode) == 0o600
    assert not private.parent.exists()
    assert all("old" in (conf / name).read_text() for name in names), "the other directory stays as it is"


def test_without_secrets_nothing_is_copied():
    with settings.with_secrets({"A": "b"}, {}) as found:
        assert found == {"A": "b"}


@pytest.mark.parametrize("value", ["two\nlines", "a # b", " blank"])
def test_secrets_that_flinks_old_file_cannot_hold(value):
    with pytest.raises(ValueError, match="cannot be written into flink-conf.yaml"):
        settings.added("", {"s3.secret-key": value}, legacy=True)


def test_secrets_without_a_configuration():
    with pytest.raises(ValueError, match="FLINK_HOME"), settings.with_secrets({"FLINK_HOME": "/nowhere"}, {"s3.secret-key": "x"}):
        pass


def python(text):
    return [sys.executable, "-c", text]


def test_a_command():
    heard = []
    text = "import sys; print('{}'); print('one\\ntwo', file=sys.stderr); print(sys.stdin.read(), file=sys.stderr); sys.exit(3)"
    done = process.Process(python(text), {}, "stop\n").run(heard.append)
    assert (done.code, done.answer(), done.lines) == (3, {}, ("one", "two", "stop", ""))
    assert heard == list(done.lines)


def test_a_command_is_ended_by_its_limit_and_by_what_interrupts():
    began = time.monotonic()
    assert process.Process(python("import time; time.sleep(60)"), {}).run(print, seconds=0.3).code == -9

    def interrupt(_):
        raise KeyboardInterrupt

    text = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); print('x', file=sys.stderr, flush=True); "
        "time.sleep(60)"
    )
    started = process.Process(python(text), {})
    with pytest.raises(KeyboardInterrupt):
        started.run(interrupt)
    assert started._process.returncode == 0, "it was waited for"
    assert time.monotonic() - began < 30


def test_a_command_that_asks_on_an_event_loop():
    import asyncio

    done = asyncio.run(process.ask(python("import sys; print('[]'); print('x', file=sys.stderr)"), {}))
    assert (done.code, done.answer(), done.lines) == (0, [], ("x",))
    late = asyncio.run(process.ask(python("import time; time.sleep(60)"), {}, seconds=0.3))
    assert late.code == -9 and late.answer() is None
