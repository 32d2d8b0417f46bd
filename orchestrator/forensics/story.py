"""A run told afterwards: its lives, its steps with their attempts, what went wrong, who decided. Pure.

A life is the time in which one process held the run: an epoch. A span is what a step was busy with: an
attempt, from its start until something else than an effect of it is known; or looks alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from orchestrator.events import Confirmation, EffectFact, Json, RunOpened, StepFact
from orchestrator.forensics.told import Told
from orchestrator.state import ENDED_BACKWARD, ENDED_FORWARD, RunState, StepState, evolve

BEGINNINGS = {"StepStarted": False, "StepUndoStarted": True}  # name -> whether it goes back
ENDINGS = frozenset({"StepFoundDone", "StepFoundRestored"})  # what comes after is another life or the way back
TROUBLES = frozenset({"StepFailed", "StepFoundTorn", "DriftFound", "VerificationFailed"})


@dataclass(frozen=True, slots=True)
class Life:
    """One process with the run. `ended` is how, in a word: closed, paused, cut off, or open for the last one."""

    epoch: int
    actor: str
    first_seq: int
    last_seq: int
    started_at: datetime
    ended_at: datetime
    ended: str


@dataclass(frozen=True, slots=True)
class Span:
    """What a step was busy with. kind: look, attempt or undo; `outcome` the type of the fact that ended it.

    is_back: after the run was turned back.
    """

    step: str
    kind: str
    attempt: int
    started_at: datetime
    ended_at: datetime
    first_seq: int
    last_seq: int
    outcome: str
    is_back: bool = False


@dataclass(frozen=True)
class StepStory:
    """One step: its entry in the plan, where it stands, and what happened to it."""

    id: str
    title: str
    lane: str
    entry: Json
    state: StepState
    spans: tuple[Span, ...] = ()
    facts: tuple[Told, ...] = ()

    @property
    def is_ended(self) -> bool:
        return self.state.status in ENDED_FORWARD | ENDED_BACKWARD

    @property
    def seconds(self) -> float | None:
        """From the first fact to the last on the way forward; None for a step that nothing happened to."""
        return seconds_of([span for span in self.spans if not span.is_back])

    @property
    def back_seconds(self) -> float | None:
        """The same of the way back."""
        return seconds_of([span for span in self.spans if span.is_back])

    @property
    def attempts(self) -> int:
        """How often it was begun, forward and back."""
        return sum(span.kind != "look" for span in self.spans)

    @property
    def retries(self) -> int:
        return sum(told.type == "RetryScheduled" for told in self.facts)

    @property
    def bytes_moved(self) -> int:
        """What was moved piece by piece, and is acknowledged: facts with an offset and a size."""
        pieces = [told.data for told in self.facts if isinstance(told.fact, EffectFact)]
        return sum(int(piece["size_bytes"]) for piece in pieces if "offset_bytes" in piece and "size_bytes" in piece)


@dataclass(frozen=True)
class Story:
    """A whole run."""

    run: str
    opened: RunOpened
    state: RunState
    facts: tuple[Told, ...]
    lives: tuple[Life, ...]
    steps: tuple[StepStory, ...]
    changes: tuple[tuple[int, str, str], ...] = ()  # (seq, step, status from there on); "" is the run itself
    lanes: tuple[str, ...] = field(default=())

    @property
    def started_at(self) -> datetime:
        return self.facts[0].at

    @property
    def ended_at(self) -> datetime:
        return self.facts[-1].at

    @property
    def seconds(self) -> float:
        """From the first fact to the last: what the people who waited saw."""
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def recovery_seconds(self) -> float | None:
        """The recovery time: from the opening to the fact that the run finished; None when it never did."""
        ends = [told.at for told in self.facts if told.type == "RunFinished"]
        return (ends[0] - self.started_at).total_seconds() if ends else None

    @property
    def idle_seconds(self) -> float:
        """Time in which nobody carried the run: between one life and the next."""
        return sum((b.started_at - a.ended_at).total_seconds() for a, b in pairwise(self.lives))

    @property
    def outcome(self) -> str:
        """How it ended, in a word or two; where it did not, what it was last doing."""
        return self.state.closed or ("rolling back" if self.state.phase == "backward" else "not ended")

    def of_type(self, *types: str) -> tuple[Told, ...]:
        return tuple(told for told in self.facts if told.type in types)

    @property
    def retries(self) -> tuple[Told, ...]:
        return self.of_type("RetryScheduled")

    @property
    def troubles(self) -> tuple[Told, ...]:
        """Retries and cuts, and what they did not help with."""
        return self.of_type("RetryScheduled", "CopyInterrupted", *TROUBLES)

    @property
    def decisions(self) -> tuple[Told, ...]:
        """What a person was asked or said, and every turn that a person gave the run."""
        by_person = {"DecisionAsked", "DecisionRecorded", "RollbackOpened", "RunResumed"}
        return tuple(told for told in self.facts if told.type in by_person or "by" in told.data)

    @property
    def cuts(self) -> tuple[Life, ...]:
        """Lives that ended without a word: the process was killed, or its machine."""
        return tuple(life for life in self.lives if life.ended == "cut off")

    @property
    def verifications(self) -> tuple[Told, ...]:
        """Confirmations that hold something against what was expected."""
        return tuple(t for t in self.facts if isinstance(t.fact, Confirmation) and {"expected", "found"} <= t.data.keys())

    @property
    def bytes_moved(self) -> int:
        return sum(step.bytes_moved for step in self.steps)

    def step(self, name: str) -> StepStory:
        return next(step for step in self.steps if step.id == name)


def seconds_of(spans: Sequence[Span]) -> float | None:
    return (spans[-1].ended_at - spans[0].started_at).total_seconds() if spans else None


def tell_story(run: str, facts: Sequence[Told]) -> Story:
    """The story of a run. Raises IllegalFact for facts that contradict each other, ValueError without an opening."""
    if not facts or not isinstance(facts[0].fact, RunOpened):
        raise ValueError(f"the facts of {run} do not begin with its opening")
    state, changes = RunState(), list[tuple[int, str, str]]()
    for told in facts:
        after = evolve(state, told.entry)
        changes += changed(state, after, told)
        state = after
    opened = facts[0].fact
    of_step: dict[str, list[Told]] = {name: [] for name in state.steps}
    for told in facts:
        if told.step in of_step:
            of_step[told.step].append(told)
    turn, over = (
        next((told.seq for told in facts if told.type == name), len(facts) + 1) for name in ("RollbackOpened", "CleanupOpened")
    )
    steps = tuple(step_story(entry, state, of_step[str(entry["id"])], turn, over) for entry in opened.plan["steps"])
    lanes = tuple(dict.fromkeys(step.lane for step in steps))
    return Story(run, opened, state, tuple(facts), lives_of(facts), steps, tuple(changes), lanes)


def changed(before: RunState, after: RunState, told: Told) -> Iterator[tuple[int, str, str]]:
    """What a fact has changed: the status of its step; or the run's, and with it that of any step."""
    if (before.phase, before.closed) != (after.phase, after.closed):
        yield told.seq, "", after.closed or after.phase
    names = [told.step] if told.step in before.steps else list(after.steps)
    for name in names if before.steps is not after.steps else ():
        if name not in before.steps or before.steps[name].status != after.steps[name].status:
            yield told.seq, name, after.steps[name].status


