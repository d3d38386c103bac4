"""How long a job needs until it makes checkpoints again, seen from outside while faults are made."""

import threading
import time
from bisect import bisect_right


class Watch:
    """Looks at the newest checkpoint of an application's job all the time."""

    def __init__(self, application, every=0.25):
        self.application, self.every = application, every
        # Each checkpoint that was seen: when, and its number.
        self.seen = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self):
        while not self.ended.wait(self.every):
            newest = self.application.checkpoint()
            if newest and (not self.seen or newest > self.seen[-1][1]):
                self.seen.append((time.time(), newest))

    def end(self):
        self.ended.set()
        self.thread.join()

    def recovery(self, at):
        return recovery(self.seen, at)


def recovery(seen, at):
    """Seconds from the moment `at` to the first checkpoint that was certainly begun after it; None without
    one.

    `seen`: pairs of time and number. The first new one may have been complete before `at`.
    """
    before = bisect_right(seen, (at, float("inf")))
    newest = seen[before - 1][1] if before else 0
    return next((round(when - at, 2) for when, number in seen[before:] if number > newest + 1), None)
