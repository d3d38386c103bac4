"""A session comes up as what was asked for, and YARN shows it so."""

import json
import os
import re
import signal
import subprocess

import pytest

from harness.cluster import Flink, request
from harness.waiting import wait_for


@pytest.mark.reference
@pytest.mark.every_hadoop
def test_name_type_queue_and_tracking_url(work, client):
    result = client.session("-nm", work.name, "-qu", "qa-team").result
    assert f"Found Web Interface {result.url.removeprefix('http://')} of application '{result.application}'" in result.text
    assert f"-id {result.application}" in result.text, "says how to stop it"

    app = work.cluster.yarn.app(result.application)
    assert (app["state"], app["name"], app["applicationType"]) == ("RUNNING", work.name, "Apache Flink")
    assert app["queue"] == "qa-team"
    assert app["finalStatus"] == "UNDEFINED"
    # Through YARN's proxy: Flink's own web interface.
    assert "/proxy/" in app["trackingUrl"]
    page = request(app["trackingUrl"]).decode()
    assert "<title>Apache Flink Web Dashboard</title>" in page
    # And directly, where the client said.
    assert Flink(result.url).get("overview")["taskmanagers"] == 0, "no worker before there is a job"
    assert work.cluster.yarn.workers(result.application) == []

    written = (client.properties / f".yarn-properties-{work.cluster.user}").read_text()
    assert re.search(rf"^applicationID\s*=\s*{result.application}$", written, re.MULTILINE)

    client.run("yarn-session.sh", "-id", result.application, stdin="stop\n").ok()
    app = work.cluster.yarn.wait_state(result.application, "FINISHED", seconds=30)
    assert app["finalStatus"] == "SUCCEEDED"
    staging = f"{work.cluster.hdfs.home}/.flink/{result.application}"
    wait_for("the directory in HDFS gone", lambda: work.cluster.hdfs.status(staging) is None, 20)


@pytest.mark.extended
def test_containers_have_the_memory_asked_for_rounded_by_yarn(work, client):
    # 128 MB is the scheduler's step.
    session = client.session("-nm", work.name, "-jm", "1000m", "-Dyarn.appmaster.vcores=2", "-at", "Our Flink", "-Dyarn.tags=a, b")
    [master] = work.cluster.yarn.containers(session.application)
    assert (master["totalMemoryNeededMB"], master["totalVCoresNeeded"]) == (1024, 2)
    app = work.cluster.yarn.app(session.application)
    assert app["applicationType"] == "Our Flink"
    tags = [tag for tag in app["applicationTags"].split(",") if not tag.startswith("heddle-submission:")]
    assert sorted(tags) == ["a", "b"]
    session.stop().ok()


def test_default_name(work, client):
    session = client.session()
    app = work.cluster.yarn.app(session.application)
    assert app["name"] == "Flink session cluster"
    session.stop().ok()
    work.cluster.yarn.wait_state(session.application, "FINISHED")


@pytest.mark.heddle_only("its launch line passes through a shell, so quotes break it")
def test_dynamic_properties_reach_the_jobmanager(work, client):
    values = {"rest.flamegraph.enabled": "true", "env.java.opts.jobmanager": '-Dtest.words="two words"', "pipeline.name": "a=b $HOME 'q' é"}
    session = client.session("-nm", work.name, *(f"-D{key}={value}" for key, value in values.items()))
    found = Flink(session.url).config()
    assert {key: found.get(key) for key in values} == values
    session.stop().ok()


@pytest.mark.extended
def test_the_second_session_of_a_user_leaves_the_first_alone(work):
    """The properties file names the last one; `-id` still stops the first."""
    client = work.client()
    first, second = client.session("-nm", f"{work.name}-1"), client.session("-nm", f"{work.name}-2")
    assert first.application != second.application
    first.stop().ok()
    work.cluster.yarn.wait_state(first.application, "FINISHED")
    assert work.cluster.yarn.app(second.application)["state"] == "RUNNING"
    second.stop().ok()
    work.cluster.yarn.wait_state(second.application, "FINISHED")


