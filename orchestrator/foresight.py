"""What a rollback would do, without doing it: each step looked at, its undo listed, nothing performed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from orchestrator.effects import ANY_EFFECT
from orchestrator.engine import context_of
from orchestrator.events import Entry, Fact, Json, StepStarted
from orchestrator.port import Reader
from orchestrator.runs import Loaded
from orchestrator.state import ENDED_BACKWARD, RunState, evolve
from orchestrator.steps.base import Standing

FOUND = {"clear": "to take back", "done": "already as before", "busy": "busy", "torn": "drifted"}


def foresee(loaded: Loaded, reader: Reader, facts: list[Fact], order: list[str]) -> list[dict[str, Any]]:
    """One entry a step that would be taken back, newest first.

    Effects are the inverse that the journal recorded when the step was started, with its values; where that is not
    known before, or where a step follows another's change, the note says what is done. The world is looked at only
    for steps whose turn has come: for the others it is not yet as it will be then.
    """
    state = loaded.state
    for fact in facts:
        state = evolve(state, Entry(state.seq + 1, datetime.now(UTC), state.epoch, fact))
    held = [name for name in order if state.steps[name].status not in ENDED_BACKWARD]
    return [foreseen(loaded, state, reader, name) for name in held]


def foreseen(loaded: Loaded, state: RunState, reader: Reader, name: str) -> dict[str, Any]:
    step, waits = loaded.plan.step(name), loaded.plan.undo_needs[name]
    is_next = all(state.steps[w].status in ENDED_BACKWARD for w in waits)
    standing = look(loaded, state, reader, name) if is_next else None
    seq, started = started_fact(loaded, name)
    return {
        "step": name,
        "standing": FOUND[standing.name] if standing else "its turn comes later",
        "reason": standing.reason if standing else "",
        "effects": [said(effect) for effect in started.inverse] if started else [],
        "values": list(started.inverse) if started else [],
        "from_fact": seq,
        "before": state.steps[name].before,
        "way_back": step.way_back,
        "note": step.undo_note,
    }


def look(loaded: Loaded, state: RunState, reader: Reader, name: str) -> Standing:
    step, ctx = loaded.plan.step(name), context_of(loaded.run, state, name, datetime.now(UTC))
    return step.restored(step.probe(reader, ctx), ctx)


def said(effect: Json) -> str:
    """A journalled effect as a person reads it."""
    return ANY_EFFECT.validate_python(effect).say()


def started_fact(loaded: Loaded, name: str) -> tuple[int | None, StepStarted | None]:
    """The journal's fact that holds a step's first picture and its inverse."""
    for entry in loaded.entries:
        if isinstance(entry.fact, StepStarted) and entry.fact.step == name:
            return entry.seq, entry.fact
    return None, None