def step_story(entry: Mapping[str, Any], state: RunState, facts: list[Told], turn: int, over: int) -> StepStory:
    """turn, over: the facts from which on the run went back, and was cleaned up after."""
    name = str(entry["id"])
    spans = spans_of(name, [told for told in facts if told.seq < over])
    return StepStory(
        id=name, title=str(entry.get("title", name)), lane=str(entry.get("lane", "")), entry=dict(entry),
        state=state.steps[name], facts=tuple(facts),
        spans=tuple(replace(span, is_back=span.first_seq > turn) for span in spans),
    )


def spans_of(step: str, facts: Sequence[Told]) -> Iterator[Span]:
    """The spans of one step, in order; looks that belong to no attempt are one span until the next begins."""
    group: list[Told] = []
    for told in facts:
        begins = told.type in BEGINNINGS
        if group and (begins or is_ended_by(group) or group[-1].type in ENDINGS):
            yield span_of(step, group)
            group = []
        if begins or group or isinstance(told.fact, StepFact):
            group.append(told)
    if group:
        yield span_of(step, group)


def is_ended_by(group: Sequence[Told]) -> bool:
    """An attempt ends with the first fact that is neither an effect nor evidence nor a wait; looks never end."""
    if group[0].type not in BEGINNINGS or len(group) == 1:
        return False
    last = group[-1]
    return not isinstance(last.fact, EffectFact | Confirmation) and last.type != "StepFoundBusy"


def span_of(step: str, group: Sequence[Told]) -> Span:
    first, last = group[0], group[-1]
    kind = {None: "look", False: "attempt", True: "undo"}[BEGINNINGS.get(first.type)]
    return Span(step, kind, first.attempt, first.at, last.at, first.seq, last.seq, last.type)


def lives_of(facts: Sequence[Told]) -> tuple[Life, ...]:
    """One life an epoch. A person who records a decision holds the run for a moment: that is a life too."""
    groups: list[list[Told]] = []
    for told in facts:
        if not groups or told.entry.epoch != groups[-1][-1].entry.epoch:
            groups.append([])
        groups[-1].append(told)
    return tuple(life_of(group, is_last=group is groups[-1]) for group in groups)


def life_of(group: Sequence[Told], *, is_last: bool) -> Life:
    first, last = group[0], group[-1]
    words = {"RunPaused": "paused", "RunFinished": "closed", "RollbackFinished": "closed", "DecisionRecorded": "decided",
             "CleanupFinished": "closed"}
    ended = words.get(last.type) or ("open" if is_last else "cut off")
    return Life(first.entry.epoch, first.actor, first.seq, last.seq, first.at, last.at, ended)
