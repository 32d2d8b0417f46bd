"""What has to hold after every life and every history, whatever has happened in it.

    chain     each fact carries the digest of the one before
    fold      the facts add up to the state that the engine had
    intent    an effect belongs to a start of that step and attempt which is in the journal and has not ended
    epoch     the newest life alone changes the world, or the journal
    question  a person is asked only what a look cannot tell
    ending    a history ends, and time passes in it
    end       a finished restore is what an undisturbed one is
    identity  a restore that was taken back leaves everything as it was
    sound     nothing is done that must never be done, and no error comes out that has no name
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from journal.verification import flaw_in
from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.drills.histories import History
from orchestrator.drills.model.redis import NAMES as NAMES_OF_REDIS
from orchestrator.recorder import entries_of
from orchestrator.state import RunState, fold

UNDERWAY: Final = {"forward": "started", "backward": "undoing"}
SHOWN_MAX = 3


class Broken(AssertionError):
    """One of them does not hold."""

    def __init__(self, invariant: str, why: str) -> None:
        super().__init__(f"{invariant}: {why}")
        self.invariant, self.why = invariant, why


class Witness:
    """Between an engine and its cluster: sees each effect that is asked for, and whether it may be."""

    def __init__(self, cluster: Any, history: History, epoch: int) -> None:
        self.cluster, self.history, self.epoch = cluster, history, epoch

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cluster, name)

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        facts = self.cluster.perform(effect, step=step, attempt=attempt)
        while True:
            self.check(effect, step, attempt)
            fact = next(facts, None)
            if fact is None:
                return
            yield fact

    def check(self, effect: fx.Effect, step: str, attempt: int) -> None:
        if self.epoch != self.history.lives:
            raise Broken("epoch", f"epoch {self.epoch} acts, and {self.history.lives} has the lease: {effect.say()}")
        state = self.history.state()
        known = state.steps[step]
        begun = known.attempt if state.phase == "forward" else known.undo_attempt
        if known.status != UNDERWAY[state.phase] or begun != attempt:
            raise Broken("intent", f"{step}, attempt {attempt}, is {known.status} in attempt {begun}: {effect.say()}")


def check_chain(history: History) -> None:
    if flaw := flaw_in(history.run, history.records):
        raise Broken("chain", flaw)


def check_epochs(history: History) -> None:
    """Who lost the lease has appended nothing since."""
    epochs = [record.epoch for record in history.records]
    for earlier, later in pairwise(epochs):
        if later < earlier:
            raise Broken("epoch", f"epoch {later} appended after epoch {earlier} had taken over")


def check_live_state(history: History, live: RunState) -> None:
    """After a life: what the journal adds up to, going on from where it was, is what the process had."""
    if history.state() != live:
        raise Broken("fold", differing(history.state(), live))


def check_fold(history: History) -> None:
    """From the first fact on."""
    if (anew := fold(entries_of(history.records))) != history.state():
        raise Broken("fold", differing(anew, history.state()))


def differing(one: RunState, other: RunState) -> str:
    steps = [name for name in one.steps if one.steps[name] != other.steps.get(name)]
    fields = [f for f in RunState.__dataclass_fields__ if f != "steps" and getattr(one, f) != getattr(other, f)]
    return f"the journal and the engine differ in {', '.join([*fields, *steps][:SHOWN_MAX]) or 'the steps they know'}"


# ---- two worlds -----------------------------------------------------------------------------------------


def difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The parts of two digests that differ, in words; "" where none do."""
    keys = [key for key in dict.fromkeys([*wanted, *found]) if found.get(key) != wanted.get(key)]
    return "; ".join(f"{key} is {found.get(key)!r} and should be {wanted.get(key)!r}" for key in keys[:SHOWN_MAX])


def without_rdb(digest: Mapping[str, Any]) -> dict[str, Any]:
    """A Redis that restarts once more writes its RDB once more, with what the post hook has written meanwhile."""
    return {key: (held[0], *held[2:]) if key in NAMES_OF_REDIS else held for key, held in digest.items()}


def check_end(found: Any, undisturbed: Any) -> None:
    if why := difference(without_rdb(found.digest()), without_rdb(undisturbed.digest())):
        raise Broken("end", why)


def check_identity(found: Any, before: Any, parts: tuple[str, ...]) -> None:
    if why := difference(found.owned(parts), before.owned(parts)):
        raise Broken("identity", why)
