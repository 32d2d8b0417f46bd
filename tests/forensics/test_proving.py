"""Whatever is done to a journal is found, and where; nothing that this program wrote is called broken."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

import pytest

from journal import Draft, Head, Journal, Record, this_holder
from journal.records import COLUMNS, GENESIS, Cell, cell, digest_of
from journal.verification import _continued, _Flaw, _Walk
from orchestrator import events as ev
from orchestrator.drills.histories import History
from orchestrator.forensics.proving import head_of, prove
from tests.conftest import Tally
from tests.forensics.tellings import RUN, died_and_turned, over_a_bad_line, restored, small, told, write
from tests.journal.ledgers import NOW


def cells_of(record: Record) -> list[Cell]:
    """A row as the verification reads it: kind and bytes of each column, the digest at the end."""
    data = json.dumps(dict(record.data), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    values = [data if name == "data" else getattr(record, name) for name in COLUMNS]
    return [*map(cell, values), cell(record.digest)]


def is_whole(rows: Sequence[list[Cell]], head: Head) -> bool:
    """Whether these rows are a chain of RUN that ends at this head: what verify asks of a run."""
    walk = _Walk()
    try:
        for row in rows:
            digest = _continued(row, RUN, walk)
            walk.facts, walk.head = walk.facts + 1, digest
    except _Flaw:
        return False
    return Head(walk.facts, walk.head) == head


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[list[Cell]], Head]:
    """A file copied on the toy: ten facts that use every column."""
    path = write(tmp_path_factory.mktemp("sample") / "j.db", small(49).records)
    with Journal.open(path, write=False) as journal:
        head = journal.head(RUN)
        assert head is not None
        return [cells_of(record) for record in journal.read(RUN)], head


def test_every_single_byte_change_is_found(sample: tuple[list[list[Cell]], Head], tally: Tally) -> None:
    """Each byte of each column of each fact, to each of the 255 other values.

    Only the changed row is judged again: if it does not continue the chain as it stands, the chain is broken.
    """
    rows, head = sample
    assert is_whole(rows, head)
    prev, missed, tried = GENESIS, [], 0
    for number, row in enumerate(rows):
        walk = _Walk(facts=number, head=prev)
        for column, (kind, raw) in enumerate(row):
            for at in range(len(raw)):
                for value in range(256):
                    if value == raw[at]:
                        continue
                    tried += 1
                    changed = [*row]
                    changed[column] = (kind, raw[:at] + bytes([value]) + raw[at + 1 :])
                    try:
                        _continued(changed, RUN, walk)
                    except _Flaw:
                        continue
                    missed.append((number + 1, column, at, value))
        prev = row[-1][1].decode()
    assert missed == []
    tally(f"{tried} single-byte changes of a journal of {len(rows)} facts, each found by verify")


def damages(rows: list[list[Cell]]) -> Iterator[tuple[str, list[list[Cell]]]]:
    """Every deletion, doubling, swap and truncation; every change of a kind; every byte dropped or put in."""
    for n in range(len(rows)):
        yield f"deleted {n}", rows[:n] + rows[n + 1 :]
        yield f"doubled {n}", [*rows[: n + 1], *rows[n:]]
        yield f"cut off after {n}", rows[:n]
        yield f"begins at {n}", rows[n + 1 :]
        for column, (kind, raw) in enumerate(rows[n]):
            others = [(k, raw) for k in (b"t", b"i", b"n", b"r", b"b") if k != kind]
            shorter = [(kind, raw[:-1]), (kind, raw[1:])] if raw else []
            for other in (*others, *shorter, (kind, raw + b"0"), (kind, b" " + raw)):
                yield f"column {column} of {n}", [*rows[:n], [*rows[n][:column], other, *rows[n][column + 1 :]], *rows[n + 1 :]]
    for a, b in combinations(range(len(rows)), 2):
        swapped = [*rows]
        swapped[a], swapped[b] = swapped[b], swapped[a]
        yield f"swapped {a} and {b}", swapped
    for n in range(len(rows)):
        for a, b in combinations(range(len(rows[n])), 2):
            if rows[n][a] != rows[n][b]:
                row = [*rows[n]]
                row[a], row[b] = row[b], row[a]
                yield f"columns {a} and {b} of {n} swapped", [*rows[:n], row, *rows[n + 1 :]]


def test_every_deletion_swap_and_truncation_is_found(sample: tuple[list[list[Cell]], Head], tally: Tally) -> None:
    rows, head = sample
    found = [(name, is_whole(damaged, head)) for name, damaged in damages(rows)]
    assert [name for name, whole in found if whole] == []
    tally(f"{len(found)} deletions, swaps and truncations of a journal, each found by verify")


def test_a_chain_forged_anew_from_a_change_on_is_found_by_its_head_alone(sample: tuple[list[list[Cell]], Head]) -> None:
    """Whoever can write the file can compute digests: then only the head, kept elsewhere, tells."""
    rows, head = sample
    for at in range(len(rows)):
        forged, prev = [list(row) for row in rows], rows[at][-2]
        forged[at][COLUMNS.index("actor")] = (b"t", b"somebody")
        for row in forged[at:]:
            row[-2] = prev
            prev = (b"t", digest_of(row[:-1]).encode())
            row[-1] = prev
        assert not is_whole(forged, head)
        assert is_whole(forged, Head(len(rows), prev[1].decode()))


@pytest.mark.parametrize("make", [restored, died_and_turned, lambda: over_a_bad_line(1)], ids=["smooth", "killed", "bad-line"])
def test_what_was_written_is_ok(make: Callable[[], History], tmp_path: Path) -> None:
    history = make()
    path = write(tmp_path / "j.db", history.records)
    with Journal.open(path, write=False) as journal:
        proof = prove(journal, RUN, whole_file=True)
    assert (proof.status, proof.reason, proof.unknown) == ("ok", "", 0)
    assert proof.epochs == len({record.epoch for record in history.records})


def appended(path: Path, *facts: ev.Fact, epochs: int = 1) -> Path:
    """More facts, in chain, that no recorder would have let through; `epochs` leases are taken before."""
    with Journal.open(path, write=True) as journal:
        lease = journal.take_lease(RUN, this_holder(), ttl_seconds=60, now=NOW)
        for _ in range(epochs - 1):
            lease = journal.take_lease(RUN, this_holder(), ttl_seconds=60, now=NOW)
        drafts = []
        for fact in facts:
            name, version, step, attempt, data = ev.encode(fact)
            drafts.append(Draft(name, data, version, step, attempt))
        journal.append(lease, drafts, recorded_at=NOW)
    return path


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        pytest.param(ev.RunFinished(), "RunFinished cannot follow", id="finished-twice"),
        pytest.param(ev.StepFoundDone(step="s", seen={}), "StepFoundDone of step s cannot follow", id="unknown-step"),
        pytest.param(ev.RunPaused(reason="r", needs="resume"), "RunPaused cannot follow", id="paused-after-the-end"),
    ],
)
def test_a_fact_that_could_not_follow_is_named(fact: ev.Fact, words: str, tmp_path: Path) -> None:
    path = appended(write(tmp_path / "j.db", restored().records), fact)
    with Journal.open(path, write=False) as journal:
        proof = prove(journal, RUN)
    assert (proof.status, proof.seq) == ("broken", proof.facts)
    assert words in proof.reason
    assert f"broken at fact {proof.facts}" in proof.sentence()


def test_a_start_that_names_another_epoch_is_named(tmp_path: Path) -> None:
    facts = [r for r in restored().records if r.seq < 9]
    path = write(tmp_path / "j.db", facts)
    step = next(t for t in told(restored()) if t.type == "StepStarted")
    assert isinstance(step.fact, ev.StepStarted)
    appended(path, step.fact.model_copy(update={"epoch": 9}))
    with Journal.open(path, write=False) as journal:
        proof = prove(journal, RUN)
    assert (proof.status, proof.seq, "epoch 9" in proof.reason) == ("broken", 9, True)


def test_an_epoch_that_goes_down_is_named(tmp_path: Path) -> None:
    path = appended(write(tmp_path / "j.db", restored().records[:8]), epochs=5)
    paused = ev.RunPaused(reason="r", needs="resume")
    appended(path, paused)
    with sqlite3.connect(path) as db:  # another epoch in the lease: what a copied or edited file may hold
        db.execute("UPDATE leases SET epoch = 1")
    appended(path, ev.RunResumed(program="p", by="b"))
    with Journal.open(path, write=False) as journal:
        proof = prove(journal, RUN)
    assert (proof.status, proof.seq) == ("broken", 10)
    assert "was written under epoch 2, after" in proof.reason


def test_facts_of_a_newer_program_are_counted_and_not_judged(tmp_path: Path) -> None:
    path = write(tmp_path / "j.db", restored().records)
    with Journal.open(path, write=True) as journal:
        lease = journal.take_lease(RUN, this_holder(), ttl_seconds=60, now=NOW)
        journal.append(lease, [Draft("Sung", {"song": "la"}, version=4)], recorded_at=NOW)
        proof = prove(journal, RUN)
    assert (proof.status, proof.unknown) == ("ok", 1)
    assert "1 facts of a newer program not judged" in proof.sentence()


@pytest.mark.parametrize("text", ["x", "1:2", "a" * 63, "A" * 64, "x:" + "a" * 64])
def test_what_is_no_head(text: str) -> None:
    with pytest.raises(ValueError, match=r"head|int"):
        head_of(text)
    assert head_of("") is None
    assert head_of("7:" + "a" * 64) == Head(7, "a" * 64)
