"""Whether looking at one run is as fast in a journal of very many runs as in a journal of that run alone.

    python -m benchmarks.journal_scale [--runs 10000] [--facts 500] [--rounds 5] [--directory DIR]

Both journals hold the same last run; in the large one so many stand before it (10,000 runs of 500 facts are five
million facts, about 2.5 GB). Measured are whole commands, as processes, in turns; printed is the median of
each and its ratio to the same command on the small journal. Then, in this process: folding one run of 100,000 facts.
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

from journal import Draft, Head, Journal, Record
from journal.records import GENESIS, Row, chain, encode
from orchestrator.drills.histories import START
from orchestrator.recorder import entries_of
from orchestrator.runs import refuse_over_an_open_run
from orchestrator.state import fold
from tests.forensics.tellings import restored

COMMANDS: dict[str, tuple[str, ...]] = {
    "restore runs": ("runs",),
    "restore status RUN": ("status", "RUN"),
    "restore log RUN --follow": ("log", "RUN", "--follow"),
    "restore verify RUN": ("verify", "RUN"),
    "restore report RUN": ("report", "RUN"),
}
STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


def template(facts: int) -> list[Record]:
    """A whole restore of the model, drawn out by pieces of a copied file to so many facts."""
    records = restored().records
    at = next(number for number, record in enumerate(records) if record.type == "FileChunkCopied")
    return [*records[:at], *[records[at]] * max(facts - len(records), 0), *records[at:]]


def rows_of(run: str, number: int, records: Sequence[Record]) -> Iterator[Row]:
    """A run of the large journal, in chain, an hour after the one before."""
    at = (START + timedelta(hours=number)).strftime(STAMP)
    lines = [encode(Draft(r.type, r.data, r.version, r.step, r.attempt, "operator@laptop")) for r in records]
    return iter(chain(run, 1, Head(0, GENESIS), at, lines))


def fill(path: Path, runs: int, records: Sequence[Record]) -> str:
    """So many runs in a new journal; returns the last one's id."""
    Journal.open(path, write=True).close()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("BEGIN")
    run = ""
    for number in range(runs):
        run = f"threescale-2026-{number:06}"
        rows = list(rows_of(run, number, records))
        db.executemany(f"INSERT INTO facts VALUES ({','.join('?' * 12)})", rows)
        db.execute("INSERT INTO heads VALUES (?, ?, ?)", (run, rows[-1][1], rows[-1][-1]))
    db.execute("COMMIT")
    db.close()
    return run


def command(path: Path, words: Sequence[str], run: str) -> Callable[[], float]:
    argv = [sys.executable, "-m", "commands", *(run if word == "RUN" else word for word in words), "--journal", str(path)]

    def seconds() -> float:
        start = perf_counter()
        subprocess.run(argv, check=True, capture_output=True)
        return perf_counter() - start

    return seconds


def measure(directory: Path, runs: int, facts: int, rounds: int) -> Iterator[str]:
    records = template(facts)
    small, large = directory / "small.db", directory / "large.db"
    one = fill(small, 1, records)
    start = perf_counter()
    last = fill(large, runs, records)
    size = large.stat().st_size / 2**30
    yield f"{runs} runs, {runs * len(records)} facts, {size:.1f} GiB, made in {perf_counter() - start:.0f} s"
    for name, words in COMMANDS.items():
        few, many = command(small, words, one), command(large, words, last)
        times = [(few(), many()) for _ in range(rounds)]
        a, b = (median(time[side] for time in times) for side in (0, 1))
        yield f"{name:<26} {a:>6.2f} s with one run   {b:>6.2f} s with {runs}   ratio {b / a:.2f}"
    yield opening(small, large)


def opening(small: Path, large: Path) -> str:
    """What `restore run` asks of the journal before it begins: whether a run on this installation has not ended."""
    times = []
    for path in (small, large):
        with Journal.open(path, write=True) as journal:
            start = process_time()
            refuse_over_an_open_run(journal, "another installation")
            times.append(process_time() - start)
    return f"{'before restore run':<26} {times[0]:>6.2f} s with one run   {times[1]:>6.2f} s with all"


def folding(facts: int) -> Iterator[str]:
    """One run of so many facts: pieces of a file, and the same number of looks."""
    records = restored().records
    for type_ in ("FileChunkCopied", "StepFoundBusy"):
        at = next(number for number, record in enumerate(records) if record.type == type_)
        many = [*records[:at], *[records[at]] * facts, *records[at:]]
        entries = entries_of([replace(record, seq=seq) for seq, record in enumerate(many, start=1)])
        times = []
        for _ in range(3):
            start = process_time()
            fold(entries)
            times.append(process_time() - start)
        yield f"folding {len(entries)} facts, most of them {type_}: {min(times):.2f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description="one run among many")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--facts", type=int, default=500, help="per run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", type=Path, help="where to write")
    options = parser.parse_args()
    with TemporaryDirectory(dir=options.directory) as directory:
        for line in measure(Path(directory), options.runs, options.facts, options.rounds):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    for line in folding(100_000):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
