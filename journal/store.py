"""The ledger: one SQLite file, appended to in transactions, read in pages, never changed.

A fact is durable when `append` returns. Everything goes through one connection behind a lock, so a
Journal may be shared by threads. Reads take a page at a time and hold no lock on the file in
between, because in SQLite's rollback mode a reader that lingers keeps the writer waiting.

This module does not know what the facts mean, nor who decides that one may be written.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from journal import files, leases, retention
from journal.errors import (
    JournalDamaged,
    JournalError,
    JournalUnwritable,
    RunMissing,
    RunPruned,
    is_failed_fsync,
    translated,
)
from journal.holders import holder_is_alive
from journal.records import (
    GENESIS,
    OWN_CHAIN,
    Draft,
    Head,
    Lease,
    Line,
    Outline,
    Pruned,
    Record,
    Verdict,
    chain,
    encode,
    record,
    timestamp,
)
from journal.verification import verify_run

PAGE_FACTS = 500
OUTLINES = """
SELECT heads.run, opened.recorded_at, latest.recorded_at, heads.seq,
       coalesce((SELECT type FROM facts WHERE run = heads.run AND step IS NULL ORDER BY seq DESC LIMIT 1), '')
FROM heads
JOIN facts AS opened ON opened.run = heads.run AND opened.seq = 1
JOIN facts AS latest ON latest.run = heads.run AND latest.seq = heads.seq
WHERE heads.run <> ? ORDER BY heads.rowid
"""
COLUMNS = "run, seq, recorded_at, epoch, actor, type, version, step, attempt, data, prev, digest"


class Journal:
    """An open journal. Every method raises a JournalError, and none raises an error of SQLite's."""

    def __init__(self, path: Path, db: sqlite3.Connection, *, write: bool) -> None:
        self.path = path
        self._db = db
        self._write = write
        self._has_lost_trust = False  # an fsync failed, so the next one proves nothing
        self._lock = threading.RLock()
        self.journal_mode = str(self._rows("PRAGMA journal_mode")[0][0])

    @staticmethod
    def open(path: Path, *, write: bool) -> Journal:
        """Opens a journal; with `write` it is made (0600, in a directory 0700) where it is missing.

        Raises JournalMissing, JournalDamaged, JournalTooNew (only for writing) or JournalUnwritable.
        """
        db = files.open_writable(path) if write else files.open_readable(path)
        try:
            return Journal(path, db, write=write)
        except BaseException:
            db.close()
            raise

    def close(self) -> None:
        """Closes the file; the lease of a run is not given back by this."""
        with self._lock, translated(self.path, "written"):
            self._db.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    # -- leases -----------------------------------------------------------------------------------

    def take_lease(self, run: str, holder: str, *, ttl_seconds: float, steal: bool = False,
                   now: datetime) -> Lease:
        """The run's lease with the next epoch.

        Raises RunHeld while another holder's lease has not expired, unless `steal` or that holder is
        a process of this machine which no longer lives.
        """
        with self._transaction() as db:
            return leases.take(db, run, holder, ttl_seconds=ttl_seconds, steal=steal, now=now)

    def renew_lease(self, lease: Lease, *, ttl_seconds: float, now: datetime) -> None:
        """Moves the expiry to `now` plus `ttl_seconds`; raises LeaseLost after a take-over."""
        with self._transaction() as db:
            leases.renew(db, lease, ttl_seconds=ttl_seconds, now=now)

    def release_lease(self, lease: Lease) -> None:
        """Gives the lease back at once; a lease already lost is left to its new holder."""
        with self._transaction() as db:
            leases.release(db, lease)

    def check_lease(self, lease: Lease) -> None:
        """Raises LeaseLost unless this very taking is the run's newest, and has not been given back."""
        with self._lock, translated(self.path, "read"):
            leases.check(self._db, lease)

    def lease_of(self, run: str) -> Lease | None:
        """The lease in force or expired, None when nobody holds the run."""
        rows = self._rows("SELECT holder, epoch, expires_at FROM leases WHERE run = ?", run)
        if not rows or rows[0][0] == leases.NOBODY:
            return None
        holder, epoch, expires_at = rows[0]
        with suppress(ValueError):
            return Lease(run, holder, epoch, datetime.fromisoformat(expires_at).astimezone(UTC))
        raise JournalDamaged(f"the journal {self.path} is damaged: a lease expires at {expires_at!r}")

    def carrier_of(self, run: str) -> str:
        """Who holds the run and is not known to be dead; empty where nobody does."""
        lease = self.lease_of(run)
        return leases.NOBODY if lease is None or holder_is_alive(lease.holder) is False else lease.holder

    # -- facts ------------------------------------------------------------------------------------

    def append(self, lease: Lease, drafts: Sequence[Draft], *, recorded_at: datetime) -> list[Record]:
        """Appends all drafts in one transaction, or none; they are durable on return.

        Raises LeaseLost, JournalUnwritable or JournalDamaged, and TypeError or ValueError for data
        that JSON would not give back.
        """
        return self.append_lines(lease, [encode(draft) for draft in drafts], recorded_at=recorded_at)

    def append_lines(self, lease: Lease, lines: Sequence[Line], *, recorded_at: datetime) -> list[Record]:
        """`append` for drafts already encoded."""
        if not lines:
            return []
        with self._transaction() as db:
            leases.check(db, lease)
            rows = chain(lease.run, lease.epoch, _head(db, lease.run), timestamp(recorded_at), lines)
            db.executemany(f"INSERT INTO facts ({COLUMNS}) VALUES ({','.join('?' * 12)})", rows)
            db.execute(
                "INSERT INTO heads (run, seq, digest) VALUES (?, ?, ?)"
                " ON CONFLICT (run) DO UPDATE SET seq = excluded.seq, digest = excluded.digest",
                (lease.run, rows[-1][1], rows[-1][-1]),
            )
        return [record(row) for row in rows]

    def read(self, run: str, *, after: int = 0, without: Sequence[str] = ()) -> Iterator[Record]:
        """The facts of a run with a seq above `after`, in order; none for a run that does not exist.

        Facts of the types in `without` are left out.
        """
        query = (
            f"SELECT {COLUMNS} FROM facts WHERE run = ? AND seq > ?"
            f" AND type NOT IN ({','.join('?' * len(without))}) ORDER BY seq LIMIT {PAGE_FACTS}"
        )
        while rows := self._rows(query, run, after, *without):
            for row in rows:
                yield self._record(row)
            after = rows[-1][1]

    def runs(self, *, limit: int = -1) -> list[str]:
        """Every run that has a fact, newest first, in the order they were opened; `limit` -1 is all."""
        query = "SELECT run FROM heads WHERE run <> ? ORDER BY rowid DESC LIMIT ?"
        return [run for (run,) in self._rows(query, OWN_CHAIN, limit)]

    def outlines(self) -> list[Outline]:
        """Every run at a glance, oldest first: two look-ups each, however many facts it has."""
        return [Outline(*row) for row in self._rows(OUTLINES, OWN_CHAIN)]

    def head(self, run: str) -> Head | None:
        """Seq and digest of the newest fact, None for a run that does not exist."""
        rows = self._rows("SELECT seq, digest FROM heads WHERE run = ?", run)
        return Head(*rows[0]) if rows else None

    def verify(self, run: str, *, anchor: str | Head | None = None, whole_file: bool = False) -> Verdict:
        """Recomputes the whole chain; `anchor` is a digest of this run kept outside the file, or its head then.

        Raises only RunMissing, and JournalUnwritable when the file cannot be read at all.
        """
        with self._lock, translated(self.path, "read"):
            with suppress(JournalDamaged):
                self._rows("SELECT count(*) FROM sqlite_master")  # Heals what a killed writer left.
            verdict = verify_run(self._db, run, anchor, whole_file=whole_file)
        if verdict is None:
            self.refuse_pruned(run)
            raise RunMissing(f"the journal {self.path} holds no run {run}")
        return verdict

    # -- retention ---------------------------------------------------------------------------------

    def prune(self, runs: Sequence[str], *, actor: str, now: datetime) -> list[Pruned]:
        """Removes the facts of these runs for ever, in one transaction; the end of each chain is kept.

        Raises RunMissing for a run that is not there, and removes nothing then.
        """
        with self._transaction() as db:
            return retention.prune(db, runs, actor=actor, at=timestamp(now))

    def pruned(self) -> list[Pruned]:
        """Every run whose facts were removed."""
        with self._lock, translated(self.path, "read"):
            return retention.pruned(self._db)

    def refuse_pruned(self, run: str) -> None:
        """Raises RunPruned for a run whose facts were removed."""
        for one in self.pruned():
            if one.run == run:
                raise RunPruned(
                    f"the facts of run {run} were removed at {one.pruned_at}; its head was {one.seq}:{one.digest}"
                )

    def compact(self) -> None:
        """Gives the space of removed facts back to the disk; needs as much free space as the file is left with."""
        with self._lock, translated(self.path, "written"):
            self._db.execute("VACUUM")

    # -- blobs and telemetry ----------------------------------------------------------------------

    def put_blob(self, data: bytes) -> str:
        """Keeps the bytes under their SHA-256, durable on return; the same bytes are kept once."""
        sha256 = hashlib.sha256(data).hexdigest()
        with self._transaction() as db:
            if not db.execute("SELECT 1 FROM blobs WHERE sha256 = ?", (sha256,)).fetchone():
                db.execute("INSERT INTO blobs (sha256, data) VALUES (?, ?)", (sha256, data))
        return sha256

    def get_blob(self, sha256: str) -> bytes:
        """The bytes of this digest; raises JournalDamaged when they are missing or not those."""
        rows = self._rows("SELECT data FROM blobs WHERE sha256 = ?", sha256)
        if not rows or hashlib.sha256(rows[0][0]).hexdigest() != sha256:
            raise JournalDamaged(f"the journal {self.path} is damaged: the blob {sha256} is missing or changed")
        return bytes(rows[0][0])

    def sample(self, run: str, step: str | None, name: str, value: float, at: datetime) -> None:
        """Notes a progress value beside the chain. A sample that cannot be written is dropped."""
        with suppress(JournalError), self._transaction() as db:
            db.execute("INSERT INTO telemetry VALUES (?, ?, ?, ?, ?)", (run, step, name, value, timestamp(at)))

    def samples(self, run: str) -> list[tuple[str | None, str, float, str]]:
        """The samples of a run as (step, name, value, at), oldest first."""
        return self._rows("SELECT step, name, value, at FROM telemetry WHERE run = ? ORDER BY rowid", run)

    def prune_samples(self, run: str) -> None:
        """Deletes the samples of a run; no fact refers to them."""
        with self._transaction() as db:
            db.execute("DELETE FROM telemetry WHERE run = ?", (run,))

    def copy_to(self, target: Path) -> None:
        """Writes a consistent copy of the whole journal to a new file (0600); a writer may go on meanwhile.

        Raises JournalUnwritable, also when the target exists.
        """
        copy = files.new_file(target)
        try:
            with self._lock, translated(target, "written"):
                self._db.backup(copy)
        finally:
            copy.close()

    # -- the file ---------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One BEGIN IMMEDIATE … COMMIT; whatever goes wrong inside, nothing of it is left.

        Where an fsync fails its transaction may be there or not, and nothing more is written through this
        journal: the kernel forgets the pages that it could not write and calls the next fsync a success.
        """
        if not self._write:
            raise JournalUnwritable(f"the journal {self.path} was opened for reading only")
        with self._lock, translated(self.path, "written"):
            if self._has_lost_trust:
                raise JournalUnwritable(f"the journal {self.path} cannot be written: an fsync of it has failed")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                self._has_lost_trust = is_failed_fsync(error)
                # A full disk may have ended the transaction already, or refuse even this.
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

    def _rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self._lock, translated(self.path, "read"):
            try:
                return self._db.execute(query, parameters).fetchall()
            except sqlite3.OperationalError as error:
                if not files.needs_healing(error):
                    raise
            # A writer was killed in the middle of a commit since this reader looked last.
            files.heal(self.path)
            return self._db.execute(query, parameters).fetchall()

    def _record(self, row: Any) -> Record:
        try:
            return record(row)
        except (ValueError, TypeError):
            raise JournalDamaged(f"the journal {self.path} is damaged: fact {row[1]} of {row[0]} is no fact") from None


def _head(db: sqlite3.Connection, run: str) -> Head:
    """Where the chain of a run goes on, within the transaction that continues it."""
    row = db.execute("SELECT seq, digest FROM heads WHERE run = ?", (run,)).fetchone()
    return Head(*row) if row else Head(0, GENESIS)
