"""Which faults, and when. Pure: a seed always gives the same plan."""

import random
from dataclasses import asdict, dataclass

# Between two faults on average, in seconds.
MEAN = 8.0
# So many of a hundred faults come right behind the one before, and within this time.
CLOSE_PERCENT, CLOSE = 5, 0.5

# Kind of fault -> how many of a hundred faults it is, and the longest time that it lasts, in seconds.
KINDS = {
    "kill-taskmanager": (18, 0),
    "kill-taskrunner": (10, 0),
    "pause-taskmanager": (6, 70),
    "stop-container": (6, 0),
    "kill-jobmanager": (14, 0),
    "pause-jobmanager": (6, 80),
    "kill-applicationmaster": (10, 0),
    "restart-resourcemanager": (6, 8),
    "pause-resourcemanager": (4, 30),
    "restart-nodemanager": (8, 5),
    "restart-zookeeper": (5, 5),
    "restart-datanode": (1, 5),
    "restart-namenode": (2, 5),
    "safemode-namenode": (1, 20),
    "drop-control": (1, 90),
    "drop-scheduler": (1, 90),
    "drop-namenode": (1, 60),
}


@dataclass(frozen=True)
class Fault:
    """`at`: seconds after the fault before; `lasts`: seconds until what it did is undone; `which`: a number
    from 0 to 1 that chooses among the processes that are there."""

    number: int
    kind: str
    at: float
    lasts: float
    which: float

    def as_json(self):
        return asdict(self)


def plan(seed, count, mean=MEAN, kinds=None):
    """So many faults, of these kinds if some are given."""
    chosen = {kind: share for kind, share in KINDS.items() if not kinds or kind in kinds}
    if not chosen:
        raise ValueError(f"there is no fault of the kinds {', '.join(kinds)}")
    dice = random.Random(seed)
    found = []
    for number in range(count):
        [kind] = dice.choices(list(chosen), [share for share, _ in chosen.values()])
        longest = chosen[kind][1]
        close, after, lasts, which = dice.random() * 100 < CLOSE_PERCENT, dice.expovariate(1 / mean), dice.random(), dice.random()
        after = after % CLOSE if close else after
        found.append(Fault(number, kind, round(after, 3), round(min(longest, 1 + lasts * longest), 1) if longest else 0, which))
    return found
