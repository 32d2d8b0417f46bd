"""Carrying a run from a command: signals, progress, and how it ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
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
    from orchestrator.runs import Session, carry_on

    clock, progress = SystemClock(), printer.Progress(plan, verbose=verbose)

    def hear(entry: Entry) -> None:
        heard(entry)
        progress(entry)

    end_on_signals()
    guard = InstallationLease(cluster.rest, clock.now, lambda text: printer.tell(f"restore: warning: {text}"))
    try:
        state = carry_on(Session(journal, cluster, clock, hear, guard), run, plan, opening)
        stopped = wiring.outcome(run, state)
    except KeyboardInterrupt:
        stopped = wiring.interrupted(run)
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


def end_on_signals() -> None:
    """SIGTERM and SIGHUP end a run as Ctrl-C does: what is under way is finished or left in doubt, and said."""
    if threading.current_thread() is not threading.main_thread():
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
