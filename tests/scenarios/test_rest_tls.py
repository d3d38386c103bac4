"""TLS: for the REST interface as Flink is told to speak it, and between the processes of a cluster with a key
of heddle's."""

import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import stat
import subprocess
import urllib.error
from pathlib import Path

import pytest

from harness import processes, sockets
from harness.checks import check_gone, check_refused
from harness.cluster import Flink, request
from harness.waiting import wait_for

# Other than any word of a log.
PASSWORD = "changeit-9f2c"
REST = "security.ssl.rest."


class Keys:
    """Keystores and truststores made by Java's keytool, below one directory."""

    def __init__(self, directory, java_home):
        self.directory = directory
        tool = Path(java_home or "/none") / "bin/keytool"
        self.tool = tool if tool.exists() else shutil.which("keytool")
        assert self.tool, "there is no keytool on this machine"
        for name in ("server", "client", "stranger"):
            self.made(name)
        # Both directions in one truststore, as one configuration for client and cluster has it.
        self.trusting("server", "client", into="trust.jks")
        self.trusting("server", into="server-only.p12", kind="PKCS12")
        self.trusting("stranger", into="wrong.jks")
        self.made("elsewhere", hosts=["dns:elsewhere.example"])
        self.trusting("elsewhere", into="elsewhere-only.jks")

    def keytool(self, *words):
        done = subprocess.run([self.tool, *map(str, words), "-noprompt"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done

    def made(self, name, hosts=None):
        """For this machine, unless hosts are given."""
        here = [*(f"dns:{host}" for host in sorted({"localhost", socket.gethostname(), socket.getfqdn()})), "ip:127.0.0.1"]
        names = ",".join(hosts or here)
        of_whom = ["-dname", f"CN={name}", "-ext", f"SAN={names}", "-validity", "365"]
        words = ["-genkeypair", "-alias", name, "-keyalg", "RSA", "-keysize", "2048", "-storetype", "JKS", *of_whom]
        self.keytool(*words, "-keystore", self / f"{name}.jks", "-storepass", PASSWORD, "-keypass", PASSWORD)
        store = ["-keystore", self / f"{name}.jks", "-storepass", PASSWORD, "-alias", name]
        self.keytool("-exportcert", "-rfc", *store, "-file", self / f"{name}.pem")

    def trusting(self, *names, into, kind="JKS"):
        for name in names:
            store = ["-storetype", kind, "-keystore", self / into, "-storepass", PASSWORD]
            self.keytool("-importcert", "-alias", name, "-file", self / f"{name}.pem", *store)

    def __truediv__(self, name):
        return self.directory / name

    def settings(self, trust="trust.jks", key="server.jks", **more):
        """Flink's configuration for a REST interface with TLS."""
        found = {f"{REST}enabled": "true", f"{REST}truststore": self / trust, f"{REST}truststore-password": PASSWORD}
        found |= {f"{REST}keystore": self / key, f"{REST}keystore-password": PASSWORD, f"{REST}key-password": PASSWORD}
        return found | {f"{REST}{name.replace('_', '-')}": value for name, value in more.items()}

    @property
    def context(self):
        """For this process's own calls."""
        made = ssl.create_default_context(cafile=self / "server.pem")
        made.check_hostname = False
        return made


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"), os.environ.get("JAVA_HOME"))


@pytest.fixture
def told(client, keys):
    """The client, with TLS in its configuration file, as one truststore and one key for it and the
    cluster."""
    client.configure(keys.settings())
    return client


@pytest.mark.reference(extended=True)
@pytest.mark.slow("a session with three jobs")
def test_a_session_and_what_is_done_with_its_jobs(work, told, keys, jar):
    session = told.session("-nm", work.name, "-Dtaskmanager.numberOfTaskSlots=4")
    assert session.url.startswith("https://"), session.url
    # Whoever speaks without TLS gets nothing.
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        request(session.url.replace("https:", "http:") + "/overview")
    rest = Flink(session.url, keys.context)
    at = f"{work.cluster.fs}{work.hdfs_dir}"
    work.cluster.hdfs.write(f"{work.hdfs_dir}/in/text.txt", "to be or not to be\n")
    session.run(jar, "WordCount", "--input", f"{at}/in", "--output", f"{at}/out").ok()
    assert "to,2" in work.cluster.hdfs.read_all(f"{work.hdfs_dir}/out")

    progress = work.directory / "progress"
    words = ["--checkpoints", f"{at}/checkpoints", "--interval", "500", "--delay", "10", "--progress", f"file://{progress}"]
    jobs = [session.run(jar, "Counting", *words, options=["-d"]).ok().job for _ in range(2)]
    for job in jobs:
        rest.wait_job(job, "RUNNING")
    assert all(job in told.flink("list", *session.target()).ok().out for job in jobs)
    out = told.flink("savepoint", *session.target(), jobs[0], f"{at}/savepoints").ok().out
    assert "Savepoint completed" in out
    out = told.flink("stop", *session.target(), "-p", f"{at}/savepoints", jobs[0]).ok().out
    assert "Savepoint completed" in out
    rest.wait_job(jobs[0], "FINISHED")
    told.flink("cancel", *session.target(), jobs[1]).ok()
    rest.wait_job(jobs[1], "CANCELED")
    session.stop().ok()
    work.cluster.yarn.wait_state(session.application, "FINISHED")


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_an_application(work, told, jar):
    at = f"{work.cluster.fs}{work.hdfs_dir}"
    work.cluster.hdfs.write(f"{work.hdfs_dir}/in/text.txt", "to be or not to be\n")
    result = told.application(work.name, jar, "WordCount", "--input", f"{at}/in", "--output", f"{at}/out").ok()
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=90)
    assert "be,2" in work.cluster.hdfs.read_all(f"{work.hdfs_dir}/out")


@pytest.mark.reference(extended=True)
@pytest.mark.parametrize(
    "more",
    [{}, *(pytest.param({key: "true"}, marks=pytest.mark.extended) for key in ("authentication_enabled", "verify_hostname"))],
    ids=["", "authenticated", "named"],
)
def test_a_per_job_cluster(work, client, keys, jar, more):
    """The ApplicationMaster asks its JobManager over TLS, too; otherwise the cluster would not end."""
    client.configure(keys.settings(**more))
    at = f"{work.cluster.fs}{work.hdfs_dir}"
    work.cluster.hdfs.write(f"{work.hdfs_dir}/in/text.txt", "to be or not to be\n")
    running = client.start_per_job(work.name, jar, "WordCount", "--input", f"{at}/in", "--output", f"{at}/out")
    if client.is_heddle:
        # Where the name matters, heddle speaks TLS itself, and Flink's client does not.
        command = wait_for("Flink's client", lambda: flinks_client(running), 60)
        assert (f"-D{REST}enabled=false" in command) == ("verify_hostname" in more), command
    result = running.result(180).ok()
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=60)
    log = work.cluster.log_text(result.application, "heddle-am.log") if client.is_heddle else ""
    assert "cannot speak TLS" not in log and "certificate" not in log


