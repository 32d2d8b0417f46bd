"""Carrying a run from a command: signals, progress, and how it ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from commands import printer, wiring
from orchestrator.errors import RestoreError

if TYPE_CHECKING:
    from journal import Journal
    from orchestrator.cluster.live import LiveCluster
    from orchestrator.events import Entry
    from orchestrator.plan import Plan
    from orchestrator.runs import Opening
    from orchestrator.state import RunState


class Stopped(RestoreError):
    """Wraps an error with the sentence that says where the run stands."""


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
    from orchestrator.runs import Session, carry_on, load

    clock, progress = SystemClock(), printer.Progress(plan, verbose=verbose)

    def hear(entry: Entry) -> None:
        progress(entry)
        heard(entry)

    end_on_signals()
    try:
        state = carry_on(Session(journal, cluster, clock, hear), run, plan, opening)
    except KeyboardInterrupt:
        raise wiring.interrupted(run) from None
    finally:
        clock.close()
    stopped = wiring.outcome(run, state)
    if stopped is not None:
        printer.tell(f"restore: {wiring.stands(run, load(journal, run).state)}")
        raise stopped
    return state


def end_on_signals() -> None:
    """SIGTERM and SIGHUP end a run as Ctrl-C does: what is under way is finished or left in doubt, and said."""
    if threading.current_thread() is not threading.main_thread():
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
