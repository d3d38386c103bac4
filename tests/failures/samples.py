"""The samples of output in other pages of the manual: what heddle says while something waits, and of a
failure."""

import re

from harness import failures
from harness.waiting import wait_for


def of_the_terminal(text, *patterns):
    """The lines that one of the patterns fits, each as often as it came."""
    return "\n".join(line for line in text.splitlines() if any(re.search(pattern, line) for pattern in patterns))


def waiting_application(place):
    """What a client prints while its application waits for its queue."""
    client = place.client()
    with failures.full_queue(place, client, more=1) as made:
        [(behind, _)] = made.others
        behind.wait_text(r"2 applications wait in it, 1 of them before this one", 90)
        text = behind.text
    return {"waiting-application": of_the_terminal(text, "current state ACCEPTED", "YARN says: ", "Applications wait because ")}


def waiting_taskmanagers(place):
    """What the JobManager's log and the client say while TaskManagers wait, and when they have come."""
    client = place.client()
    with failures.held_nodes(place, client, place.jar) as made:
        running, log = made.running, lambda: place.cluster.log_text(made.application, "jobmanager.log")
        sentence = re.compile(r"^.* WARN .*?(\d+ containers of .*, are not granted yet\. .*)$", re.MULTILINE)
        # The second one, in which the figures have settled.
        wait_for("the JobManager's sentence", lambda: len(sentence.findall(log())) > 1, 120)
        told = sentence.findall(log())[-1]
        running.wait_text(r"TaskManagers wait for room in the queue: ", 90)
        made.others[0].stop().ok()
        running.wait_text(r"TaskManagers do not wait for containers any more", 120)
        text = running.text
    return {
        "waiting-log": told,
        "waiting-taskmanagers": of_the_terminal(text, "TaskManagers wait for ", "TaskManagers do not wait "),
    }


def failed_application(place):
    """What `heddle status` and `heddle why` say of an application that has failed."""
    client = place.client()
    with failures.memory_kill_of_application(place, client, place.jar) as made:
        status = client.run("heddle", "status", made.application)
        why = client.run("heddle", "why", made.application).ok()
    return {"status": status.out, "why": why.out}


# Name of a sample -> its page.
PAGES = {
    "waiting-application": "waiting.md",
    "waiting-log": "waiting.md",
    "waiting-taskmanagers": "waiting.md",
    "status": "why.md",
    "why": "why.md",
}
MAKERS = (waiting_application, waiting_taskmanagers, failed_application)
