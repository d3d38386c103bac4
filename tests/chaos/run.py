"""One run: it deploys, makes the faults, looks whether all is well, and looks at every record in the end."""

import json
import time
from dataclasses import dataclass

from .audit import Audit
from .deployments import Deployment
from .faults import Faults
from .plan import Fault
from .watch import Watch, recovery, was_well

MODES = ("session", "application")


class Journal:
    """A line of JSON for each thing that has happened."""

    def __init__(self, file):
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file, self.began = file.open("w"), time.time()

    def write(self, **what):
        self.file.write(json.dumps({"at": round(time.time() - self.began, 2)} | what) + "\n")
        self.file.flush()


@dataclass(frozen=True)
class Hit:
    """A fault that has hit something: when it began and when it was made (seconds since 1970), and the ids of
    the applications that it concerns."""

    fault: Fault
    began: float
    made: float
    concerned: list


def recoveries(hits, watched, undone):
    """What the journal says of the faults since the last look. `watched`: application -> the checkpoints that
    were seen.

    `seconds`: until each job that the fault concerned had a new checkpoint. `well`: whether these jobs had
    recovered from the fault before when this one began. `cut`: whether the look, which undoes faults at the
    moment `undone`, has made it shorter.
    """
    found, last = [], {}
    for hit in hits:
        times = [recovery(watched[application], hit.began, hit.made) for application in hit.concerned]
        well = all(was_well(watched[a], last[a], hit.began) for a in hit.concerned if a in last)
        last |= dict.fromkeys(hit.concerned, hit.made)
        if None not in times:
            cut = bool(hit.fault.lasts) and hit.made + hit.fault.lasts > undone
            found.append({"fault": hit.fault.number, "seconds": max(times), "well": well, "cut": cut})
    return found


class Run:
    """`audit_every`, `fresh_every`: after so many faults each."""

    def __init__(self, cluster, client, jar, planted, journal, audit_every, fresh_every):
        self.cluster, self.journal = cluster, journal
        self.audit_every, self.fresh_every = audit_every, fresh_every
        self.deployments = [Deployment(mode, client, cluster, jar, planted) for mode in MODES]
        self.audit = Audit(cluster)
        self.faults = Faults(cluster, self.applications)
        self.watches, self.open = {}, []

    def applications(self):
        return [deployment.application for deployment in self.deployments]

    def go(self, faults):
        for deployment in self.deployments:
            deployment.deploy()
        self._watch()
        try:
            self.journal.write(audit=self.audit.middle(self.applications()))
            for fault in faults:
                self._make(fault)
                number = fault.number + 1
                last, fresh = fault is faults[-1], number % self.fresh_every == 0
                # Those who watch the jobs of the old applications do not know those of fresh ones.
                if number % self.audit_every == 0 or fresh or last:
                    self._look()
                if fresh and not last:
                    self._go_on_in_fresh_ones()
            self._end()
        finally:
            for watch in self.watches.values():
                watch.end()
            self.faults.undo()

    def _watch(self):
        self.watches = {application.id: Watch(application) for application in self.applications()}

    def _make(self, fault):
        time.sleep(fault.at)
        began = time.time()
        hit = self.faults.make(fault)
        made = time.time()
        self.journal.write(fault=fault.as_json(), hit=hit and hit[0])
        tell(f"{fault.number + 1:5} {fault.kind}: {hit[0] if hit else 'nothing is there'}")
        if hit:
            self.open.append(Hit(fault, began, made, hit[1]))

    def _look(self):
        undone = time.time()
        self.faults.undo()
        figures = self.audit.middle(self.applications())
        # What each ApplicationMaster has said last: one that was not killed has said why it ended.
        last = {a.id: self.audit.last_words(a) for a in self.applications()}
        watched = {application: list(watch.seen) for application, watch in self.watches.items()}
        self.journal.write(audit=figures, recovered=recoveries(self.open, watched, undone), last=last)
        self.open = []
        tell(f"      all is well after {figures['seconds']} s: {json.dumps(figures['applications'])}")

    def _go_on_in_fresh_ones(self):
        for watch in self.watches.values():
            watch.end()
        for deployment in self.deployments:
            savepoint = deployment.stop()
            before = deployment.application.id
            deployment.deploy(savepoint)
            self.journal.write(fresh=deployment.application.id, instead_of=before)
            tell(f"      {deployment.application.id} goes on with the job of {before}")
        self._watch()

    def _end(self):
        for deployment in self.deployments:
            deployment.stop()
        for deployment in self.deployments:
            total = self.audit.output(deployment.application, deployment.output)
            self.journal.write(output=total, application=deployment.application.id)
            tell(f"{deployment.application.id}: {total} records, each exactly once")
            self.audit.end(deployment.ended)


def tell(text):
    print(text, flush=True)
