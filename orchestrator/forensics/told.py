"""A fact with what surrounds it in the journal: the one shape that everything in this package reads. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.events import Entry, Fact, Json, encode


@dataclass(frozen=True, slots=True)
class Told:
    """`actor` is who recorded it (user@host), prev and digest its place in the chain."""

    entry: Entry
    actor: str = ""
    prev: str = ""
    digest: str = ""

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
    def data(self) -> Json:
        return encode(self.entry.fact)[4]


def encode_type(fact: Fact) -> str:
    return getattr(fact, "type", "") if fact.name == "UnknownFact" else fact.name


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, as the journal writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def as_document(run: str, told: Told) -> dict[str, Any]:
    """A fact as one JSON object: every column of its row, and its sentence."""
    name, version, step, attempt, data = encode(told.fact)
    return {
        "run": run, "seq": told.seq, "recorded_at": stamp(told.at), "epoch": told.entry.epoch, "actor": told.actor,
        "type": name, "version": version, "step": step, "attempt": attempt, "sentence": told.fact.sentence(),
        "data": data, "prev": told.prev, "digest": told.digest,
    }
