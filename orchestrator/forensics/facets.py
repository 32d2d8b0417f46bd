"""Parts of a story that several reports tell in their own way: verification, reverse plan, environment. Pure."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from orchestrator.drift import flat
from orchestrator.forensics.redecide import sayable
from orchestrator.forensics.story import Life, Story
from orchestrator.forensics.told import Told
from orchestrator.forensics.words import duration
from orchestrator.plan import Plan

NOT_ASKED = "–"


@dataclass(frozen=True, slots=True)
class Held:
    """One value held against what was expected. is_bad: the verification as a whole failed over it, or may have."""

    seq: int
    subject: str
    key: str
    expected: str
    found: str
    is_bad: bool

    @property
    def is_different(self) -> bool:
        return self.expected not in (self.found, NOT_ASKED)

    @property
    def word(self) -> str:
        if self.is_bad:
            return "not as expected"
        return "more than expected" if self.is_different else "as expected" if self.expected != NOT_ASKED else "also there"


def held_against(told: Told) -> Iterator[Held]:
    """The values of one verification, those that were expected first."""
    expected, found = (dict(flat(told.data[name])) for name in ("expected", "found"))
    failed = told.type == "VerificationFailed"
    subject = str(told.data.get("subject", told.step))
    for key in dict.fromkeys([*expected, *found]):
        was, wanted = found.get(key, "absent"), expected.get(key, NOT_ASKED)
        yield Held(told.seq, subject, key, wanted, was, failed and wanted not in (was, NOT_ASKED))


@dataclass(frozen=True, slots=True)
class WayBack:
    """How one step is taken back: effects as recorded when it was begun (at fact `seq`), or why there are none."""

    step: str
    status: str
    seq: int | None
    effects: tuple[str, ...]
    note: str


def reverse(story: Story) -> list[WayBack]:
    """Newest first, in the order in which a rollback goes."""
    notes, order = reverse_order(story)
    rows = []
    for name in order:
        step = story.step(name)
        started = next((told for told in step.facts if told.type == "StepStarted"), None)
        effects = tuple(sayable(effect) for effect in started.data["inverse"]) if started else ()
        note = notes.get(name, "") if started else "never begun, so nothing is to be taken back"
        rows.append(WayBack(name, step.state.status, started.seq if started else None, effects, note or "nothing"))
    return rows


def reverse_order(story: Story) -> tuple[dict[str, str], list[str]]:
    """(why each step has nothing to take back, the order). A plan of another program goes by its list, backward."""
    try:
        plan = Plan.model_validate(story.opened.plan)
    except ValidationError:
        return {}, [step.id for step in reversed(story.steps)]
    notes = {step.id: step.undo_note for step in plan.steps}
    return notes, list(graphlib.TopologicalSorter(plan.undo_needs).static_order())


def environment(story: Story) -> list[tuple[str, str]]:
    """What it ran on and from, as (name, value)."""
    opened = story.opened
    rows = [("program", opened.program), *((key, str(value)) for key, value in opened.context.items())]
    rows += [(f"bundle {key}", words(value)) for key, value in opened.bundle.items()]
    rows.append(("plan digest", opened.plan_digest))
    for told in story.facts:
        if told.type == "InstallationObserved":
            rows += [(f"installation {path}", text) for path, text in flat(told.data["installation"])]
    return rows


def words(value: object) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)


def cut_off(story: Story, life: Life) -> str:
    """A life that ended without a word, and when another went on."""
    after = next(later for later in story.lives if later.first_seq > life.last_seq)
    seconds = (after.started_at - life.ended_at).total_seconds()
    return f"cut off after fact {life.last_seq}, without a word; gone on {duration(seconds)} later by {after.actor or '?'}"


def by_whom(told: Told) -> str:
    """Who decided: as the fact names them, else who recorded it."""
    return str(told.data.get("by") or told.actor or "–")
