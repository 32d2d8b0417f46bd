"""Whatever is done to the file behind the journal's back is found."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from journal import Draft, Journal, JournalError, JournalMissing, JournalTooNew, Record, schema
from tests.journal.ledgers import NOW, RUN, written

TEXT_COLUMNS = ("run", "recorded_at", "actor", "type", "step", "data", "prev", "digest")
NUMBER_COLUMNS = ("seq", "epoch", "version", "attempt")

APPENDED = """
INSERT INTO facts SELECT run, 9, recorded_at, epoch, actor, type, version, step, attempt, data, prev, digest
FROM facts WHERE seq = 8
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of eight facts; the fifth refers to a blob, deep inside."""
    file = tmp_path / "j.db"
    journal, lease = written(file, facts=4)
    blob = {"blob": journal.put_blob(b"the picture before")}
    journal.append(lease, [Draft("StepStarted", {"before": [{"spec": blob}]})], recorded_at=NOW)
    journal.append(lease, [Draft("Noted", {"n": n}) for n in range(3)], recorded_at=NOW)
    journal.close()
    return file


def tampered(path: Path, *statements: str) -> None:
    """Runs the statements as somebody who took the triggers off and put them on again."""
    db = sqlite3.connect(path, isolation_level=None)
    triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    db.execute("PRAGMA ignore_check_constraints = ON")
    for name, _ in triggers:
        db.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        db.execute(statement)
    for _, sql in triggers:
        db.execute(sql)
    db.close()


def verdict(path: Path, anchor: str | None = None) -> tuple[str, int | None]:
    with Journal.open(path, write=False) as journal:
        found = journal.verify(RUN, anchor=anchor)
    return found.status, found.seq


def test_an_untouched_journal_is_ok_and_says_its_head(path: Path) -> None:
    with Journal.open(path, write=False) as journal:
        found = journal.verify(RUN)
        records = list(journal.read(RUN))
        assert (found.status, found.facts, found.head) == ("ok", 8, records[-1].digest)
        assert {journal.verify(RUN, anchor=record.digest).status for record in records} == {"ok"}


@pytest.mark.parametrize(("statements", "expected"), [
    pytest.param(["DELETE FROM facts WHERE seq = 3"], ("broken", 3), id="deleted"),
    pytest.param(["DELETE FROM facts WHERE seq = 1"], ("broken", 1), id="first-deleted"),
    pytest.param(["DELETE FROM facts WHERE seq > 6"], ("cut off", 6), id="cut-off"),
    pytest.param(["DELETE FROM facts"], ("cut off", 0), id="all-cut-off"),
    pytest.param(["UPDATE facts SET seq = 100 WHERE seq = 2", "UPDATE facts SET seq = 2 WHERE seq = 3",
                  "UPDATE facts SET seq = 3 WHERE seq = 100"], ("broken", 2), id="swapped"),
    pytest.param(["UPDATE facts SET seq = seq + 100", "UPDATE facts SET seq = seq - 99"], ("broken", 1), id="renumbered"),
    pytest.param(["DELETE FROM facts WHERE seq = 4", "UPDATE facts SET seq = seq - 1 WHERE seq > 4"], ("broken", 4),
                 id="closed-gap"),
    pytest.param([APPENDED], ("broken", 9), id="appended"),
    pytest.param(["UPDATE facts SET actor = CAST(actor AS BLOB) WHERE seq = 2"], ("broken", 2), id="other-type"),
    pytest.param(["UPDATE facts SET step = NULL WHERE seq = 2"], ("broken", 2), id="emptied"),
    pytest.param(["UPDATE facts SET step = '' WHERE seq = 6"], ("broken", 6), id="null-to-empty"),
    pytest.param(["DELETE FROM heads"], ("broken", 8), id="no-head"),
    pytest.param(["UPDATE heads SET seq = 7"], ("broken", 8), id="head-behind"),
    pytest.param(["UPDATE heads SET digest = 'x'"], ("broken", 8), id="head-changed"),
    pytest.param(["DELETE FROM blobs"], ("broken", 5), id="blob-missing"),
    pytest.param(["UPDATE blobs SET data = x'00'"], ("broken", 5), id="blob-changed"),
])
def test_tampering_is_found_where_it_happened(
    path: Path, statements: list[str], expected: tuple[str, int | None]
) -> None:
    tampered(path, *statements)
    found = verdict(path)
    # A stored type that its column forbids is already noticed by SQLite's own check on newer versions.
    assert found == expected or (found == ("broken", None) and "CAST" in statements[0])


@pytest.mark.parametrize(("statement", "reason"), [
    ("DELETE FROM facts WHERE seq = 3", "fact 3 is missing"),
    ("DELETE FROM facts WHERE seq > 6", "the chain is cut off after fact 6: there were 8"),
    ("UPDATE facts SET actor = 'me' WHERE seq = 2", "fact 2 is not what was written: its digest differs"),
])
def test_the_reason_is_one_plain_sentence(path: Path, statement: str, reason: str) -> None:
    tampered(path, statement)
    with Journal.open(path, write=False) as journal:
        assert journal.verify(RUN).reason == reason


def test_taking_the_triggers_off_and_on_alone_changes_nothing(path: Path) -> None:
    tampered(path)
    assert verdict(path) == ("ok", None)


def test_a_chain_made_anew_is_only_found_by_an_anchor(path: Path) -> None:
    """Who can write to the file can compute digests; that is why the head is kept outside too."""
    with Journal.open(path, write=False) as journal:
        anchor = list(journal.read(RUN))[-1].digest
    tampered(path, "DELETE FROM facts WHERE seq > 6",
             "UPDATE heads SET seq = 6, digest = (SELECT digest FROM facts WHERE seq = 6)")
    assert verdict(path) == ("ok", None)
    assert verdict(path, anchor) == ("broken", None)


def every_flip(path: Path) -> Iterator[tuple[int, str, object]]:
    """For every byte of every text and every digit of every number of every fact: a changed value."""
    rows = sqlite3.connect(path).execute(
        f"SELECT seq, {', '.join(TEXT_COLUMNS + NUMBER_COLUMNS)} FROM facts").fetchall()
    for seq, *values in rows:
        for column, value in zip(TEXT_COLUMNS + NUMBER_COLUMNS, values, strict=True):
            if isinstance(value, str):
                raw = value.encode()
                for at in range(len(raw)):
                    yield seq, column, raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1:]
            elif isinstance(value, int):
                changed = (value ^ (1 << bit) for bit in range(63))
                # A number another fact has already cannot be stored; the swapped ones are tested above.
                yield from ((seq, column, number) for number in changed if column != "seq" or number not in range(1, 9))


def test_every_changed_byte_of_every_column_is_found(path: Path) -> None:
    flips = list(every_flip(path))
    assert len(flips) > 3000
    db = sqlite3.connect(path, isolation_level=None)
    for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f"DROP TRIGGER {trigger}")
    # With the triggers away verify would stop at them; the chain has to find each change by itself.
    from journal.verification import _check_head, _Flaw, _Walk, _walk

    def chain_holds() -> bool:
        walk = _Walk()
        try:
            _walk(db, RUN, walk)
            _check_head(db, RUN, walk)
        except _Flaw:
            return False
        return True

    assert chain_holds()
    missed = []
    for seq, column, value in flips:
        db.execute("BEGIN")
        placeholder = "CAST(? AS TEXT)" if isinstance(value, bytes) else "?"
        db.execute(f"UPDATE facts SET {column} = {placeholder} WHERE seq = ?", (value, seq))
        if chain_holds():
            missed.append((seq, column, value))
        db.execute("ROLLBACK")
    assert missed == []
    assert chain_holds()


def facts_or_error(path: Path) -> tuple[list[Record], bool]:
    """What a reader gets from the file, and whether the journal vouches for it."""
    with Journal.open(path, write=False) as journal:
        ok = journal.verify(RUN).status == "ok"
        return list(journal.read(RUN)), ok


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_byte_of_the_file_never_changes_a_fact_unnoticed(path: Path, seed: int) -> None:
    whole = path.read_bytes()
    before, ok = facts_or_error(path)
    assert ok
    dice = random.Random(seed)
    noticed = 0
    for at in dice.sample(range(len(whole)), 400):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << dice.randrange(8))]) + whole[at + 1:])
        try:
            after, ok = facts_or_error(path)
        except JournalError:
            noticed += 1
            continue
        noticed += not ok
        assert not ok or after == before, f"byte {at} changed a fact and verify did not see it"
    assert noticed > 10


def test_a_file_torn_at_any_page_is_an_error_of_ours_or_a_verdict(path: Path) -> None:
    whole = path.read_bytes()
    for length in range(0, len(whole), 512):
        path.write_bytes(whole[:length])
        try:
            with Journal.open(path, write=False) as journal:
                assert journal.verify(RUN).status != "ok"
        except JournalError as error:
            assert isinstance(error, JournalMissing) == (length == 0)
        with pytest.raises(JournalError) if length else Journal.open(path, write=True):
            Journal.open(path, write=True)


def forge(change: Callable[[sqlite3.Connection], object], path: Path) -> None:
    with sqlite3.connect(path) as db:
        change(db)


def test_a_newer_file_is_verified_by_its_chain(path: Path) -> None:
    forge(lambda db: db.execute(f"PRAGMA user_version = {schema.VERSION + 5}"), path)
    assert verdict(path) == ("ok", None)
    with pytest.raises(JournalTooNew):
        Journal.open(path, write=True)


def test_a_fact_that_is_no_json_although_its_digest_fits(path: Path) -> None:
    (row,) = sqlite3.connect(path).execute("SELECT * FROM facts WHERE seq = 8").fetchall()
    body = [*row[:9], "no json", row[10]]
    kinds = ["n" if value is None else "i" if isinstance(value, int) else "t" for value in body]
    cells = [b"" if value is None else str(value).encode() for value in body]
    text = b"".join(kind.encode() + b"%d:" % len(raw) + raw for kind, raw in zip(kinds, cells, strict=True))
    digest = hashlib.sha256(text).hexdigest()
    tampered(path, f"UPDATE facts SET data = 'no json', digest = '{digest}' WHERE seq = 8",
             f"UPDATE heads SET digest = '{digest}'")
    assert verdict(path) == ("broken", 8)
    with Journal.open(path, write=False) as journal, pytest.raises(JournalError, match="fact 8"):
        list(journal.read(RUN))
