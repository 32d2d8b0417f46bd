"""The shapes of the ledger, and the one way a fact becomes bytes and a digest.

A fact's digest is SHA-256 over its stored columns in the order of `COLUMNS`, which ends with
`prev`, the digest of the fact before it (64 zeros before the first). Each column contributes

    <kind><length>:<bytes>      kind: t text (UTF-8), i integer (decimal ASCII), n null (empty)

so that no two different rows give the same bytes. With nothing but the standard library:

    h = hashlib.sha256()
    for kind, raw in columns:
        h.update(b"%s%d:%s" % (kind, len(raw), raw))

This module knows neither SQLite nor what any type of fact means.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

COLUMNS = ("run", "seq", "recorded_at", "epoch", "actor", "type", "version", "step", "attempt", "data", "prev")
GENESIS = "0" * 64
OWN_CHAIN = "journal"  # the chain in which a journal records what was done to itself; no run

Cell = tuple[bytes, bytes]
Row = tuple[str, int, str, int, str, str, int, str | None, int | None, str, str, str]


@dataclass(frozen=True, slots=True)
class Draft:
    """A fact about to be appended. `data` holds JSON values without floats (they do not round-trip)."""

    type: str
    data: Mapping[str, object]
    version: int = 1
    step: str | None = None
    attempt: int | None = None
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A fact as it stands in the file. `recorded_at` is RFC 3339 in UTC with microseconds."""

    run: str
    seq: int
    recorded_at: str
    epoch: int
    actor: str
    type: str
    version: int
    step: str | None
    attempt: int | None
    data: Mapping[str, object]
    prev: str
    digest: str


@dataclass(frozen=True, slots=True)
class Head:
    """The newest fact of a run: what an anchor outside the file repeats."""

    seq: int
    digest: str


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may append to a run. `epoch` goes up with every taking and fences the ones before."""

    run: str
    holder: str
    epoch: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Pruned:
    """What is kept of a run whose facts were removed: seq and digest are the end of its chain."""

    run: str
    seq: int
    digest: str
    opened_at: str
    last_at: str
    pruned_at: str


@dataclass(frozen=True, slots=True)
class Outline:
    """A run at a glance, without reading its facts. `last_type` is of its last fact that is of no step."""

    run: str
    opened_at: str
    last_at: str
    facts: int
    last_type: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found. `seq` is the first wrong fact, or the last one left of a chain cut off."""

    status: Literal["ok", "broken", "cut off"]
    seq: int | None
    reason: str
    facts: int
    head: str
    blobs: int = 0  # how many were compared with their digest


@dataclass(frozen=True, slots=True)
class Line:
    """A draft with its `data` as canonical JSON: everything that can be refused has been."""

    draft: Draft
    data: str


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, always with microseconds and `Z`, so that text order is time order."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be recorded")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def encode(draft: Draft) -> Line:
    """The draft ready to be stored; raises TypeError or ValueError for what would not come back equal."""
    data = dict(draft.data)
    _refuse_foreign(data)
    for number in (draft.version, draft.attempt):
        if number is not None and not -(2**63) <= number < 2**63:
            raise ValueError(f"the number {number} does not fit into a fact's column")
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for part in (text, draft.type, draft.step or "", draft.actor):
        part.encode()  # A lone surrogate is no text; better refused here than inside a transaction.
    return Line(draft, text)


def _refuse_foreign(value: object) -> None:
    match value:
        case None | bool() | int() | str():
            return
        case dict():
            for key in value:
                if not isinstance(key, str):
                    raise TypeError(f"a key in a fact must be text, not {type(key).__name__}")
            _refuse_all(value.values())
        case list() | tuple():
            _refuse_all(value)
        case _:
            raise TypeError(f"a fact cannot hold a value of type {type(value).__name__}")


def _refuse_all(values: Iterable[object]) -> None:
    for value in values:
        _refuse_foreign(value)


def cell(value: str | int | None) -> Cell:
    """The kind and the bytes of one stored value."""
    if value is None:
        return b"n", b""
    if isinstance(value, int):
        return b"i", b"%d" % value
    return b"t", value.encode()


def digest_of(cells: Iterable[Cell]) -> str:
    """SHA-256 in hex over the encoding described at the top of this module."""
    return hashlib.sha256(b"".join(b"%s%d:%s" % (kind, len(raw), raw) for kind, raw in cells)).hexdigest()


def chain(run: str, epoch: int, head: Head, recorded_at: str, lines: Iterable[Line]) -> list[Row]:
    """The rows that continue `head`, in the order of the table's columns, each with its digest."""
    rows: list[Row] = []
    seq, prev = head.seq, head.digest
    for line in lines:
        seq, draft = seq + 1, line.draft
        body = (run, seq, recorded_at, epoch, draft.actor, draft.type, draft.version,
                draft.step, draft.attempt, line.data, prev)
        prev = digest_of(map(cell, body))
        rows.append((*body, prev))
    return rows


def record(row: Row) -> Record:
    """The record of a stored row."""
    run, seq, recorded_at, epoch, actor, type_, version, step, attempt, data, prev, digest = row
    return Record(run, seq, recorded_at, epoch, actor, type_, version, step, attempt,
                  json.loads(data), prev, digest)
