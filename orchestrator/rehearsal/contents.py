"""What is in an SQL server or in a directory, as plain JSON with digests: for comparing, not for reading.

The rows of a table count as a multiset: their order in a dump is nobody's business. Everything else of a
dump counts line by line: tables, indexes, triggers, routines, sequences.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypedDict

from orchestrator.rehearsal.databases import MysqlServer, PostgresqlServer, SqlServer, output
from orchestrator.rehearsal.postgresql_pod import program

MYSQL_OPTIONS = ("--routines", "--events", "--triggers", "--single-transaction", "--hex-blob", "--skip-dump-date")
MYSQL_HEADING = re.compile(rb"-- (?:.*?)(table|view|routines|events)(?: for database)? [`'](.*)[`']")
MYSQL_DATABASE = re.compile(rb"-- Current Database: `(.*)`")
POSTGRESQL_HEADING = re.compile(rb"-- (?:Data for )?Name: (.*); Type: (.*); Schema: .*")
CHANGING = (b"\\restrict ", b"\\unrestrict ")
"""Lines of pg_dump that are others each time."""
MODULUS = 1 << 256

Content = dict[str, "Section"]


class Section(TypedDict):
    """A table, a sequence, or whatever else a dump has a heading for."""

    definition: str
    rows: int
    data: str


class Gathered:
    """Takes the lines of one section."""

    def __init__(self) -> None:
        self._definition = hashlib.sha256()
        self._rows = 0
        self._sum = 0

    def define(self, line: bytes) -> None:
        self._definition.update(line)

    def row(self, line: bytes) -> None:
        self._rows += 1
        self._sum = (self._sum + int.from_bytes(hashlib.sha256(line).digest())) % MODULUS

    def section(self) -> Section:
        return {"definition": self._definition.hexdigest(), "rows": self._rows, "data": f"{self._sum:064x}"}


def sql_content(server: SqlServer) -> dict[str, Content]:
    """database -> section, as `accounts` or `TABLE accounts` -> its digests."""
    if isinstance(server, MysqlServer):
        return mysql_content(server)
    assert isinstance(server, PostgresqlServer)
    return {database: postgresql_content(server, database) for database in server.databases()}


def mysql_content(server: MysqlServer) -> dict[str, Content]:
    found: dict[str, dict[str, Gathered]] = {}
    database, name = "", ""
    argv = server.argv("mysqldump", *MYSQL_OPTIONS, "--databases", *server.databases())
    with output(argv, server.environment) as dump:
        for line in dump:
            if heading := MYSQL_DATABASE.match(line):
                database, name = heading[1].decode(), ""
            elif heading := MYSQL_HEADING.match(line):
                name = text_of(heading[2] if heading[1] in (b"table", b"view") else heading[1])
            if not line.startswith(b"--") and database:
                gathered = found.setdefault(database, {}).setdefault(name, Gathered())
                mysql_line(gathered, line)
    return {database: {name: one.section() for name, one in sections.items()} for database, sections in found.items()}


def mysql_line(gathered: Gathered, line: bytes) -> None:
    """A row is on a line of its own; how many rows a statement has depends on their sizes."""
    if line.startswith(b"("):
        gathered.row(line.rstrip(b",;\n"))
    elif not line.startswith(b"INSERT INTO"):
        gathered.define(line)


def postgresql_content(server: PostgresqlServer, database: str) -> Content:
    found: dict[str, Gathered] = {"": Gathered()}
    name, in_rows = "", False
    with output([program("pg_dump"), database], server.environment) as dump:
        for line in dump:
            gathered = found.setdefault(name, Gathered())
            if in_rows:
                in_rows = line != b"\\.\n"
                if in_rows:
                    gathered.row(line)
            elif heading := POSTGRESQL_HEADING.match(line):
                kind = text_of(heading[2]).removesuffix(" DATA")
                name = f"{kind} {text_of(heading[1])}"
            elif not line.startswith((b"--", *CHANGING)):
                in_rows = line.startswith(b"COPY ")
                gathered.define(line)
    return {name: one.section() for name, one in found.items()}


def text_of(name: bytes) -> str:
    return name.decode(errors="backslashreplace")


def tree(directory: Path, *, modes: bool = True) -> dict[str, list[Any]]:
    """Path below the directory -> type, mode, and sha256 or target; bytes that are not UTF-8 as `\\xff`."""
    return {printable(path.relative_to(directory)): entry(path, modes) for path in walked(directory)}


def walked(directory: Path) -> Iterator[Path]:
    for path in directory.iterdir():
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from walked(path)


def entry(path: Path, modes: bool) -> list[Any]:
    status = path.lstat()
    mode = [f"{stat.S_IMODE(status.st_mode):o}"] if modes and not path.is_symlink() else []
    if path.is_symlink():
        return ["link", os.fsencode(path.readlink()).decode(errors="backslashreplace")]
    if path.is_dir():
        return ["directory", *mode]
    with path.open("rb") as file:
        return ["file", *mode, hashlib.file_digest(file, "sha256").hexdigest()]


def printable(path: Path) -> str:
    return text_of(os.fsencode(path))


def rows_in(content: Content) -> int:
    return sum(section["rows"] for section in content.values())


def without(content: Content, names: Iterable[str]) -> Content:
    return {name: section for name, section in content.items() if name not in set(names)}
