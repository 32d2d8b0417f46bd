"""The processes that the tests of the journal start, kill and starve. Each function is one of them."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from journal import Draft, GroupWriter, Journal, JournalError, JournalUnwritable, this_holder


def now() -> datetime:
    return datetime.now(UTC)


def say(*words: object) -> None:
    """One line, in one write: several threads speak, and a kill must not split what was said."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def append_alone(path: Path, run: str, facts: int) -> None:
    """Appends one fact per transaction and says its seq once it is acknowledged."""
    journal = Journal.open(path, write=True)
    lease = journal.take_lease(run, this_holder(), ttl_seconds=60, now=now())
    for n in range(facts):
        (record,) = journal.append(lease, [Draft("Noted", {"n": n, "fill": "x" * 200})], recorded_at=now())
        say(record.seq, n)


def append_together(path: Path, run: str, facts: int) -> None:
    """Four threads append pairs through one writer and say each pair once it is acknowledged."""
    journal = Journal.open(path, write=True)
    lease = journal.take_lease(run, this_holder(), ttl_seconds=60, now=now())
    writer = GroupWriter(journal, lease, now=now, admit=lambda drafts: None, published=lambda records: None)

    def produce(name: int) -> None:
        for n in range(facts // 8):
            key = name * facts + n
            for record in writer.append(Draft("Began", {"n": key}), Draft("Ended", {"n": key})):
                say(record.seq, key)

    threads = [threading.Thread(target=produce, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def race(path: Path, run: str, facts: int) -> None:
    """Takes the lease by force, appends, and takes it back whenever another process took it."""
    journal = Journal.open(path, write=True)
    holder = this_holder()
    left, lost = facts, 0
    say("ready")
    sys.stdin.read()
    lease = journal.take_lease(run, holder, ttl_seconds=60, steal=True, now=now())
    while left:
        try:
            journal.append(lease, [Draft("Noted", {"by": holder, "left": left})], recorded_at=now())
            left -= 1
            time.sleep(0.002)  # SQLite's waiting is not fair; who never pauses keeps the other out.
        except JournalError as error:
            assert type(error).__name__ == "LeaseLost", error
            lost += 1
            lease = journal.take_lease(run, holder, ttl_seconds=60, steal=True, now=now())
    say("lost", lost)


def hold(path: Path, run: str, facts: int) -> None:
    """Tries to take the lease, says how it went, and keeps what it got until stdin closes."""
    try:
        lease = Journal.open(path, write=True).take_lease(run, this_holder(), ttl_seconds=600, now=now())
        say("held", lease.epoch)
    except JournalError as error:
        say(type(error).__name__)
    sys.stdin.read()


def open_only(path: Path, run: str, facts: int) -> None:
    """Opens the journal for writing and says whether that dragged in sqlite-utils."""
    Journal.open(path, write=True).close()
    say("sqlite_utils" in sys.modules)


def look_unprivileged(path: Path, run: str, facts: int) -> None:
    """Says what a user without any rights can do: open for writing, read, make another journal."""
    if os.getuid() == 0:
        import journal.verification  # noqa: F401  What is needed must be loaded before the rights are gone.

        os.setgid(65534)
        os.setuid(65534)
    for place, write in ((path, True), (path, False), (path.with_name("new.db"), True)):
        try:
            say(_facts(place, run, write=write))
        except JournalError as error:
            say(type(error).__name__, error)


def _facts(path: Path, run: str, *, write: bool) -> str:
    with Journal.open(path, write=write) as journal:
        return f"{len(list(journal.read(run)))} {journal.verify(run).status}"


def die_in_commit(path: Path, run: str, facts: int) -> None:
    """Dies by SIGKILL after pages of an unfinished transaction have reached the file."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = TRUNCATE")
    db.execute("PRAGMA cache_size = 1")
    db.execute("BEGIN IMMEDIATE")
    db.executemany("INSERT INTO telemetry VALUES (?, '', ?, 1.0, '')", [(run, "x" * 500)] * 2000)
    os.kill(os.getpid(), signal.SIGKILL)


def outgrow(path: Path, run: str, facts: int) -> None:
    """Appends until the file may not grow any more, then is given room and goes on with the same journal."""
    journal = Journal.open(path, write=True)
    lease = journal.take_lease(run, this_holder(), ttl_seconds=60, now=now())
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100_000, resource.RLIM_INFINITY))
    _append_until_refused(journal, run, lambda n: journal.append(
        lease, [Draft("Noted", {"n": n, "fill": "x" * 3000})] * 3, recorded_at=now()))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    say("after", journal.append(lease, [Draft("Noted", {})], recorded_at=now())[0].seq)
    say(journal.verify(run).status)


def fill_disk(path: Path, run: str, facts: int) -> None:
    """The same on a file system that is really full; a big file is deleted to make room."""
    ballast = path.with_name("ballast")
    journal = Journal.open(path, write=True)
    lease = journal.take_lease(run, this_holder(), ttl_seconds=60, now=now())
    with ballast.open("wb") as file:
        file.write(b"x" * 200_000)
    _append_until_refused(journal, run, lambda n: journal.append(
        lease, [Draft("Noted", {"n": n, "fill": "x" * 3000})] * 3, recorded_at=now()))
    journal.sample(run, "step", "bytes", 1.0, now())
    ballast.unlink()
    say("after", journal.append(lease, [Draft("Noted", {})], recorded_at=now())[0].seq)
    say(journal.verify(run).status)


def make_without_room(path: Path, run: str, facts: int) -> None:
    """Makes a journal where no file may become longer than 8 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))
    try:
        Journal.open(path, write=True)
    except JournalError as error:
        say(type(error).__name__, error)


def _append_until_refused(journal: Journal, run: str, append: Callable[[int], object]) -> None:
    for n in range(10_000):
        try:
            append(n)
        except JournalUnwritable as error:
            say("refused", n, len(list(journal.read(run))))
            say(error)
            return


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
