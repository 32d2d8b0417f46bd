"""How fast durable facts are appended, beside bare SQLite doing the least that is as durable.

    python -m benchmarks.journal_append [--facts 400] [--rounds 5] [--directory DIR]

The peer is `sqlite3` in autocommit mode with the same pragmas and a table without triggers, chain,
lease or head. All contestants take turns in every round, so that a slow moment of the disk hits all of
them; printed is the median over the rounds and its ratio to the peer.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from journal import Draft, GroupWriter, Journal, Lease, this_holder

FACT = Draft("FileChunkCopied", {"sha256": "a" * 64, "path": "x" * 200}, step="copy-system-storage", attempt=1)
RUN = "benchmark"


def now() -> datetime:
    return datetime.now(UTC)


def bare_sqlite(path: Path, journal_mode: str) -> Callable[[int], None]:
    """The peer: one INSERT per commit."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA journal_mode = {journal_mode}")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE facts (seq INTEGER PRIMARY KEY, type TEXT, data TEXT)")

    def insert(facts: int) -> None:
        for _ in range(facts):
            db.execute("INSERT INTO facts (type, data) VALUES (?, ?)", (FACT.type, "x" * 300))

    return insert


def one_by_one(journal: Journal, lease: Lease) -> Callable[[int], None]:
    """`Journal.append`, one fact per transaction."""

    def append(facts: int) -> None:
        for _ in range(facts):
            journal.append(lease, [FACT], recorded_at=now())

    return append


def through_writer(writer: GroupWriter, producers: int) -> Callable[[int], None]:
    """`GroupWriter.append` from so many threads, each waiting for its own fact before the next."""

    def append(facts: int) -> None:
        with ThreadPoolExecutor(producers) as pool:
            list(pool.map(lambda _: writer.append(FACT), range(facts)))

    return append


def seconds(work: Callable[[int], None], facts: int) -> float:
    start = perf_counter()
    work(facts)
    return perf_counter() - start


def measure(directory: Path, facts: int, rounds: int) -> tuple[str, dict[str, float]]:
    """Facts per second of every contestant, median over the rounds, and SQLite's mode."""
    with Journal.open(directory / "journal.db", write=True) as journal:
        lease = journal.take_lease(RUN, this_holder(), ttl_seconds=3600, now=now())
        with GroupWriter(journal, lease, now=now, admit=lambda drafts: None, published=lambda records: None) as writer:
            contestants = {
                "bare sqlite3, autocommit": bare_sqlite(directory / "bare.db", journal.journal_mode),
                "Journal.append": one_by_one(journal, lease),
                "GroupWriter, 1 producer": through_writer(writer, 1),
                "GroupWriter, 8 producers": through_writer(writer, 8),
            }
            taken: dict[str, list[float]] = {name: [] for name in contestants}
            for _ in range(rounds):
                for name, work in contestants.items():
                    taken[name].append(seconds(work, facts))
        assert journal.verify(RUN).status == "ok"
        return journal.journal_mode, {name: facts / median(times) for name, times in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="durable facts per second")
    parser.add_argument("--facts", type=int, default=400, help="per contestant and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", type=Path, help="where to write; the disk is what is measured")
    options = parser.parse_args()
    with TemporaryDirectory(dir=options.directory) as directory:
        mode, rates = measure(Path(directory), options.facts, options.rounds)
    out = sys.stdout.write
    out(f"SQLite {sqlite3.sqlite_version}, journal_mode {mode}, synchronous FULL, facts of 300 bytes\n")
    peer = next(iter(rates.values()))
    for name, rate in rates.items():
        out(f"{name:<26} {rate:>8.0f} facts/s   {rate / peer:>5.2f} of bare sqlite3\n")


if __name__ == "__main__":
    main()
