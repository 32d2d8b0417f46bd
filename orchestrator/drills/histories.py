"""Carrying a plan on the model, with deaths: a journal in memory, a clock that jumps, lanes by a seed.

What a death leaves is the journal and the world, and nothing of the process. So one life shows what a
death at each of its boundaries would have left: `History.deaths` copies both at every boundary.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, Self

from journal import Draft, Head, JournalError, LeaseLost, Record
from journal.records import GENESIS, chain, encode, record, timestamp
from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.clock import Clock
from orchestrator.drills.deeds import Deed, WitnessedCluster
from orchestrator.drills.model import ModelCluster, WholeCluster
from orchestrator.drills.mortal import Boundaries, Kind, MortalCluster, around
from orchestrator.engine import Engine
from orchestrator.lanes import Work
from orchestrator.plan import Plan
from orchestrator.recorder import Admit, Published, Recorder, entries_of
from orchestrator.runbooks.options import Options
from orchestrator.runbooks.threescale import restore_plan
from orchestrator.state import RunState, fold

START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
BOUNDARIES_MAX = 20_000  # a whole restore has about 600


class World(Protocol):
    """A cluster, as far as the plan asks for one, that can be copied as it is now."""

    def copy(self) -> Self: ...

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]: ...


class Death(BaseException):
    """The process ends here, without any more words."""


class Endless(Exception):
    """A life that goes on and on: what it does comes to nothing."""


@dataclass
class Fate:
    """Counts boundaries and ends the process at the n-th (0: never); tells whoever wants to see them."""

    die_at: int = 0
    count: int = 0
    passed: Callable[[Kind], None] = lambda kind: None

    def boundary(self, kind: Kind) -> None:
        self.count += 1
        self.passed(kind)
        if self.count == self.die_at:
            raise Death
        if self.count == BOUNDARIES_MAX:
            raise Endless(f"{self.count} boundaries, and no end")


@dataclass(frozen=True)
class Moment:
    """One boundary of a life, and what a death there leaves; moments with nothing between them share what is left."""

    number: int
    kind: Kind
    left: History


Opening = Callable[["History"], list[ev.Fact]]


@dataclass
class History:
    """A journal and a world that outlive the processes which act on them. engine: what carries the run."""

    cluster: World
    plan: Plan
    records: list[Record] = field(default_factory=list)
    lives: int = 0
    run: str = "run"
    folded: RunState = field(default_factory=RunState)
    engine: type[Engine] = Engine
    performed: Counter[Deed] = field(default_factory=Counter)

    def live(self, facts: list[ev.Fact], die_at: int = 0, seed: int = 0) -> tuple[RunState | None, int]:
        """One process from start to end or death: (the state it ended with, or None; boundaries passed)."""
        fate = Fate(die_at)
        return self.lived(facts, fate, seed), fate.count

    def moments(self, opening: Opening, seed: int = 0) -> list[Moment]:
        """One process from start to end: its boundaries, and what a death at each of them would leave."""
        found: list[Moment] = []

        def pass_boundary(kind: Kind) -> None:
            is_new = not found or self.has_moved_on_from(found[-1].left)
            found.append(Moment(len(found) + 1, kind, self.copy() if is_new else found[-1].left))

        self.lived(opening(self), Fate(passed=pass_boundary), seed)
        return found

    def deaths(self, opening: Opening, seed: int = 0) -> list[History]:
        """The same, where only what is left matters: what several moments leave is in the list once."""
        return list({id(moment.left): moment.left for moment in self.moments(opening, seed)}.values())

    def has_moved_on_from(self, earlier: History) -> bool:
        return len(self.records) != len(earlier.records) or self.cluster != earlier.cluster

    def lived(self, facts: list[ev.Fact], fate: Fate, seed: int) -> RunState | None:
        self.lives += 1
        clock = JumpingClock(self.state().last_at or START)

        def make_writer(admit: Admit, published: Published) -> MemoryWriter:
            def publish(records: list[Record]) -> None:
                published(records)
                self.folded = recorder.state  # so that `state` need not fold them once more

            return MemoryWriter(self, fate, self.lives, clock, admit, publish)

        recorder = Recorder(self.state(), make_writer, clock.now)
        witnessed = WitnessedCluster(self.cluster, self.performed, lambda: recorder.state.phase)
        cluster: Any = MortalCluster(witnessed, fate)
        engine = self.engine(self.run, self.plan, recorder, cluster, clock, SeededLanes(seed))
        try:
            recorder.record(*facts)
            return engine.carry_on()
        except Death:
            return None

    def copy(self) -> History:
        return replace(
            self, cluster=self.cluster.copy(), records=list(self.records), folded=self.state(),
            performed=self.performed.copy(),
        )  # fmt: skip

    def state(self) -> RunState:
        """The fold of all records; what was folded before is not folded again."""
        self.folded = fold(entries_of(self.records[self.folded.seq :]), self.folded)
        return self.folded

    def facts(self) -> list[ev.Fact]:
        return [entry.fact for entry in entries_of(self.records)]

    def types(self) -> list[str]:
        return [record.type for record in self.records]


class MemoryWriter:
    """Admits, appends and publishes as the journal's own writer does, with a boundary on either side of the append.

    The records are chained by the journal's own functions. The newest life alone may append, whatever an older
    one still has in hand.
    """

    def __init__(
        self, history: History, fate: Boundaries, epoch: int, clock: Clock, admit: Admit, published: Published
    ) -> None:
        self.history, self.fate, self.epoch, self.clock = history, fate, epoch, clock
        self.admit, self.published = admit, published
        self.failure: JournalError | None = None

    def append(self, *drafts: Draft) -> list[Record]:
        if self.failure is not None:
            raise self.failure
        lines = [encode(draft) for draft in drafts]
        self.admit(drafts)
        before, after = around(draft.type for draft in drafts)
        self.fate.boundary(before)
        self.refuse_when_taken()
        stamp = timestamp(self.clock.now())
        records = [record(row) for row in chain(self.history.run, self.epoch, self.head(), stamp, lines)]
        self.history.records.extend(records)
        self.fate.boundary(after)
        self.published(records)
        return records

    def refuse_when_taken(self) -> None:
        if self.epoch != self.history.lives:
            self.failure = LeaseLost(f"the lease (epoch {self.epoch}) was taken over (epoch {self.history.lives})")
            raise self.failure

    def head(self) -> Head:
        last = self.history.records[-1] if self.history.records else None
        return Head(last.seq, last.digest) if last else Head(0, GENESIS)

    def close(self) -> None: ...


class JumpingClock:
    """Time passes by waiting, and a little with every look at it."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        self.at += timedelta(microseconds=1)
        return self.at

    def wait(self, seconds: float, stop: threading.Event) -> None:
        self.at += timedelta(seconds=seconds)


