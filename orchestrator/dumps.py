"""Reads a gzip-packed SQL dump once and says what it holds, or why it is no whole dump."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.dump_mysql import MysqlWalk
from orchestrator.dump_postgresql import PostgresqlWalk
from orchestrator.dump_text import CHUNK_BYTES, DumpInvalid, Packed, Text, refuse_other_formats
from orchestrator.dump_walk import HEAD_BYTES, Walk
from orchestrator.summaries import SqlSummary

OF_POSTGRESQL: Final = re.compile(
    rb"^(?:-- PostgreSQL database|SET statement_timeout|\\restrict |\\connect |COPY .* FROM stdin;)", re.M
)
OF_MYSQL: Final = re.compile(rb"^(?:-- (?:MySQL|MariaDB) dump|/\*M?!\d|(?:INSERT INTO|CREATE TABLE|DROP TABLE IF EXISTS) `)", re.M)


@dataclass(frozen=True)
class Dump:
    """What reading a dump gave. Size and digest are of the packed file; `sql` is None when `fault` says why."""

    size_bytes: int
    sha256: str
    sql: SqlSummary | None = None
    fault: str = ""
    has_returns: bool = False  # CRLF line ends: it went through a terminal
    oddities: tuple[str, ...] = ()


def read_dump(path: Path, wanted: str, progress: Callable[[int], None] = lambda _: None) -> Dump:
    """Reads the dump of the database `wanted` to its end. OSError when the file cannot be read.

    `progress` is told how many bytes of the file have been read.
    """
    with path.open("rb", buffering=0) as file:
        packed = Packed(file, progress)
        chunks = packed.chunks()
        walk, fault = None, ""
        try:
            walk = walk_over(Text(chunks), wanted)
            walk.walk()
        except DumpInvalid as error:
            # What looks like bad text may be a damaged file, which gzip's checksum tells in the end.
            fault = damage(chunks) or error.reason
        packed.drain()
    fault = fault or (incomplete(walk) if walk else "")
    return Dump(
        size_bytes=packed.size_bytes,
        sha256=packed.sha256.hexdigest(),
        sql=walk.summary() if walk and not fault else None,
        fault=fault,
        has_returns=bool(walk and walk.has_returns),
        oddities=tuple(sorted(walk.oddities)) if walk else (),
    )


def walk_over(text: Text, wanted: str) -> Walk:
    """The walk for the engine whose dump this is, by its first lines."""
    text.reach(CHUNK_BYTES // 2)
    head = text.data[: 2 * HEAD_BYTES]
    refuse_other_formats(head, packed=True)
    if not head.strip():
        raise DumpInvalid("holds nothing: the dump failed, and gzip packed its silence")
    if OF_POSTGRESQL.search(head):
        return PostgresqlWalk(text, wanted)
    if OF_MYSQL.search(head):
        return MysqlWalk(text, wanted)
    line = head.strip().split(b"\n", 1)[0][:80].decode("utf-8", "replace")
    raise DumpInvalid(f"holds no dump of MySQL or PostgreSQL: it begins with {line!r}")


def damage(chunks: Iterator[bytes]) -> str:
    """Reads on to the end of the packed data: what gzip has to say of it, if anything."""
    try:
        for _ in chunks:
            pass
    except DumpInvalid as error:
        return error.reason
    return ""


def incomplete(walk: Walk) -> str:
    """Why a text that was read to its end is no whole dump of what is wanted."""
    if not walk.is_complete:
        return f"is truncated: its last line, `{walk.trailer.decode()}`, is missing"
    if walk.databases and walk.wanted not in walk.databases:
        return f"holds no database {walk.wanted}: it has {', '.join(walk.databases)}"
    return ""
