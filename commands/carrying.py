"""Carrying a run from a command: signals, progress, and how it ended."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from commands import printer, wiring
from commands.exits import INTERRUPTED
from orchestrator.errors import RestoreError

if TYPE_CHECKING:
    from journal import Journal
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

    clock, progress = SystemClock(), printer.Progress(plan, verbose=verbose)

    def hear(entry: Entry) -> None:
        heard(entry)
        progress(entry)

    interruption = Interruption()
    guard = InstallationLease(cluster.rest, clock.now, lambda text: printer.tell(f"restore: warning: {text}"))
    try:
        with ended_by_signals(interruption):
            state = carry_on(Session(journal, cluster, clock, hear, guard, interruption), run, plan, opening)
        stopped = wiring.outcome(run, state)
    except RestoreError as error:
        stopped = error
    finally:
        clock.close()
    if stopped is not None:
        tell_where_it_stands(journal, run)
        raise stopped
    return state


def tell_where_it_stands(journal: Journal, run: str) -> None:
    """One sentence before the error, as far as the journal can still be read."""
    from orchestrator.runs import load

    with suppress(RestoreError):
        printer.tell(f"restore: {wiring.stands(run, load(journal, run).state)}")


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
