"""The state beside the journal: a fact is evolved first, appended second, published when it is durable.

Several lanes record at once and share commits. What is illegal is refused before it is written; what
could not be written never becomes state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from journal import Draft, Record
from orchestrator import events
from orchestrator.events import Entry, Fact
from orchestrator.state import RunState, evolve

Admit = Callable[[tuple[Draft, ...]], None]
Published = Callable[[list[Record]], None]


class Writer(Protocol):
    """Appends drafts as one; returns when they are durable."""

    def append(self, *drafts: Draft) -> list[Record]: ...

    def close(self) -> None: ...


class Recorder:
    """The only way to make state: record facts."""

    def __init__(
        self,
        state: RunState,
        make_writer: Callable[[Admit, Published], Writer],
        now: Callable[[], datetime],
        *,
        actor: str = "",
        heard: Callable[[Entry], None] = lambda entry: None,
        sampled: Callable[[str, int], None] = lambda step, done_bytes: None,
    ) -> None:
        self.sampled = sampled  # progress of a step, in bytes: beside the facts, and never state
        self.state = state
        self.actor = actor
        self._tentative = state
        self._now = now
        self._heard = heard
        self._writer = make_writer(self._admit, self._published)

    def record(self, *facts: Fact) -> None:
        """Append facts as one; durable on return. Raises IllegalFact, or the journal's own errors."""
        if facts:
            self._writer.append(*(self._draft(fact) for fact in facts))

    def close(self) -> None:
        self._writer.close()

    def _draft(self, fact: Fact) -> Draft:
        name, version, step, attempt, data = events.encode(fact)
        return Draft(type=name, data=data, version=version, step=step, attempt=attempt, actor=self.actor)

    def _admit(self, drafts: tuple[Draft, ...]) -> None:
        state, now = self._tentative, self._now()
        for draft in drafts:
            fact = events.decode(draft.type, draft.version, draft.step, draft.attempt, draft.data)
            state = evolve(state, Entry(state.seq + 1, now, state.epoch, fact))
        self._tentative = state

    def _published(self, records: list[Record]) -> None:
        entries = entries_of(records)
        for entry in entries:
            self.state = evolve(self.state, entry)
        self._tentative = self.state
        for entry in entries:
            self._heard(entry)


def entries_of(records: Sequence[Record]) -> list[Entry]:
    """Journal records as facts at their places."""
    return [
        Entry(
            r.seq,
            datetime.fromisoformat(r.recorded_at),
            r.epoch,
            events.decode(r.type, r.version, r.step, r.attempt, r.data),
        )
        for r in records
    ]
