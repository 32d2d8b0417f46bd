"""A fact with what surrounds it in the journal: the one shape that everything in this package reads. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from journal import Record
from orchestrator.events import Entry, Fact, encode


@dataclass(frozen=True, slots=True)
class Told:
    """`record` is the fact's row as it was stored; None for a fact that was never in a journal."""

    entry: Entry
    record: Record | None = None

    @property
    def actor(self) -> str:
        """Who recorded it: user@host."""
        return self.record.actor if self.record else ""

    @property
    def digest(self) -> str:
        """Its place in the chain."""
        return self.record.digest if self.record else ""

    @property
    def seq(self) -> int:
        return self.entry.seq

    @property
    def at(self) -> datetime:
        return self.entry.recorded_at

    @property
    def fact(self) -> Fact:
        return self.entry.fact

    @property
    def type(self) -> str:
        """The name as the journal has it, also of a fact that this program doesn't know."""
        return encode_type(self.entry.fact)

    @property
    def step(self) -> str:
        """The step it is about; empty for a fact about the run."""
        return getattr(self.entry.fact, "step", None) or ""

    @property
    def attempt(self) -> int:
        return getattr(self.entry.fact, "attempt", None) or 0

    @property
    def data(self) -> Mapping[str, Any]:
        """What it says, with fields that this program doesn't know."""
        return self.record.data if self.record else encode(self.entry.fact)[4]


def encode_type(fact: Fact) -> str:
    return getattr(fact, "type", "") if fact.name == "UnknownFact" else fact.name


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, as the journal writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def as_document(told: Told) -> dict[str, Any]:
    """A fact as one JSON object: every column of its row as it was stored, and its sentence."""
    assert told.record is not None
    return asdict(told.record) | {"sentence": told.fact.sentence()}
