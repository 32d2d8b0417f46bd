"""What goes in comes out, stays, and can be checked with the standard library alone."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal import (
    Draft,
    Head,
    Journal,
    JournalDamaged,
    JournalUnwritable,
    LeaseLost,
    RunMissing,
    this_holder,
)
from tests.journal.ledgers import NOW, RUN, fact, written

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)
DRAFTS = st.builds(
    Draft,
    type=TEXT,
    data=st.dictionaries(TEXT, JSON),
    version=st.integers(-(2**63), 2**63 - 1),
    step=st.none() | TEXT,
    attempt=st.none() | st.integers(0, 2**63 - 1),
    actor=TEXT,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(DRAFTS, max_size=4), max_size=4), TEXT.filter(bool))
def test_every_fact_comes_back_as_it_was(groups: list[list[Draft]], run: str) -> None:
    with TemporaryDirectory() as directory, Journal.open(Path(directory) / "j.db", write=True) as journal:
        lease = journal.take_lease(run, this_holder(), ttl_seconds=60, now=NOW)
        appended = [r for group in groups for r in journal.append(lease, group, recorded_at=NOW)]
        drafts = [draft for group in groups for draft in group]
        assert list(journal.read(run)) == appended
        assert [Draft(r.type, r.data, r.version, r.step, r.attempt, r.actor) for r in appended] == drafts
        assert [r.seq for r in appended] == list(range(1, len(drafts) + 1))
        if drafts:
            assert journal.verify(run).status == "ok"


def test_reading_goes_on_after_a_fact_and_over_pages(tmp_path: Path) -> None:
    journal, _ = written(tmp_path / "j.db", facts=1203)
    assert [r.seq for r in journal.read(RUN)] == list(range(1, 1204))
    assert [r.seq for r in journal.read(RUN, after=1201)] == [1202, 1203]
    assert list(journal.read("nobody")) == []


def test_digest_can_be_recomputed_with_the_standard_library(tmp_path: Path) -> None:
    written(tmp_path / "j.db", facts=3)
    rows = sqlite3.connect(tmp_path / "j.db").execute("SELECT * FROM facts ORDER BY seq").fetchall()
    prev = "0" * 64
    for row in rows:
        whole = hashlib.sha256()
        for value in row[:-1]:
            kind = "n" if value is None else "i" if isinstance(value, int) else "t"
            raw = b"" if value is None else str(value).encode()
            whole.update(f"{kind}{len(raw)}:".encode() + raw)
        assert (row[-2], row[-1]) == (prev, whole.hexdigest())
        prev = row[-1]


def test_data_is_canonical_json_and_times_are_utc(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db")
    late = datetime(2026, 11, 23, 5, 0, tzinfo=timezone(timedelta(hours=2)))
    (record,) = journal.append(lease, [Draft("Noted", {"ü": 1, "a": {"d": None, "c": [True]}})], recorded_at=late)
    assert record.recorded_at == "2026-11-23T03:00:00.000000Z"
    (data,) = sqlite3.connect(tmp_path / "j.db").execute("SELECT data FROM facts").fetchone()
    assert data == '{"a":{"c":[true],"d":null},"ü":1}'


@pytest.mark.parametrize(
    "data", [{"a": 1.5}, {"a": [float("nan")]}, {"a": {1: 2}}, {"a": b"x"}, {"a": "\ud800"}, {"\ud800": 1}, {"a": {1}}]
)
def test_what_would_not_come_back_equal_is_refused(tmp_path: Path, data: dict[str, object]) -> None:
    journal, lease = written(tmp_path / "j.db", facts=1)
    with pytest.raises((TypeError, ValueError)):
        journal.append(lease, [fact(2), Draft("Noted", data)], recorded_at=NOW)
    assert journal.head(RUN) == Head(1, next(journal.read(RUN)).digest)


def test_a_time_without_zone_leaves_nothing_behind(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db")
    with pytest.raises(ValueError, match="zone"):
        journal.append(lease, [fact(1)], recorded_at=datetime(2026, 1, 1))
    assert journal.append(lease, [fact(1)], recorded_at=NOW)[0].seq == 1


@pytest.mark.parametrize("statement", [
    "UPDATE facts SET actor = 'x'",
    "DELETE FROM facts",
    "INSERT OR REPLACE INTO facts SELECT * FROM facts WHERE seq = 1",
    "REPLACE INTO facts SELECT * FROM facts WHERE seq = 3",
    "INSERT INTO facts SELECT 'other', 9, recorded_at, epoch, actor, type, version, step, 1, data, prev, digest FROM facts",
    "UPDATE OR REPLACE facts SET seq = 1 WHERE seq = 2",
    "INSERT INTO facts SELECT * FROM facts WHERE seq = 1 ON CONFLICT DO UPDATE SET actor = 'x'",
    "UPDATE blobs SET data = x'00'",
    "DELETE FROM blobs",
    "REPLACE INTO blobs SELECT sha256, x'00' FROM blobs",
])
def test_triggers_hold_against_a_foreign_connection(tmp_path: Path, statement: str) -> None:
    journal, _ = written(tmp_path / "j.db", facts=3)
    journal.put_blob(b"bytes")
    other = sqlite3.connect(tmp_path / "j.db")
    with pytest.raises(sqlite3.IntegrityError):
        other.execute(statement)
    other.rollback()
    assert [r.actor for r in journal.read(RUN)] == ["op"] * 3


def test_sqlite_utils_cannot_change_a_fact_either(tmp_path: Path) -> None:
    from sqlite_utils import Database

    journal, _ = written(tmp_path / "j.db", facts=2)
    table = Database(tmp_path / "j.db").table("facts")
    attempts: list[Callable[[], object]] = [
        lambda: table.update((RUN, 1), {"actor": "x"}),
        lambda: table.delete((RUN, 1)),
        lambda: table.delete_where("seq = 1"),
        lambda: table.upsert({"run": RUN, "seq": 1, "actor": "x"}, pk=("run", "seq")),
    ]
    for attempt in attempts:
        with pytest.raises(sqlite3.IntegrityError):
            attempt()
    assert journal.verify(RUN).status == "ok"


def test_runs_are_listed_newest_first_whatever_the_clock_said(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j.db", write=True)
    for n, run in enumerate(["b", "c", "a"]):
        lease = journal.take_lease(run, this_holder(), ttl_seconds=60, now=NOW)
        journal.append(lease, [fact(1)], recorded_at=NOW - timedelta(days=n))
    journal.take_lease("empty", this_holder(), ttl_seconds=60, now=NOW)
    assert journal.runs() == ["a", "c", "b"]
    assert journal.head("empty") is None


def test_views_tell_the_story_in_plain_sqlite(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db")
    for kind, step, attempt in [("RunOpened", None, None), ("StepStarted", "load", 1), ("StepStarted", "load", 2),
                                ("DumpLoaded", "load", 2), ("StepFoundDone", "load", 2), ("Noted", "load", None)]:
        journal.append(lease, [Draft(kind, {"ü": 1}, step=step, attempt=attempt)], recorded_at=NOW)
    db = sqlite3.connect(tmp_path / "j.db")
    assert db.execute("SELECT run, facts, last_type, epoch, holder FROM runs").fetchall() == [
        (RUN, 6, "Noted", 1, this_holder())]
    assert db.execute("SELECT step, attempts, facts, last_type FROM steps").fetchall() == [
        ("load", 2, 5, "StepFoundDone")]
    assert db.execute("SELECT seq, step, type, data FROM timeline LIMIT 2").fetchall() == [
        (1, "", "RunOpened", '{"ü":1}'), (2, "load", "StepStarted", '{"ü":1}')]


def test_blobs_are_kept_once_and_checked_when_read(tmp_path: Path) -> None:
    journal, _ = written(tmp_path / "j.db")
    data = bytes(range(256)) * 1000
    sha256 = journal.put_blob(data)
    assert sha256 == journal.put_blob(data) == hashlib.sha256(data).hexdigest()
    assert journal.get_blob(sha256) == data
    with pytest.raises(JournalDamaged, match="missing or changed"):
        journal.get_blob("0" * 64)


def test_samples_are_beside_the_chain_and_can_go(tmp_path: Path) -> None:
    journal, _ = written(tmp_path / "j.db", facts=1)
    before = journal.head(RUN)
    journal.sample(RUN, "load", "bytes", 12.5, datetime(2026, 1, 1, tzinfo=UTC))
    assert journal.samples(RUN) == [("load", "bytes", 12.5, "2026-01-01T00:00:00.000000Z")]
    journal.prune_samples(RUN)
    assert journal.samples(RUN) == [] and journal.head(RUN) == before


def test_a_sample_nobody_can_write_is_dropped_in_silence(tmp_path: Path) -> None:
    written(tmp_path / "j.db", facts=1)[0].close()
    reader = Journal.open(tmp_path / "j.db", write=False)
    reader.sample(RUN, "load", "bytes", 1.0, NOW)
    assert reader.samples(RUN) == []


def test_verify_does_not_invent_runs(tmp_path: Path) -> None:
    journal, _ = written(tmp_path / "j.db", facts=1)
    with pytest.raises(RunMissing):
        journal.verify("other")


def test_nobody_appends_without_the_lease(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db", facts=1)
    journal.release_lease(lease)
    with pytest.raises(LeaseLost, match="nobody"):
        journal.append(lease, [fact(2)], recorded_at=NOW)
    assert [r.seq for r in journal.read(RUN)] == [1]


def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db", facts=1)
    journal.close()
    with pytest.raises(JournalUnwritable, match="closed"):
        journal.append(lease, [fact(2)], recorded_at=NOW)
