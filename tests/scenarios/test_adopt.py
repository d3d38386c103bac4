"""A directory that stands for a Flink distribution, for tools that want a `FLINK_HOME` (`heddle adopt`), and
the layouts in which vendors install Flink."""

import json
import os
import pwd
import re
import shlex
import shutil
import subprocess

import pytest

from conftest import FLINK_VERSION, NEWER_FLINK
from harness.checks import check_gone, check_refused
from harness.client import SMALL
from harness.cluster import Flink
from harness.waiting import wait_for

pytestmark = pytest.mark.heddle_only("it has no such directories")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do that")

COMMANDS = ["flink", "flink-yarn-session", "sql-client.sh", "sql-gateway.sh", "yarn-session.sh"]
# Nothing tells the distribution but the path of the command.
UNSET = {"FLINK_HOME": None, "FLINK_CONF_DIR": None, "FLINK_LOG_DIR": None, "PATH": os.environ["PATH"]}
DDL = "CREATE TABLE numbers (n INT) WITH ('connector' = 'datagen', 'number-of-rows' = '10');\nSHOW TABLES;\n"


def everything_in(directory):
    """What lies below a directory, and where links lead."""
    return {str(path.relative_to(directory)): os.readlink(path) if path.is_symlink() else path.stat().st_mtime_ns for path in directory.rglob("*")}


def adopt(client, *words, **options):
    return client.run("heddle", "adopt", *words, **options)


@pytest.fixture
def home(client):
    """A directory with a configuration of its own, that of the client."""
    directory = client.directory / "adopted"
    adopt(client, directory).ok()
    (directory / "conf").unlink()
    shutil.copytree(client.conf, directory / "conf")
    return directory


