"""Whether everything is as it should be: asked in the middle of a run, while no fault is made, and at its
end."""

import re
import time
from collections import Counter, defaultdict
from pathlib import Path

from harness import processes
from harness.cluster import FINISHED
from harness.waiting import wait_for

from .deployments import WORKERS

# A job has a new checkpoint within this time once the faults have stopped. ZooKeeper and YARN have timeouts
# of up to a minute.
WITHIN = 240
# Files and connections that an ApplicationMaster of heddle's may have open. Some 20 are usual.
MOST_FILES = 32


class Audit:
    """Of a cluster and of the applications that each question names."""

    def __init__(self, cluster):
        self.cluster = cluster

    def middle(self, applications):
        """Figures; an AssertionError says what is wrong."""
        began, figures = time.monotonic(), {}
        wait_for("the cluster", lambda: not self.cluster.problems(), WITHIN)
        for application in applications:
            self._alive(application)
            newest = application.checkpoint() or 0
            self._recovered(application, newest + 1)
            wait_for("TaskManagers, the same for YARN, Flink and the kernel", lambda a=application: self._agree(a), WITHIN)
            figures[application.id] = {"attempt": application.attempt(), **footprint(application.master().pid)}
            self._nothing_is_kept_open(application, figures[application.id]["files"])
        self._logs(applications)
        return {"seconds": round(time.monotonic() - began, 1), "applications": figures}

    def _alive(self, application):
        app = self.cluster.yarn.app(application.id)
        assert app["state"] not in FINISHED, f"{application.id} has ended: {app['finalStatus']}: {app['diagnostics']}"

    def _recovered(self, application, newest):
        def new_one():
            self._alive(application)
            return (application.checkpoint() or 0) > newest

        wait_for("a new checkpoint", new_one, WITHIN)

    def _agree(self, application):
        try:
            by_yarn = {c["id"] for c in self.cluster.yarn.workers(application.id) if c["state"] == "RUNNING"}
            by_flink = {t["id"] for t in application.rest().taskmanagers()}
        except OSError:
            return False
        here = set(application.workers())
        return len(here) == WORKERS and by_yarn == here and {i.rpartition("(")[0] or i for i in by_flink} == here

    def _nothing_is_kept_open(self, application, files):
        of_heddle = self.cluster.log_files(application.id, "heddle-am.log")
        assert not of_heddle or files <= MOST_FILES, f"the ApplicationMaster of {application.id} has {files} files open"

    def _logs(self, applications):
        for application in applications:
            for file in self.cluster.log_files(application.id, "*.*"):
                text = Path(file).read_text(errors="replace")
                found = re.search(r"panicked at .*|exit(ed with)? (code|status) 134.*", text)
                assert not found, f"{file}: {found[0]}"

    def last_words(self, application):
        """The last line of each ApplicationMaster's log, by container."""
        texts = {file.parent.name: file.read_text(errors="replace").splitlines() for file in self.cluster.log_files(application.id, "heddle-am.log")}
        return {container: lines[-1] for container, lines in sorted(texts.items()) if lines}

    def output(self, application, directory):
        """The files of a job that has ended: every count of every key is there, and each once. Gives how many
        there are."""
        seen = defaultdict(Counter)
        for line in self.cluster.hdfs.read_all(directory).splitlines():
            _, key, count = line.split()
            seen[key][int(count)] += 1
        for key, counts in seen.items():
            twice = [count for count, times in counts.items() if times > 1]
            assert not twice, f"{application.id}: key {key} has {twice[:5]} more than once"
            gaps = sorted(set(range(1, max(counts) + 1)) - set(counts))
            assert not gaps, f"{application.id}: key {key} lacks {gaps[:5]} of {max(counts)}"
        total = sum(len(counts) for counts in seen.values())
        assert total, f"{application.id} has written nothing"
        assert max(map(len, seen.values())) - min(map(len, seen.values())) <= 1, "the keys take turns"
        return total

    def end(self, applications):
        """Nothing is left of the applications."""
        for application in applications:
            wait_for("no process", lambda a=application: not processes.of_application(self.cluster, a.id), 60)
            wait_for("no file", lambda a=application: self.cluster.hdfs.status(f"{self.cluster.hdfs.home}/.flink/{a.id}") is None, 60)
        nodes = self.cluster.administer("org.apache.zookeeper.ZooKeeperMain", "-server", self.cluster.at("zk"), "ls", "-R", "/")
        left = [node for node in nodes.splitlines() if any(a.id in node for a in applications)]
        assert not left, f"ZooKeeper still has {left}"


def footprint(pid):
    """Resident memory in kB, and open files."""
    status = Path(f"/proc/{pid}/status").read_text()
    return {"rss_kb": int(re.search(r"VmRSS:\s+(\d+)", status)[1]), "files": len(list(Path(f"/proc/{pid}/fd").iterdir()))}
