"""Engines with a bug each, for the tests that show that it is found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from orchestrator import events as ev
from orchestrator.engine import Engine, dumped
from orchestrator.moves import Probe


class Rash(Engine):
    """Believes of a step in doubt that nothing was done yet, instead of looking."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.begun: set[str] = set()  # by this process

    def do(self, name: str) -> Iterator[None]:
        self.begun.add(name)
        yield from super().do(name)

    def look(self, move: Probe) -> Iterator[None]:
        step = self.recorder.state.steps[move.step]
        if step.status == "started" and step.before is not None and move.step not in self.begun:
            yield
            self.recorder.record(ev.StepFoundClear(step=move.step, attempt=step.attempt, seen=step.before))
        else:
            yield from super().look(move)


class Late(Engine):
    """Acts first, and writes down afterwards what it was about to do."""

    def do(self, name: str) -> Iterator[None]:
        step, state = self.plan.step(name), self.recorder.state.steps[name]
        seen = step.picture(state.seen)
        assert seen is not None
        ctx = replace(self.context(name), before=state.before or dumped(seen), attempt=state.attempt + 1)
        effects = step.do(seen, ctx)
        facts = [fact for effect in effects for fact in self.cluster.perform(effect, step=name, attempt=ctx.attempt)]
        yield
        epoch = self.recorder.state.epoch
        self.recorder.record(
            ev.StepStarted(step=name, attempt=ctx.attempt, before=ctx.before or {}, inverse=(), epoch=epoch), *facts
        )
