"""restore pause: ask whoever carries a run to stop where it can be gone on with."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Annotated

import typer

from commands import printer, wiring
from commands.options import JournalPath, Run
from orchestrator.errors import RunHalted, RunHeldElsewhere

if TYPE_CHECKING:
    from journal import Journal

LOOK_SECONDS = 0.2


def pause(
    run: Run,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", help="For how long its end is waited for.", min=0)
    ] = 60.0,
    journal: JournalPath = None,
) -> None:
    """Ask the process that carries a run to stop, as Ctrl-C in its own terminal does, and wait until it has.

    What it has begun it ends, or leaves to be looked at. A process on another machine cannot be asked from here.

    Exit status: 0 nobody carries it any more, 3 it has not stopped yet, 10 unknown run, 11 carried from elsewhere.
    """
    from orchestrator.runs import load

    ledger = wiring.open_journal(journal, write=False)
    loaded = load(ledger, run)
    if asked(ledger, run):
        until = time.monotonic() + wait
        while held_here(ledger, run) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        if held_here(ledger, run):
            raise RunHalted(f"run {run} was asked to stop and still ends what it has begun", hint=f"restore status {run}")
        loaded = load(ledger, run)
    state = loaded.state
    is_over = state.closed in ("finished", "rolled back")
    printer.say(f"nobody carries run {run}: " + (f"it is {state.closed}" if is_over else f"go on with: {wiring.going_on(run, state)}"))


def asked(ledger: Journal, run: str) -> bool:
    """Whether there was a process to be asked. Raises RunHeldElsewhere for one that cannot be reached from here."""
    from journal import holder_in_words, process_of

    carrier = ledger.carrier_of(run)
    if not carrier:
        return False
    process = process_of(carrier)
    if process is None:
        raise RunHeldElsewhere(
            f"run {run} is held by {holder_in_words(carrier)}, which cannot be asked from here: stop it there",
            hint=f"restore unlock {run}",
        )
    try:
        os.kill(process, signal.SIGTERM)
    except ProcessLookupError:
        return False  # it ended at this very moment
    except PermissionError as error:
        raise RunHeldElsewhere(
            f"run {run} is held by {holder_in_words(carrier)}, a process of another user", hint=f"restore unlock {run}"
        ) from error
    return True


def held_here(ledger: Journal, run: str) -> bool:
    from journal import process_of

    return process_of(ledger.carrier_of(run)) is not None
