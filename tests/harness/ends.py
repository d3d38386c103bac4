"""How containers have ended: as YARN knows it, and as heddle-am tells it."""

import re

# In NodeManagers' logs. `ContainerLaunch` says it of a container that ended by itself, with whatever
# executor.
EXIT_CODE = re.compile(r"Exit code from container (container_\S+) is : (\d+)")
# In heddle-am.log; the reason is between quotation marks, with those inside and line ends escaped.
END = re.compile(r"(?:why the )?worker ended worker=(container_\S+) reason=\"((?:[^\"\\]|\\.)*)\"")


def exit_codes(log):
    """Container -> exit code, of a NodeManager's log."""
    return {container: int(code) for container, code in EXIT_CODE.findall(log)}


def exit_code(cluster, container):
    """What the process in a container ended with. None as long as its NodeManager does not know."""
    logs = sorted((cluster.directory / "logs").glob("nodemanager*.log"))
    return exit_codes("".join(log.read_text(errors="replace") for log in logs)).get(container)


def reasons(log):
    """Container -> why it has ended, of heddle-am.log: the last word on each."""
    return {container: reason.replace("\\n", "\n") for container, reason in END.findall(log)}


def reason(cluster, application, container):
    return reasons(cluster.log_text(application, "heddle-am.log")).get(container)
