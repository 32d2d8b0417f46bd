"""What a person is asked before a rollback takes anything back: where data that was written since would be lost.

What later steps have changed is still so then, so only a step that can tell all the same is asked: a load, whose rows
somebody may have added to, or whose safety copy is gone. Asked in its turn, the question would come when 3scale is
stopped already, and keep it so until it is answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from orchestrator.engine import context_of, found_back
from orchestrator.errors import ClusterRefused, ClusterUnreachable
from orchestrator.events import Entry, Fact
from orchestrator.plan import Plan
from orchestrator.port import Reader
from orchestrator.state import RunState, evolve


def questions(run: str, plan: Plan, state: RunState, facts: Sequence[Fact], reader: Reader, now: datetime) -> Iterator[Fact]:
    """The drifts to be recorded behind `facts`, which open a rollback or go on with one that has taken nothing back."""
    for fact in facts:
        state = evolve(state, Entry(state.seq + 1, now, state.epoch, fact))
    if state.phase != "backward" or any(step.undo_attempt for step in state.steps.values()):
        return
    for step in plan.steps:
        known = state.steps[step.id]
        if not step.is_asked_early or known.status != "held" or known.is_overruled:
            continue
        ctx = replace(context_of(run, state, step.id, now), is_early=True)
        try:
            seen = step.probe(reader, ctx)
        except (ClusterUnreachable, ClusterRefused):
            continue  # it is looked at again in its turn
        standing = step.restored(seen, ctx)
        if standing.name == "torn":
            yield from found_back(step, seen, standing, ctx)