@pytest.mark.heddle_only("its releases before 2.3 do not check the name")
def test_a_per_job_cluster_whose_certificate_is_for_another_host(work, client, keys, jar):
    client.configure(keys.settings(trust="elsewhere-only.jks", key="elsewhere.jks", verify_hostname="true"))
    refused = client.per_job(work.name, jar, "Sleepy", "--seconds", "1")
    check_refused(refused, "is for another host", "SAN=dns:", f"{REST}verify-hostname")


@pytest.mark.heddle_only("it has no --timing, no JSON, and no word of the truststore")
@pytest.mark.slow("a session, and commands of clients with other truststores")
def test_other_truststores_and_addresses(work, told, keys, jar):
    result = told.run("yarn-session.sh", "-d", "-nm", work.name, "-jm", "1024", "-tm", "1024", "--timing").ok()
    # The head start holds with TLS, too: YARN knows the address before Flink tells it.
    assert "JobManager" in result.err
    address, target = result.url.removeprefix("https://"), ["-t", "yarn-session", f"-Dyarn.application.id={result.application}"]
    listed = json.loads(told.run("heddle", "ps", "--output", "json").ok().out)
    [mine] = [app for app in listed if app["application"] == result.application]
    assert (mine["webInterface"], mine["jobs"]) == (result.url, [])

    # With its own truststore only, of the other type, by an address and by the id alone.
    careful = work.client()
    trust = [f"-D{REST}truststore={keys / 'server-only.p12'}", f"-D{REST}truststore-password={PASSWORD}"]
    for where in (["-m", result.url], target, ["-m", address, f"-D{REST}enabled=true"]):
        assert "No running jobs." in careful.flink("list", *where, *trust).ok().out
    careful.flink("run", *target, *trust, "-c", "Sleepy", jar, "--seconds", "1").ok()

    # A truststore without the server's certificate is named, and so is a password that is wrong.
    wrong = [f"-D{REST}truststore={keys / 'wrong.jks'}", f"-D{REST}truststore-password={PASSWORD}"]
    for words in (["list", "-m", result.url], ["list", *target], ["cancel", *target, "0" * 32], ["run", *target, "-c", "Sleepy", jar]):
        verb, *rest = words
        refused = careful.flink(verb, *wrong, *rest)
        check_refused(refused, keys / "wrong.jks", f"{REST}truststore", address)
        assert any(f"{REST}truststore" in hint for hint in refused.hints()), refused
    refused = careful.flink("list", "-m", result.url, wrong[0], f"-D{REST}truststore-password=nonsense-71")
    check_refused(refused, keys / "wrong.jks", "password")
    assert "nonsense-71" not in refused.text
    # The fingerprint alone decides.
    pem = ssl.PEM_cert_to_DER_cert((keys / "server.pem").read_text())
    digest = hashlib.sha1(pem).hexdigest()
    careful.flink("list", "-m", result.url, *wrong, f"-D{REST}cert.fingerprint={digest}").ok()
    check_refused(careful.flink("list", "-m", result.url, *trust, f"-D{REST}cert.fingerprint={'0' * 40}"), "fingerprint")
    # What is not TLS does not become it, and TLS does not become plain.
    check_refused(careful.flink("list", "-m", address), address)
    check_refused(told.flink("list", "-m", f"http://{address}"), "https://")
    check_refused(careful.flink("list", "-m", result.url, *trust, "-Dsecurity.ssl.protocol=TLSv1.1"), "security.ssl.protocol", "TLSv1.3")
    told.run("yarn-session.sh", "-id", result.application, stdin="stop\n").ok()
    work.cluster.yarn.wait_state(result.application, "FINISHED")


