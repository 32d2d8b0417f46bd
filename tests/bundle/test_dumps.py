"""Dumps by the real programs: what is read from them is what the servers say themselves."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.dump_mysql import INSERT as MYSQL_INSERT
from orchestrator.dump_mysql import MysqlWalk
from orchestrator.dump_postgresql import COPY, PostgresqlWalk
from orchestrator.dump_postgresql import INSERT as POSTGRESQL_INSERT
from orchestrator.dump_rows import BACKSLASH, STANDARD, Row, read_copied, read_rows, skip_long_row
from orchestrator.dump_text import Text
from orchestrator.dump_walk import Walk
from orchestrator.dumps import read_dump
from orchestrator.summaries import SqlSummary
from tests.bundle.sql_samples import HOSTS
from tests.bundle.sql_servers import MariaDb, PostgreSql, packed

DUMPS: dict[str, bytes] = {}  # made once
REAL = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def summary_of(text: bytes, wanted: str, directory: Path) -> SqlSummary:
    path = directory / "dump.gz"
    path.write_bytes(packed(text))
    dump = read_dump(path, wanted)
    assert dump.fault == ""
    assert dump.sql is not None
    assert (dump.size_bytes, dump.sql.uncompressed_bytes) == (path.stat().st_size, len(text))
    return dump.sql


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["system"], id="as-the-guide"),
        pytest.param(["--routines", "--events", "system"], id="with-routines"),
        pytest.param(["--skip-extended-insert", "system"], id="a-row-a-statement"),
        pytest.param(["--complete-insert", "--hex-blob", "system"], id="with-column-names"),
        pytest.param(["--insert-ignore", "--skip-comments", "--comments", "system"], id="insert-ignore"),
        pytest.param(["--replace", "--skip-quote-names", "system"], id="replace-and-bare-names"),
        pytest.param(["--skip-add-drop-table", "--skip-add-locks", "system"], id="without-drop"),
        pytest.param(["--compatible=ansi", "system"], id="ansi-quotes"),
        pytest.param(["--databases", "system"], id="names-its-database"),
        pytest.param(["--all-databases"], id="a-whole-server"),
    ],
)
def test_a_dump_of_mysqldump_has_the_rows_of_its_server(words: list[str], mysql: MariaDb, tmp_path: Path) -> None:
    sql = summary_of(mysql.dump(*words), "system", tmp_path)
    assert sql.rows == mysql.counts("system")
    assert (sql.engine, sql.flavour, sql.masters, sql.migration) == ("mysql", "mysqldump", 1, "20240909000000")
    assert sql.hosts == HOSTS
    assert sql.server_version == mysql.sql("SELECT VERSION()").strip()
    assert sql.completed_at is not None
    assert abs(sql.completed_at - datetime.now(UTC)) < timedelta(days=2)  # the program's own time zone
    assert (sql.triggers, sql.definers) == (1, ("root@localhost",))
    assert sql.has_drop_table == ("--skip-add-drop-table" not in words)
    assert sql.has_routines == ("--routines" in words)
    assert ("system" in sql.databases) == (words[0] in ("--databases", "--all-databases"))


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["pg_dump", "zync_production"], id="as-the-guide"),
        pytest.param(["pg_dump", "--inserts", "zync_production"], id="a-row-a-statement"),
        pytest.param(["pg_dump", "--column-inserts", "--rows-per-insert=7", "zync_production"], id="rows-of-many"),
        pytest.param(["pg_dump", "--inserts", "--on-conflict-do-nothing", "zync_production"], id="on-conflict"),
        pytest.param(["pg_dump", "--clean", "--if-exists", "zync_production"], id="with-drop"),
        pytest.param(["pg_dump", "--create", "--verbose", "zync_production"], id="names-its-database"),
        pytest.param(["pg_dumpall", "-c", "--if-exists"], id="a-whole-server"),
        pytest.param(["pg_dumpall"], id="a-whole-server-without-drop"),
    ],
)
def test_a_dump_of_postgresql_has_the_rows_of_its_server(
    words: list[str], postgres: PostgreSql, tmp_path: Path
) -> None:
    sql = summary_of(postgres.dump(*words), "zync_production", tmp_path)
    counted = {name.replace('que."odd table"', "que.odd table"): rows for name, rows in quoted(postgres).items()}
    assert sql.rows == counted
    assert (sql.engine, sql.flavour) == ("postgresql", words[0])
    assert sql.server_version == postgres.sql("SHOW server_version").split()[0]
    assert sql.has_drop_table == ("--clean" in words)
    assert sql.has_drop_database == ("-c" in words)
    assert ("zync_production" in sql.databases) == ("--create" in words or words[0] == "pg_dumpall")
    assert {"postgres", "zync"} <= set(sql.owners)


def quoted(postgres: PostgreSql) -> dict[str, int]:
    """Names that need quotes get them, so that the server can be asked."""
    query = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'que')"
    tables = postgres.sql(query, "zync_production").split("\n")[:-1]
    numbers = postgres.sql("".join(f"SELECT COUNT(*) FROM {one};" for one in tables), "zync_production").split()
    return {one.removeprefix("public."): int(number) for one, number in zip(tables, numbers, strict=True)}


@pytest.mark.parametrize("words", [["pg_dump"], ["pg_dump", "--inserts"], ["pg_dump", "--column-inserts"]], ids=" ".join)
def test_the_system_database_in_postgresql(words: list[str], postgres: PostgreSql, tmp_path: Path) -> None:
    sql = summary_of(postgres.dump(*words, "system"), "system", tmp_path)
    assert sql.rows == postgres.counts("system")
    assert (sql.masters, sql.migration, sql.hosts) == (1, "20240909000000", HOSTS)
    assert (sql.triggers, sql.routines) == (1, ("tenant",))


# ---- values that are hard to read past ---------------------------------------------------------------

ALPHABET = st.sampled_from([b"'", b'"', b"\\", b"\\'", b"''", b"\n", b"\r", b"\t", b"),(", b");", b"(", b"\\.", b"\n\\.\n", b"--",
                            b"/*", b"`", b"$$", b"E'", b"e", b"\\N", b"NULL", b";;", b"x", "ü".encode(), b"_binary ", b" "])  # fmt: skip
PIECES = st.lists(ALPHABET, max_size=12).map(b"".join)
ROWS = st.lists(st.tuples(PIECES | st.none(), PIECES), min_size=1, max_size=8)


@REAL
@given(rows=ROWS, nul=st.booleans())
def test_mysqldump_writes_no_value_that_is_misread(rows: list[tuple[bytes | None, bytes]], nul: bool, mysql: MariaDb) -> None:
    rows = [(a, b + b"\0" * nul) for a, b in rows]
    literal = [b"(%d, %b, %b)" % (i, hexed(a), hexed(b)) for i, (a, b) in enumerate(rows)]
    mysql.sql(b"DROP TABLE IF EXISTS t; CREATE TABLE t (id int, a longtext, b longblob) DEFAULT CHARSET utf8mb4;"
              b"INSERT INTO t VALUES " + b",".join(literal), "fuzz")  # fmt: skip
    dump = mysql.dump("fuzz", "t")
    head = MYSQL_INSERT.search(dump)
    assert head is not None
    seen: list[Row] = []
    assert read_rows(windowed(dump[head.end() :]), BACKSLASH, "t", seen.append) == len(rows)
    assert seen == [[b"%d" % i, a, b] for i, (a, b) in enumerate(rows)]
    assert summary_by_walk(MysqlWalk, [dump], "fuzz").rows == {"t": len(rows)}


def hexed(value: bytes | None) -> bytes:
    if value is None:
        return b"NULL"
    return b"0x" + value.hex().encode() if value else b"''"


@REAL
@given(rows=ROWS)
def test_pg_dump_writes_no_value_that_is_misread(rows: list[tuple[bytes | None, bytes]], postgres: PostgreSql) -> None:
    literal = [b"(%d, %b, %b)" % (i, converted(a), converted(b)) for i, (a, b) in enumerate(rows)]
    postgres.sql(b"DROP TABLE IF EXISTS t; CREATE TABLE t (id int, a text, b text); INSERT INTO t VALUES "
                 + b",".join(literal), "fuzz")  # fmt: skip
    wanted = [[b"%d" % i, a, b] for i, (a, b) in enumerate(rows)]
    copied, inserted = postgres.dump("pg_dump", "fuzz"), postgres.dump("pg_dump", "--inserts", "--rows-per-insert=9", "fuzz")
    seen: list[Row] = []
    head = COPY.search(copied)
    assert head is not None
    assert read_copied(windowed(copied[head.end() :]), "t", seen.append) == len(rows)
    assert seen == wanted
    seen.clear()
    head = POSTGRESQL_INSERT.search(inserted)
    assert head is not None
    assert read_rows(windowed(inserted[head.end() :]), STANDARD, "t", seen.append) == len(rows)
    assert seen == wanted
    for dump in (copied, inserted):
        assert summary_by_walk(PostgresqlWalk, [dump], "fuzz").rows == {"t": len(rows)}


def windowed(data: bytes) -> Text:
    text = Text(iter([data]))
    text.more()
    return text


def converted(value: bytes | None) -> bytes:
    return b"NULL" if value is None else b"convert_from('\\x%b', 'UTF8')" % value.hex().encode()


def summary_by_walk(kind: type[Walk], chunks: list[bytes], wanted: str) -> SqlSummary:
    walk = kind(Text(iter(chunks)), wanted)
    walk.walk()
    assert walk.is_complete
    return walk.summary()


# ---- windows ---------------------------------------------------------------------------------------


def cut(data: bytes, lengths: list[int]) -> Iterator[bytes]:
    """The data in pieces of these lengths, again and again."""
    at = 0
    for length in itertools.cycle(lengths):
        if at >= len(data):
            return
        yield data[at : at + length]
        at += length


def mysql_string(value: bytes) -> bytes:
    return b"'" + value.replace(b"\\", b"\\\\").replace(b"'", b"\\'").replace(b"\n", b"\\n") + b"'"


def standard_string(value: bytes) -> bytes:
    return b"'" + value.replace(b"'", b"''") + b"'"


def e_string(value: bytes) -> bytes:
    return b"E'" + value.replace(b"\\", b"\\\\").replace(b"'", b"''") + b"'"


@settings(max_examples=300, deadline=None)
@given(values=st.lists(st.tuples(PIECES, st.booleans()), min_size=1), lengths=st.lists(st.integers(1, 9), min_size=1))
@pytest.mark.parametrize("how", [BACKSLASH, STANDARD], ids=["backslash", "standard"])
def test_a_long_row_ends_where_it_ends_however_the_window_moves(
    how: object, values: list[tuple[bytes, bool]], lengths: list[int]
) -> None:
    plain, other = (mysql_string, mysql_string) if how is BACKSLASH else (standard_string, e_string)
    row = b", (1, f(2), " + b", ".join((other if is_other else plain)(value) for value, is_other in values) + b")"
    text = Text(cut(row + b", (2);", [len(row[:4]), *lengths]))
    text.reach(4)
    skip_long_row(text, BACKSLASH if how is BACKSLASH else STANDARD, "t")
    assert text.position == len(row)


@settings(max_examples=8, deadline=None)
@given(lengths=st.lists(st.integers(1, 4000), min_size=1, max_size=9))
def test_the_pieces_a_text_comes_in_change_nothing(lengths: list[int], mysql: MariaDb, postgres: PostgreSql) -> None:
    for kind, dump, wanted in (
        (MysqlWalk, DUMPS.setdefault("mysql", mysql.dump("--routines", "system")), "system"),
        (PostgresqlWalk, DUMPS.setdefault("postgresql", postgres.dump("pg_dumpall", "-c")), "zync_production"),
    ):
        assert summary_by_walk(kind, list(cut(dump, lengths)), wanted) == summary_by_walk(kind, [dump], wanted)


def test_values_of_many_megabytes_are_counted_in_flat_memory(mysql: MariaDb, postgres: PostgreSql, tmp_path: Path) -> None:
    mysql.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (id int, b longblob); INSERT INTO t VALUES (1, 'a');"
              "INSERT INTO t VALUES (2, REPEAT('),(\\'\\\\;', 700000)), (3, 'b'), (4, REPEAT('x', 3000000)), (5, 'c')", "fuzz")  # fmt: skip
    assert summary_of(mysql.dump("fuzz", "t"), "fuzz", tmp_path).rows == {"t": 5}
    postgres.sql(r"DROP TABLE IF EXISTS t; CREATE TABLE t (id int, b text); INSERT INTO t VALUES (1, 'a'),"
                 r"(2, REPEAT(E'),(\'\\;\n\\.', 700000)), (3, 'b'), (4, REPEAT('x', 3000000)), (5, 'c')", "fuzz")  # fmt: skip
    for words in ([], ["--inserts"]):
        assert summary_of(postgres.dump("pg_dump", *words, "fuzz"), "fuzz", tmp_path).rows == {"t": 5}


def test_a_gzip_file_of_several_members_and_trailing_zeroes_is_one_dump(mysql: MariaDb, tmp_path: Path) -> None:
    dump = mysql.dump("system")
    half = len(dump) // 2
    path = tmp_path / "dump.gz"
    path.write_bytes(gzip.compress(dump[:half]) + gzip.compress(dump[half:]) + bytes(1000))
    found = read_dump(path, "system")
    assert (found.fault, found.sql and found.sql.rows) == ("", mysql.counts("system"))


def test_progress_ends_at_the_size_of_the_file(mysql: MariaDb, tmp_path: Path) -> None:
    path = tmp_path / "dump.gz"
    path.write_bytes(packed(mysql.dump("--all-databases")))
    told: list[int] = []
    read_dump(path, "system", told.append)
    assert told == sorted(told)
    assert told[-1] == path.stat().st_size
