"""The same journal and cluster, with a boundary before and after everything that lasts; at one of them, SIGKILL."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any, Protocol

from orchestrator import effects as fx
from orchestrator import events as ev


class Fate:
    """Counts boundaries over all threads, and kills this process at the n-th (0: never)."""

    def __init__(self, die_at: int) -> None:
        self.die_at, self.count, self.lock = die_at, 0, threading.Lock()

    def boundary(self) -> None:
        with self.lock:
            self.count += 1
            if self.count == self.die_at:
                os.kill(os.getpid(), signal.SIGKILL)


class Boundaries(Protocol):
    def boundary(self) -> None: ...


class MortalJournal:
    """A journal with a boundary before each commit of facts and after it."""

    def __init__(self, journal: Any, fate: Fate) -> None:
        self.journal, self.fate = journal, fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self.journal, name)

    def append_lines(self, *args: Any, **options: Any) -> Any:
        self.fate.boundary()
        records = self.journal.append_lines(*args, **options)
        self.fate.boundary()
        return records


class MortalCluster:
    """A cluster, or a model of one, with a boundary before each effect and after it."""

    def __init__(self, cluster: Any, fate: Boundaries) -> None:
        self.cluster, self.fate = cluster, fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cluster, name)

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        self.fate.boundary()
        for fact in self.cluster.perform(effect, step=step, attempt=attempt):
            self.fate.boundary()
            yield fact
