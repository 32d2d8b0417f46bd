"""The Lease object in the target namespace: one run at a time on one installation, from any machine.

It shows the holder, the run, the epoch and the head of the run's chain; that copy of the head stands
outside the journal's file, so facts that are cut off its end are missed. Expiry is a hint by the clocks of
two machines; what protects the journal is its own epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from journal import holder_is_alive
from orchestrator.cluster.rest import Conflict, Object, Rest
from orchestrator.errors import ClusterRefused, JournalBroken, PlanChanged, RunHeldElsewhere

NAME = "restore"
DURATION_SECONDS = 60
RUN, EPOCH, HEAD = "restore/run", "restore/epoch", "restore/head"
OPEN = "restore/open"  # the run that has begun here and has not ended
STANDING = "restore/standing"  # the runs whose changes are in place, oldest first
STANDING_MAX = 50


class InstallationLease:
    """Held while a run is carried out on this namespace."""

    def __init__(
        self, rest: Rest, now: Callable[[], datetime], warn: Callable[[str], None], *, may_be_below: bool = False
    ) -> None:
        """may_be_below: what is to be done does no harm to the runs that have changed the installation since."""
        self._rest, self._now, self._warn, self._may_be_below = rest, now, warn, may_be_below
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{rest.connection.namespace}/leases"
        self._run, self._holder, self._epoch, self._is_held = "", "", 0, False

    def take(self, run: str, holder: str, epoch: int, head: str, is_ours: Callable[[str], bool]) -> None:
        """Raises RunHeldElsewhere, PlanChanged, JournalBroken.

        A user without rights on leases goes on without one, and is told.
        """
        self._run, self._holder, self._epoch = run, holder, epoch
        try:
            found = self._rest.find(f"{self._path}/{NAME}")
            if found is None:
                self._rest.post(self._path, self._body(None, head))
            else:
                self._refuse(found)
                self._refuse_below(found)
                self._refuse_another_past(found, is_ours)
                self._rest.send("PUT", f"{self._path}/{NAME}", body=self._body(found, head))
        except Conflict as error:
            raise RunHeldElsewhere(
                "another run took this installation at the same moment", hint="restore runs"
            ) from error
        except ClusterRefused as error:
            self._warn(f"no Lease on the cluster, so another machine is not kept out: {error.message}")
            return
        self._is_held = True

    def renew(self, head: str) -> None:
        """Raises RunHeldElsewhere after a take-over."""
        self._write(head, {OPEN: self._run})

    def release(self, head: str, *, is_open: bool, is_standing: bool) -> None:
        """Give it back, with the last head noted on it, and how the run has left the installation."""
        self._write(head, {OPEN: self._run if is_open else ""}, is_standing=is_standing, holder="")
        self._is_held = False

    def _write(
        self, head: str, notes: dict[str, str], *, is_standing: bool = True, holder: str | None = None
    ) -> None:
        if not self._is_held:
            return
        found = self._rest.find(f"{self._path}/{NAME}")
        if found is None:
            return
        self._refuse(found)
        body = self._body(found, head)
        body["metadata"]["annotations"] |= notes
        if holder is not None:
            body["spec"]["holderIdentity"] = holder
        if not is_standing:
            rest = [run for run in standing(found) if run != self._run]
            body["metadata"]["annotations"][STANDING] = " ".join(rest)
        self._rest.send("PUT", f"{self._path}/{NAME}", body=body)

    def _refuse(self, found: Object) -> None:
        """Whether somebody else has it: another run that has not expired, or a later epoch of ours."""
        spec, notes = found.get("spec") or {}, found["metadata"].get("annotations") or {}
        holder, run = spec.get("holderIdentity") or "", notes.get(RUN, "")
        is_later = run == self._run and int(notes.get(EPOCH) or 0) > self._epoch
        is_held = bool(holder) and not self._has_expired(spec) and holder_is_alive(holder) is not False
        if is_later or (is_held and run != self._run):
            raise RunHeldElsewhere(
                f"this installation is held by run {run} ({holder}, epoch {notes.get(EPOCH)})",
                hint=f"restore resume {run}",
            )
        if notes.get(OPEN) and notes[OPEN] != self._run:
            raise RunHeldElsewhere(
                f"run {notes[OPEN]} has begun to change this installation and has not ended (if its journal is "
                f"lost for good: kubectl delete lease {NAME})",
                hint=f"restore resume {notes[OPEN]}",
            )

    def _refuse_another_past(self, found: Object, is_ours: Callable[[str], bool]) -> None:
        """The head that was noted here for this run has to be in its journal: else facts were cut off."""
        notes = found["metadata"].get("annotations") or {}
        noted = str(notes.get(HEAD, ""))
        if notes.get(RUN) == self._run and noted and not is_ours(noted):
            raise JournalBroken(
                f"the Lease on the cluster notes fact {noted.partition(':')[0]} of {self._run}, and the journal "
                "does not hold it: facts were cut off or rewritten",
                hint=f"restore verify {self._run} --anchor {noted}",
            )

    def _refuse_below(self, found: Object) -> None:
        """A run from another machine may stand on top of ours: it has to be taken back first."""
        runs = standing(found)
        if self._run in runs and runs[-1] != self._run and not self._may_be_below:
            raise PlanChanged(
                f"run {runs[-1]} has changed this installation since {self._run}; take it back first",
                hint=f"restore rollback {runs[-1]}",
            )

    def _has_expired(self, spec: Object) -> bool:
        return has_expired(spec, self._now())

    def _body(self, found: Object | None, head: str) -> Object:
        stamp = self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        runs = standing(found)
        runs = runs if self._run in runs else [*runs, self._run][-STANDING_MAX:]
        known = ((found or {}).get("metadata") or {}).get("annotations") or {}
        notes = {
            RUN: self._run, EPOCH: str(self._epoch), HEAD: head, STANDING: " ".join(runs),
            OPEN: known.get(OPEN, ""),
        }
        metadata: Object = {"name": NAME, "annotations": notes}
        transitions, acquired = 0, stamp
        if found is not None:
            spec = found.get("spec") or {}
            metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
            is_ours = spec.get("holderIdentity") == self._holder
            transitions = int(spec.get("leaseTransitions") or 0) + (0 if is_ours else 1)
            acquired = spec.get("acquireTime") or stamp if is_ours else stamp
        return {
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata,
            "spec": {
                "holderIdentity": self._holder, "leaseDurationSeconds": DURATION_SECONDS,
                "acquireTime": acquired, "renewTime": stamp, "leaseTransitions": transitions,
            },
        }


def standing(found: Object | None) -> list[str]:
    """The runs whose changes are in place, as the Lease notes them."""
    notes = ((found or {}).get("metadata") or {}).get("annotations") or {}
    return str(notes.get(STANDING, "")).split()


def has_expired(spec: Object, now: datetime) -> bool:
    try:
        renewed = datetime.fromisoformat(str(spec["renewTime"]))
    except (KeyError, ValueError):
        return True
    return now > renewed + timedelta(seconds=int(spec.get("leaseDurationSeconds") or 0))


def holder_of(rest: Rest, now: datetime) -> str:
    """Who works on this namespace now, and at what; "" where nobody does, or it may not be looked up."""
    try:
        found = rest.find(f"/apis/coordination.k8s.io/v1/namespaces/{rest.connection.namespace}/leases/{NAME}")
    except ClusterRefused:
        return ""
    spec = (found or {}).get("spec") or {}
    holder = str(spec.get("holderIdentity") or "")
    if not holder or has_expired(spec, now) or holder_is_alive(holder) is False:
        return ""
    notes = ((found or {}).get("metadata") or {}).get("annotations") or {}
    return f"run {notes.get(RUN, '?')}, held by {holder}"
