"""The loop where everything meets: decide, perform, append. Dull on purpose.

A step is finished only because a probe found it so, after doing it or after a crash, by the same lines.
There is no recovery mode: a resumed run comes in here with the state of its journal.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from orchestrator import events as ev
from orchestrator.clock import Clock, label
from orchestrator.decide import decide, doubled, waits_until
from orchestrator.effects import Effect
from orchestrator.errors import ClusterRefused, ClusterUnreachable, OutcomeUnknown
from orchestrator.events import Fact, Json
from orchestrator.lanes import Lanes
from orchestrator.moves import Ask, Close, Do, GiveUp, Move, Probe, Undo
from orchestrator.plan import Plan
from orchestrator.port import Cluster, Seen
from orchestrator.recorder import Recorder
from orchestrator.state import RunState
from orchestrator.steps.base import Context, Standing, Step, torn

POLL_SECONDS = 0.1  # the first look again at something busy; grows with the time it has been busy
POLL_SECONDS_MAX = 5.0
BACKOFF_SECONDS = 0.5  # doubled with each failure, spread by up to a half


class Engine:
    """Carries one run as far as it goes."""

    def __init__(
        self, run: str, plan: Plan, recorder: Recorder, cluster: Cluster, clock: Clock, lanes: Lanes
    ) -> None:
        self.run = run
        self.plan = plan
        self.recorder = recorder
        self.cluster = cluster
        self.clock = clock
        self.lanes = lanes
        self.stop = threading.Event()  # set: begin nothing more, end what is under way
        self.fence: Callable[[], None] = lambda: None  # raises when somebody else has taken the run over

    def carry_on(self) -> RunState:
        """Until nothing can move. Returns the state of a closed run, or of one that was told to stop."""
        try:
            while True:
                under_way = self.lanes.under_way()  # before the state: what ends meanwhile counts as under way
                state, now = self.recorder.state, self.clock.now()
                moves = () if self.stop.is_set() else decide(state, self.plan, now)
                free = [m for m in moves if isinstance(m, Close) or m.step not in under_way]
                self.start(free, alone=not under_way)
                if not self.lanes.under_way() and not moves and (state.closed or self.stop.is_set()):
                    return self.recorder.state
                self.rest(state, now)
        finally:
            self.settle()

    def start(self, moves: list[Move], *, alone: bool) -> None:
        for move in moves:
            if not isinstance(move, Close):
                self.lanes.start(move.step, self.stopping(self.carry_out(move)))
            elif alone:
                self.recorder.record(closing(move))

    def rest(self, state: RunState, now: datetime) -> None:
        """Until a lane ends, or the time of the next retry."""
        times = [at for s in state.steps.values() if (at := waits_until(s, now))]
        seconds = (min(times) - now).total_seconds() if times else None
        if self.lanes.under_way():
            self.lanes.wait(seconds)
        elif seconds is not None:
            self.clock.wait(seconds, self.stop)

    def settle(self) -> None:
        """Let the lanes that are under way end what they have begun."""
        self.stop.set()
        while self.lanes.under_way():
            try:
                self.lanes.wait(None)
            except Exception:
                continue  # the first error is already on its way up

    def stopping(self, work: Iterator[None]) -> Iterator[None]:
        """An error of one lane, such as a journal that cannot be written, stops the others before their next effect."""
        try:
            yield from work
        except Exception:
            self.stop.set()
            raise

    # ---- one move ------------------------------------------------------------------------------

    def carry_out(self, move: Move) -> Iterator[None]:
        """One move, to its end. What the cluster failed in becomes a fact; anything else is raised."""
        match move:
            case Probe():
                yield from self.guarded(move.step, self.look(move))
            case Do():
                yield from self.guarded(move.step, self.do(move.step))
            case Undo():
                yield from self.guarded(move.step, self.undo(move.step))
            case Ask():
                asked = ev.DecisionAsked(step=move.step, question=move.question, choices=move.choices)
                self.recorder.record(asked)
            case GiveUp():
                self.recorder.record(ev.StepFailed(step=move.step, reason=move.reason))
            case Close():
                self.recorder.record(closing(move))
            case _:
                assert_never(move)

    def guarded(self, name: str, work: Iterator[None]) -> Iterator[None]:
        try:
            yield from work
        except ClusterUnreachable as error:
            self.recorder.record(self.retry(name, error))
        except ClusterRefused as error:
            self.recorder.record(ev.StepFailed(step=name, attempt=self.attempt(name), reason=error.message))

    def look(self, move: Probe) -> Iterator[None]:
        step, name = self.plan.step(move.step), move.step
        if move.is_poll:
            self.clock.wait(self.poll_seconds(name), self.stop)
        if self.stop.is_set():
            return
        ctx = self.context(name)
        seen = step.probe(self.cluster, ctx)
        yield
        if progress := step.progress(seen):
            self.recorder.sampled(name, progress)
        backward = self.recorder.state.phase == "backward"
        standing = step.restored(seen, ctx) if backward else self.missed(step.standing(seen, ctx))
        facts = found_back(step, seen, standing, ctx) if backward else found(step, seen, standing, ctx)
        busy_with = self.recorder.state.steps[name].reason if move.is_poll else None
        if standing.name == "busy" and move.gives_up:
            failed = ev.StepFailed(step=name, attempt=ctx.attempt, reason=f"{standing.reason}, {move.gives_up}")
            self.recorder.record(failed)
        elif standing.name != "busy" or standing.reason != busy_with:
            self.recorder.record(*facts)

    def missed(self, standing: Standing) -> Standing:
        """What is gone is done again by the step that did it. Where a person left that one out, a person is asked."""
        if standing.name == "gone" and self.recorder.state.steps[standing.step].status != "finished":
            return torn(f"{standing.reason}, and {standing.step} was left out")
        return standing

    def do(self, name: str) -> Iterator[None]:
        step, state = self.plan.step(name), self.recorder.state.steps[name]
        seen = step.picture(state.seen)
        assert seen is not None
        before = state.before or dumped(seen)
        ctx = replace(self.context(name), before=before, attempt=state.attempt + 1)
        inverse = tuple(effect.model_dump(mode="json") for effect in step.undo(seen, ctx))
        epoch = self.recorder.state.epoch
        self.recorder.record(
            ev.StepStarted(step=name, attempt=ctx.attempt, before=before, inverse=inverse, epoch=epoch)
        )
        yield
        yield from self.perform(step.do(seen, ctx), name, ctx.attempt)

    def undo(self, name: str) -> Iterator[None]:
        step, state = self.plan.step(name), self.recorder.state.steps[name]
        seen = step.picture(state.seen)
        assert seen is not None
        attempt = state.undo_attempt + 1
        epoch = self.recorder.state.epoch
        self.recorder.record(ev.StepUndoStarted(step=name, attempt=attempt, epoch=epoch))
        yield
        yield from self.perform(step.undo(seen, self.context(name)), name, attempt)

    def perform(self, effects: Iterator[Effect], name: str, attempt: int) -> Iterator[None]:
        """The fence stands before each effect, and before each part of one: between two chunks a process can sleep for hours."""
        for effect in effects:
            self.fence()
            if self.stop.is_set():
                return  # begun and not ended: in doubt, and the next look will tell
            for fact in self.cluster.perform(effect, step=name, attempt=attempt):
                yield
                self.recorder.record(fact)
                yield
                self.fence()

    # ---- what a move needs ---------------------------------------------------------------------

    def context(self, name: str) -> Context:
        return context_of(self.run, self.recorder.state, name, self.clock.now())

    def attempt(self, name: str) -> int:
        step = self.recorder.state.steps[name]
        return step.undo_attempt if self.recorder.state.phase == "backward" else step.attempt

    def poll_seconds(self, name: str) -> float:
        since = self.recorder.state.steps[name].busy_since
        waited = (self.clock.now() - since).total_seconds() if since else 0.0
        return max(POLL_SECONDS, min(POLL_SECONDS_MAX, POLL_SECONDS + waited / 10))  # also where the clock was set back

    def retry(self, name: str, error: ClusterUnreachable) -> Fact:
        failures = self.recorder.state.steps[name].failures + 1
        pause = timedelta(seconds=backoff_seconds(self.run, name, failures))
        is_to_tell = isinstance(error, OutcomeUnknown) and "outcome is unknown" not in error.message
        unknown = "; its outcome is unknown" if is_to_tell else ""
        return ev.RetryScheduled(
            step=name, attempt=self.attempt(name), reason=error.message + unknown, failures=failures,
            not_before=self.clock.now() + pause,
        )


def context_of(run: str, state: RunState, name: str, now: datetime) -> Context:
    """What a step may know besides what it sees, from the facts so far."""
    step = state.steps[name]
    waited = (now - step.busy_since).total_seconds() if step.busy_since else 0.0
    return Context(
        run=run, now=label(now), attempt=step.attempt, before=step.before, after=step.after,
        pictures=state.before_of(), lefts=state.after_of(), epoch=state.epoch, waited_seconds=waited,
        undo_attempt=step.undo_attempt, is_copy_lost=step.is_copy_lost,
    )


def backoff_seconds(run: str, step: str, failures: int) -> float:
    """Doubled with each failure, spread by a half; the same for the same run, step and failure."""
    spread = hashlib.sha256(f"{run} {step} {failures}".encode()).digest()[0] / 510
    return doubled(BACKOFF_SECONDS, failures - 1) * (1 + spread)


def found(step: Step, seen: Seen, standing: Standing, ctx: Context) -> list[Fact]:
    """What a look on the way forward leaves in the journal."""
    fact: Fact
    at, picture = {"step": step.id, "attempt": ctx.attempt}, dumped(seen)
    match standing.name:
        case "clear":
            fact = ev.StepFoundClear(**at, seen=picture, reason=standing.reason)
        case "busy":
            fact = ev.StepFoundBusy(**at, reason=standing.reason)
        case "done":
            fact = ev.StepFoundDone(**at, seen=picture)
        case "gone":
            return [ev.StepFoundGone(step=standing.step, reason=standing.reason, found_by=step.id, seen=picture)]
        case _:
            fact = ev.StepFoundTorn(**at, reason=standing.reason, seen=picture)
    return [*step.confirm(seen, standing, ctx), fact]


def found_back(step: Step, seen: Seen, standing: Standing, ctx: Context) -> list[Fact]:
    """What a look on the way back leaves in the journal."""
    fact: Fact
    at, picture = {"step": step.id, "attempt": ctx.attempt}, dumped(seen)
    match standing.name:
        case "clear":
            fact = ev.StepFoundUndoable(**at, seen=picture)
        case "busy":
            fact = ev.StepFoundBusy(**at, reason=standing.reason)
        case "done":
            fact = ev.StepFoundRestored(**at, seen=picture)
        case "lost":
            fact = ev.StepFailed(**at, reason=standing.reason)
        case _:
            before = ctx.before or {}
            fact = ev.DriftFound(**at, reason=standing.reason, before=before, left=step.as_left(ctx), now=picture)
    return [*step.confirm_back(seen, ctx), fact]


def closing(move: Close) -> Fact:
    match move.outcome:
        case "finished":
            return ev.RunFinished()
        case "rolled back":
            return ev.RollbackFinished()
        case _:
            return ev.RunPaused(reason=move.reason, needs=move.needs)


def dumped(seen: Seen) -> Json:
    return seen.model_dump(mode="json")
