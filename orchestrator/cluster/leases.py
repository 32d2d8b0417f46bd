"""The Lease object in the target namespace: one run at a time on one installation, from any machine.

It shows the holder, the run, the epoch and the head of the run's chain; that copy of the head stands
outside the journal's file, so facts that are cut off its end are missed. Expiry is a hint by the clocks of
two machines; what protects the journal is its own epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from journal import holder_in_words, holder_is_alive
from orchestrator.clock import label
from orchestrator.cluster.rest import Conflict, Object, Rest
from orchestrator.errors import ClusterRefused, JournalBroken, PlanChanged, RunHeldElsewhere

NAME = "restore"
DURATION_SECONDS = 60
RUN, EPOCH, HEAD = "restore/run", "restore/epoch", "restore/head"
OPEN = "restore/open"  # the run that has begun here and has not ended
STANDING = "restore/standing"  # the runs whose changes are in place, oldest first
STANDING_MAX = 50
STOLEN = "restore/stolen"  # the run, and who took it from whom, and why, the last time


class InstallationLease:
    """Held while a run is carried out on this namespace."""

    def __init__(
        self, rest: Rest, now: Callable[[], datetime], warn: Callable[[str], None], *, may_be_below: bool = False
    ) -> None:
        """may_be_below: what is to be done does no harm to the runs that have changed the installation since."""
        self._rest, self._now, self._warn, self._may_be_below = rest, now, warn, may_be_below
        self._path = path_of(rest, "")
        self._run, self._holder, self._epoch, self._is_held = "", "", 0, False
        self._standing: list[str] = []  # as it was last seen: for one that is made again

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

    def confirm(self) -> None:
        """Raises RunHeldElsewhere after a take-over. A Lease that somebody deleted is nobody else's."""
        if self._is_held and (found := self._rest.find(f"{self._path}/{NAME}")) is not None:
            self._refuse_not_ours(found)

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
        if found is not None:
            self._refuse_not_ours(found)
        body = self._body(found, head)
        body["metadata"]["annotations"] |= notes
        if holder is not None:
            body["spec"]["holderIdentity"] = holder
        if not is_standing:
            rest = [run for run in self._standing if run != self._run]
            body["metadata"]["annotations"][STANDING] = " ".join(rest)
        if found is None:  # somebody deleted it, and with it what keeps others off
            self._rest.post(self._path, body)
        else:
            self._rest.send("PUT", f"{self._path}/{NAME}", body=body)

    def _refuse_not_ours(self, found: Object) -> None:
        """While it is held it names this run, epoch and holder, whatever has become of whoever took it over.

        The holder too: two copies of one journal count the same epochs.
        """
        notes, holder = found["metadata"].get("annotations") or {}, (found.get("spec") or {}).get("holderIdentity")
        if (notes.get(RUN), notes.get(EPOCH), holder) == (self._run, str(self._epoch), self._holder):
            return
        stolen = f" (taken from it by {why})" if (why := stolen_from(notes, self._run)) else ""
        raise RunHeldElsewhere(
            f"the installation was taken from run {self._run} (epoch {self._epoch}): its Lease names run {notes.get(RUN)}, "
            f"epoch {notes.get(EPOCH)}, held by {holder_in_words(holder or '')}{stolen}",
            hint=f"restore log {self._run}",
        )

    def _refuse(self, found: Object) -> None:
        """Whether somebody else has it: a holder whose time is not over, or a later epoch of our run."""
        spec, notes = found.get("spec") or {}, found["metadata"].get("annotations") or {}
        holder, run = spec.get("holderIdentity") or "", notes.get(RUN, "")
        is_later = run == self._run and number(notes.get(EPOCH)) > self._epoch
        is_held = bool(holder) and not self._has_expired(spec) and holder_is_alive(holder) is not False
        if is_later or (is_held and (run, holder) != (self._run, self._holder)):
            raise RunHeldElsewhere(
                f"this installation is held by run {run} ({holder_in_words(holder)}, since {spec.get('acquireTime')}, "
                f"epoch {notes.get(EPOCH)})",
                hint=f"restore unlock {run}",
            )
        if notes.get(OPEN) and notes[OPEN] != self._run:
            raise RunHeldElsewhere(
                f"run {notes[OPEN]} has begun to change this installation and has not ended: go on with it, or take "
                f"it back, where its journal is",
                hint=f"restore unlock {notes[OPEN]}",
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
        runs = standing(found) if found else self._standing
        self._standing = runs = runs if self._run in runs else [*runs, self._run][-STANDING_MAX:]
        known = ((found or {}).get("metadata") or {}).get("annotations") or {}
        notes = {
            RUN: self._run, EPOCH: str(self._epoch), HEAD: head, STANDING: " ".join(runs),
            OPEN: known.get(OPEN, ""), **({STOLEN: known[STOLEN]} if known.get(STOLEN) else {}),
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


# ---- from outside -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LeaseSeen:
    """Who works on the installation, as the Lease tells. open_run: has begun here and has not ended."""

    holder: str
    run: str
    epoch: int
    head: str
    open_run: str
    since: str
    until: str
    stolen: str


def path_of(rest: Rest, name: str = NAME) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{rest.connection.namespace}/leases" + (f"/{name}" if name else "")


def lease_seen(rest: Rest) -> LeaseSeen | None:
    """None where there is none."""
    if (found := rest.find(path_of(rest))) is None:
        return None
    spec, notes = found.get("spec") or {}, found["metadata"].get("annotations") or {}
    until = renewed_at(spec)
    return LeaseSeen(
        holder=str(spec.get("holderIdentity") or ""), run=str(notes.get(RUN, "")), epoch=number(notes.get(EPOCH)),
        head=str(notes.get(HEAD, "")), open_run=str(notes.get(OPEN, "")), since=str(spec.get("acquireTime") or ""),
        until=label(until + duration(spec)) if until else "", stolen=stolen_from(notes, str(notes.get(RUN, ""))),
    )


def free(rest: Rest, run: str, *, epoch: int, head: str, stolen: str, is_given_up: bool) -> None:
    """Take the Lease from whoever holds it for this run; nothing where it is about another one.

    is_given_up: nobody will go on with the run, so it keeps nobody off any more.
    """
    if (found := rest.find(path_of(rest))) is None:
        return
    notes = found["metadata"].setdefault("annotations", {})
    if run not in (notes.get(RUN), notes.get(OPEN)):
        return
    notes[STOLEN] = f"{run} {stolen}"
    if notes.get(RUN) == run:
        notes |= {EPOCH: str(epoch), HEAD: head}
        found["spec"]["holderIdentity"] = ""
    if is_given_up and notes.get(OPEN) == run:
        notes[OPEN] = ""
    rest.send("PUT", path_of(rest), body=found)


def stolen_from(notes: Object, run: str) -> str:
    """Who took this run from whom, when and why; "" where it was another run that was taken last."""
    taken, _, why = str(notes.get(STOLEN, "")).partition(" ")
    return why if taken == run else ""


def number(text: object) -> int:
    """An epoch, or the fact of a head, as it was noted; 0 where somebody has written something else there."""
    return int(str(text)) if str(text).isdecimal() else 0


def standing(found: Object | None) -> list[str]:
    """The runs whose changes are in place, as the Lease notes them."""
    notes = ((found or {}).get("metadata") or {}).get("annotations") or {}
    return str(notes.get(STANDING, "")).split()


def has_expired(spec: Object, now: datetime) -> bool:
    renewed = renewed_at(spec)
    return renewed is None or now > renewed + duration(spec)


def renewed_at(spec: Object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(spec["renewTime"]))
    except (KeyError, ValueError):
        return None


def duration(spec: Object) -> timedelta:
    return timedelta(seconds=int(spec.get("leaseDurationSeconds") or 0))


def holder_of(rest: Rest, now: datetime) -> str:
    """Who works on this namespace now, and at what; "" where nobody does, or it may not be looked up."""
    try:
        found = rest.find(path_of(rest))
    except ClusterRefused:
        return ""
    spec = (found or {}).get("spec") or {}
    holder = str(spec.get("holderIdentity") or "")
    if not holder or has_expired(spec, now) or holder_is_alive(holder) is False:
        return ""
    notes = ((found or {}).get("metadata") or {}).get("annotations") or {}
    return f"run {notes.get(RUN, '?')}, held by {holder_in_words(holder)}"
