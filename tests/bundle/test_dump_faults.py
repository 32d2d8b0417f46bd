"""Dumps that are none, or not whole: each its own sentence."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.dump_remarks import dump_findings
from orchestrator.dumps import Dump, read_dump
from tests.bundle.sql_servers import MariaDb, PostgreSql, packed

HEAD = b"-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n-- Server version\t8.0.36\n"
TABLE = b"DROP TABLE IF EXISTS `a`;\nCREATE TABLE `a` (\n  `id` int\n);\nINSERT INTO `a` VALUES (1),(2);\n"
END = b"-- Dump completed on 2026-11-25  9:04:05\n"
WHOLE = HEAD + TABLE + END
PG_HEAD = b"--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n"
PG_TABLE = b"CREATE TABLE public.a (\n    id integer\n);\nCOPY public.a (id) FROM stdin;\n1\n2\n\\.\n\n"
PG_END = b"--\n-- PostgreSQL database dump complete\n--\n\n"


def read(directory: Path, content: bytes, wanted: str = "system") -> Dump:
    path = directory / "dump.gz"
    path.write_bytes(content)
    found = read_dump(path, wanted)
    assert found.size_bytes == len(content)
    return found


def tar(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :]


STORED = zlib.compressobj(0, wbits=31)  # not packed at all, so that a flipped bit changes the text and nothing else
IN_CLEAR = STORED.compress(WHOLE) + STORED.flush()

STATEMENT = "has at byte {} of its text what is no statement of a dump: '{}': a message of the program went into the file"

FAULTS = {
    "empty": (b"", "is empty"),
    "plain-sql": (WHOLE, "is plain SQL, not packed: the guide's dump is packed with gzip"),
    "plain-pg-custom": (b"PGDMP\x01\x0e", "is a dump in pg_dump's custom format (-Fc): the guide's are plain SQL"),
    "noise": (b"\0\1\2\3", "is not a gzip file"),
    "xz": (lzma.compress(WHOLE), "is packed with xz"),
    "bzip2": (bz2.compress(WHOLE), "is packed with bzip2"),
    "utf-16": ("SET x".encode("utf-16"), "is text in UTF-16, as PowerShell's `>` writes it"),
    "one-byte": (b"\x1f", "is truncated: its gzip data break off at byte 1"),
    "gzip-truncated": (packed(WHOLE)[:60], "is truncated: its gzip data break off at byte 60"),
    "gzip-without-its-end": (packed(WHOLE)[:-8], None),
    "gzip-wrong-crc": (flipped(packed(WHOLE), len(packed(WHOLE)) - 6), "is damaged: gzip says incorrect data check"),
    "gzip-wrong-length": (flipped(packed(WHOLE), len(packed(WHOLE)) - 2), "is damaged: gzip says incorrect length check"),
    "a-flipped-bit-in-the-text": (flipped(IN_CLEAR, IN_CLEAR.index(b"(1)")), "is damaged: gzip says incorrect data check"),
    "something-after-the-end": (packed(WHOLE) + b"x", "is damaged: something follows the end of its gzip data"),
    "packed-twice": (packed(packed(WHOLE)), "is packed twice with gzip"),
    "tar": (packed(tar("dump.sql", WHOLE)), "holds a tar archive: the guide's dumps are plain SQL"),
    "packed-nothing": (packed(b""), "holds nothing: the dump failed, and gzip packed its silence"),
    "packed-blanks": (packed(b"\n \n"), "holds nothing: the dump failed, and gzip packed its silence"),
    "an-error-message": (
        packed(b"Error from server (NotFound): pods not found\n"),
        "holds no dump of MySQL or PostgreSQL: it begins with 'Error from server (NotFound): pods not found'",
    ),
    "no-last-line": (packed(HEAD + TABLE), "is truncated: its last line, `-- Dump completed`, is missing"),
    "goes-on-after-the-last-line": (packed(WHOLE + TABLE), "is truncated: its last line, `-- Dump completed`, is missing"),
    "ends-in-rows": (packed(HEAD + TABLE[:-8]), "breaks off in the rows of table a"),
    "ends-in-a-string": (packed(HEAD + TABLE[:-5] + b",('it\\'s"), "breaks off in the rows of table a"),
    "ends-in-a-statement": (packed(HEAD + TABLE[:50]), f"breaks off in the statement at byte {len(HEAD) + 26} of its text"),
    "last-line-inside-a-string": (packed(HEAD + TABLE[:-5] + b",('\n" + END), "breaks off in the rows of table a"),
    "no-row": (packed(HEAD + TABLE[:-5] + b" 7" + END), f"has at byte {len(HEAD + TABLE) - 6} of its text what is no row of table a"),
    "warning-on-the-first-line": (
        packed(b"mysqldump: [Warning] Using a password on the command line interface can be insecure.\n" + WHOLE),
        STATEMENT.format(0, "mysqldump: [Warning] Using a password on the command line interface can be insec"),
    ),
    "message-in-the-midst": (
        packed(HEAD + TABLE + b"mysqldump: Error 2013: Lost connection\n"),
        STATEMENT.format(len(HEAD + TABLE), "mysqldump: Error 2013: Lost connection"),
    ),
    "data-in-the-midst": (
        packed(HEAD + TABLE + b"secret\n" + END), f"has at byte {len(HEAD + TABLE)} of its text what is no statement of a dump"
    ),
    "another-database": (packed(HEAD + b"USE `shop`;\n" + TABLE + END), "holds no database system: it has shop"),
    "pg-no-last-line": (
        packed(PG_HEAD + PG_TABLE), "is truncated: its last line, `-- PostgreSQL database dump complete`, is missing"
    ),
    "pg-ends-in-rows": (packed(PG_HEAD + PG_TABLE[:-4]), "breaks off in the rows of table a"),
    "pg-ends-in-a-body": (packed(PG_HEAD + b"CREATE FUNCTION f() AS $$ ;"), f"breaks off in the statement at byte {len(PG_HEAD)} of its text"),
    "pg-without-the-database": (
        packed(PG_HEAD + b"\\connect postgres\n" + PG_TABLE + PG_END), "holds no database system: it has postgres"
    ),
    "pg-cluster-cut-after-a-section": (
        packed(b"--\n-- PostgreSQL database cluster dump\n--\n\\connect system\n" + PG_HEAD + PG_TABLE + PG_END),
        "is truncated: its last line, `-- PostgreSQL database cluster dump complete`, is missing",
    ),
    "pg-psql-command": (
        packed(PG_HEAD + b"\\! rm -rf /\n" + PG_END), f"has at byte {len(PG_HEAD)} of its text what is no statement of a dump"
    ),
    "pg-other-psql-command": (packed(PG_HEAD + b"\\i x\n" + PG_END), "has psql's command \\i in it, which is no part of a dump"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_has_its_sentence(content: bytes, fault: str | None, tmp_path: Path) -> None:
    found = read(tmp_path, content)
    assert found.sql is None
    assert found.fault == (fault or f"is truncated: its gzip data break off at byte {len(content)}")


def test_the_dumps_that_the_faults_are_made_of_are_good(tmp_path: Path) -> None:
    mysql, postgres = read(tmp_path, packed(WHOLE)), read(tmp_path, packed(PG_HEAD + PG_TABLE + PG_END))
    for found in (mysql, postgres, read(tmp_path, IN_CLEAR)):
        assert (found.fault, found.sql and found.sql.rows) == ("", {"a": 2})
    assert mysql.sql is not None and mysql.sql.completed_at is not None
    assert mysql.sql.completed_at.isoformat() == "2026-11-25T09:04:05+00:00"
    assert (mysql.sql.dump_version, mysql.sql.server_version) == ("8.0.36", "8.0.36")


def test_wherever_a_dump_is_cut_it_is_seen(mysql: MariaDb, postgres: PostgreSql, tmp_path: Path) -> None:
    """Cut before packing: gzip has nothing to say, as after `oc rsh | gzip` without pipefail."""
    for dump, wanted in ((mysql.dump("system"), "system"), (postgres.dump("pg_dump", "zync_production"), "zync_production")):
        last = dump.rindex(b"-- Dump completed" if wanted == "system" else b"database dump complete")
        for end in range(1, last, 97):
            assert read(tmp_path, gzip.compress(dump[:end], 0), wanted).fault, end


NOISE = st.sampled_from([b"'", b'"', b"\\", b"(", b")", b";", b"\n", b"$$", b"/*", b"--", b"`", b"\n\\.\n", b"", b"\xff", b"9", b"E'"])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("engine", ["mysql", "postgresql"])
def test_no_damage_of_the_text_ends_in_any_other_error(
    engine: str, data: st.DataObject, mysql: MariaDb, postgres: PostgreSql, tmp_path: Path
) -> None:
    """Text that gzip has nothing against may still read as a dump, but nothing else comes of it."""
    if engine not in TEXTS:
        TEXTS[engine] = mysql.dump("--routines", "system") if engine == "mysql" else postgres.dump("pg_dumpall", "-c")
    text = bytearray(TEXTS[engine])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(NOISE)
    found = read(tmp_path, gzip.compress(bytes(text), 0))
    assert (found.sql is None) == bool(found.fault)


TEXTS: dict[str, bytes] = {}  # made once


def test_a_file_that_gzip_refuses_is_refused(tmp_path: Path) -> None:
    """gzip itself is the authority on what is whole."""
    good = packed(WHOLE)
    for at in range(len(good) - 8, len(good)):
        content = flipped(good, at)
        assert read(tmp_path, content).fault
        assert subprocess.run(["gzip", "-t"], input=content, capture_output=True).returncode == 1


# ---- findings of a dump that could be read -----------------------------------------------------------

CRLF: Callable[[bytes], bytes] = lambda text: text.replace(b"\n", b"\r\n")  # noqa: E731 - a short name for tables
SYSTEM_MYSQL, SYSTEM_PG, ZYNC = "system-mysql-backup.gz", "system-postgresql-backup.gz", "zync-database-backup.gz"


def said(found: Dump, name: str, part: str = "system-database") -> list[tuple[str, str]]:
    return [(one.severity, one.message) for one in dump_findings(name, part, found)]


@pytest.mark.parametrize(
    ("text", "name"),
    [(CRLF(WHOLE), SYSTEM_MYSQL), (CRLF(PG_HEAD + PG_TABLE + PG_END), SYSTEM_PG)],
    ids=["mysql", "postgresql"],
)
def test_a_dump_that_went_through_a_terminal_is_an_error(text: bytes, name: str, tmp_path: Path) -> None:
    messages = said(read(tmp_path, packed(text)), name)
    assert [message[:20] for severity, message in messages if severity == "error"] == ["has CRLF line ends: ", "is no dump of 3scale"]


def test_a_dump_of_the_other_engine_is_an_error(tmp_path: Path) -> None:
    mysql, postgres = read(tmp_path, packed(WHOLE)), read(tmp_path, packed(PG_HEAD + PG_TABLE + PG_END))
    assert said(mysql, SYSTEM_PG) == [("error", "is a dump of mysql, not of postgresql")]
    assert said(mysql, ZYNC, "zync") == [("error", "is a dump of mysql, not of postgresql")]
    assert said(postgres, SYSTEM_MYSQL) == [("error", "is a dump of postgresql, not of mysql")]


def test_the_dump_of_another_part_is_an_error(postgres: PostgreSql, tmp_path: Path) -> None:
    zync = read(tmp_path, packed(postgres.dump("pg_dump", "zync_production")))
    severity, message = said(zync, SYSTEM_PG)[0]
    assert severity == "error"
    assert message.startswith("is no dump of 3scale's system-database: it lacks the tables accounts, users, cinstances")
    other = read(tmp_path, packed(PG_HEAD + PG_TABLE + PG_END))
    assert said(other, ZYNC, "zync")[0][1].startswith("is no dump of 3scale's zync: it lacks the tables tenants, ")


def test_what_a_dump_as_the_guide_makes_it_is_told(mysql: MariaDb, postgres: PostgreSql, tmp_path: Path) -> None:
    system = said(read(tmp_path, packed(mysql.dump("system"))), SYSTEM_MYSQL)
    routines = "lacks the procedure sp_invoices_friendly_id, as mysqldump leaves routines out: `rake db:procedures` makes it anew"
    assert [one for one in system if one[0] != "note"] == [("warning", routines)]
    with_routines = said(read(tmp_path, packed(mysql.dump("--routines", "system"))), SYSTEM_MYSQL)
    assert [one for one in with_routines if one[0] != "note"] == []
    zync = said(read(tmp_path, packed(postgres.dump("pg_dump", "zync_production")), "zync_production"), ZYNC, "zync")
    assert [one for one in zync if "restrict" not in one[1]] == [
        ("note", "does not drop the tables it creates: it can be loaded into an empty database only")
    ]
    whole = said(read(tmp_path, packed(postgres.dump("pg_dumpall", "-c", "--if-exists")), "zync_production"), ZYNC, "zync")
    assert [severity for severity, _ in whole if severity != "note"] == []
    assert any(message.startswith("switches databases itself (template1, ") for _, message in whole)


def test_what_makes_a_dump_of_mysql_doubtful(mysql: MariaDb, tmp_path: Path) -> None:
    mysql.sql("DROP DATABASE IF EXISTS doubtful; CREATE DATABASE doubtful; CREATE TABLE doubtful.accounts (id int, master int);"
              "INSERT INTO doubtful.accounts VALUES (1, 1), (2, 1);"
              "CREATE DEFINER=`app`@`%` TRIGGER doubtful.t BEFORE INSERT ON doubtful.accounts FOR EACH ROW SET NEW.id = 1")  # fmt: skip
    dump = mysql.dump("--skip-add-drop-table", "--databases", "doubtful")
    messages = said(read(tmp_path, packed(dump), "doubtful"), SYSTEM_MYSQL)
    for wanted in (
        "does not drop the tables it creates: loading it again from the start would not be safe",
        "switches databases itself (doubtful): it goes there, whatever the client is told",
        "has 2 accounts that are the master: there is one in a whole database",
        "has triggers, routines or views that run as app@%: who has to be there",
    ):
        assert ("warning", wanted) in messages
