"""Secrets of the configuration are in no log, command line, environment or message, and no process that has
them leaves a core dump."""

import json
import os
import re
import tarfile
from pathlib import Path

import pytest

from harness import processes
from harness.checks import check_gone, check_refused
from harness.client import SMALL
from harness.waiting import wait_for

# Keys that each release of Flink takes for secret, so that its own log does not have their values either.
FLINKS = ("s3.secret-key", "my.connector.password")
# Keys that only heddle takes for secret.
OTHERS = ("my.tls.private.key", "my.tls.passphrase", "my.store.access-key")


def canaries(keys, word):
    """A value for each key that is found nowhere by chance."""
    return {key: f"canary-{word}-{number}-{os.getpid()}" for number, key in enumerate(keys)}


def found_in(text, values):
    return [value for value in values if value in text]


def files_below(*places):
    """The text of each file, by its path."""
    for place in places:
        for path in sorted(place.rglob("*")):
            if path.is_file():
                yield path, path.read_text(errors="replace")


def command_lines():
    for pid in processes.all_pids():
        if process := processes.read(pid):
            yield process, " ".join(process.command)


def both_jvms(work, application):
    """That of the JobManager and that of the TaskManager, which YARN counts a moment before it runs."""
    found = lambda: processes.jvms(work.cluster, application)  # noqa: E731
    return wait_for("two JVMs", lambda: jvms if len(jvms := found()) >= 2 else None, 60)


def check_cluster(work, application, values):
    """No log of the containers, no command line of any process, no environment of the JVMs, and not YARN
    itself tells them."""
    logs = list(work.cluster.directory.glob(f"nodemanager*/logs/{application}"))
    assert logs
    for path, text in files_below(*logs):
        assert not found_in(text, values), path
    for process, line in command_lines():
        assert not found_in(line, values), process
    for jvm in both_jvms(work, application):
        assert not found_in(" ".join(jvm.environment.values()), values), jvm
    assert not found_in(str(work.cluster.yarn.app(application)), values)


def check_client(client, results, values):
    for result in results:
        assert not found_in(result.text, values), result
    for path, text in files_below(client.directory / "logs"):
        assert not found_in(text, values), path
    # What the client has started, such as the JVM for main().
    for result in results:
        for process in filter(None, result.watch.seen):
            assert not found_in(" ".join(process.command), values), process


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_secrets_of_the_configuration_file(work, client, jar):
    secrets = canaries(FLINKS, "file")
    client.configure(secrets)
    session = client.session("-nm", work.name)
    run = session.run(jar, "Sleepy", "--seconds", "20", options=["-d"]).ok()
    work.cluster.yarn.wait_workers(session.application, 1)
    check_cluster(work, session.application, secrets.values())
    check_client(client, [session.result, run], secrets.values())
    for path, text in files_below(client.properties):
        assert not found_in(text, secrets.values()), path
    session.stop().ok()


@pytest.mark.extended
@pytest.mark.heddle_only("it has no such log")
def test_secrets_and_all_log_lines(work, client, jar):
    """What heddle logs for its developers has none, either: neither those of the configuration nor those of
    options and of the program's arguments."""
    typed, written = canaries([*FLINKS, *OTHERS], "logged"), canaries(OTHERS, "file")
    client.configure({f"file.{key}": value for key, value in written.items()})
    client.variables["HEDDLE_LOG"] = "debug"
    options, argument = [f"-D{key}={value}" for key, value in typed.items()], f"canary-argument-{os.getpid()}"
    line = ["run", "-t", "yarn-session", *options, "-c", "WordCount", str(jar), "--secret", argument]
    understood = client.run("heddle", "reference", "--check", "--", "flink", *line)
    session = client.session("-nm", work.name, *options)
    run = session.run(jar, "WordCount", "--secret", argument, options=options).ok()
    for result in (understood, session.result, run):
        assert "DEBUG" in result.err, "the check can fail"
        assert not found_in(result.text, [*typed.values(), *written.values(), argument]), result
    session.stop().ok()


@pytest.mark.heddle_only("Flink's own client writes all -D into the properties file, and it knows fewer names of secrets")
def test_secrets_of_options(work, client, jar):
    """Given by -D, they are in the command line that the user has typed; they must get no further."""
    typed, written = canaries([*FLINKS, *OTHERS], "typed"), canaries(OTHERS, "written")
    client.configure({f"file.{key}": value for key, value in written.items()})
    session = client.session("-nm", work.name, *(f"-D{key}={value}" for key, value in typed.items()))
    run = session.run(jar, "Sleepy", "--seconds", "20", options=["-d"]).ok()
    work.cluster.yarn.wait_workers(session.application, 1)
    # Flink logs the values of keys that it does not take for secret, so only those of its own list count
    # here.
    check_cluster(work, session.application, [typed[key] for key in FLINKS])
    shown = [*typed.values(), *written.values()]
    assert not found_in(session.result.text + run.text, shown)
    for path, text in files_below(client.properties):
        assert not found_in(text, shown), path
    # This command names no secret, so its JVM must not have one from the session. That of the file it reads,
    # and Flink's client logs the values of keys that it does not take for secret.
    check_client(client, [run], typed.values())
    for process, line in command_lines():
        assert not found_in(line, shown), process
    store = list(work.cluster.directory.glob(f"nodemanager*/logs/{session.application}/*/heddle-am.log"))
    assert store and not any(found_in(file.read_text(errors="replace"), shown) for file in store)
    session.stop().ok()


