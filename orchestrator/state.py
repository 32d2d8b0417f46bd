"""What a run's facts add up to: the table of a step's life, evolve and fold.

Everything that affects a step's status lives in this file. `evolve` is a table lookup; a fact that the
table doesn't know at this point is illegal and is refused before it is written. This module does not
know what a step does, and cannot look at anything but facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from types import MappingProxyType

from orchestrator import events as ev
from orchestrator.errors import IllegalFact
from orchestrator.events import Entry, Fact, Json, StepFact
from orchestrator.needs import needed_by, reached_from

# status of a step -> name of a fact -> status afterwards. Statuses on the way forward:
#   pending   nobody has looked, or nothing was done yet      ready     looked, free to start
#   started   an attempt was begun; its outcome is in doubt until a probe has told it
#   finished  a probe found it done    torn  a person has to decide    failed  given up until resumed
#   skipped   left out by decision
# and on the way back:
#   held      our change is to be taken back    undoable  looked, free to take back
#   undoing   begun to be taken back            restored  a probe found it as it was before
#   drifted   a person has to decide            stuck     given up until resumed
#   untouched never started, nor applied, so there is nothing to take back
TABLE: Mapping[str, Mapping[str, str]] = {
    "pending": {
        "StepFoundClear": "ready",
        "StepFoundBusy": "pending",
        "StepFoundDone": "finished",
        "StepFoundTorn": "torn",
        "RetryScheduled": "pending",
        "StepFailed": "failed",
        "DecisionRecorded skip": "skipped",
    },
    "ready": {"StepStarted": "started", "StepFailed": "failed", "DecisionRecorded skip": "skipped"},
    "started": {
        "StepFoundClear": "ready",
        "StepFoundBusy": "started",
        "StepFoundDone": "finished",
        "StepFoundTorn": "torn",
        "RetryScheduled": "started",
        "StepFailed": "failed",
    },
    "torn": {
        "DecisionAsked": "torn",
        "DecisionRecorded done": "finished",
        "DecisionRecorded not-done": "ready",  # and stays so, however often it is found torn again
        "DecisionRecorded skip": "skipped",
    },
    "failed": {"DecisionRecorded skip": "skipped", "DecisionRecorded done": "finished"},
    "finished": {"StepFoundGone": "started"},  # by a step that needs it
    "skipped": {},
    "held": {
        "StepFoundUndoable": "undoable",
        "StepFoundBusy": "held",
        "StepFoundRestored": "restored",
        "DriftFound": "drifted",
        "RetryScheduled": "held",
        "StepFailed": "stuck",
    },
    "undoable": {"StepUndoStarted": "undoing", "StepFailed": "stuck"},
    "undoing": {
        "StepFoundUndoable": "undoable",
        "StepFoundBusy": "undoing",
        "StepFoundRestored": "restored",
        "DriftFound": "drifted",
        "RetryScheduled": "undoing",
        "StepFailed": "stuck",
    },
    "drifted": {
        "DecisionAsked": "drifted",
        "DecisionRecorded done": "restored",
        "DecisionRecorded not-done": "undoable",
        "DecisionRecorded skip": "untouched",
    },
    "stuck": {"DecisionRecorded skip": "untouched", "DecisionRecorded done": "restored"},
    "restored": {},
    "untouched": {},
}

ENDED_FORWARD = frozenset({"finished", "skipped"})
ENDED_BACKWARD = frozenset({"restored", "untouched"})
DURING_A_CHANGE = frozenset({"started", "undoing"})

# What a resumed run forgets is what it saw; what it did (an attempt was begun) it keeps.
FORGET = {
    "ready": ("started", "pending"),
    "torn": ("started", "pending"),
    "failed": ("started", "pending"),
    "undoable": ("undoing", "held"),
    "drifted": ("undoing", "held"),
    "stuck": ("undoing", "held"),
}


@dataclass(frozen=True, slots=True)
class StepState:
    """One step as its facts left it. `before` is the first picture ever taken, `after` what we left."""

    status: str = "pending"
    attempt: int = 0
    undo_attempt: int = 0
    tries: int = 0  # attempts since the run was opened, resumed or turned back, or since a chunk arrived
    tried_at: datetime | None = None  # when the last of them began
    failures: int = 0  # failures since then, or since a chunk arrived
    before: Json | None = None
    after: Json | None = None
    seen: Json | None = None
    reason: str = ""
    busy_since: datetime | None = None
    failing_since: datetime | None = None  # the first failure since it last came forward
    not_before: datetime | None = None
    is_asked: bool = False
    is_overruled: bool = False  # a person said: not done, go on from what was seen
    is_verification: bool = False
    is_copy_lost: bool = False  # the safety copy that its way back rests on was found to be gone
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_in_doubt(self) -> bool:
        """Begun, and no probe has told the outcome yet."""
        return self.status in ("started", "undoing")


@dataclass(frozen=True, slots=True)
class RunState:
    """A whole run, computed from its facts and from nothing else."""

    run: str = ""
    opened: ev.RunOpened | None = None
    phase: str = "unopened"  # then "forward", then perhaps "backward"
    closed: str = ""  # "", "paused", "finished" or "rolled back"
    cleanup: str = ""  # then perhaps "opened", and "finished": what was kept for a way back is being removed, is gone
    reason: str = ""
    needs: str = ""
    holder: str = ""
    epoch: int = 0
    seq: int = 0
    last_at: datetime | None = None
    opened_at: datetime | None = None
    steps: Mapping[str, StepState] = field(default_factory=lambda: MappingProxyType({}))
    needs_of: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    applies_of: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    reverses_of: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    patience_seconds: int = 0  # for how long a failing step is tried again, besides the count of failures
    unknown: int = 0  # facts of a newer program: such a run can be read, not resumed

    @property
    def in_place(self) -> tuple[str, ...]:
        """The steps that were begun and have not been taken back: what the run has changed and is still so."""
        return tuple(name for name, s in self.steps.items() if s.before is not None and s.status != "restored")

    def before_of(self) -> dict[str, Json]:
        """The first pictures of all steps that have one."""
        return {step: s.before for step, s in self.steps.items() if s.before is not None}

    def after_of(self) -> dict[str, Json]:
        """What all steps that were found done have left."""
        return {step: s.after for step, s in self.steps.items() if s.after is not None}


def fold(entries: Iterable[Entry], start: RunState | None = None) -> RunState:
    """All facts in order; folding a prefix and then the rest is the same as folding all."""
    state = start or RunState()
    for entry in entries:
        state = evolve(state, entry)
    return state


def evolve(state: RunState, entry: Entry) -> RunState:
    """The state after one more fact. Raises IllegalFact and changes nothing when it cannot follow."""
    fact, steps, unknown = entry.fact, state.steps, state.unknown
    if isinstance(fact, ev.UnknownFact):
        unknown += 1
    elif isinstance(fact, StepFact):
        steps = evolve_step(state, fact, entry.recorded_at)
    else:
        state = evolve_run(state, fact, entry.recorded_at)
        steps = state.steps
    return replace(
        state, steps=steps, unknown=unknown, seq=entry.seq, last_at=entry.recorded_at, epoch=max(state.epoch, entry.epoch)
    )


# ---- the run -----------------------------------------------------------------------------------


def evolve_run(state: RunState, fact: Fact, at: datetime) -> RunState:
    """A fact about the run as a whole."""
    if isinstance(fact, ev.RunOpened):
        require(state.phase == "unopened", state, fact)
        return open_run(state, fact, at)
    require(state.phase != "unopened", state, fact)
    match fact:
        case ev.LeaseTaken():
            return replace(state, holder=fact.holder)
        case ev.LockStolen():
            return replace(state, holder="")
        case ev.InstallationObserved():
            return state
        case ev.RunResumed():
            require(state.closed in ("", "paused"), state, fact)
            return replace(state, closed="", reason="", needs="", steps=forget(state.steps), patience_seconds=0)
        case ev.PatienceGranted():
            require(not state.closed, state, fact)
            return replace(state, patience_seconds=fact.seconds)
        case ev.RunPaused():
            require(not state.closed, state, fact)
            return replace(state, closed="paused", reason=fact.reason, needs=fact.needs)
        case ev.RunFinished():
            require(not state.closed and state.phase == "forward", state, fact)
            require(all(s.status in ENDED_FORWARD for s in state.steps.values()), state, fact)
            return replace(state, closed="finished")
        case ev.RollbackOpened():
            is_partly_back = state.closed == "rolled back" and bool(state.in_place)
            require((state.phase == "forward" or is_partly_back) and not state.cleanup, state, fact)
            return turn_back(state, fact)
        case ev.RollbackFinished():
            require(not state.closed and state.phase == "backward", state, fact)
            require(all(s.status in ENDED_BACKWARD for s in state.steps.values()), state, fact)
            return replace(state, closed="rolled back")
        case ev.CleanupOpened():
            require(state.closed in ("finished", "rolled back"), state, fact)
            return replace(state, cleanup="opened")
        case ev.CleanupFinished():
            require(state.cleanup == "opened", state, fact)
            return replace(state, cleanup="finished")
        case _:
            raise IllegalFact(f"{fact.name} is not a fact about a run")


def open_run(state: RunState, fact: ev.RunOpened, at: datetime) -> RunState:
    steps = fact.plan["steps"]
    return replace(
        state,
        opened=fact,
        opened_at=at,
        phase="forward",
        steps=MappingProxyType({step["id"]: StepState() for step in steps}),
        needs_of=MappingProxyType({step["id"]: tuple(step["needs"]) for step in steps}),
        applies_of=MappingProxyType({step["id"]: step.get("applies", "") for step in steps}),
        reverses_of=MappingProxyType({step["id"]: step.get("original_of", "") for step in steps}),
    )


def forget(steps: Mapping[str, StepState]) -> Mapping[str, StepState]:
    """What was seen is forgotten, what was done is kept."""
    return MappingProxyType({name: forgotten(step) for name, step in steps.items()})


def forgotten(step: StepState) -> StepState:
    if step.status in FORGET:
        begun, not_begun = FORGET[step.status]
        was_begun = step.undo_attempt > 0 if begun == "undoing" else step.before is not None
        step = replace(step, status=begun if was_begun else not_begun)
    if step.status in ENDED_FORWARD | ENDED_BACKWARD:
        return step
    return replace(unburdened(step), seen=None)


def unburdened(step: StepState) -> StepState:
    """Without what one life, or one direction, has counted, waited for and heard."""
    return replace(
        step, tries=0, tried_at=None, failures=0, busy_since=None, failing_since=None, not_before=None, reason="",
        is_asked=False, is_verification=False,
    )


def turn_back(state: RunState, fact: ev.RollbackOpened) -> RunState:
    """From here on the run goes backward: what was begun is held, what never was is untouched.

    A step that applies another's change is held with it: the change may have come into force without us,
    such as by a pod that restarted after an edit. Where that change is not taken back, it stays in force.
    """
    require(not fact.down_to or fact.down_to in state.steps, state, fact)
    taken = reached_from(fact.down_to, state.needs_of) if fact.down_to else frozenset(state.steps)
    begun = {name for name in taken if name in state.in_place}
    begun |= {name for name in taken if stands_in_the_way(name, begun, state)}
    steps = {}
    for name, step in state.steps.items():
        if step.status == "restored":  # by a rollback that went only back to a step
            steps[name] = step
            continue
        applied = state.applies_of[name]
        held = name in taken and not begun.isdisjoint((name, applied)) and (not applied or applied in taken)
        status = "held" if held else "untouched"
        steps[name] = replace(unburdened(forgotten(step)), status=status, is_overruled=False)
    return replace(state, phase="backward", closed="", reason="", needs="", steps=MappingProxyType(steps), patience_seconds=0)


def stands_in_the_way(name: str, begun: set[str], state: RunState) -> bool:
    """A step that reverses an edit, and may have been done by somebody else.

    What was done under the edit is taken back under it. Held only where there is something of that kind.
    """
    edit = state.reverses_of[name]
    if edit not in begun:
        return False
    before_it = needed_by(name, state.needs_of) - needed_by(edit, state.needs_of) - {edit}
    return any(step in begun and state.applies_of[step] != edit for step in before_it)


# ---- a step ------------------------------------------------------------------------------------


def evolve_step(state: RunState, fact: StepFact, at: datetime) -> Mapping[str, StepState]:
    """A fact about one step: the steps after it."""
    require(fact.step in state.steps, state, fact)
    if isinstance(fact, ev.EffectFact) and state.cleanup == "opened":
        return state.steps
    decides = isinstance(fact, ev.DecisionRecorded)
    require(not state.closed or (decides and state.closed == "paused"), state, fact)
    step = state.steps[fact.step]
    if isinstance(fact, ev.EffectFact):
        require(step.status in DURING_A_CHANGE, state, fact)
        if not isinstance(fact, ev.FileChunkCopied):
            return state.steps
        came_forward = replace(step, tries=0, failures=0, failing_since=None)  # a cut line that still gets on
        return with_step(state, fact.step, came_forward)
    if isinstance(fact, ev.Confirmation):
        verified = step.is_verification or isinstance(fact, ev.VerificationFailed)
        is_lost = step.is_copy_lost or isinstance(fact, ev.SafetyCopyLost)
        return with_step(state, fact.step, replace(step, is_verification=verified, is_copy_lost=is_lost))
    return with_step(state, fact.step, lived(step, next_status(state, step, fact), fact, at))


def next_status(state: RunState, step: StepState, fact: StepFact) -> str:
    name = f"{fact.name} {fact.verdict}" if isinstance(fact, ev.DecisionRecorded) else fact.name
    status = TABLE[step.status].get(name)
    if status is None:
        raise IllegalFact(f"{name} cannot follow when step {fact.step} is {step.status}")
    if isinstance(fact, ev.StepStarted):
        ended = all(state.steps[needed].status in ENDED_FORWARD for needed in state.needs_of[fact.step])
        require(ended, state, fact)
        require(fact.attempt == step.attempt + 1, state, fact)
        require(step.before is None or fact.before == step.before, state, fact)
    if isinstance(fact, ev.StepFoundGone):
        require(fact.step in state.needs_of.get(fact.found_by, ()), state, fact)
    if isinstance(fact, ev.StepUndoStarted):
        require(fact.attempt == step.undo_attempt + 1, state, fact)
    if step.is_overruled and status in ("torn", "drifted"):
        return "ready" if status == "torn" else "undoable"
    return status


def lived(step: StepState, status: str, fact: StepFact, at: datetime) -> StepState:
    """The step after a fact that the table allowed."""
    gone = {"after": None} if status == "started" else {}  # what it had left may be gone
    after = partial(replace, step, status=status, **gone)
    match fact:
        case ev.StepFoundBusy():
            return after(reason=fact.reason, busy_since=step.busy_since or at)
        case ev.StepFoundClear():
            return after(seen=fact.seen, busy_since=None, reason=fact.reason)
        case ev.StepFoundUndoable():
            return after(seen=fact.seen, busy_since=None, reason="")
        case ev.StepFoundDone():
            return after(after=fact.seen, busy_since=None, reason="", ended_at=at)
        case ev.StepFoundRestored():
            return after(seen=fact.seen, busy_since=None, reason="", ended_at=at)
        case ev.StepFoundTorn():
            return after(reason=fact.reason, seen=fact.seen, is_asked=False)
        case ev.StepFailed():
            return after(reason=fact.reason, is_asked=False)
        case ev.DriftFound():
            return after(reason=fact.reason, seen=fact.now, after=fact.left or step.after, is_asked=False)
        case ev.StepStarted():
            return after(
                attempt=fact.attempt, tries=step.tries + 1, before=step.before or fact.before,
                started_at=step.started_at or at, tried_at=at, is_overruled=False,
            )
        case ev.StepUndoStarted():
            return after(undo_attempt=fact.attempt, tries=step.tries + 1, tried_at=at, is_overruled=False)
        case ev.RetryScheduled():
            failing_since = min(step.failing_since or at, at)  # a clock that was set back adds no patience
            return after(reason=fact.reason, failures=fact.failures, not_before=fact.not_before, failing_since=failing_since)
        case ev.DecisionAsked():
            return after(is_asked=True)
        case ev.DecisionRecorded(verdict="not-done"):
            return after(is_overruled=True)
        case _:
            return after(ended_at=at if status in ENDED_FORWARD | ENDED_BACKWARD else None)


def with_step(state: RunState, name: str, step: StepState) -> Mapping[str, StepState]:
    return MappingProxyType({**state.steps, name: step})


def require(holds: bool, state: RunState, fact: Fact) -> None:
    if not holds:
        where = f"a {state.phase} run" + (f" that is {state.closed}" if state.closed else "")
        what = f" of step {fact.step}" if isinstance(fact, StepFact) else ""
        raise IllegalFact(f"{fact.name}{what} cannot follow in {where}")
