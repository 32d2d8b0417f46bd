"""Making, opening and refusing the file itself."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from journal import (
    Journal,
    JournalDamaged,
    JournalError,
    JournalMissing,
    JournalTooNew,
    JournalUnwritable,
    schema,
)
from journal.files import journal_mode_for
from tests.journal.ledgers import NOW, RUN, child, fact, written


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("version", "expected"), [
    ((3, 40, 1), "truncate"), ((3, 51, 2), "truncate"), ((3, 51, 3), "wal"), ((3, 52, 0), "wal"), ((4, 0, 0), "wal"),
])
def test_wal_only_where_its_reset_bug_is_fixed(version: tuple[int, int, int], expected: str) -> None:
    assert journal_mode_for(version) == expected


def test_the_mode_in_use_is_the_one_for_this_sqlite(tmp_path: Path) -> None:
    journal, _ = written(tmp_path / "j.db", facts=1)
    assert journal.journal_mode == journal_mode_for(sqlite3.sqlite_version_info)
    # TRUNCATE leaves its empty journal behind, DELETE would not.
    assert (tmp_path / "j.db-journal").exists() == (journal.journal_mode == "truncate")


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        written(tmp_path / "a" / "b" / "j.db", facts=1)
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700
    assert {mode(file) for file in (tmp_path / "a" / "b").iterdir()} == {0o600}


def test_a_missing_or_empty_file_is_no_journal_to_read(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    sqlite3.connect(tmp_path / "no-tables.db").execute("VACUUM").connection.close()
    for name in ("missing.db", "empty.db", "no-tables.db"):
        with pytest.raises(JournalMissing):
            Journal.open(tmp_path / name, write=False)
    assert not (tmp_path / "missing.db").exists()


@pytest.mark.parametrize("write", [True, False])
def test_another_database_is_refused_and_left_alone(tmp_path: Path, write: bool) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE mine (a)")
    before = path.read_bytes()
    with pytest.raises(JournalDamaged, match="not a journal"):
        Journal.open(path, write=write)
    assert path.read_bytes() == before


@pytest.mark.parametrize("write", [True, False])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, write: bool) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("shopping list\n" * 500)
    with pytest.raises(JournalDamaged, match="not a database"):
        Journal.open(path, write=write)


def test_a_newer_schema_is_read_but_not_written(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    written(path, facts=3)[0].close()
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE facts ADD COLUMN colour TEXT")
        db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(JournalTooNew, match="can be read, not written"):
        Journal.open(path, write=True)
    assert path.read_bytes() == before
    reader = Journal.open(path, write=False)
    assert [r.seq for r in reader.read(RUN)] == [1, 2, 3]
    assert reader.verify(RUN).status == "ok"


def test_the_known_digest_of_the_schema_is_the_one_that_migrations_give() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(db)
    assert schema.stored_version(db) == schema.VERSION == len(schema.DIGESTS)
    assert schema.schema_digest(db) == schema.DIGESTS[schema.VERSION]


@pytest.mark.parametrize("change", [
    "DROP TRIGGER facts_never_change",
    "DROP TRIGGER facts_continue",
    "ALTER TABLE facts ADD COLUMN colour TEXT",
    "DROP VIEW timeline",
    "CREATE TRIGGER extra AFTER INSERT ON facts BEGIN DELETE FROM leases; END",
    "CREATE INDEX extra ON facts (type)",
])
def test_a_changed_schema_is_not_written_to_and_verify_says_so(tmp_path: Path, change: str) -> None:
    path = tmp_path / "j.db"
    written(path, facts=1)[0].close()
    with sqlite3.connect(path) as db:
        db.execute(change)
    with pytest.raises(JournalDamaged, match="not the ones it was made with"):
        Journal.open(path, write=True)
    verdict = Journal.open(path, write=False).verify(RUN)
    assert (verdict.status, verdict.seq) == ("broken", None)


def test_transform_of_sqlite_utils_is_refused_or_noticed(tmp_path: Path) -> None:
    from sqlite_utils import Database

    journal, _ = written(tmp_path / "j.db", facts=1)
    with pytest.raises(sqlite3.IntegrityError):
        Database(tmp_path / "j.db").table("facts").transform(rename={"actor": "who"})
    assert journal.verify(RUN).status == "ok"
    Database(tmp_path / "j.db").table("blobs").transform(rename={"data": "bytes"})  # It drops the triggers.
    assert journal.verify(RUN).status == "broken"


def test_tables_of_other_tools_are_none_of_our_business(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    written(path, facts=1)[0].close()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE notes (text)")
        db.execute("ANALYZE")
    journal = Journal.open(path, write=True)
    assert journal.verify(RUN).status == "ok"


def test_a_reader_refuses_to_write(tmp_path: Path) -> None:
    _, lease = written(tmp_path / "j.db", facts=1)
    reader = Journal.open(tmp_path / "j.db", write=False)
    with pytest.raises(JournalUnwritable, match="reading only"):
        reader.append(lease, [fact(2)], recorded_at=NOW)
    with pytest.raises(JournalUnwritable, match="reading only"):
        reader.put_blob(b"")


def test_a_reader_follows_a_writer(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db", facts=1)
    reader = Journal.open(tmp_path / "j.db", write=False)
    seen = reader.read(RUN)
    assert next(seen).seq == 1
    # The reader is in the middle of reading, and the writer is not kept waiting.
    journal.append(lease, [fact(2)], recorded_at=NOW)
    assert [r.seq for r in reader.read(RUN, after=1)] == [2]


def test_several_processes_make_one_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "j.db"
    openers = [child("open_only", path, RUN, 0) for _ in range(6)]
    assert [opener.wait() for opener in openers] == [0] * 6
    db = sqlite3.connect(path)
    assert db.execute("SELECT name FROM _sqlite_migrations").fetchall() == [("first_tables",), ("views_and_retention",)]
    Journal.open(path, write=True).close()


def test_opening_a_made_journal_does_not_load_sqlite_utils(tmp_path: Path) -> None:
    outputs = [child("open_only", tmp_path / "j.db", RUN, 0).communicate()[0].strip() for _ in range(2)]
    assert outputs == ["True", "False"]


@pytest.fixture
def protected() -> Iterator[Path]:
    """A journal with three facts that its reader may not write to, in a directory nobody may write to.

    Permissions mean nothing to root: there the child process becomes an unprivileged user first, and
    pytest's own directories would be closed to it.
    """
    with TemporaryDirectory() as directory:
        path = Path(directory) / "j.db"
        written(path, facts=3)[0].close()
        path.chmod(0o444)
        Path(directory).chmod(0o555)
        yield path
        Path(directory).chmod(0o755)


def test_a_file_that_may_only_be_read_is_read(protected: Path) -> None:
    assert child("look_unprivileged", protected, RUN, 0).communicate()[0].splitlines() == [
        f"JournalUnwritable the journal {protected} cannot be written: the file or its directory is read-only",
        "3 ok",
        f"JournalUnwritable the journal {protected.with_name('new.db')} cannot be written: permission denied",
    ]


def test_a_wal_file_where_nothing_may_be_written_is_read(protected: Path) -> None:
    # As it comes from a machine with a newer SQLite: WAL would want to make two files beside it.
    protected.parent.chmod(0o755)
    protected.chmod(0o644)
    db = sqlite3.connect(protected)
    assert db.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    db.close()
    protected.chmod(0o444)
    protected.parent.chmod(0o555)
    assert sorted(file.name for file in protected.parent.iterdir()) in (["j.db"], ["j.db", "j.db-journal"])
    assert "3 ok" in child("look_unprivileged", protected, RUN, 0).communicate()[0].splitlines()


def test_a_directory_in_the_way_is_an_error_of_ours(tmp_path: Path) -> None:
    for write in (True, False):
        with pytest.raises(JournalError, match="cannot be"):
            Journal.open(tmp_path, write=write)
    (tmp_path / "file").touch()
    with pytest.raises(JournalUnwritable):
        Journal.open(tmp_path / "file" / "j.db", write=True)


def test_odd_names_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=memory&x#y %41 ü.db"
    written(path, facts=1)[0].close()
    assert path.stat().st_size > 0
    assert Journal.open(path, write=False).runs() == [RUN]


def test_a_copy_is_a_journal_of_its_own(tmp_path: Path) -> None:
    journal, lease = written(tmp_path / "j.db", facts=3)
    journal.copy_to(tmp_path / "out" / "copy.db")
    journal.append(lease, [fact(4)], recorded_at=NOW)
    assert mode(tmp_path / "out" / "copy.db") == 0o600
    with Journal.open(tmp_path / "out" / "copy.db", write=True) as copy:
        assert (copy.verify(RUN).status, copy.verify(RUN).facts) == ("ok", 3)
    with pytest.raises(JournalUnwritable, match="exists already"):
        journal.copy_to(tmp_path / "out" / "copy.db")
