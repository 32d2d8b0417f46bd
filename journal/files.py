"""How a journal file is made, opened and set up. Everything about SQLite as a file is here.

It knows no fact and no lease: it hands out a connection that is fit for use, or says why not.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from journal import schema
from journal.errors import JournalDamaged, JournalMissing, JournalTooNew, JournalUnwritable, translated

BUSY_TIMEOUT_SECONDS = 10.0
QUICK_BYTES_MAX = 64 * 2**20  # a file up to this size is checked by SQLite before it is written to, in a moment

# POSIX forgets all of a process's locks on a file when any descriptor of it is closed. `_make` closes
# one, so no connection to that file may come to life in another thread meanwhile.
OPENING = threading.Lock()


def journal_mode_for(version: tuple[int, int, int]) -> Literal["wal", "truncate"]:
    """SQLite's own journal mode for a library version.

    Up to 3.51.2 two connections that write or checkpoint a WAL file at once can corrupt it.
    """
    return "wal" if version >= (3, 51, 3) else "truncate"


def open_writable(path: Path) -> sqlite3.Connection:
    """A connection that may write; makes the file, its directory and its tables where they are missing."""
    with OPENING, translated(path, "written"):
        _make(path)
        db = _connect(path, "mode=rw")
        try:
            return _prepared(db, path)
        except BaseException:
            db.close()
            raise


def open_readable(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. A changed schema is let through: `verify` tells about it."""
    with OPENING, translated(path, "read"):
        if not path.exists() or path.stat().st_size == 0:
            raise JournalMissing(f"there is no journal at {path}")
        db = _connect(path, "mode=ro")
        try:
            _check_readable(db, path)
            return db
        except BaseException as error:
            db.close()
            if not _is_unsharable_wal(error, path):
                raise
        return _connect(path, "immutable=1")


def new_file(path: Path) -> sqlite3.Connection:
    """A connection to an empty file that was not there before, with the modes of a journal."""
    with OPENING, translated(path, "written"):
        if path.exists():
            raise JournalUnwritable(f"the file {path} exists already")
        _make(path)
        return _connect(path, "mode=rw")


def heal(path: Path) -> None:
    """Rolls back what a killed writer left half-written, which a read-only connection may not do."""
    db = _connect(path, "mode=rw")
    try:
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    finally:
        db.close()


def needs_healing(error: sqlite3.Error) -> bool:
    """Whether this error of a reader says that a rollback journal waits for somebody who may write."""
    return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_ROLLBACK


def _connect(path: Path, query: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?{query}",
        uri=True,
        timeout=BUSY_TIMEOUT_SECONDS,
        isolation_level=None,  # Transactions are opened by hand: BEGIN IMMEDIATE, never DEFERRED.
        check_same_thread=False,
    )


def _make(path: Path) -> None:
    """Makes the file 0600 before its first byte, in a directory 0700, and both durable."""
    if path.exists():
        return
    _make_directory(path.parent)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _make_directory(path: Path) -> None:
    # mkdir(parents=True) would give the parents the ordinary mode.
    if not path.exists():
        _make_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def _prepared(db: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    version = _version(db, path)
    if version > schema.VERSION:
        raise JournalTooNew(
            f"the journal {path} has schema version {version}, this program writes version {schema.VERSION}:"
            " it can be read, not written"
        )
    db.execute(f"PRAGMA journal_mode = {journal_mode_for(sqlite3.sqlite_version_info)}")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    _try_writing(db)
    if version < schema.VERSION:
        schema.migrate(db)
    complaint = quick_check(db) if path.stat().st_size <= QUICK_BYTES_MAX else None
    if complaint := complaint or schema.difference(db):
        raise JournalDamaged(f"the journal {path} is damaged: {complaint}")
    return db


def _try_writing(db: sqlite3.Connection) -> None:
    """Raises where nothing can be written: SQLite opens such a file read-only without a word, and even begins."""
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("PRAGMA user_version = 0")
    finally:
        if db.in_transaction:  # A full disk has ended it already.
            db.execute("ROLLBACK")


def _check_readable(db: sqlite3.Connection, path: Path) -> None:
    try:
        version = _version(db, path)
    except sqlite3.OperationalError as error:
        if needs_healing(error):
            return  # Every read heals and tries again.
        raise
    if version == 0:
        raise JournalMissing(f"the journal {path} is empty: nothing was ever recorded in it")


def _version(db: sqlite3.Connection, path: Path) -> int:
    version = schema.stored_version(db)
    if version is None:
        raise JournalDamaged(f"the file {path} is an SQLite database, but not a journal")
    return version


def quick_check(db: sqlite3.Connection) -> str | None:
    """SQLite's own complaint about the file, or None."""
    try:
        (answer,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        return str(error)
    return None if answer == "ok" else str(answer)


def _is_unsharable_wal(error: BaseException, path: Path) -> bool:
    """A WAL file in a directory where no -shm file can be made: unchanging, as nobody can write there."""
    unopened = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
    wal = path.with_name(path.name + "-wal")
    return unopened and not os.access(path.parent, os.W_OK) and not (wal.exists() and wal.stat().st_size)
