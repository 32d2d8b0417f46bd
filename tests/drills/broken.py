"""Engines with a bug each, for the tests that show that it is found."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator import events as ev
from orchestrator.engine import Engine
from orchestrator.moves import Probe


class Rash(Engine):
    """Believes of a step in doubt that nothing was done yet, instead of looking."""

    def look(self, move: Probe) -> Iterator[None]:
        step = self.recorder.state.steps[move.step]
        if step.status == "started" and step.tries == 0 and step.before is not None:
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
        for effect in step.do(seen, self.context(name)):
            list(self.cluster.perform(effect, step=name, attempt=state.attempt + 1))
        yield from super().do(name)
