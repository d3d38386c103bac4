"""What Prometheus reads: the text of metrics, and lists of targets.

The parser takes the text format 0.0.4 and OpenMetrics, as far as heddle and Flink write them, and is strict
with that.
"""

import re
import urllib.request

from harness.cluster import get_json

SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"(?:,|$)')
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def parsed(text):
    """(name, labels as a sorted tuple of pairs) -> value, and the types by name."""
    values, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, f"{name} is there twice"
            types[name] = kind
        elif line and not line.startswith("#"):
            sample = SAMPLE.match(line)
            assert sample, f"no sample: {line!r}"
            found = LABEL.findall(sample["labels"] or "")
            key = (sample["name"], tuple(sorted(found)))
            assert key not in values, f"twice: {line!r}"
            values[key] = float(sample["value"])
    return values, types


class Metrics:
    """One reading of a target."""

    def __init__(self, url, accept="text/plain"):
        request = urllib.request.Request(url, headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=20) as answer:
            self.content_type, self.text = answer.headers["Content-Type"], answer.read().decode()
        self.values, self.types = parsed(self.text)

    def value(self, name, /, **labels):
        """The one value with at least these labels; None if there is none."""
        found = [v for (n, pairs), v in self.values.items() if n == name and labels.items() <= dict(pairs).items()]
        assert len(found) < 2, (name, labels, found)
        return found[0] if found else None

    def names(self):
        return {name for name, _ in self.values}


def address(rest):
    """Where heddle-am serves metrics, as Flink's REST interface tells it."""
    return rest.config().get("heddle.metrics.address")


def targets(groups):
    """(component, container) -> addresses, of a list of targets."""
    found = {}
    for group in groups:
        found.setdefault((group["labels"]["component"], group["labels"]["container"]), []).extend(group["targets"])
    return found


def served_targets(url):
    return targets(get_json(url))
