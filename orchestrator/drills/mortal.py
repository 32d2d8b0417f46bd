"""Boundaries around everything that lasts: where a process may end, told apart; and SIGKILL at one of them.

There is one before and after each append of facts, and one before and after each effect.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol, get_args

from orchestrator import effects as fx
from orchestrator import events as ev

# What a death leaves: nothing of what was about to be; an intent without its effect; an effect without its fact; all of it.
Kind = Literal["before append", "appended, not acted", "acted, not recorded", "recorded"]
KINDS: tuple[Kind, ...] = get_args(Kind)
INTENTS = frozenset({ev.StepStarted.name, ev.StepUndoStarted.name})


class Boundaries(Protocol):
    def boundary(self, kind: Kind) -> None: ...


class Fate:
    """Counts boundaries over all threads, and kills this process at the n-th (0: never).

    The kind of each is noted as one digit in the open file `notes`: the newest one outlives this process.
    """

    def __init__(self, die_at: int, notes: int) -> None:
        self.die_at, self.notes, self.count, self.lock = die_at, notes, 0, threading.Lock()

    def boundary(self, kind: Kind) -> None:
        with self.lock:
            self.count += 1
            os.write(self.notes, b"%d" % KINDS.index(kind))
            if self.count == self.die_at:
                os.kill(os.getpid(), signal.SIGKILL)


def around(types: Iterable[str]) -> tuple[Kind, Kind]:
    """The kinds of the boundaries before and after an append of facts of these types."""
    found = set(types)
    tells_of_effects = any(issubclass(ev.FACTS[name], ev.EffectFact) for name in found)
    before: Kind = "acted, not recorded" if tells_of_effects else "before append"
    return before, "appended, not acted" if found & INTENTS else "recorded"


class MortalJournal:
    """A journal with a boundary before each commit of facts and after it."""

    def __init__(self, journal: Any, fate: Boundaries) -> None:
        self.journal, self.fate = journal, fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self.journal, name)

    def append_lines(self, lease: Any, lines: Any, **options: Any) -> Any:
        before, after = around(line.draft.type for line in lines)
        self.fate.boundary(before)
        records = self.journal.append_lines(lease, lines, **options)
        self.fate.boundary(after)
        return records


class MortalCluster:
    """A cluster, or a model of one, with a boundary before each effect and after it."""

    def __init__(self, cluster: Any, fate: Boundaries) -> None:
        self.cluster, self.fate = cluster, fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cluster, name)

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        self.fate.boundary("appended, not acted")
        for fact in self.cluster.perform(effect, step=step, attempt=attempt):
            self.fate.boundary("acted, not recorded")
            yield fact
