"""Removing old runs: the facts go, the end of each chain stays, and that it was done is a fact itself.

A removal is recorded in a chain of the journal's own, under the name `journal`, in the transaction that
removes. The functions expect to run inside a transaction of the caller's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from journal.errors import JournalError, RunMissing
from journal.records import GENESIS, OWN_CHAIN, Draft, Head, Pruned, chain, encode
from journal.verification import blobs_in

REMOVED = "RunPruned"


def prune(db: sqlite3.Connection, runs: Sequence[str], *, actor: str, at: str) -> list[Pruned]:
    """Removes the facts, lease and samples of these runs, and the blobs that no other run refers to."""
    removed = [_farewell(db, run, at) for run in runs]
    blobs = set().union(*(_blobs_of(db, run) for run in runs)) if runs else set()
    for one in removed:
        db.execute("INSERT INTO pruned VALUES (?, ?, ?, ?, ?, ?)",
                   (one.run, one.seq, one.digest, one.opened_at, one.last_at, one.pruned_at))
        for table in ("facts", "heads", "leases", "telemetry"):
            db.execute(f"DELETE FROM {table} WHERE run = ?", (one.run,))
    _remove_blobs(db, blobs)
    _record(db, removed, actor=actor, at=at)
    return removed


def pruned(db: sqlite3.Connection) -> list[Pruned]:
    """Every removed run, oldest removal first; none in a file from before removals were known."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'pruned'").fetchone():
        return []
    return [Pruned(*row) for row in db.execute("SELECT * FROM pruned ORDER BY rowid")]


def _farewell(db: sqlite3.Connection, run: str, at: str) -> Pruned:
    row = db.execute(
        "SELECT heads.seq, heads.digest, opened.recorded_at, latest.recorded_at FROM heads"
        " JOIN facts AS opened ON opened.run = heads.run AND opened.seq = 1"
        " JOIN facts AS latest ON latest.run = heads.run AND latest.seq = heads.seq WHERE heads.run = ?", (run,)
    ).fetchone()
    if row is None:
        raise RunMissing(f"there is no run {run} to remove")
    if run == OWN_CHAIN:
        raise JournalError("the journal's own chain is never removed")
    seq, digest, opened_at, last_at = row
    return Pruned(run, seq, digest, opened_at, last_at, at)


def _blobs_of(db: sqlite3.Connection, run: str) -> set[str]:
    rows = db.execute("SELECT data FROM facts WHERE run = ? AND instr(data, '\"blob\":') > 0", (run,))
    return {sha256 for (data,) in rows for sha256 in blobs_in(json.loads(data))}


def _remove_blobs(db: sqlite3.Connection, candidates: set[str]) -> None:
    if not candidates:
        return
    for (data,) in db.execute("SELECT data FROM facts WHERE instr(data, '\"blob\":') > 0"):
        candidates -= set(blobs_in(json.loads(data)))
    db.executemany("INSERT INTO unreferenced VALUES (?)", [(sha256,) for sha256 in sorted(candidates)])
    db.execute("DELETE FROM blobs WHERE sha256 IN (SELECT sha256 FROM unreferenced)")
    db.execute("DELETE FROM unreferenced")


def _record(db: sqlite3.Connection, removed: list[Pruned], *, actor: str, at: str) -> None:
    row = db.execute("SELECT seq, digest FROM heads WHERE run = ?", (OWN_CHAIN,)).fetchone()
    lines = [
        encode(Draft(REMOVED, {"run": one.run, "facts": one.seq, "head": one.digest, "opened_at": one.opened_at,
                               "last_at": one.last_at}, actor=actor))
        for one in removed
    ]
    rows = chain(OWN_CHAIN, 0, Head(*row) if row else Head(0, GENESIS), at, lines)
    db.executemany(f"INSERT INTO facts VALUES ({','.join('?' * 12)})", rows)
    if rows:
        db.execute(
            "INSERT INTO heads (run, seq, digest) VALUES (?, ?, ?)"
            " ON CONFLICT (run) DO UPDATE SET seq = excluded.seq, digest = excluded.digest",
            (OWN_CHAIN, rows[-1][1], rows[-1][-1]),
        )
