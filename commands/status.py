"""restore status: where a run stands, from its journal alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands import printer, wiring
from commands.options import JournalPath, Output, OutputAs, Run

if TYPE_CHECKING:
    from orchestrator.state import RunState

WATCH_SECONDS = 1.0


def status(
    run: Run,
    watch: Annotated[bool, typer.Option("--watch", help="Print again whenever something has happened.")] = False,
    journal: JournalPath = None,
    output: OutputAs = Output.table,
) -> None:
    """Show where a run stands: each step, what is in doubt, what it waits for."""
    from orchestrator.runs import load

    ledger = wiring.open_journal(journal, write=False)
    shown = -1
    while True:
        state = load(ledger, run).state
        if state.seq != shown:
            show(run, state, ledger_head(ledger, run), output)
            shown = state.seq
        if not watch or state.closed:
            return
        time.sleep(WATCH_SECONDS)


def ledger_head(ledger: Any, run: str) -> str:
    head = ledger.head(run)
    return head.digest if head else ""


def show(run: str, state: RunState, head: str, output: Output) -> None:
    found = summary(run, state, head)
    if output is not Output.table:
        printer.document(found, output)
        return
    printer.say(f"run {run}: {found['state']}" + (f", {state.reason}" if state.reason else ""))
    printer.say(f"journal head {head}")
    rows = [
        (s["step"], s["status"], s["attempts"], s["seconds"] if s["seconds"] is not None else "-", s["reason"])
        for s in found["steps"]
    ]
    printer.table(("STEP", "STATUS", "ATTEMPTS", "SECONDS", "REASON"), rows)


def summary(run: str, state: RunState, head: str = "") -> dict[str, Any]:
    """A run as one JSON object."""
    steps = [
        {
            "step": name, "status": s.status, "in_doubt": s.is_in_doubt, "attempts": s.attempt,
            "undo_attempts": s.undo_attempt, "reason": s.reason,
            "seconds": round((s.ended_at - s.started_at).total_seconds(), 1)
            if s.ended_at and s.started_at and s.ended_at >= s.started_at else None,
        }
        for name, s in state.steps.items()
    ]
    ended = sum(s["status"] in ("finished", "skipped", "restored", "untouched") for s in steps)
    context = state.opened.context if state.opened else {}
    return {
        "run": run, "state": state.closed or ("rolling back" if state.phase == "backward" else "open"),
        "phase": state.phase, "reason": state.reason, "needs": state.needs, "facts": state.seq,
        "epoch": state.epoch, "holder": state.holder, "head": head, "ended": ended,
        "opened_at": stamp(state.opened_at), "last_at": stamp(state.last_at),
        "namespace": context.get("namespace", ""), "server": context.get("server", ""), "steps": steps,
    }


def stamp(moment: Any) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""