@pytest.mark.heddle_only("it does not say that a certificate of its own is missing")
@pytest.mark.slow("a session, and jobs of two clients")
def test_a_server_that_wants_to_know_its_clients(work, client, keys, jar):
    client.configure(keys.settings(authentication_enabled="true"))
    session = client.session("-nm", work.name)
    with pytest.raises((urllib.error.URLError, ConnectionError, ssl.SSLError)):
        Flink(session.url, keys.context).get("overview")
    assert "No running jobs." in client.flink("list", *session.target()).ok().out
    session.run(jar, "Sleepy", "--seconds", "1").ok()
    # With a key of its own.
    other = work.client()
    other.configure(keys.settings(trust="server-only.p12", key="client.jks", authentication_enabled="true"))
    assert "No running jobs." in other.flink("list", *session.target()).ok().out
    session.run(jar, "Sleepy", "--seconds", "1", client=other).ok()
    # With none, and with one that the cluster does not know.
    check_refused(other.flink("list", *session.target(), f"-D{REST}authentication-enabled=false"), "TLS", f"{REST}authentication-enabled")
    check_refused(other.flink("list", *session.target(), f"-D{REST}keystore={keys / 'stranger.jks'}"), "TLS")
    session.stop().ok()
    work.cluster.yarn.wait_state(session.application, "FINISHED")


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_keystores_that_are_shipped(work, client, keys, jar):
    """By relative paths, which client and containers both have."""
    shipped = client.directory / "deploy-keys"
    shipped.mkdir()
    for name in ("server.jks", "trust.jks"):
        shutil.copy(keys / name, shipped)
    here = {f"{REST}keystore": "deploy-keys/server.jks", f"{REST}truststore": "deploy-keys/trust.jks"}
    client.configure(keys.settings() | here | {"yarn.ship-files": shipped})
    result = client.per_job(work.name, jar, "Sleepy", "--seconds", "1").ok()
    check_gone(work.cluster, result.application, "SUCCEEDED", seconds=60)


