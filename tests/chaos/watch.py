"""How long a job needs until it makes checkpoints again, seen from outside while faults are made."""

import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """A complete checkpoint. Both times are seconds since 1970 by this machine's clock, which is that of the
    JobManager, too."""

    # When it was seen to be complete.
    at: float
    # When the JobManager has triggered it.
    triggered: float


class Watch:
    """Looks at the newest checkpoint of an application's job all the time."""

    def __init__(self, application, every=0.25):
        self.application, self.every = application, every
        self.seen = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self):
        last = 0
        while not self.ended.wait(self.every):
            newest = self.application.newest()
            if newest and newest["id"] > last:
                last = newest["id"]
                self.seen.append(Seen(time.time(), newest["trigger_timestamp"] / 1000))

    def end(self):
        self.ended.set()
        self.thread.join()


def recovery(seen, began, made):
    """Seconds from the beginning of a fault to the first checkpoint that was triggered after it was made;
    None without one.

    A checkpoint that was triggered before may be complete afterwards, and says nothing of the job's recovery.
    """
    return next((round(one.at - began, 2) for one in seen if one.triggered > made), None)


def was_well(seen, before, began):
    """Whether the job had recovered from an earlier fault, which was made at the moment `before`, when
    another one began."""
    return any(one.triggered > before and one.at <= began for one in seen)
