"""Facts out of a journal, each with what its row says beside it: who recorded it, and its place in the chain.

Reads and decodes; folds nothing. The journal's own chain, which tells of removals, is read here too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from journal import OWN_CHAIN, Journal, Record
from orchestrator.errors import IllegalFact, JournalBroken, RunUnknown
from orchestrator.events import EffectFact, Entry, Fact, UnknownFact, concrete
from orchestrator.forensics.story import Story, tell_story
from orchestrator.forensics.told import Told
from orchestrator.recorder import entries_of
from orchestrator.runs import explained
from orchestrator.state import RunState, fold


class RunPruned(Fact):
    """What the journal's own chain says of a run that was removed. It is no fact of any run."""

    name = "RunPruned"
    run: str
    facts: int
    head: str
    opened_at: str
    last_at: str

    def sentence(self) -> str:
        return f"removed run {self.run}: {self.facts} facts from {self.opened_at} to {self.last_at}, head {self.head}"


@dataclass(frozen=True)
class History:
    """The facts of one run, in order."""

    run: str
    facts: tuple[Told, ...]


def told_of(records: Sequence[Record]) -> list[Told]:
    """Records as facts, with what stands beside them."""
    return [Told(own(record, entry), record) for record, entry in zip(records, entries_of(records), strict=True)]


def own(record: Record, entry: Entry) -> Entry:
    """A fact of the journal's own chain is none of a newer program."""
    if record.run == OWN_CHAIN and record.type == RunPruned.name and isinstance(entry.fact, UnknownFact):
        return Entry(entry.seq, entry.recorded_at, entry.epoch, RunPruned.model_validate(record.data))
    return entry


def tell(journal: Journal, run: str, *, after: int = 0, without: Sequence[str] = ()) -> Iterator[Told]:
    """The facts of a run with a seq above `after`, one at a time. Raises JournalBroken, RunHalted."""
    with explained(run):
        try:
            for record in journal.read(run, after=after, without=without):
                yield told_of([record])[0]
        except ValueError as error:  # pydantic's, or a time that is none
            raise JournalBroken(
                f"a fact of {run} cannot be read: {str(error).splitlines()[0]}", hint=f"restore verify {run}"
            ) from error


def history(journal: Journal, run: str) -> History:
    """A whole run. Raises RunUnknown, also for one whose facts were removed; JournalBroken."""
    if run == OWN_CHAIN:
        raise RunUnknown(f"{OWN_CHAIN} is the journal's own chain, no run", hint=f"restore log {OWN_CHAIN}")
    facts = tuple(tell(journal, run))
    if not facts:
        refuse_absent(journal, run)
    return History(run, facts)


def story(run: str, facts: Sequence[Told]) -> Story:
    """The story of these facts. Raises JournalBroken where they contradict each other."""
    try:
        return tell_story(run, facts)
    except (IllegalFact, ValueError) as error:
        raise JournalBroken(f"the facts of {run} contradict each other: {error}", hint=f"restore verify {run}") from error


def refuse_absent(journal: Journal, run: str) -> None:
    """Raises RunUnknown for a run without facts, and says what became of them where that is known."""
    with explained(run):
        journal.refuse_pruned(run)
    raise RunUnknown(f"there is no run {run} in {journal.path}", hint="restore runs")


def standing(journal: Journal, run: str) -> RunState:
    """Where a run stands, from what can have moved it: effects that were performed are not even read."""
    try:
        state = fold(told.entry for told in tell(journal, run, without=effects()))
    except IllegalFact as error:
        raise JournalBroken(f"the facts of {run} contradict each other: {error}", hint=f"restore verify {run}") from error
    with explained(run):
        head = journal.head(run)
        last = next(iter(journal.read(run, after=head.seq - 1)), None) if head else None
    return replace(state, seq=last.seq, last_at=told_of([last])[0].at) if last else state


def effects() -> tuple[str, ...]:
    """The types of all effects that were performed: they never change where a step stands."""
    return tuple(sorted(kind.name for kind in concrete(EffectFact)))
