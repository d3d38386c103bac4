"""Waiting for something to become true, with a clear message when it does not."""

import time


def wait_for(what, condition, seconds=60, every=0.25):
    """The first truthy value of `condition()`; fails the test with the last value seen after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what} (last seen: {value!r})")
        time.sleep(every)
