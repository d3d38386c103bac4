"""Makes the texts of a run those of any run: ids, addresses, names and directories differ, and say
nothing."""

import re

APPLICATION = re.compile(r"\b(application|container|appattempt)((?:_e\d+)?)_(\d+)_(\d{4,})")
# What an epoch and the number of the first application become.
EPOCH, FIRST = "1700000000000", 42
# Lines of heddle's log on a terminal: of these only what they say is shown.
LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ (?:INFO|WARN) +heddle \[\] - ", re.MULTILINE)


class Normal:
    """Of one run. The same id always becomes the same one."""

    def __init__(self, cluster, directory, suffix):
        """`directory` is that of the clients, and `suffix` what has made the names of applications unique."""
        nodes = sorted(port for port in cluster.ports if re.fullmatch(r"nm\d+", port))
        # Ports decide: all daemons are on one machine.
        places = [(cluster.ports[port], f"node{number}:8041") for number, port in enumerate(nodes, 1)]
        places += [(cluster.ports[f"{port}-http"], f"node{number}:8042") for number, port in enumerate(nodes, 1)]
        places += [(cluster.ports[port], name) for port, name in (("nn", "namenode:8020"), ("rm", "resourcemanager:8032")) if port in cluster.ports]
        self.rules = [(re.compile(rf"\b(?:localhost|127\.0\.0\.\d+)(?:/127\.0\.0\.\d+)?:{port}\b"), place) for port, place in places]
        self.rules += [(re.compile(rf"{re.escape(str(cluster.directory))}/nodemanager\d+/(local|logs)"), r"/hadoop/\1")]
        self.rules += [(re.compile(re.escape(str(directory))), "/home/ann")]
        self.rules += [(re.compile(rf"-{re.escape(suffix)}\b"), "")]
        self.rules += [(re.compile(rf"(/user/|usercache/|user[ =:]){re.escape(cluster.user)}\b"), r"\1ann")]
        # The ports of JobManagers and TaskManagers are any.
        self.rules += [(re.compile(r"\b(?:localhost|127\.0\.0\.\d+)(?:/127\.0\.0\.\d+)?:\d+"), "node1:40000")]
        self.numbers = {}

    def text(self, text):
        text = APPLICATION.sub(self._id, LOG_LINE.sub("", text))
        for pattern, shown in self.rules:
            text = pattern.sub(shown, text)
        return text

    def _id(self, found):
        kind, epoch, started, number = found.groups()
        shown = self.numbers.setdefault((started, number), FIRST + len(self.numbers))
        return f"{kind}{epoch}_{EPOCH}_{shown:04}"