def test_a_directory_comes_and_goes(client, flink_home, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    directory = place / "adopted"
    planned = adopt(client, "--dry-run", directory).ok()
    assert f"would stand for the Flink {FLINK_VERSION} in {flink_home}" in planned.out and not directory.exists()
    made = json.loads(adopt(client, directory, "--output", "json").ok().out)
    assert (made["flinkHome"], made["release"], made["existed"]) == (str(flink_home), FLINK_VERSION, False)
    assert made["commands"] == [f"bin/{name}" for name in COMMANDS if name != "sql-gateway.sh" or (flink_home / "bin" / name).exists()]
    assert "It is up to date." in adopt(client, directory).ok().out

    own = {"bin", "log", ".heddle-adopted.json"}
    assert {path.name for path in directory.iterdir()} == {path.name for path in flink_home.iterdir()} | own
    for path in directory.iterdir():
        assert path.name in own or os.readlink(path) == str(flink_home / path.name)
    for name in {path.name for path in (flink_home / "bin").iterdir()} - {*COMMANDS, "config.sh"}:
        assert os.readlink(directory / "bin" / name) == str(flink_home / "bin" / name)
    for name in COMMANDS:
        # A tool may look at these.
        path = directory / "bin" / name
        assert os.path.realpath(path) == str(path) and os.access(path, os.X_OK)

    distribution = everything_in(flink_home / "lib")
    assert [path.name for path in place.iterdir()] == ["adopted"], "nothing is beside it"
    shutil.rmtree(directory)
    assert everything_in(flink_home / "lib") == distribution


def test_each_way_to_call_a_command(client, home, tmp_path):
    """By path, by a link, by the PATH, by `sh`, in its directory, and by its real path."""
    flink, link = home / "bin/flink", tmp_path / "flink"
    link.symlink_to(flink)
    environment = {key: str(value) for key, value in (client.environment() | UNSET).items() if value is not None}

    def version(*command, cwd=tmp_path, **variables):
        done = subprocess.run(list(map(str, command)), env=environment | variables, cwd=cwd, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), (command, done)
        return done.stdout

    for words in ([flink], [link], ["sh", flink], ["bash", flink], [os.path.realpath(link)]):
        assert version(*words, "--version") == f"Version: {FLINK_VERSION}\n", words
    assert version("./flink", "--version", cwd=home / "bin") == f"Version: {FLINK_VERSION}\n"
    assert version("sh", "flink", "--version", cwd=home / "bin") == f"Version: {FLINK_VERSION}\n"
    assert version("sh", "-c", "flink --version", PATH=f"{home}/bin:{environment['PATH']}") == f"Version: {FLINK_VERSION}\n"
    for named in (home, client.flink_home):
        assert version(flink, "--version", FLINK_HOME=str(named)) == f"Version: {FLINK_VERSION}\n"
    # Each name is that command.
    assert "yarn-session.sh [options]" in version(home / "bin/flink-yarn-session", "--help")
    assert "yarn-session.sh [options]" in version(home / "bin/yarn-session.sh", "--help")
    assert "flink list [options]" in version(flink, "list", "--help")


def test_another_release_wins_if_a_variable_names_it(client, home, newer_flink):
    result = client.run(home / "bin/flink", "--version", env=UNSET | {"FLINK_HOME": newer_flink})
    assert result.ok().out == f"Version: {NEWER_FLINK}\n"


def test_a_link_in_the_distribution_needs_no_variable(client, tmp_path):
    """As people make it by hand."""
    made = tmp_path / "flink"
    (made / "bin").mkdir(parents=True)
    for name in ("conf", "lib", "opt", "plugins"):
        (made / name).symlink_to(client.flink_home / name)
    (made / "bin/flink").symlink_to(client.bin / "flink")
    assert client.run(made / "bin/flink", "--version", env=UNSET).ok().out == f"Version: {FLINK_VERSION}\n"


@pytest.mark.extended
def test_a_per_job_cluster(work, client, home, jar):
    target = ["-t", "yarn-per-job", *SMALL, f"-Dyarn.application.name={work.name}"]
    result = client.run(home / "bin/flink", "run", *target, "-c", "WordCount", jar, env=UNSET).ok()
    check_gone(work.cluster, result.application, "SUCCEEDED")
    # main() has run in Flink's own client, which has written its log here.
    assert list((home / "log").glob("flink-*-client-*.log"))


def test_a_session_by_both_names(work, client, home, jar):
    """`FLINK_HOME` names the directory, as it does for tools; what stands in its own `conf` counts."""
    named = UNSET | {"FLINK_HOME": home}
    options = ["-jm", "1024", "-tm", "1024", "-nm", work.name]
    started = client.run(home / "bin/flink-yarn-session", "-d", *options, env=named).ok()
    assert list(client.properties.iterdir()), "its configuration names the place of the properties file"
    done = client.run(home / "bin/flink", "run", "-c", "WordCount", jar, env=named).ok()
    assert Flink(started.url).wait_job(done.job, "FINISHED") == "FINISHED"
    client.run(home / "bin/yarn-session.sh", "-id", started.application, env=UNSET, stdin="stop\n").ok()
    check_gone(work.cluster, started.application, "SUCCEEDED")


def test_sql_programs_are_flinks_own(work, client, home, sql_flink):
    """They run with the directory's configuration and log."""
    assert "embedded" in client.run(home / "bin/sql-client.sh", "-h", env=UNSET).ok().out
    pids = client.directory / "pids"
    stopped = client.run(home / "bin/sql-gateway.sh", "stop", env=UNSET | {"FLINK_PID_DIR": pids})
    assert "No sql-gateway daemon to stop" in stopped.text, stopped
    script = work.directory / "ddl.sql"
    script.write_text(DDL)
    for variables in (UNSET, UNSET | {"FLINK_HOME": home}):
        result = client.run(home / "bin/sql-client.sh", "-f", script, env=variables, seconds=300).ok()
        assert "numbers" in result.out, result
    assert list((home / "log").glob("flink-*-sql-client-*.log"))


def sourced(client, directory, before=""):
    """What Flink's config.sh tells a script of another tool."""
    told = 'echo "told $FLINK_HOME $FLINK_CONF_DIR $FLINK_LIB_DIR $FLINK_LOG_DIR"; constructFlinkClassPath'
    line = f'{before} . {shlex.quote(str(directory))}/bin/config.sh; {told}'
    out = client.run(shutil.which("bash"), "-c", line, env=UNSET).ok().out
    return re.search(r"^told (\S+) (\S+) (\S+) (\S+)$", out, re.MULTILINE).groups(), out.splitlines()[-1]


def test_flinks_own_scripts_get_the_directory(client, home, flink_home):
    """As flink-cdc and Kyuubi source config.sh, and as Flink's own scripts do."""
    expected = (str(home), str(home / "conf"), str((flink_home / "lib").resolve()), str(home / "log"))
    for before in ("", f"FLINK_HOME={home}; _FLINK_HOME_DETERMINED=1;"):
        told, class_path = sourced(client, home, before)
        assert told == expected
        assert re.search(r"/flink-dist-[^:/]*\.jar$", class_path), class_path


@pytest.mark.extended
def test_a_daemon_of_flinks_own(client, home):
    """The history server, with the configuration of the directory."""
    archives, pids = client.directory / "archives", client.directory / "pids"
    archives.mkdir()
    file = next(path for name in ("config.yaml", "flink-conf.yaml") if (path := home / "conf" / name).exists())
    with file.open("a") as configuration:
        configuration.write(f"historyserver.archive.fs.dir: file://{archives}\nhistoryserver.web.port: 0\n")
    variables = UNSET | {"FLINK_PID_DIR": pids}
    started = client.run(home / "bin/historyserver.sh", "start", env=variables)
    try:
        assert "Starting historyserver daemon" in started.ok().out

        def monitors():
            logs = "".join(log.read_text() for log in (home / "log").glob("flink-*-historyserver-*.log"))
            return str(archives) in logs

        wait_for("the history server watches the directory of its configuration", monitors, 60)
    finally:
        stopped = client.run(home / "bin/historyserver.sh", "stop", env=variables)
    assert "Stopping historyserver daemon" in stopped.ok().out


def test_brought_up_to_date(client, home, newer_flink):
    """Another release of Flink, and heddle at another place; what the user has made stays."""
    (home / "log/kept.log").write_text("kept")
    changed = adopt(client, home, "--flink-home", newer_flink).ok().out
    assert f"stands for the Flink {NEWER_FLINK} in {newer_flink}" in changed
    assert "conf stays as it is" in changed and "lib was replaced" in changed
    assert client.run(home / "bin/flink", "--version", env=UNSET).ok().out == f"Version: {NEWER_FLINK}\n"
    assert (home / "log/kept.log").read_text() == "kept" and (home / "conf").is_dir() and not (home / "conf").is_symlink()
    told, _ = sourced(client, home)
    assert told[2] == str((newer_flink / "lib").resolve())
    # The variable names the older one, and that alone changes nothing.
    again = adopt(client, home).ok()
    assert "lib was" not in again.out and f"goes on to stand for {newer_flink}" in again.err

    # heddle is named by the path at which it is installed, which may lead elsewhere after an upgrade.
    installed = client.directory / "installed"
    installed.symlink_to(client.bin)
    adopt(client, home, env={"PATH": f"{installed}:{os.environ['PATH']}"}).ok()
    assert f"'{installed}/heddle'" in (home / "bin/flink").read_text()
    installed.unlink()
    gone = client.run(home / "bin/flink", "--version", env=UNSET)
    assert gone.code == 127 and f"{installed}/heddle" in gone.err, gone
    assert "bin/flink was replaced" in adopt(client, home).ok().out
    assert client.run(home / "bin/flink", "--version", env=UNSET).ok().out == f"Version: {NEWER_FLINK}\n"


def test_what_is_refused(client, flink_home, tmp_path):
    place = tmp_path / "place"
    others = place / "others"
    others.mkdir(parents=True)
    (others / "file").write_text("x")
    before = everything_in(place)
    check_refused(adopt(client, others), others, "`heddle adopt` has not made it")
    check_refused(adopt(client, place / "gone/deeper"), "must be there already")
    check_refused(adopt(client, flink_home), "it is that Flink distribution itself")
    check_refused(adopt(client, flink_home / "for-tools"), "it lies in that Flink distribution")
    check_refused(adopt(client, place / "new", "--flink-home", others), "is no Flink distribution", "flink-dist")
    check_refused(adopt(client, place / "new", env={"FLINK_HOME": None}), "FLINK_HOME is not set", "--flink-home")
    check_refused(adopt(client), "the directory is missing")
    answer = json.loads(adopt(client, others, "--output", "json").out)
    assert "has not made it" in answer["error"]["message"] and answer["error"]["hints"]
    assert everything_in(place) == before and not (flink_home / "for-tools").exists()


@as_root
def test_a_directory_of_another_user_is_refused(client, tmp_path):
    directory = tmp_path / "adopted"
    directory.mkdir()
    daemon = pwd.getpwnam("daemon")
    os.chown(directory, daemon.pw_uid, daemon.pw_gid)
    check_refused(adopt(client, directory), directory, "belongs to daemon")
    os.chown(directory, os.geteuid(), os.getegid())
    adopt(client, directory).ok()
    os.chown(directory, daemon.pw_uid, daemon.pw_gid)
    check_refused(adopt(client, directory), "belongs to daemon")


# Where only one process sees what is mounted


def apart(client, prepare, *command, **options):
    """Runs a command where `prepare`, a script, has mounted and made what nobody else sees."""
    script = f'set -e\n{prepare}\nexec "$@"\n'
    return client.run(shutil.which("unshare"), "--mount", "bash", "-c", script, "bash", *command, **options)


# More can be made in these than is there: other tests, and this machine, do not see it.
OVER = """
mount -t tmpfs tmpfs {scratch}
for place in {places}; do
    mkdir -p {scratch}/$place/upper {scratch}/$place/work
    mount -t overlay overlay -o lowerdir=/$place,upperdir={scratch}/$place/upper,workdir={scratch}/$place/work /$place
done
"""


@pytest.fixture
def over(client, tmp_path):
    """A script that lets one make more in `/etc`, `/opt` and `/usr/lib`."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    script = OVER.format(scratch=shlex.quote(str(scratch)), places="etc opt usr/lib")
    if os.geteuid() != 0 or not shutil.which("unshare") or apart(client, script, "true").code != 0:
        pytest.skip("this machine lets nobody mount here")
    return script


def test_without_space_nothing_is_left(client, over, tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    prepare = f"mount -t tmpfs -o size=64k,nr_inodes=12 tmpfs {place}"
    result = apart(client, prepare, "bash", "-c", '"$@"; code=$?; ls -A "$0" | sed "s/^/left: /"; exit $code', place, client.bin / "heddle", "adopt", place / "new")
    [error] = result.error_lines()
    assert result.code == 1 and "cannot make" in error and "No space left" in error, result
    assert "left:" not in result.out, result


LINKED = """
mkdir -p {home}
for name in bin lib opt plugins; do ln -s {flink}/$name {home}/$name; done
mkdir -p /etc/flink /etc/hadoop
cp -r {conf} /etc/flink/conf
rm -rf /etc/hadoop/conf
cp -r {hadoop} /etc/hadoop/conf
"""


def layout(client, home):
    words = {"home": home, "flink": client.flink_home, "conf": client.conf, "hadoop": client.cluster.conf}
    return LINKED.format(**{key: shlex.quote(str(value)) for key, value in words.items()})


NOTHING = UNSET | {"HADOOP_CONF_DIR": None}
# In the configuration of the client, and in no distribution's.
MANAGED = 123 << 20


def managed(client, prepare, variables):
    """The size of a pool as the configuration that is found says it."""
    words = ("memory", "--offline", "--output", "json")
    found = apart(client, prepare, client.bin / "heddle", *words, env=variables).ok()
    return json.loads(found.out)["taskManager"]["memory"]["managedMemory"]


@pytest.mark.extended
def test_the_layout_of_emr_and_bigtop(work, client, over, jar):
    """`/usr/lib/flink`, whose `conf` is a link to `/etc/flink/conf`, and `/etc/hadoop/conf`: no variable is
    set, and a cluster is deployed."""
    client.configure({"taskmanager.memory.managed.size": "123m"})
    prepare = over + layout(client, "/usr/lib/flink") + "ln -s /etc/flink/conf /usr/lib/flink/conf\n"
    assert managed(client, prepare, NOTHING) == MANAGED
    assert "note:" not in apart(client, prepare, client.bin / "heddle", "ps", env=NOTHING).ok().err
    target = ["-t", "yarn-per-job", *SMALL, f"-Dyarn.application.name={work.name}"]
    logs = NOTHING | {"FLINK_LOG_DIR": client.directory / "logs"}
    result = apart(client, prepare, client.bin / "flink", "run", *target, "-c", "WordCount", jar, env=logs).ok()
    check_gone(work.cluster, result.application, "SUCCEEDED")


def test_the_layout_of_cloudera(client, over):
    """A parcel whose distribution has no `conf`; `flink` on the PATH is a script of the parcel."""
    client.configure({"taskmanager.memory.managed.size": "123m"})
    parcel = "/opt/cloudera/parcels/FLINK-1.2.3"
    prepare = over + layout(client, f"{parcel}/lib/flink") + f"""
ln -s FLINK-1.2.3 /opt/cloudera/parcels/FLINK
mkdir {parcel}/bin
printf '#!/bin/sh\\nexit 9\\n' >{parcel}/bin/flink
chmod +x {parcel}/bin/flink
"""
    on_path = NOTHING | {"PATH": f"{parcel}/bin:{os.environ['PATH']}"}
    for variables in (NOTHING, on_path, NOTHING | {"FLINK_HOME": "/opt/cloudera/parcels/FLINK/lib/flink"}):
        version = apart(client, prepare, client.bin / "flink", "--version", env=variables)
        assert version.ok().out == f"Version: {FLINK_VERSION}\n"
        assert managed(client, prepare, variables) == MANAGED


def test_two_layouts_are_told(client, over):
    """Of two distributions, and of two configurations, it is told which one counts."""
    places = ["/usr/lib/flink", "/opt/cloudera/parcels/FLINK/lib/flink"]
    prepare = over + layout(client, places[0]) + f"mkdir -p {places[1]} {places[0]}/conf\n"
    prepare += f"ln -s {client.flink_home}/lib {places[1]}/lib\ncp {client.conf}/* {places[0]}/conf\n"
    result = apart(client, prepare, client.bin / "heddle", "ps", env=NOTHING).ok()
    notes = [line for line in result.err.splitlines() if line.startswith("note: ")]
    assert len(notes) == 2 and all(place in notes[0] for place in places), result
    assert "/usr/lib/flink/conf" in notes[1] and "/etc/flink/conf" in notes[1], result
    named = NOTHING | {"FLINK_HOME": places[0], "FLINK_CONF_DIR": client.conf}
    assert "note:" not in apart(client, prepare, client.bin / "heddle", "ps", env=named).ok().err
