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
    from orchestrator.interruption import Interruption
    from orchestrator.plan import Plan
    from orchestrator.runs import Opening
    from orchestrator.state import RunState

REMINDING_SECONDS = 5.0
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
    from orchestrator.cluster.rest import Rest
    from orchestrator.interruption import Interruption
    from orchestrator.runs import Session, carry_on

    clock = SystemClock()
    watched = Watched(journal, run, plan, clock, verbose=verbose)

    def hear(entry: Entry) -> None:
        heard(entry)
        watched.hear(entry)

    cluster.jobs.keep = journal.put_blob
    cluster.copies.directory = wiring.copies_of(journal)
    interruption = Interruption()
    guard = InstallationLease(Rest(cluster.connection), clock.now, lambda text: printer.tell(f"restore: warning: {text}"))
    try:
        with ended_by_signals(interruption), watched:
            session = Session(
                journal, cluster, clock, heard=hear, sampled=watched.sample, guard=guard, interruption=interruption,
                fence=cluster.fence, give_up=cluster.execs.give_up,
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
        self._ended, self._reminding = threading.Event(), threading.Thread(target=self._remind, daemon=True)
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
        else:
            self._reminding.start()
        return self

    def _remind(self) -> None:
        """Where no table shows it: a run that only waits is told from one that hangs."""
        while not self._ended.wait(REMINDING_SECONDS):
            self._lines.remind(self._clock.now().timestamp())

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
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
    """Ctrl-C, SIGTERM and SIGHUP end a run: what is under way is finished, or given up safely where it takes longer.

    A second Ctrl-C or SIGTERM ends it at once. A terminal that is closed may send SIGHUP more than once, which hurries
    nothing; where it was ignored from the start, as `nohup` does, the run goes on without the terminal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        if interruption.is_asked and number != signal.SIGHUP:
            if os.isatty(2):
                os.write(2, b"\x1b[?25h")  # the table of lanes had hidden the cursor
            os._exit(INTERRUPTED)  # as a kill -9: the journal has what is needed to go on
        if not interruption.is_asked:
            interruption.ask()
            with suppress(OSError):  # printing is not for handlers: it may have been interrupted in print itself
                os.write(2, b"restore: ending what is under way; once more ends it at once\n")

    before = {number: signal.getsignal(number) for number in SIGNALS}
    heeded = [n for n in SIGNALS if not (n == signal.SIGHUP and before[n] is signal.SIG_IGN)]
    for number in heeded:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])
