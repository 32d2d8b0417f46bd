"""How far a run is, and each of its lanes: bytes, rate, and when it will be there. Pure.

It counts what is there, by the facts and samples of the journal, and not what this process has sent: after a
resume the numbers go on from where they were.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from orchestrator import events as ev
from orchestrator.events import Entry
from orchestrator.plan import Plan
from orchestrator.spans import Span, joined, size_of
from orchestrator.state import ENDED_BACKWARD, ENDED_FORWARD, RunState, StepState

DONE_BYTES: Final = "done_bytes"  # the name of a sample
RATE_OVER: Final = timedelta(seconds=30)
WORDS: Final = {
    "pending": "waiting", "ready": "starting", "started": "under way", "torn": "asks", "failed": "failed",
    "held": "to take back", "undoable": "to take back", "undoing": "taking back", "drifted": "asks", "stuck": "stuck",
}


@dataclass(frozen=True, slots=True)
class Amount:
    """Of one step: bytes that are there, of how many (0: not known), and bytes a second over the last while."""

    done_bytes: int
    total_bytes: int = 0
    rate: float = 0.0

    @property
    def eta_seconds(self) -> float | None:
        left = self.total_bytes - self.done_bytes
        return left / self.rate if self.rate > 0 and left > 0 else None


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane as one line: the step that it is at, how it stands, and how many of its steps have ended."""

    name: str
    step: str
    title: str
    word: str
    reason: str
    ended: int
    steps: int
    seconds: float | None
    amount: Amount | None


@dataclass
class Meter:
    """Hears entries and samples in their order; tells amounts."""

    plan: Plan
    chunks: dict[str, dict[str, list[Span]]] = field(default_factory=dict)  # of each path of each step
    samples: dict[str, int] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    marks: dict[str, deque[tuple[datetime, int]]] = field(default_factory=dict)

    def hear(self, entry: Entry) -> None:
        fact = entry.fact
        if isinstance(fact, ev.FileChunkCopied):
            paths = self.chunks.setdefault(fact.step, {})
            paths[fact.path] = joined([*paths.get(fact.path, ()), (fact.offset_bytes, fact.size_bytes)])
            self.mark(fact.step, entry.recorded_at)
        elif isinstance(fact, ev.StepFoundClear):
            left = (fact.seen.get("tree") or {}).get("left_bytes")
            if left and fact.step not in self.totals:
                self.totals[fact.step] = int(left)

    def sample(self, step: str, done_bytes: int, at: datetime) -> None:
        self.samples[step] = done_bytes
        self.mark(step, at)

    def mark(self, step: str, at: datetime) -> None:
        marks = self.marks.setdefault(step, deque())
        marks.append((at, self.done(step)))
        while len(marks) > 2 and at - marks[0][0] > RATE_OVER:
            marks.popleft()

    def done(self, step: str) -> int:
        return sum(map(size_of, self.chunks.get(step, {}).values())) or self.samples.get(step, 0)

    def amount(self, step: str) -> Amount | None:
        """None of a step that moves no bytes, or has not begun to."""
        done = self.done(step)
        if not done:
            return None
        total = self.totals.get(step) or int(getattr(self.plan.step(step), "size_bytes", 0))
        marks = self.marks.get(step, deque())
        seconds = (marks[-1][0] - marks[0][0]).total_seconds() if len(marks) > 1 else 0.0
        rate = (marks[-1][1] - marks[0][1]) / seconds if seconds > 0 else 0.0
        return Amount(done, total, max(rate, 0.0))

    def lanes(self, state: RunState, now: datetime) -> Iterator[Lane]:
        """One line a lane, in the order of the plan."""
        ended = ENDED_FORWARD if state.phase == "forward" else ENDED_BACKWARD
        names = dict.fromkeys(step.lane for step in self.plan.steps)
        for name in names:
            steps = [step for step in self.plan.steps if step.lane == name]
            at = [s for s in steps if state.steps[s.id].status not in ended]
            current = next((s for s in at if is_under_way(state.steps[s.id])), at[0] if at else None)
            if current is None:
                yield Lane(name, "", "", "done", "", len(steps), len(steps), None, None)
                continue
            known = state.steps[current.id]
            yield Lane(
                name, current.id, current.title, word_of(known), known.reason, len(steps) - len(at), len(steps),
                (now - known.started_at).total_seconds() if known.started_at else None, self.amount(current.id),
            )


def is_under_way(step: StepState) -> bool:
    return step.is_in_doubt or step.busy_since is not None or step.status in ("torn", "failed", "drifted", "stuck")


def word_of(step: StepState) -> str:
    if step.status in ("torn", "failed", "drifted", "stuck"):
        return WORDS[step.status]
    return "under way" if step.status == "pending" and step.busy_since else WORDS.get(step.status, step.status)


def clock_of(seconds: float) -> str:
    """1:02:03, or 2:03."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