class SeededLanes:
    """Interleaves the lanes' work step by step, in an order that follows from the seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.work: dict[str, Work] = {}

    def under_way(self) -> frozenset[str]:
        return frozenset(self.work)

    def start(self, name: str, work: Work) -> None:
        self.work[name] = work

    def wait(self, timeout_seconds: float | None) -> None:
        while True:
            name = self.random.choice(sorted(self.work))
            try:
                next(self.work[name])
            except StopIteration:
                del self.work[name]
                return
            except BaseException:
                self.work.clear()
                raise


def opened(plan: Plan) -> list[ev.Fact]:
    return [
        ev.RunOpened(
            plan=plan.model_dump(mode="json"), plan_digest=plan.digest, context={}, bundle={}, program="test",
            by="test",
        )
    ]


TURNED: list[ev.Fact] = [ev.RollbackOpened(by="test")]


def begin(flavour: str, only: tuple[str, ...] = ()) -> History:
    """The two Redis alone."""
    cluster = ModelCluster(flavour)
    return History(cluster, restore_plan(cluster.installation(), cluster.bundle(), Options(only=only)))


def begin_whole(flavour: str, options: Options = Options(), **shape: Any) -> History:  # noqa: B008
    """Everything that 3scale is."""
    cluster = WholeCluster(flavour, **shape)
    return History(cluster, restore_plan(cluster.installation(), cluster.bundle(), options))


def go_on(history: History, again: Opening, seed: int = 0) -> RunState:
    """Live until a life ends by itself."""
    while True:
        state, _ = history.live(again(history), seed=seed)
        if state is not None:
            return state


def resumed(history: History) -> list[ev.Fact]:
    """What a resuming process records first: opening, where the first life died before it could."""
    if not history.records:
        return opened(history.plan)
    return [] if history.state().closed in ("finished", "rolled back") else [ev.RunResumed(program="test", by="test")]


def turned(history: History) -> list[ev.Fact]:
    """What a rollback records first, or its resumption."""
    return TURNED if history.state().phase == "forward" else resumed(history)
