"""Carrying a run from a command: signals, progress, and how it ended."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from commands import printer, wiring
from commands.exits import INTERRUPTED
from orchestrator.errors import RestoreError

if TYPE_CHECKING:
    from commands.lanes_table import LanesTable
    from journal import Journal
    from orchestrator.clock import SystemClock
    from orchestrator.cluster.live import LiveCluster
    from orchestrator.events import Entry
    from orchestrator.plan import Plan
    from orchestrator.runs import Interruption, Opening
    from orchestrator.state import RunState

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def carry(
    journal: Journal,
    cluster: LiveCluster,
    run: str,
    plan: Plan,
    opening: Opening,
    *,
    verbose: bool,
    heard: Callable[[Entry], None] = lambda entry: None,
) -> RunState:
    """Carry a run as far as it goes. Raises what stopped it, with where it stands."""
    from orchestrator.clock import SystemClock
    from orchestrator.cluster.leases import InstallationLease
    from orchestrator.runs import Interruption, Session, carry_on

    clock = SystemClock()
    watched = Watched(journal, run, plan, clock, verbose=verbose)

    def hear(entry: Entry) -> None:
        heard(entry)
        watched.hear(entry)

    cluster.jobs.keep = journal.put_blob
    interruption = Interruption()
    guard = InstallationLease(cluster.rest, clock.now, lambda text: printer.tell(f"restore: warning: {text}"))
    try:
        with ended_by_signals(interruption), watched:
            session = Session(
                journal, cluster, clock, heard=hear, sampled=watched.sample, guard=guard, interruption=interruption
            )
            state = carry_on(session, run, plan, opening)
        stopped = wiring.outcome(run, state)
    except RestoreError as error:
        stopped = error
    finally:
        clock.close()
    if stopped is not None:
        tell_where_it_stands(journal, run, watched.last)
        raise stopped
    return state


class Watched:
    """What a person sees of a run while it is carried out: lines, and on a terminal the table of lanes below."""

    def __init__(self, journal: Journal, run: str, plan: Plan, clock: SystemClock, *, verbose: bool) -> None:
        from orchestrator.progress import Meter
        from orchestrator.state import RunState

        self._meter, self._state, self._clock = Meter(plan), RunState(), clock
        self.last = 0  # the newest fact that this process knows to be durable
        self._table = self._drawn(journal, run) if sys.stderr.isatty() and not verbose else None
        tell = self._table.tell if self._table else printer.tell
        self._lines = printer.Progress(plan, verbose=verbose, tell=tell)

    def _drawn(self, journal: Journal, run: str) -> LanesTable:
        """A table that goes on from what the journal knows of this run."""
        from commands.lanes_table import LanesTable
        from orchestrator.runs import load
        from orchestrator.state import fold

        with suppress(RestoreError):
            entries = load(journal, run).entries
            for entry in entries:
                self._meter.hear(entry)
            self._state = fold(entries)
        return LanesTable(self._meter, lambda: self._state, self._clock.now)

    def __enter__(self) -> Watched:
        if self._table:
            self._table.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._table:
            self._table.__exit__(kind, value, trace)

    def hear(self, entry: Entry) -> None:
        self.last = entry.seq
        if self._table:
            from orchestrator.state import evolve

            self._meter.hear(entry)
            self._state = evolve(self._state, entry)
        self._lines(entry)

    def sample(self, step: str, done_bytes: int) -> None:
        self._meter.sample(step, done_bytes, self._clock.now())


def tell_where_it_stands(journal: Journal, run: str, last: int) -> None:
    """One sentence before the error; where the journal cannot even be read for now, only which fact was the last."""
    from orchestrator.runs import load

    try:
        printer.tell(f"restore: {wiring.stands(run, load(journal, run).state)}")
    except RestoreError:
        if last:
            printer.tell(f"restore: run {run} is at fact {last}, the last that is known to be on the disk")


@contextmanager
def ended_by_signals(interruption: Interruption) -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP end a run: what is under way is finished first. The second one ends it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        if interruption.is_asked:
            os._exit(INTERRUPTED)  # as a kill -9: the journal has what is needed to go on
        interruption.ask()
        printer.tell("restore: ending what is under way; once more ends it at once")

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