def flinks_client(running):
    """The command line of Flink's own client, once a command of heddle's has started it."""
    commands = [" ".join(process.command) for process in processes.below(running.process.pid)]
    return next((command for command in commands if "-Drest.port=" in command), None)


def first_bytes(host, port, what):
    """What a server answers, at most its first bytes; nothing if it closes the connection or stays silent."""
    with socket.create_connection((host, port), timeout=5) as connection:
        connection.sendall(what)
        connection.settimeout(5)
        try:
            return connection.recv(64)
        except OSError:
            return b""


def hello():
    """The first message of a client of TLS."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    made = context.wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        made.do_handshake()
    return outgoing.read()


@pytest.mark.heddle_only("it makes no keys")
@pytest.mark.parametrize("mode", ["session", *(pytest.param(mode, marks=pytest.mark.extended) for mode in ("application", "per-job"))])
@pytest.mark.slow("a job across two TaskManagers, and a look at all ports")
def test_a_cluster_with_a_key_of_heddles(work, client, jar, mode):
    options = ["-Dheddle.security.internal-ssl=true", "-Dtaskmanager.numberOfTaskSlots=1", "-Dparallelism.default=2"]
    at = f"{work.cluster.fs}{work.hdfs_dir}"
    words = ["--checkpoints", f"{at}/checkpoints", "--interval", "500", "--delay", "10", "--progress", f"file://{work.directory}/progress"]
    if mode == "session":
        session = client.session("-nm", work.name, *options, "-Dresourcemanager.taskmanager-timeout=60000")
        # Nothing but the id is needed.
        result = work.client().flink("run", *session.target(), "-d", "-p", "2", "-c", "Counting", jar, *words).ok()
        application, url = session.application, session.url
    elif mode == "application":
        result = client.application(work.name, jar, "Counting", *words, options=options).ok()
        application, url = result.application, result.rest
    else:
        result = client.per_job(work.name, jar, "Counting", *words, options=["-d", *options]).ok()
        application, url = result.application, result.rest
    rest = Flink(url)
    [job] = wait_for("a job", lambda: list(rest.jobs()))
    rest.wait_job(job, "RUNNING")
    # Each element goes from one TaskManager to the other, so checkpoints prove that the data connection
    # works.
    wait_for("a checkpoint", lambda: rest.get(f"jobs/{job}/checkpoints")["counts"]["completed"] > 0, 60)
    workers = processes.taskmanager_jvms(work.cluster, application)
    assert len(workers) == 2

    # The REST interface is not concerned; all other ports speak TLS and nothing else.
    own = int(url.rpartition(":")[2])
    [master] = [process for process in processes.jvms(work.cluster, application) if processes.is_master(process)]
    checked = 0
    for process in [master, *workers]:
        for host, port in sockets.listening(process.pid):
            if port == own:
                continue
            checked += 1
            assert first_bytes(host, port, hello())[:1] == b"\x16", f"port {port} of {process} does not speak TLS"
            plain = first_bytes(host, port, b"GET / HTTP/1.1\r\n\r\n" * 4)
            assert plain[:1] in (b"", b"\x15"), f"port {port} of {process} answers {plain!r}"
    # RPC and blobs of the JobManager, RPC and data of each TaskManager.
    assert checked >= 6

    # The password is in the files that need it, and nowhere else.
    [conf] = [path for name in ("config.yaml", "flink-conf.yaml") if (path := Path(f"/proc/{workers[0].pid}/cwd/{name}")).exists()]
    password = re.search(r"keystore-password: '?\"?([0-9a-f]{64})", conf.read_text())[1]
    for process in [master, *workers]:
        cwd = Path(f"/proc/{process.pid}/cwd")
        for file in (cwd / "heddle-internal.p12", cwd / conf.name):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert rest.config()["security.ssl.internal.keystore-password"] == "******"
    everything = [Path(f"/proc/{pid}/{what}") for pid in processes.all_pids() for what in ("cmdline", "environ")]
    everything += list(work.cluster.directory.glob(f"nodemanager*/logs/{application}/*/*")) + list(client.properties.iterdir())
    everything += [path for path in client.directory.rglob("*") if path.is_file()]
    for file in everything:
        try:
            assert password.encode() not in file.read_bytes(), file
        except OSError:
            continue
    names = work.cluster.hdfs.tree(f"{work.cluster.hdfs.home}/.flink/{application}")
    assert not [name for name in names if "internal" in name], names
    work.cluster.yarn.kill(application)
    work.cluster.yarn.wait_state(application, "KILLED", "FINISHED", "FAILED")


@pytest.mark.heddle_only("it makes no keys")
def test_a_dry_run_shows_no_password(work, client, jar):
    options = ["-t", "yarn-application", "--dry-run", "-Dheddle.security.internal-ssl=true", f"-Dyarn.application.name={work.name}"]
    shown = client.flink("run-application", *options, "--output", "json", "-c", "WordCount", jar).ok()
    plan = json.loads(shown.out)
    settings = {setting["key"]: setting["value"] for setting in plan["configuration"]}
    assert settings["security.ssl.internal.keystore"] == "heddle-internal.p12"
    assert settings["security.ssl.internal.keystore-password"] == "******"
    assert not re.search(r"[0-9a-f]{64}", json.dumps({key: value for key, value in settings.items() if "ssl" in key}))
    assert any(file["name"] == "heddle-internal.p12" for file in plan["taskManager"]["files"])


@pytest.mark.heddle_only("its client connects to the JobManager itself")
@pytest.mark.skipif(os.geteuid() != 0, reason="another user's process can be started only as root")
def test_the_port_of_a_per_job_client_is_its_users(work, client, jar):
    running = client.start_per_job(work.name, jar, "Sleepy", "--seconds", "20")

    def forwarder():
        command = flinks_client(running)
        return command and int(re.search(r"-Drest\.port=(\d+)", command)[1])

    port = wait_for("Flink's client", forwarder, 60)
    call = (
        f"import socket; s = socket.create_connection(('127.0.0.1', {port}), 10); s.sendall(b'GET /config HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n'); "
        "s.settimeout(60); print(len(s.recv(100)))"
    )
    python = shutil.which("python3", path="/usr/bin:/bin") or "python3"
    as_other = {"user": 65534, "group": 65534, "extra_groups": []}
    other = subprocess.run([python, "-c", call], cwd="/", capture_output=True, text=True, timeout=90, **as_other)
    assert other.stdout.strip() in ("0", "") and "200" not in other.stdout, other
    own = subprocess.run([python, "-c", call], cwd="/", capture_output=True, text=True, timeout=90, check=True)
    assert int(own.stdout) > 0
    result = running.result(180).ok()
    assert re.search(r"WARN .* id 65534 ", result.text), result
    # The command ends with its job, and the application a moment later.
    work.cluster.yarn.wait_state(result.application, "FINISHED")
