"""Ports that packets do not reach: neither is a connection refused nor does one break, as when a switch fails
or a firewall forgets a connection."""

import contextlib
import os
import re
import shutil
import subprocess


def cannot_drop():
    """Why packets cannot be dropped on this machine; None if they can."""
    if os.geteuid() != 0:
        return "only root may drop packets"
    if shutil.which("iptables") is None:
        return "there is no iptables"
    tried = iptables("-S", "INPUT")
    return None if tried.returncode == 0 else f"iptables does not work: {tried.stderr.strip()}"


def iptables(*words):
    # -w: another program may change the rules at the same time.
    return subprocess.run(["iptables", "-w", *words], capture_output=True, text=True)


@contextlib.contextmanager
def dropped(port):
    """Drops what is sent to and from a port of this machine, over its loopback interface. Yields a function
    that says how many packets were dropped."""
    comment = f"heddle-test-{os.getpid()}-{port}"
    rules = [["INPUT", "-i", "lo", "-p", "tcp", side, str(port), "-m", "comment", "--comment", comment, "-j", "DROP"] for side in ("--dport", "--sport")]

    def count():
        listed = iptables("-L", "INPUT", "-n", "-v", "-x").stdout
        return sum(int(re.match(r"\s*(\d+)", line)[1]) for line in listed.splitlines() if f"/* {comment} */" in line)

    try:
        for rule in rules:
            done = iptables("-I", *rule)
            assert done.returncode == 0, done
        yield count
    finally:
        for rule in rules:
            iptables("-D", *rule)
