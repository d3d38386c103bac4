"""What can be seen of a deployment from outside: its JVMs, their directories, YARN, HDFS and this host."""

import contextlib
import hashlib
import os
import re
import stat
from pathlib import Path

from harness import processes
from harness.cluster import Flink

# Of YARN's report; the rest is times, sums and addresses.
REPORTED = ("name", "applicationType", "queue", "priority", "applicationTags", "trackingUI", "amNodeLabelExpression", "appNodeLabelExpression", "unmanagedApplication")
# Properties that Java itself sets, the same for whatever runs on it.
JAVAS_OWN = ("java.", "jdk.", "os.", "sun.", "file.", "line.", "path.", "user.", "native.", "stdout.", "stderr.", "stdin.", "log4j2.", "com.sun.")


def directory(path):
    """Every file below a directory: mode, and size or hash of its content; of links what they lead to."""
    found = {}
    top = Path(path)
    for where, directories, files in os.walk(top, followlinks=True):
        for name in [*files, *directories]:
            entry = Path(where) / name
            with contextlib.suppress(OSError):
                status = entry.stat()
                kind = f"{stat.S_IMODE(status.st_mode):o}"
                if stat.S_ISDIR(status.st_mode):
                    told = f"directory {kind}"
                elif stat.S_ISREG(status.st_mode):
                    told = f"{kind} {content(entry, status.st_size)}"
                else:
                    told = f"other {kind}"
                found[str(entry.relative_to(top)).replace("/", "›")] = told
    return found


def content(file, size):
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:12] if size <= 1 << 20 else f"{size} bytes"
    except OSError as error:
        return error.strerror


def parse(command):
    """(JVM options, main class, arguments) of a command line of Java."""
    words = list(command[1:])
    options = []
    while words and words[0].startswith(("-", "@")):
        options.append(words.pop(0))
        if options[-1] in ("-cp", "-classpath", "--class-path") and words:
            options.append(words.pop(0))
    return options, words[0] if words else None, words[1:]


# What the NodeManager puts into each container, for each other.
NODE_MANAGERS = re.compile(r"\.?(launch_container|default_container_executor(_session)?|container_tokens)(\.sh)?(\.crc)?")
NODE_MANAGERS_VARIABLES = ("NM_PORT", "NM_HTTP_PORT", "JVM_PID", "LOCALIZATION_COUNTERS", "_")


def shaped(seen, mode):
    """Without what says nothing about the client: the NodeManager's own, and forms that mean the same to Java
    and to Flink."""
    if mode == "application" and "main" in seen:
        # It runs in the JobManager, of which the rest is known already.
        seen["main"] = {name: seen["main"][name] for name in ("arguments", "configuration", "global-configuration", "parallelism", "environment-class")}
    for name in ("jobmanager", "taskmanager"):
        if part := seen.get(name):
            part["files"] = {file: value for file, value in part["files"].items() if not NODE_MANAGERS.fullmatch(file)}
            # Java's class path is compared entry by entry.
            part["environment"] = {key: value for key, value in part["environment"].items() if key not in (*NODE_MANAGERS_VARIABLES, "CLASSPATH")}
            part["arguments"] = settings(part["arguments"])
    return seen


def settings(words):
    """`-D key=value` and `-Dkey=value` by key, for which no order counts; the rest as it is."""
    found, rest, words = {}, [], list(words)
    while words:
        word = words.pop(0)
        if word.startswith("-D"):
            key, _, value = (word[2:] or words.pop(0)).partition("=")
            found[key] = value
        else:
            rest.append(word)
    return {"set": found, "words": rest}


def jvm(process):
    """As /proc has it. The class path comes from elsewhere, since it may be a pattern here."""
    options, main, arguments = parse(process.command)
    working = f"/proc/{process.pid}/cwd"
    return {
        "environment": dict(process.environment),
        "jvm": options,
        "main": main,
        "arguments": arguments,
        "files": directory(working),
        "directory-mode": f"{stat.S_IMODE(os.stat(working + '/.').st_mode):o}",
    }


def places(process):
    """Literal text that is this container's own, for the normaliser."""
    env = process.environment
    found = {env.get("PWD", ""): "<directory>", os.path.realpath(f"/proc/{process.pid}/cwd"): "<directory>"}
    for name, told in (("LOG_DIRS", "<logs>"), ("LOCAL_DIRS", "<appcache>"), ("LOCAL_USER_DIRS", "<usercache>")):
        for text in env.get(name, "").split(","):
            found[text] = told
    return found


def program(seen):
    """What the job `Probe` has written, without what is Java's own."""
    kept = {name: value for name, value in seen.items() if name not in ("properties", "directory")}
    kept["properties"] = {name: value for name, value in seen["properties"].items() if not name.startswith(JAVAS_OWN)}
    return kept


def rest(url):
    """Flink's own word on its JobManager and TaskManagers."""
    flink = Flink(url)
    found = {"configuration": flink.config()}
    with contextlib.suppress(OSError):  # from 1.15 on
        found["class-path"] = flink.get("jobmanager/environment")["classpath"]
    managers = [flink.get(f"taskmanagers/{manager['id']}") for manager in flink.taskmanagers()]
    found["taskmanagers"] = [{"slots": m["slotsNumber"], "memory": m.get("memoryConfiguration"), "id": m["id"]} for m in managers]
    return found


def report(app):
    """Of YARN, without what differs each time."""
    found = {name: app.get(name) for name in REPORTED}
    found["applicationTags"] = sorted(filter(None, app.get("applicationTags", "").split(",")))
    found["trackingUrl"] = app.get("trackingUrl")
    return found


def left(cluster, application):
    """What an application has left behind: on HDFS, on the nodes' disks, and processes."""
    return {
        "hdfs": sorted(path for path in cluster.hdfs.tree(f"{cluster.hdfs.home}/.flink/{application}")),
        "directory": cluster.hdfs.status(f"{cluster.hdfs.home}/.flink/{application}") is not None,
        "containers": len(cluster.yarn.containers(application)),
        "processes": [process.program for process in processes.of_application(cluster, application)],
        "nodes": sorted({path.name for path in cluster.directory.glob(f"nodemanager*/local/usercache/*/appcache/{application}/*")}),
    }
