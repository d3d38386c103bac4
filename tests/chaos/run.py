"""One run: it deploys, makes the faults, looks whether all is well, and looks at every record in the end."""

import json
import time

from .audit import Audit
from .deployments import Deployment
from .faults import Faults
from .watch import Watch

MODES = ("session", "application")


class Journal:
    """A line of JSON for each thing that has happened."""

    def __init__(self, file):
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file, self.began = file.open("w"), time.time()

    def write(self, **what):
        self.file.write(json.dumps({"at": round(time.time() - self.began, 2)} | what) + "\n")
        self.file.flush()


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
                if number % self.audit_every == 0 or fault is faults[-1]:
                    self._look()
                if number % self.fresh_every == 0 and fault is not faults[-1]:
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
        at, hit = time.time(), self.faults.make(fault)
        self.journal.write(fault=fault.as_json(), hit=hit and hit[0])
        tell(f"{fault.number + 1:5} {fault.kind}: {hit[0] if hit else 'nothing is there'}")
        if hit:
            self.open.append((fault.number, at, hit[1]))

    def _look(self):
        self.faults.undo()
        figures = self.audit.middle(self.applications())
        # What each ApplicationMaster has said last: one that was not killed has said why it ended.
        last = {a.id: self.audit.last_words(a) for a in self.applications()}
        self.journal.write(audit=figures, recovered=self._recovered(), last=last)
        tell(f"      all is well after {figures['seconds']} s: {json.dumps(figures['applications'])}")

    def _recovered(self):
        """Fault and how long it took until each job that it concerned had a new checkpoint."""
        found = []
        for number, at, concerned in self.open:
            times = [self.watches[application].recovery(at) for application in concerned]
            found += [] if None in times else [(number, max(times))]
        self.open = []
        return found

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
