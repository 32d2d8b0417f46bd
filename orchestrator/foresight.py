"""What a rollback would do, without doing it: each step looked at, its undo listed, nothing performed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from orchestrator.clock import label
from orchestrator.events import Entry, Fact, StepStarted
from orchestrator.port import Reader
from orchestrator.runs import Loaded
from orchestrator.state import RunState, evolve
from orchestrator.steps.base import Context

FOUND = {"clear": "to take back", "done": "already as before", "busy": "busy", "torn": "drifted"}


def foresee(loaded: Loaded, reader: Reader, facts: list[Fact], order: list[str]) -> list[dict[str, Any]]:
    """One entry a step that would be taken back, newest first.

    Later steps are looked at as the world is now, not as it will be when their turn comes.
    """
    state = loaded.state
    for fact in facts:
        state = evolve(state, Entry(state.seq + 1, datetime.now(UTC), state.epoch, fact))
    held = [name for name in order if state.steps[name].status in ("held", "undoing")]
    return [foreseen(loaded, state, reader, name) for name in held]


def foreseen(loaded: Loaded, state: RunState, reader: Reader, name: str) -> dict[str, Any]:
    step, known = loaded.plan.step(name), state.steps[name]
    ctx = Context(
        run=loaded.run, now=label(datetime.now(UTC)), attempt=known.undo_attempt, before=known.before,
        after=known.after, pictures=state.before_of(),
    )
    seen = step.probe(reader, ctx)
    standing = step.restored(seen, ctx)
    effects = [effect.say() for effect in step.undo(seen, ctx)] if standing.name == "clear" else []
    return {
        "step": name, "standing": FOUND[standing.name], "reason": standing.reason, "effects": effects,
        "from_fact": picture_fact(loaded, name), "before": known.before,
    }


def picture_fact(loaded: Loaded, name: str) -> int | None:
    """The journal's fact that holds a step's first picture."""
    for entry in loaded.entries:
        if isinstance(entry.fact, StepStarted) and entry.fact.step == name:
            return entry.seq
    return None
