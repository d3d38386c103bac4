"""Logs that YARN has collected: the settings of a cluster that does it, and waiting until it is done."""

import json

from .waiting import wait_for

IFILE = "org.apache.hadoop.yarn.logaggregation.filecontroller.ifile.LogAggregationIndexedFileController"
TFILE = "org.apache.hadoop.yarn.logaggregation.filecontroller.tfile.LogAggregationTFileController"
# Name -> settings of Hadoop. TFile is what Hadoop does unless it is told otherwise.
FORMATS = {
    "tfile": {},
    "ifile": {"yarn.log-aggregation.file-formats": "IFile", "yarn.log-aggregation.file-controller.IFile.class": IFILE},
}


def settings(kind, compression="none"):
    """Of a cluster that collects logs in this format; `compression` is `none` or `gz`."""
    return {"yarn.nodemanager.log-aggregation.compression-type": compression} | FORMATS[kind]


def wait_collected(heddle, application):
    """What `heddle logs --output json` tells, once nothing that a NodeManager still writes is missing."""

    def now():
        result = heddle.run("heddle", "logs", "--output", "json", application)
        told = json.loads(result.out)
        return told if result.code == 0 and not told["missing"] else None

    return wait_for(f"the collected logs of {application}", now, 90)
