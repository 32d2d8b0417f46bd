"""What one seed decides: the installation, which faults are on and how often, how many lives and how each ends.

Not every fault in every history: a random subset of them is on ("swarm testing", Groce and others, 2012), because a
fault that comes too early keeps the others from ever meeting.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Literal

from orchestrator.drills.histories import History, begin_whole, opened
from orchestrator.drills.model import RELEASES, WholeCluster
from orchestrator.runbooks.options import Options

FAULTS: Final = (
    # the line
    "unreachable", "throttled", "outage", "refused", "token expired", "no answer", "slow",
    "sent in vain", "answer lost", "cut", "chunk unheard", "conflict",
    # the cluster
    "not ready", "restart", "pod replaced", "node drained", "pod names stay", "rewrite", "job lost", "load failed",
    "hook failed", "rollout failed", "operator gone",
    # the time, and other people
    "machine slept", "clock back", "others", "skips",
)  # fmt: skip
RATES: Final = (0.002, 0.01, 0.03, 0.08)
Verb = Literal["resume", "rollback", "partial"]
LIVES_MAX: Final = 4
BOUNDARIES_MAX: Final = 900  # about what a whole restore passes

OPTIONS: Final = (
    Options(), Options(), Options(), Options(queues="drop"), Options(with_objects=True), Options(only=("system-database",)),
    Options(only=("zync",)), Options(only=("system-storage",)), Options(only=("backend-redis",)),
    Options(only=("backend-redis", "system-redis"), queues="drop"), Options(only=("objects",)),
    Options(only=("system-database", "system-redis")), Options(only=("zync", "backend-redis")),
)  # fmt: skip
ELSEWHERE: Final[tuple[tuple[str, ...], ...]] = (
    (), (), (), (), ("system-database", "zync"), ("backend-redis", "system-redis"), ("system-database",),
)  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """An installation, and what of it is restored."""

    release: str
    options: Options = field(default_factory=Options)
    original: int | None = None  # what the APIManager says of every program's replicas
    engine: str = "mysql"
    external: tuple[str, ...] = ()
    is_s3: bool = False
    is_fresh: bool = False

    def begin(self) -> History:
        first = first_of(self)
        return History(first.cluster.copy(), first.plan)

    def say(self) -> str:
        words = [self.release, self.engine, f"replicas {self.original}"]
        words += [f"only {'+'.join(self.options.only)}"] if self.options.only else []
        words += [f"queues {self.options.queues}"] if self.options.queues else []
        words += [f"elsewhere {'+'.join(self.external)}"] if self.external else []
        flags = (("with objects", self.options.with_objects), ("object store", self.is_s3), ("fresh", self.is_fresh))
        return ", ".join([*words, *(word for word, is_on in flags if is_on)])


@dataclass(frozen=True)
class Life:
    """One process: what it is told to do, and at which boundary it dies, is stopped, or is asked to end (0: never).

    A stopped one (SIGSTOP) is taken over by another, and goes on (SIGCONT) when that has ended.
    """

    verb: Verb
    die_at: int = 0
    stop_at: int = 0
    interrupt_at: int = 0
    patience_seconds: int = 0

    def say(self) -> str:
        ends = (("dies", self.die_at), ("is stopped", self.stop_at), ("is interrupted", self.interrupt_at))
        said = [f"{word} at boundary {at}" for word, at in ends if at]
        said += [f"patience of {self.patience_seconds} s"] if self.patience_seconds else []
        return ", ".join([self.verb, *said])


@dataclass(frozen=True)
class Swarm:
    """Everything that is decided beforehand. The rest comes from one stream of chance, as it is needed."""

    seed: int
    shape: Shape
    on: frozenset[str]
    rate: float
    operator_looks: int
    out: tuple[Life, ...]
    is_finished: bool  # carried to its end before it is taken back
    back: tuple[Life, ...]
    is_taken_back: bool
    chance: random.Random = field(compare=False)

    def say(self) -> str:
        ends = ["finished"] if self.is_finished else []
        ends += ["taken back"] if self.is_taken_back else []
        return (
            f"seed {self.seed}: {self.shape.say()}; {' and '.join(ends)}; the operator acts after {self.operator_looks} looks; "
            f"at a rate of {self.rate}: {', '.join(sorted(self.on)) or 'no faults'}"
        )


def swarm(seed: int) -> Swarm:
    chance = random.Random(seed)
    shape = shaped(chance)
    rate = chance.choice(RATES)
    share = chance.choice((0.0, 0.2, 0.5, 0.8))
    on = frozenset(fault for fault in FAULTS if chance.random() < share)
    is_finished = chance.random() < 0.6
    is_taken_back = not is_finished or chance.random() < 0.5
    out = tuple(living(chance, "resume") for _ in range(chance.randint(0 if is_finished else 1, LIVES_MAX)))
    back = tuple(living(chance, "rollback") for _ in range(chance.randint(0, LIVES_MAX))) if is_taken_back else ()
    return Swarm(seed, shape, on, rate, chance.randint(1, 10), out, is_finished, back, is_taken_back, chance)


def living(chance: random.Random, verb: Literal["resume", "rollback"]) -> Life:
    ends: dict[str, Any] = {}
    kind = chance.choice(("die_at", "die_at", "stop_at", "interrupt_at", ""))
    if kind:
        ends[kind] = chance.randint(1, chance.choice((20, 200, BOUNDARIES_MAX)))
    if chance.random() < 0.1:
        ends["patience_seconds"] = chance.choice((60, 3600))
    return Life("partial" if verb == "rollback" and chance.random() < 0.2 else verb, **ends)


def shaped(chance: random.Random) -> Shape:
    release = chance.choice(RELEASES)
    if chance.random() < 0.03:
        return Shape(release, Options(), is_fresh=True)
    shape = Shape(
        release, chance.choice(OPTIONS), chance.choice((None, None, 2)), chance.choice(("mysql", "postgresql")),
        chance.choice(ELSEWHERE), chance.random() < 0.1,
    )  # fmt: skip
    return shape if shape.begin().plan.steps else Shape(release, Options())


@cache
def first_of(shape: Shape) -> History:
    """The world as it is in the beginning, and its plan."""
    return begin_whole(
        shape.release, shape.options, original=shape.original, engine=shape.engine, external=shape.external,
        is_s3=shape.is_s3, is_fresh=shape.is_fresh,
    )  # fmt: skip


@cache
def worlds_of(shape: Shape) -> tuple[WholeCluster, WholeCluster]:
    """The world before a restore, and after one that nothing disturbed."""
    before, history = shape.begin(), shape.begin()
    history.live(opened(history.plan))
    assert history.state().closed == "finished", history.state().reason
    assert isinstance(before.cluster, WholeCluster)
    assert isinstance(history.cluster, WholeCluster)
    return before.cluster, history.cluster
