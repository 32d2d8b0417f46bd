"""restore status: where a run stands, from its journal alone."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands import printer, wiring
from commands.options import JournalPath, Output, OutputAs, Run
from orchestrator.errors import RollbackStopped

if TYPE_CHECKING:
    from journal import Journal
    from orchestrator.state import RunState, StepState

WATCH_SECONDS = 1.0


def status(
    run: Run,
    watch: Annotated[bool, typer.Option("--watch", help="Print again whenever something has happened.")] = False,
    journal: JournalPath = None,
    output: OutputAs = Output.table,
) -> None:
    """Show where a run stands: each step, what is in doubt, what it waits for.

    Exit status: 0 shown, 5 a rollback has stopped before its end: some steps are not back, 10 unknown run, 12 journal
    damaged.
    """
    from orchestrator.runs import load

    ledger = wiring.open_journal(journal, write=False)
    if watch and output is Output.table and sys.stdout.isatty():
        refuse_half_way_back(ledger, run, watched(ledger, run))
        return
    shown = -1
    while True:
        state = load(ledger, run).state
        if state.seq != shown:
            show(ledger, run, state, output)
            shown = state.seq
        if not watch or state.closed:
            break
        time.sleep(WATCH_SECONDS)
    refuse_half_way_back(ledger, run, state)


def refuse_half_way_back(ledger: Journal, run: str, state: RunState) -> None:
    """Raises RollbackStopped for a rollback that nobody carries on with and that is not at its end."""
    stopped = wiring.outcome(run, state)
    if state.phase != "backward" or stopped is None or word_for(ledger, run, state) not in ("paused", "interrupted"):
        return
    count = len(way_back_of(state)["not_back"])
    why = f": {state.reason}" if state.reason else ""
    raise RollbackStopped(f"the rollback has not come to its end, {count} steps are not back{why}", hint=stopped.hint)


def watched(ledger: Journal, run: str) -> RunState:
    """The table of lanes that whoever carries the run sees, from the journal alone, until the run is closed."""
    from datetime import datetime

    from commands.lanes_table import LanesTable
    from orchestrator.clock import SystemClock
    from orchestrator.progress import DONE_BYTES, Meter
    from orchestrator.runs import load

    loaded = load(ledger, run)
    meter, heard, sampled = Meter(loaded.plan), 0, 0
    with LanesTable(meter, lambda: loaded.state, SystemClock().now):
        while True:
            for entry in loaded.entries[heard:]:
                meter.hear(entry)
            heard = len(loaded.entries)
            samples = ledger.samples(run)
            for step, name, value, at in samples[sampled:]:
                if step and name == DONE_BYTES:
                    meter.sample(step, int(value), datetime.fromisoformat(at))
            sampled = len(samples)
            if loaded.state.closed:
                break
            time.sleep(WATCH_SECONDS)
            loaded = load(ledger, run)
    show(ledger, run, loaded.state, Output.table)
    return loaded.state


def ledger_head(ledger: Journal, run: str) -> str:
    head = ledger.head(run)
    return head.digest if head else ""


def word_for(ledger: Journal, run: str, state: RunState) -> str:
    """Where a run stands, in a word. One whose process is gone is interrupted, whatever its journal's end."""
    if state.closed:
        return state.closed
    if not ledger.carrier_of(run):
        return "interrupted"
    return "rolling back" if state.phase == "backward" else "running"


def show(ledger: Journal, run: str, state: RunState, output: Output) -> None:
    found = summary(ledger, run, state)
    if output is not Output.table:
        printer.document(found, output)
        return
    cleaned = {"opened": ", cleaned up in part", "finished": ", cleaned up"}.get(state.cleanup, "")
    printer.say(f"run {run}: {found['state']}{cleaned}" + (f", {state.reason}" if state.reason else ""))
    printer.say(f"journal head {found['head']}")
    rows = [
        (s["step"], f"{s['status']}, in doubt" if s["in_doubt"] else s["status"], s["attempts"], s["seconds"] if s["seconds"] is not None else "-", s["reason"])
        for s in found["steps"]
    ]
    printer.table(("STEP", "STATUS", "ATTEMPTS", "SECONDS", "REASON"), rows)
    if without := without_a_copy(state):
        printer.say(without)
    if state.phase == "backward":
        show_way_back(found["rollback"])
    if found["state"] in ("interrupted", "paused"):
        printer.say(f"go on with: {wiring.going_on(run, state)}")


def without_a_copy(state: RunState) -> str:
    """What a rollback can no longer bring back, though it was to; "" where all of it can be."""
    lost = [name for name, s in state.steps.items() if s.is_copy_lost and s.status != "restored"]
    return f"no way back any more, the safety copy is gone: {', '.join(lost)}" if lost else ""


def show_way_back(found: dict[str, Any]) -> None:
    """Which steps are back and which are not, and what somebody else has changed."""
    words = {"back": "back", "not_back": "not back", "left": "left as they are, by a decision", "never_begun": "never begun"}
    for key, word in words.items():
        if found[key]:
            printer.say(f"{word} ({len(found[key])}): {', '.join(found[key])}")
    for step, rows in found["drift"].items():
        printer.table((f"DRIFT OF {step}", "BEFORE", "AS LEFT", "NOW"), [tuple(row.values()) for row in rows])


def way_back_of(state: RunState) -> dict[str, Any]:
    """The steps of a run that goes back, by where they stand. left: begun, and not to be taken back."""
    import dataclasses

    from orchestrator.drift import three_way
    from orchestrator.state import ENDED_BACKWARD

    steps = state.steps
    untouched = [name for name, s in steps.items() if s.status == "untouched"]
    return {
        "back": [name for name, s in steps.items() if s.status == "restored"],
        "not_back": [name for name, s in steps.items() if s.status not in ENDED_BACKWARD],
        "left": [name for name in untouched if steps[name].before is not None],
        "never_begun": [name for name in untouched if steps[name].before is None],
        "drift": {
            name: [dataclasses.asdict(row) for row in three_way(s.before, s.after, s.seen)]
            for name, s in steps.items() if s.status == "drifted"
        },
    }  # fmt: skip


def summary(ledger: Journal, run: str, state: RunState) -> dict[str, Any]:
    """A run as one JSON object."""
    steps = [
        {
            "step": name, "status": s.status, "in_doubt": s.is_in_doubt, "attempts": s.attempt,
            "undo_attempts": s.undo_attempt, "reason": s.reason, "seconds": seconds_of(s), "is_copy_lost": s.is_copy_lost,
        }
        for name, s in state.steps.items()
    ]
    ended = sum(s["status"] in ("finished", "skipped", "restored", "untouched") for s in steps)
    context = state.opened.context if state.opened else {}
    return {
        "run": run, "state": word_for(ledger, run, state), "phase": state.phase, "reason": state.reason,
        "needs": state.needs, "facts": state.seq, "epoch": state.epoch, "holder": state.holder,
        "head": ledger_head(ledger, run), "ended": ended, "opened_at": stamp(state.opened_at),
        "last_at": stamp(state.last_at), "namespace": context.get("namespace", ""),
        "server": context.get("server", ""), "cleanup": state.cleanup, "steps": steps,
    } | ({"rollback": way_back_of(state)} if state.phase == "backward" else {})


def seconds_of(step: StepState) -> float | None:
    """From the first attempt to the end, of a step that was finished and is still so."""
    if step.status != "finished" or step.started_at is None or step.ended_at is None:
        return None
    return round((step.ended_at - step.started_at).total_seconds(), 1)


def stamp(moment: Any) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""
