"""A plan: the steps as data, with stable ids, what each needs, and a digest.

It is journalled whole when a run opens, so a run never depends on the code that built its plan. This
module refuses a plan that cannot be carried out or taken back: doubled ids, needs that don't exist, a circle.
"""

from __future__ import annotations

import graphlib
import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from orchestrator.steps import AnyStep


def digest_of(plan: Mapping[str, Any]) -> str:
    """sha256 over the canonical JSON of a plan."""
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Plan(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    runbook: str
    release: str
    namespace: str
    parts: tuple[str, ...]
    steps: tuple[AnyStep, ...]
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def refuse_the_impossible(self) -> Self:
        ids = [step.id for step in self.steps]
        if len(ids) != len(set(ids)):
            raise ValueError("two steps have one id")
        for step in self.steps:
            unknown = set(step.needs) - set(ids)
            if unknown:
                raise ValueError(f"step {step.id} needs {sorted(unknown)[0]}, which is not in the plan")
            if step.applies and step.applies not in step.needs:
                raise ValueError(f"step {step.id} applies {step.applies}, which it does not need")
        for waits in (self.needs, self.undo_needs):  # a way out without a way back is no plan either
            graphlib.TopologicalSorter(waits).prepare()  # raises CycleError, a ValueError
        return self

    @cached_property
    def digest(self) -> str:
        return digest_of(self.model_dump(mode="json"))

    @cached_property
    def by_id(self) -> Mapping[str, AnyStep]:
        return {step.id: step for step in self.steps}

    def step(self, name: str) -> AnyStep:
        return self.by_id[name]

    @cached_property
    def needs(self) -> Mapping[str, frozenset[str]]:
        """What must have ended before a step, on the way forward."""
        return {step.id: frozenset(step.needs) for step in self.steps}

    @cached_property
    def undo_needs(self) -> Mapping[str, frozenset[str]]:
        """What must have been taken back before a step, on the way back.

        Newest first: a step waits for all that came to rest on it. A step that puts another's change
        into force (a restart after an edit) does so on the way back too: it comes after the edit's undo, and so
        after that of whatever lies between the two. Several such steps of one change keep their order.
        """
        after = {step.id: self.dependents(step.id) for step in self.steps}
        waits = {}
        for step in self.steps:
            later = {name for name in after[step.id] if not self.applies_across(name, step.id, after)}
            earlier = {name for name in step.needs if self.step(name).applies == step.applies}
            waits[step.id] = frozenset(later | ({step.applies, *earlier} if step.applies else set()))
        return waits

    def applies_across(self, name: str, other: str, after: Mapping[str, set[str]]) -> bool:
        """Whether a step puts a change into force that `other` is, or rests on."""
        change = self.step(name).applies
        return bool(change) and (change == other or other in after[change])

    def dependents(self, name: str) -> set[str]:
        """Every step that needs this one, directly or through others."""
        found: set[str] = set()
        todo = [name]
        while todo:
            needed = todo.pop()
            more = {s.id for s in self.steps if needed in s.needs} - found
            found |= more
            todo += more
        return found
