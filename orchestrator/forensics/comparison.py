"""Two restores of one plan side by side, or one restore at two of its facts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.forensics.story import StepStory, Story
from orchestrator.forensics.told import Told, stamp
from orchestrator.state import ENDED_BACKWARD, ENDED_FORWARD


@dataclass(frozen=True)
class Side:
    """One of the two: a run up to one of its facts."""

    label: str
    story: Story


@dataclass(frozen=True, slots=True)
class Row:
    """One thing in which they can be held against each other. `step` is empty for the run."""

    step: str
    about: str
    left: str
    right: str

    @property
    def is_different(self) -> bool:
        return self.left != self.right


def compare(left: Side, right: Side) -> list[Row]:
    """Every row, whether different or not: first the run's, then each step's in the order of the plans."""
    rows = list(run_rows(left.story, right.story))
    theirs = {step.id: step for step in right.story.steps}
    ours = {step.id: step for step in left.story.steps}
    for name in dict.fromkeys([*ours, *theirs]):
        rows += step_rows(name, ours.get(name), theirs.get(name))
    return rows


def run_rows(left: Story, right: Story) -> Iterator[Row]:
    def row(about: str, a: object, b: object) -> Row:
        return Row("", about, str(a), str(b))

    yield row("outcome", left.outcome, right.outcome)
    yield row("facts", len(left.facts), len(right.facts))
    yield row("seconds", round(left.seconds, 1), round(right.seconds, 1))
    yield row("seconds nobody carried it", round(left.idle_seconds, 1), round(right.idle_seconds, 1))
    yield row("lives", len(left.lives), len(right.lives))
    yield row("cut off", len(left.cuts), len(right.cuts))
    yield row("retries", len(left.retries), len(right.retries))
    yield row("bytes moved", left.bytes_moved, right.bytes_moved)
    yield row("decisions", decided(left.facts), decided(right.facts))
    yield row("steps ended", ended(left), ended(right))
    yield row("plan", left.opened.plan_digest[:12], right.opened.plan_digest[:12])
    yield row("opened at", stamp(left.started_at), stamp(right.started_at))
    yield row("bundle", left.opened.bundle.get("digest", "")[:12], right.opened.bundle.get("digest", "")[:12])
    yield row("program", left.opened.program, right.opened.program)


def step_rows(name: str, left: StepStory | None, right: StepStory | None) -> Iterator[Row]:
    a, b = (described(step) for step in (left, right))
    for about in dict.fromkeys([*a, *b]):
        yield Row(name, about, a.get(about, "not in this plan"), b.get(about, "not in this plan"))


def described(step: StepStory | None) -> dict[str, str]:
    if step is None:
        return {}
    return {
        "status": step.state.status,
        "seconds": rounded(step.seconds),
        "seconds taking back": rounded(step.back_seconds),
        "attempts": str(step.attempts),
        "retries": str(step.retries),
        "decided": decided(step.facts),
    }


def rounded(seconds: float | None) -> str:
    return "-" if seconds is None else str(round(seconds, 1))


def decided(facts: Sequence[Told]) -> str:
    """What persons decided, in order."""
    verdicts = [str(told.data["verdict"]) for told in facts if told.type == "DecisionRecorded"]
    return ", ".join(verdicts) or "-"


def ended(story: Story) -> str:
    count = sum(step.state.status in ENDED_FORWARD | ENDED_BACKWARD for step in story.steps)
    return f"{count} of {len(story.steps)}"
