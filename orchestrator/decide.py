"""The whole policy of the product: what may run now, given what has happened.

No clock, no logger, no cluster: `now` is an argument. Every move that may run now is returned; the
engine performs them side by side, one lane a step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from orchestrator.moves import Ask, Close, Do, GiveUp, Move, Probe, Undo
from orchestrator.plan import Plan
from orchestrator.state import ENDED_BACKWARD, ENDED_FORWARD, RunState, StepState

TRIES_MAX = 5  # attempts of one step since the run was last opened or resumed, or since a chunk arrived
PROMPT_TRIES = 2  # what these have left undone is tried again later and later
TRY_PAUSE_SECONDS = 1.0
PAUSE_SECONDS_MAX = 30.0  # also after a failure
RETRY_WAIT_MAX = timedelta(seconds=60)
FAILURES_MAX = 8  # with back-off about two minutes of a line that is down; more where a person grants patience


def decide(state: RunState, plan: Plan, now: datetime) -> tuple[Move, ...]:
    """Every move that may run now. Empty: wait for a retry's time, or the run is closed."""
    if state.closed or state.phase == "unopened":
        return ()
    forward = state.phase == "forward"
    waits = plan.needs if forward else plan.undo_needs
    ended = ENDED_FORWARD if forward else ENDED_BACKWARD
    passed = passed_of(state, waits, ended)
    free = [s for s in state.steps if s not in passed and passed.issuperset(waits[s])]
    early = [s for s, step in state.steps.items() if step.status == "drifted" and s not in free]
    free = early or free  # asked before anything is taken back, and answered before
    patience = timedelta(seconds=state.patience_seconds)
    moves = tuple(m for s in free for m in move_of(s, state.steps[s], plan, now, patience))
    if moves or any(waits_until(state.steps[s], now) for s in free):
        return moves
    return (close(state, ended),)


def passed_of(state: RunState, waits: Mapping[str, Iterable[str]], ended: frozenset[str]) -> set[str]:
    """The steps that keep nobody waiting: they have ended, and so have all before them.

    One that a person left out early stands for no other: what waits for it still waits for what it waited for.
    """
    passed: dict[str, bool] = {}

    def has_passed(name: str) -> bool:
        if name not in passed:
            passed[name] = state.steps[name].status in ended and all(map(has_passed, waits[name]))
        return passed[name]

    return {name for name in state.steps if has_passed(name)}


def move_of(name: str, step: StepState, plan: Plan, now: datetime, patience: timedelta) -> Iterator[Move]:
    """The one move that this step may make now, if any."""
    match step.status:
        case "ready" | "undoable" if step.tries >= TRIES_MAX and not has_patience(step, now, patience):
            why = f": {step.reason}" if step.reason else ""
            yield GiveUp(name, f"tried {step.tries} times and it is still not done{why}")
        case _ if waits_until(step, now):
            return
        case "pending" | "started" | "held" | "undoing" if step.failures >= FAILURES_MAX and not has_patience(step, now, patience):
            yield GiveUp(name, f"{step.reason} (failed {step.failures} times)")
        case "pending" | "started" | "held" | "undoing":  # before it, after it, after a crash: look
            yield Probe(name, is_poll=step.busy_since is not None, gives_up=overdue(name, step, plan, now))
        case "ready":
            yield Do(name)
        case "undoable":
            yield Undo(name)
        case "torn" | "drifted" if not step.is_asked:
            yield Ask(name, step.reason)


def overdue(name: str, step: StepState, plan: Plan, now: datetime) -> str:
    """Why a step that is found busy once more has failed: it was so for too long. One that was not looked at is not: who slept looks first."""
    budget = timedelta(seconds=plan.step(name).budget_seconds)
    if step.busy_since and now - step.busy_since > budget:
        return f"for {int(budget.total_seconds())} s"
    return ""


def has_patience(step: StepState, now: datetime, patience: timedelta) -> bool:
    """A person has said to keep trying, and the time since the first failure is not over."""
    return step.failing_since is not None and now - step.failing_since < patience


def waits_until(step: StepState, now: datetime) -> datetime | None:
    """The time that a step waits for. Nobody waits longer than a retry ever does: then the clock was set back."""
    at = not_before(step)
    return at if at is not None and timedelta() < at - now <= RETRY_WAIT_MAX else None


def not_before(step: StepState) -> datetime | None:
    """When a step is looked at again that failed, or begun again that an attempt has left undone without failing."""
    if step.status in ("failed", "stuck"):
        return None
    if step.status in ("ready", "undoable") and step.tries >= PROMPT_TRIES and step.tried_at is not None:
        return step.tried_at + timedelta(seconds=doubled(TRY_PAUSE_SECONDS, step.tries - PROMPT_TRIES))
    return step.not_before


def doubled(seconds: float, times: int) -> float:
    """A pause that grows, up to the longest. A line that is down for a day has thousands of failures."""
    return min(PAUSE_SECONDS_MAX, seconds * 2.0 ** min(times, 10))


def close(state: RunState, ended: frozenset[str]) -> Close:
    """How a run ends in which nothing can move."""
    if all(step.status in ended for step in state.steps.values()):
        return Close("finished" if state.phase == "forward" else "rolled back")
    asked = {n: s for n, s in state.steps.items() if s.status in ("torn", "drifted")}
    failed = {n: s for n, s in state.steps.items() if s.status in ("failed", "stuck")}
    missed = {n: s for n, s in asked.items() if s.is_verification}
    stopped = missed or failed or asked
    needs = "verification" if missed else "resume" if failed else "decision"
    return Close("paused", "; ".join(f"step {n}: {s.reason}" for n, s in stopped.items()), needs)
