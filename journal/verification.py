"""Proves a run's chain: recomputes every digest from the stored bytes, and looks for what is missing.

It reads columns as kind and bytes, past any decoding, so that nothing changed in the file is smoothed
over. It only reads, within one read transaction, and never learns what a fact means.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from journal import files, schema
from journal.errors import UNREACHABLE
from journal.records import COLUMNS, GENESIS, Cell, Draft, Head, Record, Verdict, cell, digest_of, encode

KINDS = {"text": b"t", "integer": b"i", "null": b"n", "real": b"r", "blob": b"b"}
CELLS = ", ".join(f"typeof({column}), CAST({column} AS BLOB)" for column in (*COLUMNS, "digest"))


class _Flaw(Exception):
    """The first thing found wrong: at which fact, and in words."""

    def __init__(self, seq: int | None, reason: str, *, cut_off: bool = False) -> None:
        super().__init__(reason)
        self.seq, self.reason, self.cut_off = seq, reason, cut_off


@dataclass
class _Walk:
    """How far the chain holds."""

    facts: int = 0
    head: str = GENESIS
    digests: list[str] = field(default_factory=list)
    blobs: set[str] = field(default_factory=set)


def verify_run(
    db: sqlite3.Connection, run: str, anchor: str | Head | None, *, whole_file: bool = False
) -> Verdict | None:
    """The verdict on one run; None when the file has never heard of it.

    Reads the facts of that run and no others, so it takes no longer in a journal of many runs; with
    `whole_file` SQLite's own check goes over every page as well.
    """
    walk = _Walk()
    try:
        db.execute("BEGIN")
        if complaint := (files.quick_check(db) if whole_file else None) or schema.difference(db):
            raise _Flaw(None, complaint)
        if not _is_known(db, run):
            return None
        _walk(db, run, walk)
        _check_head(db, run, walk)
        _check_anchor(anchor, walk)
    except _Flaw as flaw:
        return _verdict(walk, "cut off" if flaw.cut_off else "broken", flaw.seq, flaw.reason)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in UNREACHABLE:
            raise
        return _verdict(walk, "broken", None, f"sqlite cannot read the file: {error}")
    except UnicodeDecodeError:
        return _verdict(walk, "broken", None, "the file holds text that is none")
    finally:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
    return _verdict(walk, "ok", None, "")


def flaw_in(run: str, records: Iterable[Record]) -> str:
    """The first flaw of a chain that is in no file, in words; "" where it holds."""
    walk = _Walk()
    try:
        for record in records:
            text = encode(Draft(record.type, record.data)).data
            columns = (getattr(record, column) if column != "data" else text for column in (*COLUMNS, "digest"))
            walk.head = _continued(list(map(cell, columns)), run, walk)
            walk.facts += 1
    except _Flaw as flaw:
        return flaw.reason
    return ""


def _verdict(walk: _Walk, status: Literal["ok", "broken", "cut off"], seq: int | None, reason: str) -> Verdict:
    return Verdict(status, seq, reason, walk.facts, walk.head, len(walk.blobs))


def _check_anchor(anchor: str | Head | None, walk: _Walk) -> None:
    """A digest alone has to be somewhere in the chain; with its seq, at that very place."""
    if anchor is None:
        return
    if isinstance(anchor, str):
        if anchor not in walk.digests:
            raise _Flaw(None, "the anchor is not in the chain: facts were cut off or rewritten since it was taken")
        return
    if anchor.seq > walk.facts:
        reason = f"the chain is cut off after fact {walk.facts}: the anchor was taken at fact {anchor.seq}"
        raise _Flaw(walk.facts, reason, cut_off=True)
    if anchor.seq < 1 or walk.digests[anchor.seq - 1] != anchor.digest:
        raise _Flaw(anchor.seq, f"fact {anchor.seq} or one before it was rewritten since the anchor was taken")


def _is_known(db: sqlite3.Connection, run: str) -> bool:
    query = "SELECT 1 FROM heads WHERE run = ? UNION ALL SELECT 1 FROM facts WHERE run = ? LIMIT 1"
    return db.execute(query, (run, run)).fetchone() is not None


def _walk(db: sqlite3.Connection, run: str, walk: _Walk) -> None:
    for cells in _facts(db, run):
        digest = _continued(cells, run, walk)
        _check_blobs(db, walk, cells[COLUMNS.index("data")][1])
        walk.facts, walk.head = walk.facts + 1, digest
        walk.digests.append(digest)


def _continued(cells: list[Cell], run: str, walk: _Walk) -> str:
    """The digest of the row that continues the chain; raises when it does not."""
    expected = walk.facts + 1
    by_name = dict(zip(COLUMNS, cells, strict=False))
    if by_name["seq"] != (b"i", b"%d" % expected):
        raise _Flaw(expected, f"fact {expected} is missing")
    if by_name["run"] != (b"t", run.encode()):
        raise _Flaw(expected, f"fact {expected} is not of this run")
    if by_name["prev"] != (b"t", walk.head.encode()):
        raise _Flaw(expected, f"fact {expected} does not follow the fact before it")
    digest = digest_of(cells[:-1])
    if cells[-1] != (b"t", digest.encode()):
        raise _Flaw(expected, f"fact {expected} is not what was written: its digest differs")
    return digest


def _facts(db: sqlite3.Connection, run: str) -> Iterator[list[Cell]]:
    for row in db.execute(f"SELECT {CELLS} FROM facts WHERE run = ? ORDER BY seq", (run,)):
        yield [(KINDS[kind], bytes(raw or b"")) for kind, raw in zip(row[::2], row[1::2], strict=True)]


def blobs_in(value: object) -> Iterator[str]:
    """Every digest a fact's data refers to as `{"blob": "<sha256>"}`, however deep."""
    if isinstance(value, dict):
        sha256 = value.get("blob")
        if isinstance(sha256, str) and len(value) == 1:
            yield sha256
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from blobs_in(item)


def _check_blobs(db: sqlite3.Connection, walk: _Walk, data: bytes) -> None:
    seq = walk.facts + 1
    try:
        value = json.loads(data)
    except ValueError:
        raise _Flaw(seq, f"fact {seq} holds no JSON") from None
    for sha256 in blobs_in(value):
        if sha256 not in walk.blobs:
            _check_blob(db, seq, sha256)
            walk.blobs.add(sha256)


def _check_blob(db: sqlite3.Connection, seq: int, sha256: str) -> None:
    row = db.execute("SELECT CAST(data AS BLOB) FROM blobs WHERE sha256 = ?", (sha256,)).fetchone()
    if row is None:
        raise _Flaw(seq, f"fact {seq} refers to the blob {sha256}, which is missing")
    if hashlib.sha256(row[0]).hexdigest() != sha256:
        raise _Flaw(seq, f"fact {seq} refers to the blob {sha256}, which was changed")


def _check_head(db: sqlite3.Connection, run: str, walk: _Walk) -> None:
    row = db.execute("SELECT seq, digest FROM heads WHERE run = ?", (run,)).fetchone()
    if row is None:
        raise _Flaw(walk.facts, "the run's head is missing")
    if isinstance(row[0], int) and row[0] > walk.facts:
        raise _Flaw(walk.facts, f"the chain is cut off after fact {walk.facts}: there were {row[0]}", cut_off=True)
    if row != (walk.facts, walk.head):
        raise _Flaw(walk.facts, "the chain does not end where its head says")
