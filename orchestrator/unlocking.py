"""Who holds a run and its installation, and taking both from them: a person's decision, with a name and a reason.

Nothing here stops anybody. What is raised is the epoch: whoever held the run is refused by its journal, by the Lease on
the cluster and in the pods from then on, and says so when it notices.
"""

from __future__ import annotations

from dataclasses import dataclass

from journal import Journal, Lease, holder_in_words, holder_is_alive
from orchestrator import events as ev
from orchestrator.clock import Clock, label
from orchestrator.cluster.leases import LeaseSeen, free, lease_seen, number
from orchestrator.cluster.rest import Rest
from orchestrator.errors import PlanChanged, RunHeldElsewhere
from orchestrator.runs import Loaded, record_alone, user


@dataclass(frozen=True, slots=True)
class Held:
    """One of the two leases of a run. since and until are RFC 3339, "" where nothing tells."""

    where: str
    holder: str
    epoch: int
    since: str
    until: str

    @property
    def is_alive(self) -> bool | None:
        """None: it is a process of another machine, or cannot be seen."""
        return holder_is_alive(self.holder)

    def say(self) -> str:
        return holder_in_words(self.holder)


@dataclass(frozen=True, slots=True)
class Locks:
    """Of one run. loaded: None where this journal does not know it. lease: None where there is none to be seen."""

    run: str
    loaded: Loaded | None
    journal: Held | None
    lease: LeaseSeen | None

    @property
    def cluster(self) -> Held | None:
        seen = self.lease
        if seen is None or not seen.holder or seen.run != self.run:
            return None
        return Held("cluster", seen.holder, seen.epoch, seen.since, seen.until)

    @property
    def held(self) -> list[Held]:
        return [held for held in (self.journal, self.cluster) if held is not None]

    @property
    def is_open_elsewhere(self) -> bool:
        """The Lease keeps others off for it, and its journal is not this one."""
        seen = self.lease
        return self.loaded is None and seen is not None and (self.cluster is not None or seen.open_run == self.run)


def locks_of(run: str, journal: Journal | None, loaded: Loaded | None, rest: Rest | None) -> Locks:
    lease = journal.lease_of(run) if journal and loaded else None
    return Locks(run, loaded, held_in(loaded, lease), lease_seen(rest) if rest else None)


def held_in(loaded: Loaded | None, lease: Lease | None) -> Held | None:
    if loaded is None or lease is None:
        return None
    since = next((label(entry.recorded_at) for entry in loaded.entries if entry.epoch == lease.epoch), "")
    return Held("journal", lease.holder, lease.epoch, since, label(lease.expires_at))


def steal(locks: Locks, journal: Journal | None, rest: Rest, clock: Clock, reason: str, *, force: bool) -> None:
    """Take both leases from whoever has them, and leave both free. Raises RunHeldElsewhere for a holder that lives here."""
    run, holder = locks.run, locks.held[0].holder if locks.held else ""
    for held in locks.held:
        if held.is_alive and not force:
            raise RunHeldElsewhere(
                f"{held.say()} of this machine carries {run}, and it is alive: stop it, or take the run from it with --force",
                hint=f"restore unlock {run} --steal --force --reason TEXT",
            )
    epoch, head = (locks.lease.epoch + 1, locks.lease.head) if locks.lease else (1, "")
    if locks.loaded is not None and journal is not None:
        refuse_two_pasts(locks)
        state = record_alone(journal, clock, run, ev.LockStolen(holder=holder, reason=reason, by=user()), steal=True)
        known = journal.head(run)
        epoch, head = state.epoch, f"{known.seq}:{known.digest}" if known else ""
    stolen = f"{user()} at {label(clock.now())} from {holder or 'nobody'}: {reason}"
    free(rest, run, epoch=epoch, head=head, stolen=stolen, is_given_up=locks.loaded is None)


def refuse_two_pasts(locks: Locks) -> None:
    """A journal that was copied may know less of its run than the one that it was carried on with."""
    seen = locks.lease
    if seen is None or seen.run != locks.run or locks.loaded is None or not seen.head:
        return
    if number(seen.head.partition(":")[0]) > locks.loaded.state.seq:
        raise PlanChanged(
            f"the Lease on the cluster notes fact {seen.head.partition(':')[0]} of {locks.run}, and this journal ends at "
            f"{locks.loaded.state.seq}: the run was carried on with another journal",
            hint=f"restore verify {locks.run} --anchor {seen.head}",
        )