@pytest.mark.heddle_only("it has no dry run, and no JSON")
def test_secrets_in_what_is_shown(work, client, jar):
    """Plans, as text, in detail and as JSON, and errors: also of values that are wrong, and of secrets inside
    JVM options."""
    secrets = canaries([*FLINKS, *OTHERS], "shown")
    inside = f"canary-inside-{os.getpid()}"
    client.configure({key: value for key, value in list(secrets.items())[:2]})
    words = [f"-D{key}={value}" for key, value in list(secrets.items())[2:]]
    words += [f"-Denv.java.opts.all=-Dmy.trust.password={inside} -Dplain=seen"]
    target = ["-t", "yarn-application", f"-Dyarn.application.name={work.name}", *SMALL]
    program = ["-c", "WordCount", jar, "--password", inside, f"--token={inside}"]
    for more in ([], ["-v"], ["--output", "json"]):
        plan = client.flink("run-application", *target, *words, "--dry-run", *more, *program).ok()
        assert not found_in(plan.text, [*secrets.values(), inside]), plan
        assert more == [] or "******" in plan.text and "-Dplain=seen" in plan.text, plan
    wrong = client.flink("run-application", *target, *words, "-Dtaskmanager.memory.process.size=1", "-v", *program)
    check_refused(wrong, "taskmanager.memory")
    assert not found_in(wrong.text, [*secrets.values(), inside]), wrong


# What the exception has in its message, and what steers a terminal.
THROWN, STEERS = "canary-thrown", re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.mark.heddle_only("it tells YARN what the program says, and has none of these commands")
def test_secrets_in_an_exception(work, client, jar):
    """YARN shows diagnostics to more people than the user, and what commands print goes into tickets. The
    reason stays."""
    failed = client.application(work.name, jar, "ThrowInMain", "with-a-password", options=["--attached"])
    assert failed.code == 1 and "heddle-test: thrown in main" in failed.text, failed
    application = failed.application
    diagnostics = check_gone(work.cluster, application, "FAILED")["diagnostics"]
    assert "heddle-test: thrown in main" in diagnostics and "jdbc:x://ann:******@h/db" in diagnostics, diagnostics
    assert not found_in(diagnostics, [THROWN]), diagnostics

    # Somebody else's file, to which a link leads that has the name of the archive.
    archive, others = work.directory / "ticket.tar.gz", work.directory / "others"
    others.write_text("theirs")
    archive.symlink_to(others)
    commands = [["why", "--all"], ["why", "--output", "json"], ["why", "--bundle", archive, "--force"], ["status"], ["status", "--output", "json"]]
    commands += [["ps"], ["ps", "--output", "json"]]
    results = [client.run("heddle", *words, application) for words in commands]
    for result in (failed, *results):
        assert not found_in(result.text, [THROWN]) and not STEERS.search(result.text), result
    for result in results[:3]:
        assert "heddle-test: thrown in main" in result.out and "--password ******" in result.out, result
    assert json.loads(results[1].out)["findings"], results[1]
    assert archive.is_file() and not archive.is_symlink() and others.read_text() == "theirs"
    assert archive.stat().st_mode & 0o777 == 0o600
    with tarfile.open(archive) as opened:
        for member in opened:
            text = opened.extractfile(member).read().decode()
            assert not found_in(text, [THROWN]), (member.name, text)


def core_limit(pid):
    """The soft limit of a core dump's size."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in lines if line.startswith("Max core file size")).split()[4]


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.heddle_only("its processes are heddle's")
def test_no_core_dumps_of_what_holds_secrets(work, client, jar):
    """heddle's own programs leave none; a JVM may, as far as its NodeManager lets it."""
    session = client.session("-nm", work.name)
    running = session.start(jar, "Sleepy", "--seconds", "30")
    work.cluster.yarn.wait_workers(session.application, 1)
    running.wait_text("Job has been submitted")
    assert core_limit(running.process.pid) in ("0", "1")
    own = []
    for jvm in both_jvms(work, session.application):
        supervisor = parent(jvm.pid)
        own.append(os.path.basename(processes.read(supervisor).command[0]))
        assert core_limit(supervisor) in ("0", "1"), processes.read(supervisor)
        above = supervisor
        while not (ancestor := processes.read(above := parent(above))).is_jvm:
            assert above > 1, "no NodeManager above"
        assert core_limit(jvm.pid) == core_limit(ancestor.pid), (jvm, ancestor)
    assert sorted(own) == ["heddle-am", "heddle-taskrunner"], own
    running.interrupt()
    running.result()
    session.stop().ok()
