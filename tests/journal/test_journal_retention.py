"""Old runs can be removed; what is known of them afterwards, and what stays impossible."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from journal import OWN_CHAIN, Draft, Journal, JournalError, RunMissing, RunPruned, schema, this_holder
from tests.journal.ledgers import NOW, RUN, fact, written

LATER = NOW + timedelta(days=40)
OTHER = "threescale-20261201-m3pq"


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Two runs: RUN refers to two blobs, OTHER to one of them; both have samples."""
    journal, lease = written(tmp_path / "j.db", facts=3)
    shared, alone = (journal.put_blob(data) for data in (b"shared", b"alone"))
    journal.append(lease, [Draft("Kept", {"deep": [{"blob": shared}, {"blob": alone}]})], recorded_at=NOW)
    journal.sample(RUN, "load", "bytes", 1.0, NOW)
    other = journal.take_lease(OTHER, this_holder(), ttl_seconds=60, now=NOW)
    journal.append(other, [Draft("Kept", {"blob": shared}), fact(1)], recorded_at=NOW)
    journal.sample(OTHER, "load", "bytes", 2.0, NOW)
    return journal


def test_a_removal_takes_a_run_and_leaves_the_end_of_its_chain(journal: Journal) -> None:
    head = journal.head(RUN)
    assert head is not None
    (removed,) = journal.prune([RUN], actor="op@host", now=LATER)
    assert (removed.run, removed.seq, removed.digest) == (RUN, head.seq, head.digest)
    assert journal.pruned() == [removed]
    assert journal.runs() == [OTHER]
    assert (list(journal.read(RUN)), journal.samples(RUN)) == ([], [])
    assert (journal.head(RUN), journal.lease_of(RUN)) == (None, None)
    with pytest.raises(RunPruned, match=f"its head was {head.seq}:{head.digest}"):
        journal.verify(RUN)


def test_a_removal_is_a_fact_in_the_journals_own_chain(journal: Journal) -> None:
    for run in (RUN, OTHER):
        journal.prune([run], actor="op@host", now=LATER)
    first, second = journal.read(OWN_CHAIN)
    assert [f.data["run"] for f in (first, second)] == [RUN, OTHER]
    assert (first.type, first.actor, first.data["facts"], second.prev) == ("RunPruned", "op@host", 4, first.digest)
    assert journal.verify(OWN_CHAIN).status == "ok"
    assert journal.runs() == [], "the journal's own chain is no run"


def test_what_other_runs_refer_to_stays(journal: Journal) -> None:
    (kept,) = (f.data["blob"] for f in journal.read(OTHER) if "blob" in f.data)
    journal.prune([RUN], actor="", now=LATER)
    assert journal.get_blob(str(kept)) == b"shared"
    assert blobs(journal) == 1
    assert journal.verify(OTHER).status == "ok"
    assert len(journal.samples(OTHER)) == 1
    journal.prune([OTHER], actor="", now=LATER)
    assert blobs(journal) == 0


def blobs(journal: Journal) -> int:
    with sqlite3.connect(journal.path) as db:
        return int(db.execute("SELECT count(*) FROM blobs").fetchone()[0])


def test_a_removed_run_cannot_go_on(journal: Journal) -> None:
    journal.prune([RUN], actor="", now=LATER)
    lease = journal.take_lease(RUN, this_holder(), ttl_seconds=60, now=LATER)
    with pytest.raises(JournalError, match="removed: it cannot go on"):
        journal.append(lease, [fact(1)], recorded_at=LATER)


@pytest.mark.parametrize("runs", [["nobody"], [RUN, "nobody"], [OWN_CHAIN], [RUN, RUN]], ids=str)
def test_what_cannot_be_removed_removes_nothing(runs: list[str], journal: Journal) -> None:
    with pytest.raises(JournalError):
        journal.prune(runs, actor="", now=LATER)
    assert (journal.runs(), journal.pruned(), blobs(journal)) == ([OTHER, RUN], [], 2)
    assert journal.verify(RUN).status == "ok"


def test_removing_a_missing_run_says_which(journal: Journal) -> None:
    with pytest.raises(RunMissing, match="no run nobody"):
        journal.prune(["nobody"], actor="", now=LATER)


@pytest.mark.parametrize("statement", [
    f"DELETE FROM facts WHERE run = '{OTHER}'", "DELETE FROM blobs", "DELETE FROM pruned", "UPDATE pruned SET seq = 1",
    f"REPLACE INTO pruned VALUES ('{RUN}', 1, '', '', '', '')",
])
def test_after_a_removal_nothing_else_can_be_removed(statement: str, journal: Journal) -> None:
    journal.prune([RUN], actor="", now=LATER)
    with sqlite3.connect(journal.path) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute(statement)


def test_the_space_is_given_back(journal: Journal) -> None:
    lease = journal.take_lease(RUN, this_holder(), ttl_seconds=60, now=NOW)
    journal.append(lease, [Draft("Long", {"text": "x" * 200_000})], recorded_at=NOW)
    before = journal.path.stat().st_size
    journal.prune([RUN], actor="", now=LATER)
    journal.compact()
    assert journal.path.stat().st_size < before - 150_000
    assert journal.verify(OTHER, whole_file=True).status == "ok"


# ---- a file of version 1 -----------------------------------------------------------------------------------


def of_version_1(path: Path) -> Path:
    """A journal as the first version made it, with a run in it."""
    journal, _ = written(path, facts=3)
    journal.close()
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT * FROM facts").fetchall()
        heads = db.execute("SELECT * FROM heads").fetchall()
    path.unlink()
    db = sqlite3.connect(path, isolation_level=None)
    for statement in (schema.FACTS, *schema.OTHER_TABLES, *schema.TRIGGERS, *schema.VIEWS):
        db.execute(statement)
    db.executemany(f"INSERT INTO facts VALUES ({','.join('?' * 12)})", rows)
    db.executemany("INSERT INTO heads VALUES (?, ?, ?)", heads)
    db.execute("CREATE TABLE _sqlite_migrations (migration_set TEXT, name TEXT, applied_at TEXT)")
    db.execute("INSERT INTO _sqlite_migrations VALUES ('journal', 'first_tables', '2026-01-01')")
    db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    db.execute("PRAGMA user_version = 1")
    assert schema.difference(db) is None
    db.close()
    return path


def test_a_file_of_version_1_is_read_as_it_is(tmp_path: Path) -> None:
    path = of_version_1(tmp_path / "old.db")
    with Journal.open(path, write=False) as journal:
        assert (journal.verify(RUN).status, journal.pruned(), len(journal.outlines())) == ("ok", [], 1)
        with pytest.raises(RunMissing):
            journal.verify("nobody")


def test_a_file_of_version_1_becomes_one_of_this_version_and_goes_on(tmp_path: Path) -> None:
    path = of_version_1(tmp_path / "old.db")
    with Journal.open(path, write=True) as journal:
        lease = journal.take_lease(RUN, this_holder(), ttl_seconds=60, now=NOW)
        journal.append(lease, [fact(4)], recorded_at=NOW)
        assert journal.verify(RUN, whole_file=True).facts == 4
        journal.prune([RUN], actor="", now=LATER)
    fresh = tmp_path / "fresh.db"
    Journal.open(fresh, write=True).close()
    digests = [schema.schema_digest(sqlite3.connect(file)) for file in (path, fresh)]
    assert digests == [schema.DIGESTS[schema.VERSION]] * 2
