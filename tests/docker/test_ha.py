"""The profile `ha`: one ResourceManager is killed, and a session goes on with the other."""

import pytest

from stack import check_counts, wait_for, word_count

VARIABLES = {"COMPOSE_PROFILES": "ha"}


def state(stack, service):
    return stack.json("/ws/v1/cluster/info", service)["clusterInfo"]["haState"]


@pytest.mark.usefixtures("text")
def test_a_session_outlives_the_active_resource_manager(stack):
    services = ["resourcemanager", "resourcemanager2"]
    [active] = [service for service in services if state(stack, service) == "ACTIVE"]
    [standby] = [service for service in services if service != active]
    session = stack.run("yarn-session.sh", "-nm", "test", "-jm", "1024", "-tm", "1024", "-d").ok()
    stack.compose("kill", active).ok()
    wait_for(f"{standby} takes over", lambda: state(stack, standby) == "ACTIVE", 60)
    # The ApplicationMaster is not started anew: it registers with the other one.
    app = wait_for("the session", lambda: (app := stack.json(f"/ws/v1/cluster/apps/{session.application}", standby)["app"])["state"] == "RUNNING" and app, 60)
    assert app["amContainerLogs"].rpartition("/container_")[2].split("_")[-2] == "01"
    stack.run("flink", "run", *word_count("failover")).ok()
    check_counts(stack, "failover")
    stack.run("bash", "-c", f"echo stop | yarn-session.sh -id {session.application}").ok()
    ended = wait_for("the end", lambda: (app := stack.json(f"/ws/v1/cluster/apps/{session.application}", standby)["app"])["state"] == "FINISHED" and app)
    assert ended["finalStatus"] == "SUCCEEDED"
