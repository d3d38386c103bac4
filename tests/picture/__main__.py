"""Draws docs/session.svg: a session, a job and their end on a pseudo-distributed Hadoop."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from harness.client import Client
from harness.cluster import ROOT, Cluster
from harness.hadoop.environment import DEFAULT_FLINK, fetch
from harness.jars import job_jar

from . import terminal

FILE = ROOT / "docs/session.svg"
SIZES = "-jm 1024 -tm 1024"
# Names that differ from run to run, and say nothing.
RULES = [(r"/tmp/heddle-picture\.\w+(/\w+)*/properties/\S+", "/tmp/.yarn-properties-ann"), (r"\broot\b", "ann "), (r"localhost", "gateway")]
# The time and level of a log line take the place of what it says.
RULES.append((r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ (INFO|WARN) +heddle \[\] - ", ""))


def main():
    name = f"picture-{os.getpid()}"
    cluster = Cluster(name)
    directory = Path(tempfile.mkdtemp(prefix="heddle-picture."))
    try:
        # NodeManagers heartbeat once a second, as in production.
        cluster.up(heartbeat=1000)
        flink = Path(fetch("flink", DEFAULT_FLINK))
        jar = job_jar(flink, DEFAULT_FLINK)
        client = Client("heddle", cluster, directory, ROOT, flink)
        shutil.copy(jar, directory / "words.jar")
        cluster.hdfs.write("/data/in.txt", "to be or not to be\n" * 1000)
        run = ["flink", "run", "-c", "WordCount", "words.jar", "--input", "hdfs:///data/in.txt"]
        # Not drawn: the first deployment fills the store and has the class data archives made.
        for _ in range(2):
            session = client.session("-nm", "warm")
            client.run(*run, "--output", "hdfs:///data/warm").ok()
            session.stop().ok()
            cluster.yarn.wait_state(session.application, "FINISHED")
            cluster.hdfs.delete("/data/warm")
        drawn = []
        # On a machine that does something else the times would be those of that. The sum of what runs here is
        # small.
        idle = os.getloadavg()[0] < 1.5 * os.cpu_count()
        if not idle:
            print("this machine is busy: no times are drawn", file=sys.stderr)

        def do(shell, shown=None, wanted=".", code=0):
            command = terminal.run(shell, client.environment(), client.directory, shown)
            assert command.code == code, [terminal.plain(line) for line in command.lines]
            command.seconds = command.seconds if idle else None
            command.lines = terminal.chosen(terminal.hidden(command.lines, RULES), wanted)
            drawn.append(command)

        do(
            f"yarn-session.sh -nm demo {SIZES} -d", "yarn-session.sh -nm demo -d",
            "Submitted|YARN says|JobManager Web",
        )  # fmt: skip
        do(f"{' '.join(run)} --output hdfs:///data/out", None, "^Job (has|with)")
        do("heddle ps")
        application = next(app["id"] for app in cluster.yarn.live())
        cluster.yarn.kill(application)
        do("yarn-session.sh -qu nightly -d", None, "error:|hint:", code=1)
        FILE.write_text(terminal.draw(drawn, "heddle on Hadoop 3.3 and Flink 1.20: one machine, two cores"))
        print(FILE)
    finally:
        cluster.down()
        shutil.rmtree(directory, ignore_errors=True)


sys.exit(main())