@pytest.mark.heddle_only("it knows sessions by their ids")
def test_a_session_is_found_by_its_name(work):
    """The properties file names the last one, and is not read."""
    client = work.client()
    first, last = client.session("-nm", f"{work.name}-1"), client.session("-nm", f"{work.name} 2")
    listed = client.flink("list").ok()
    assert listed.application == last.application and "Found Yarn properties file" in listed.text
    for session, name in ((first, f"{work.name}-1"), (last, f"{work.name} 2")):
        listed = client.flink("list", f"-Dheddle.session={name}").ok()
        assert listed.application == session.application and "properties file" not in listed.text, listed
        told = json.loads(client.run("heddle", "status", f"-Dheddle.session={name}", "--output", "json").ok().out)
        assert told["application"] == session.application

    # What the command line names wins.
    by_id = client.flink("list", "-yid", last.application, f"-Dheddle.session={work.name}-1").ok()
    assert by_id.application == last.application and f"the session {work.name}-1 (-D) is not asked" in by_id.text

    first.stop().ok()
    work.cluster.yarn.wait_state(first.application, "FINISHED")
    gone = client.flink("list", f"-Dheddle.session={work.name}-1", "--output", "json")
    error = json.loads(gone.out)["error"]
    assert gone.code == 1 and error["class"] == "not-found" and f'"{work.name}-1"' in error["message"], gone
    assert any("heddle ps" in hint for hint in error["hints"])
    last.stop().ok()
    work.cluster.yarn.wait_state(last.application, "FINISHED")


@pytest.mark.reference(extended=True)
@pytest.mark.every_hadoop
def test_query_prints_the_cluster(work, client):
    out = client.run("yarn-session.sh", "-q").ok().out
    assert re.search(r"NodeManagers in the ClusterClient\s+2", out)
    assert len(re.findall(r"NodeID\s*\|", out)) == 2
    assert re.search(r"totalCores\s+32", out)
    for queue in ("default", "qa-team", "reports", "narrow"):
        assert re.search(rf"Queue: {queue}, Current Capacity: \S+ Max Capacity: \S+ Applications: \d+", out)


@pytest.mark.reference(extended=True)
@pytest.mark.parametrize("arguments", [("yarn-session.sh", "-h"), ("flink", "-h"), ("flink", "run", "-h"), ("flink", "list", "-h")])
def test_help_needs_no_cluster(work, client, arguments):
    result = client.run(*arguments, env={"HADOOP_CONF_DIR": None}).ok()
    assert ("run" if arguments == ("flink", "-h") else "-D") in result.out


@pytest.mark.extended
@pytest.mark.browser
def test_the_web_interface_opens_in_a_browser_through_yarns_proxy(work, client, chromium):
    session = client.session("-nm", work.name)
    url = work.cluster.yarn.app(session.application)["trackingUrl"]
    picture = work.directory / "flink.png"

    def browse(*words):
        """What the browser prints. Headless Chromium now and then hangs with time running ahead: then it is
        killed and started anew."""
        for attempt in range(3):
            # Without the flags of the second line it tries to reach the world outside, which a closed network
            # lets it wait for.
            command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={work.directory}/browser-{attempt}"]
            command += ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
            # The page fills itself by scripts; time runs ahead for it until it has settled.
            command += ["--virtual-time-budget=15000", *words, url]
            browser = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
            try:
                return browser.communicate(timeout=40)[0]
            except subprocess.TimeoutExpired:
                os.killpg(browser.pid, signal.SIGKILL)
                browser.communicate()
        raise AssertionError("the browser does not come to an end")

    def rendered():
        dom = browse("--dump-dom")
        return dom if "Available Task Slots" in dom else None

    dom = wait_for("Flink's overview in the browser", rendered, seconds=120)
    assert "Running Jobs" in dom or "Running Job List" in dom
    browse(f"--screenshot={picture}", "--window-size=1400,900")
    assert picture.stat().st_size > 10_000
    session.stop().ok()
