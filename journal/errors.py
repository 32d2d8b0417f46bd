"""What can go wrong with a journal, as exceptions whose text is one sentence for a person.

Nothing here knows exit codes or hints: whoever catches these adds the next command to type.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from journal.holders import holder_in_words


class JournalError(Exception):
    """The root of everything this package raises on purpose."""


class JournalMissing(JournalError):
    """There is no journal at this path, or an empty file."""


class JournalDamaged(JournalError):
    """The file is no journal, or no longer the one that was written."""


class JournalTooNew(JournalError):
    """A newer program wrote this file: it may be read, not written."""


class JournalUnwritable(JournalError):
    """The journal cannot be reached for the moment: disk full, read-only, locked, no permission."""


class RunMissing(JournalError):
    """The journal holds no fact of this run."""


class RunPruned(RunMissing):
    """The facts of this run were removed; the end of its chain is known."""


class RunHeld(JournalError):
    """Another holder has the lease of this run."""

    def __init__(self, run: str, holder: str, epoch: int, expires_at: str, since: str = "") -> None:
        """since: when its first fact of this epoch was recorded, "" before it has recorded one."""
        begun = f"since {since}" if since else "just now"
        super().__init__(f"the run {run} is held by {holder_in_words(holder)}, {begun} (epoch {epoch}, until {expires_at})")
        self.run, self.holder, self.epoch, self.expires_at = run, holder, epoch, expires_at


class LeaseLost(JournalError):
    """The lease this process acted under is no longer the run's lease: stop at once."""


UNREACHABLE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk refused the operation (an input/output error, or a size limit)",
    sqlite3.SQLITE_READONLY: "the file or its directory is read-only",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_PERM: "permission was denied",
    sqlite3.SQLITE_AUTH: "permission was denied",
    sqlite3.SQLITE_BUSY: "another process keeps it locked",
    sqlite3.SQLITE_LOCKED: "another process keeps it locked",
    sqlite3.SQLITE_NOMEM: "there is not enough memory",
}


def from_sqlite(error: sqlite3.Error, path: Path, doing: Literal["read", "written"]) -> JournalError:
    """The error of ours that says what SQLite meant; `doing` completes "cannot be …"."""
    primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if primary in UNREACHABLE:
        return JournalUnwritable(f"the journal {path} cannot be {doing}: {UNREACHABLE[primary]}")
    if isinstance(error, sqlite3.ProgrammingError):  # Used after close: nothing is wrong with the file.
        return JournalUnwritable(f"the journal {path} cannot be {doing}: it was closed")
    return JournalDamaged(f"the journal {path} is damaged: {error}")


def is_failed_fsync(error: BaseException) -> bool:
    """Whether this is SQLite's word that something it wrote may never reach the disk."""
    failed = (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC)
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) in failed


@contextmanager
def translated(path: Path, doing: Literal["read", "written"]) -> Iterator[None]:
    """Lets no exception of SQLite or of the file system out untranslated."""
    try:
        yield
    except sqlite3.Error as error:
        raise from_sqlite(error, path, doing) from None
    except UnicodeDecodeError:  # Python could not even read SQLite's message, which quoted the file.
        raise JournalDamaged(f"the journal {path} is damaged: it holds text that is none") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise JournalUnwritable(f"the journal {path} cannot be {doing}: {reason}") from None
