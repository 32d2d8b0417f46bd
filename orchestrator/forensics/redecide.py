"""Every move of a run decided again by today's program, from what was recorded then. Pure.

Three things are held against the journal: what `decide` would do at each point, what a step would say of the
picture that was seen (its standing and its evidence), and how it would take its change back. What no fact
records cannot be held against anything: a look that found a step busy leaves no picture, a failure comes
from the cluster, and a person's decision is a person's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import ValidationError

from orchestrator import events as ev
from orchestrator.decide import decide
from orchestrator.effects import ANY_EFFECT
from orchestrator.events import Confirmation, Json
from orchestrator.forensics.told import Told, stamp
from orchestrator.moves import Ask, Close, Do, GiveUp, Move, Probe, Undo
from orchestrator.plan import Plan, digest_of
from orchestrator.port import Seen
from orchestrator.state import ENDED_BACKWARD, RunState, evolve
from orchestrator.steps.base import Context, Standing, Step
from orchestrator.versions import plan_of

# What a look found -> the standing that it means; the second of each pair is the way back's.
STANDINGS: Mapping[str, tuple[str, bool]] = {
    "StepFoundClear": ("clear", False), "StepFoundDone": ("done", False), "StepFoundTorn": ("torn", False),
    "StepFoundUndoable": ("clear", True), "StepFoundRestored": ("done", True), "DriftFound": ("torn", True),
}
INTERRUPTED = "interrupted"  # how the reason begins when a person, not the policy, ended a life


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where today's program would not do what was done. then and now are words for a person."""

    seq: int
    step: str
    about: str  # move, standing, evidence, inverse or plan
    then: str
    now: str


@dataclass(frozen=True)
class Redecided:
    """differences in the order of the journal; the counts are of what was held against it, and what could not be."""

    differences: tuple[Difference, ...]
    moves: int
    standings: int
    unrecorded: int  # looks that left no picture


def redecide(run: str, facts: Sequence[Told]) -> Redecided:
    """Holds today's program against a whole run. Raises PlanChanged when it can't read the run's plan."""
    opened = next(told.fact for told in facts if isinstance(told.fact, ev.RunOpened))
    plan = plan_of(run, opened)
    found = list(plan_differences(opened, plan))
    state, since, moves, standings, unrecorded = RunState(), dict[str, datetime](), 0, 0, 0
    evidence: list[Confirmation] = []
    for told in facts:
        if is_move(told, state) and not is_early(told, state, plan):
            moves += 1
            found += move_differences(told, state, plan, since.get(told.step, told.at))
        if told.type in STANDINGS:
            standings += 1
            found += standing_differences(run, told, state, plan, evidence)
        unrecorded += told.type == "StepFoundBusy"
        evidence = [*evidence, told.fact] if isinstance(told.fact, Confirmation) else []
        if isinstance(told.fact, ev.StepStarted):
            found += inverse_differences(run, told, state, plan)
        state = evolve(state, told.entry)
        since = since_when(since, told, state)
    return Redecided(tuple(found), moves, standings, unrecorded)


def plan_differences(opened: ev.RunOpened, plan: Plan) -> Iterator[Difference]:
    """What today's program reads otherwise in the plan. A parameter that it adds by itself means what its lack meant."""
    recorded = {step["id"]: step for step in opened.plan["steps"]}
    for step in plan.model_dump(mode="json")["steps"]:
        for key, then in recorded[step["id"]].items():
            if step.get(key) != then:
                yield Difference(1, step["id"], "plan", f"{key} {json.dumps(then)}", f"{key} {json.dumps(step.get(key))}")
    if digest_of(opened.plan) != opened.plan_digest:
        yield Difference(1, "", "plan", f"digest {opened.plan_digest}", f"digest {digest_of(opened.plan)}")


def since_when(since: dict[str, datetime], told: Told, state: RunState) -> dict[str, datetime]:
    """Since when each step could make its move: its own last fact, or one that turned the whole run."""
    return {**since, told.step: told.at} if told.step else dict.fromkeys(state.steps, told.at)


# ---- moves ---------------------------------------------------------------------------------------------


def is_move(told: Told, state: RunState) -> bool:
    """Whether the policy had a part in this fact; what a person or the cluster did is an observation."""
    fact = told.fact
    if isinstance(fact, ev.RunPaused):
        return not fact.reason.startswith(INTERRUPTED)
    closes = isinstance(fact, ev.RunFinished | ev.RollbackFinished)
    looked = told.type in STANDINGS or isinstance(fact, ev.StepFoundBusy)
    return closes or looked or isinstance(fact, ev.StepStarted | ev.StepUndoStarted | ev.DecisionAsked | ev.StepFailed)


def is_early(told: Told, state: RunState, plan: Plan) -> bool:
    """A question that was recorded with the turning point, before its step's turn: no move of the policy."""
    waits = plan.undo_needs.get(told.step, frozenset())
    return isinstance(told.fact, ev.DriftFound) and any(state.steps[name].status not in ENDED_BACKWARD for name in waits)


def move_differences(told: Told, state: RunState, plan: Plan, since: datetime) -> Iterator[Difference]:
    """The move was decided somewhere between the step's last fact and this one: either end may agree."""
    at_end, at_start = (decide(state, plan, moment) for moment in (told.at, since))
    if any(agrees(told, moves) for moves in (at_end, at_start)):
        return
    now = said(moves_of(told, at_end)) or "nothing"
    yield Difference(told.seq, told.step, "move", told.fact.sentence(), f"would {now}")


