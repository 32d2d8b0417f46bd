"""A process that appends upon a disk that fails: forked once for each call that goes wrong.

`attacked.py DIRECTORY MODE DOES CALL`: DIRECTORY/j.db is copied for each n, and in a fork of its own three facts are
appended to the copy while the n-th call does what DOES says; until n is more than there are calls. One line of JSON
for each n: what was acknowledged, what was refused and with which words, how the process ended.

`attacked.py DIRECTORY MODE log`: once, without a fault. Each process leaves a log of its calls beside its copy.

MODE is SQLite's journal mode: the one for this library, or WAL, which a newer one would have (journal/files.py).
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path

from journal import Draft, Journal, JournalError, this_holder
from journal.errors import translated

RUN = "threescale-20261123-k7f2"
FACTS = 3


def opened(path: Path, mode: str) -> Journal:
    if mode != "wal":
        return Journal.open(path, write=True)
    with translated(path, "written"):
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
    return Journal(path, db, write=True)


def append_some(path: Path, mode: str, say: int) -> None:
    """Each fact by itself, through one journal: after a refusal the next is tried all the same."""
    try:
        with opened(path, mode) as journal:
            now = datetime.now(UTC)
            lease = journal.take_lease(RUN, this_holder(), ttl_seconds=60, now=now)
            for _ in range(FACTS):
                try:
                    (record,) = journal.append(lease, [Draft("Noted", {"fill": "x" * 3000})], recorded_at=now)
                    tell(say, {"acknowledged": record.seq})
                except JournalError as error:
                    tell(say, {"refused": f"{type(error).__name__}: {error}"})
    except JournalError as error:
        tell(say, {"refused": f"{type(error).__name__}: {error}"})


def tell(say: int, said: dict[str, object]) -> None:
    """To a file beside the journal that stands on the same disk, so that the log has it at its place."""
    os.write(say, (json.dumps(said) + "\n").encode())


def in_a_fork(directory: Path, mode: str, does: str, call: str, n: int) -> int:
    """One life on a copy of its own; the status that it ended with."""
    place = directory / f"{does}-{call}-{n}"
    place.mkdir()
    for name in ("j.db", "j.db-journal", "j.db-wal"):
        if (directory / name).exists():
            shutil.copy(directory / name, place / name)
    say = os.open(place.with_suffix(".said"), os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    child = os.fork()
    if child == 0:
        os.environ |= {"DISK_CALL": call, "DISK_AT": "0" if does == "log" else str(n), "DISK_DOES": does}
        os.environ |= {"DISK_FILES": str(place) if does == "log" else f"{place}/j.db", "DISK_LOG": str(place.with_suffix(".log"))}
        append_some(place / "j.db", mode, say)
        os._exit(0)
    os.close(say)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(directory: Path, mode: str, does: str, call: str = "any") -> None:
    n = 1
    while True:
        status = in_a_fork(directory, mode, does, call, n)
        said = (directory / f"{does}-{call}-{n}.said").read_text()
        sys.stdout.write(json.dumps({"n": n, "status": status, "said": said.splitlines()}) + "\n")
        if b"met " not in (directory / f"{does}-{call}-{n}.log").read_bytes():
            return
        n += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