def agrees(told: Told, moves: Iterable[Move]) -> bool:
    for move in moves_of(told, moves):
        match told.fact, move:
            case (ev.RunFinished(), Close(outcome="finished")) | (ev.RollbackFinished(), Close(outcome="rolled back")):
                return True
            case (ev.RunPaused() as paused, Close(outcome="paused") as close):
                return (paused.reason, paused.needs) == (close.reason, close.needs)
            case (ev.StepStarted(), Do()) | (ev.StepUndoStarted(), Undo()):
                return True
            case (ev.DecisionAsked() as asked, Ask() as ask):
                return (asked.question, asked.choices) == (ask.question, ask.choices)
            case (ev.StepFailed() as failed, GiveUp() as given_up):
                return failed.reason == given_up.reason
            case (ev.StepFailed(), Probe() | Do() | Undo()):
                return True  # the cluster refused in the midst of it
            case (_, Probe()) if told.type in STANDINGS or told.type == "StepFoundBusy":
                return True
    return False


def moves_of(told: Told, moves: Iterable[Move]) -> list[Move]:
    """The moves that concern this fact's step, or the run."""
    return [move for move in moves if ("" if isinstance(move, Close) else move.step) == told.step]


def said(moves: Sequence[Move]) -> str:
    words = []
    for move in moves:
        match move:
            case Probe():
                words.append("look")
            case Do():
                words.append("start it")
            case Undo():
                words.append("take it back")
            case Ask():
                words.append(f"ask: {move.question}")
            case GiveUp():
                words.append(f"give up: {move.reason}")
            case Close():
                words.append(f"close the run as {move.outcome}" + (f": {move.reason}" if move.reason else ""))
    return ", ".join(words)


# ---- what a step says of a picture ---------------------------------------------------------------------


def standing_differences(
    run: str, told: Told, state: RunState, plan: Plan, evidence: Sequence[Confirmation]
) -> Iterator[Difference]:
    step, data = plan.step(told.step), told.data
    picture = data.get("seen", data.get("now"))
    then, is_back = STANDINGS[told.type]
    seen = read_picture(step, picture)
    if seen is None:
        yield Difference(told.seq, told.step, "standing", told.fact.sentence(), "cannot read the picture that was seen")
        return
    ctx = context(run, told, state)
    now = step.restored(seen, ctx) if is_back else step.standing(seen, ctx)
    reason = str(data.get("reason", ""))
    if now.name != then or (then == "torn" and now.reason != reason):
        yield Difference(told.seq, told.step, "standing", described(Standing(then, reason)), described(now))
    elif not is_back:
        yield from evidence_differences(told, tuple(step.confirm(seen, now, ctx)), evidence)
    elif evidence:  # earlier programs left none on the way back
        yield from evidence_differences(told, tuple(step.confirm_back(seen, ctx)), evidence)


def evidence_differences(
    told: Told, now: Sequence[Confirmation], then: Sequence[Confirmation]
) -> Iterator[Difference]:
    recorded = [fact for fact in then if fact.step == told.step]
    if [fact.model_dump() for fact in now] != [fact.model_dump() for fact in recorded]:
        yield Difference(told.seq, told.step, "evidence", sentences(recorded), sentences(now))


def inverse_differences(run: str, told: Told, state: RunState, plan: Plan) -> Iterator[Difference]:
    """How the change would be taken back, from the same picture."""
    started, step = told.fact, plan.step(told.step)
    assert isinstance(started, ev.StepStarted)
    known = state.steps[told.step]
    seen = read_picture(step, known.seen)
    if seen is None:
        return
    ctx = replace(context(run, told, state), before=started.before, attempt=started.attempt)
    inverse = tuple(effect.model_dump(mode="json") for effect in step.undo(seen, ctx))
    if not is_same(started.inverse, inverse, ctx.now):
        yield Difference(told.seq, told.step, "inverse", listed(started.inverse), listed(inverse))


def is_same(then: object, now: object, label: str) -> bool:
    """Equal but for the time: where today's value is `label`, any time stood there then."""
    if isinstance(then, dict) and isinstance(now, dict):
        return then.keys() == now.keys() and all(is_same(then[key], now[key], label) for key in then)
    if isinstance(then, list | tuple) and isinstance(now, list | tuple):
        return len(then) == len(now) and all(is_same(a, b, label) for a, b in zip(then, now, strict=True))
    return then == now or (now == label and is_time(then))


def is_time(value: object) -> bool:
    try:
        return datetime.fromisoformat(str(value)).tzinfo is not None
    except ValueError:
        return False


def read_picture(step: Step, picture: Json | None) -> Seen | None:
    try:
        return step.picture(picture)
    except ValidationError:
        return None


def context(run: str, told: Told, state: RunState) -> Context:
    """What the step knew besides what it saw, as the engine gives it."""
    known = state.steps[told.step]
    waited = (told.at - known.busy_since).total_seconds() if known.busy_since else 0.0
    return Context(
        run=run, now=stamp(told.at), attempt=known.attempt, before=known.before, after=known.after,
        pictures=state.before_of(), lefts=state.after_of(), undo_attempt=known.undo_attempt, epoch=state.epoch, waited_seconds=waited,
        is_copy_lost=known.is_copy_lost,
    )


def described(standing: Standing) -> str:
    words = {"clear": "free to go", "done": "done", "busy": "waiting", "torn": "in doubt"}
    return words.get(standing.name, standing.name) + (f", {standing.reason}" if standing.reason else "")


def sentences(facts: Sequence[Confirmation]) -> str:
    return "; ".join(fact.sentence() for fact in facts) or "no evidence"


def listed(inverse: Sequence[Json]) -> str:
    return "; ".join(sayable(effect) for effect in inverse) or "nothing"


def sayable(effect: Json) -> str:
    """A recorded effect as a person reads it; by its name and values where this program doesn't know it."""
    try:
        return ANY_EFFECT.validate_python(effect).say()
    except ValidationError:
        return ", ".join(f"{key} {value}" for key, value in effect.items())
