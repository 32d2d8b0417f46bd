r"""A plain dump of pg_dump or pg_dumpall, read statement by statement.

A dump of a whole server has a section for each database, from `\connect` to the next one. Only the section of
the database that is restored counts.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from orchestrator.dump_rows import (
    BACKSLASH,
    E_STRING,
    STANDARD,
    Quoting,
    Take,
    columns_of,
    name_of,
    read_copied,
    read_rows,
)
from orchestrator.dump_text import DumpInvalid
from orchestrator.dump_walk import COMMENT_REST, STATEMENT_BYTES_MAX, Walk
from orchestrator.summaries import SqlSummary

QUOTED: Final = rb"\"(?:[^\"]|\"\")+\"(?!\")"
NAME: Final = rb"(?:%b|[\w$]++)" % QUOTED
TABLE: Final = rb"(%b(?:\.%b)?)" % (NAME, NAME)
COPY: Final = re.compile(rb"COPY %b (?:\(([^)]*)\) )?FROM stdin;\r?(?=\n)" % TABLE)
INSERT: Final = re.compile(rb"INSERT INTO %b (?:\(([^)]*)\) )?(?:OVERRIDING (?:SYSTEM|USER) VALUE )?VALUES(?=[\s(])" % TABLE)
META: Final = re.compile(rb"\\(\w+)[ \t]*([^\n]*)(?:\n|\Z)")
CONNECT: Final = re.compile(r"(?:-reuse-previous=on )?(\"dbname='(?P<given>[^']*)'\"|\"(?P<quoted>[^\"]*)\"|(?P<bare>\S+))")
CREATE_TABLE: Final = re.compile(rb"CREATE (?:UNLOGGED |FOREIGN )?TABLE (?:IF NOT EXISTS )?%b \(" % TABLE)
COLUMN: Final = re.compile(rb"^\s+(%b|[a-z_][a-z0-9_$]*) " % QUOTED, re.M)
DROP_TABLE: Final = re.compile(rb"DROP TABLE IF EXISTS %b" % TABLE)
DROP_DATABASE: Final = re.compile(rb"DROP DATABASE (?:IF EXISTS )?(%b)" % NAME)
TRIGGER: Final = re.compile(rb"CREATE (?:CONSTRAINT )?TRIGGER ")
ROUTINE: Final = re.compile(rb"CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE) %b\(" % TABLE)
OWNER: Final = re.compile(rb"ALTER [^;']* OWNER TO (%b);" % NAME)
BACKSLASHES: Final = re.compile(rb"SET standard_conforming_strings = (on|off);")
PIECES: Final = re.compile(
    rb"(?:[^;'\"$/\-eE]++|%b|[eE](?!')|'[^']*+'|\"[^\"]*+\"|--[^\n]*+\n|/\*%b"
    rb"|\$(?!\w*\$)|-(?!-)|/(?!\*))*" % (E_STRING, COMMENT_REST),
    re.S,
)
DOLLARS: Final = re.compile(rb"\$\w*\$")
VERSION: Final = re.compile(rb"-- Dumped (?:from database|by pg_dump(?:all)?) version ([^\s]+)")
CLUSTER: Final = b"-- PostgreSQL database cluster dump"


class PostgresqlWalk(Walk):
    words = frozenset(
        b"ALTER BEGIN COMMENT COMMIT COPY CREATE DELETE DROP END GRANT INSERT REFRESH REINDEX RESET RETURN REVOKE SECURITY "
        b"SELECT SET UPDATE WITH".split()
    )
    trailer = b"-- PostgreSQL database dump complete"
    flavour: Literal["pg_dump", "pg_dumpall"] = "pg_dump"
    quoting: Quoting = STANDARD

    def statement(self) -> None:
        text = self.text
        if found := META.match(text.data, text.at):
            text.at = found.end()
            self.meta(found[1], found[2].decode("utf-8", "replace").rstrip("\r"))
        elif text.data.startswith(b"\\", text.at):
            raise DumpInvalid(self.no_statement())
        elif found := COPY.match(text.data, text.at):
            text.at = found.end()
            table, columns = table_of(found[1]), columns_of((found[2] or b"").split(b","))
            self.add(table, read_copied(text, table, self.taker(table, columns)))
        elif found := INSERT.match(text.data, text.at):
            text.at = found.end()
            table = table_of(found[1])
            columns = columns_of(found[2].split(b",")) if found[2] else self.columns.get(table, ())
            self.add(table, read_rows(text, self.quoting, table, self.taker(table, columns)))
        else:
            self.note(self.up_to_semicolon())

    def up_to_semicolon(self) -> bytes:
        """A statement as psql reads it: semicolons in strings, names, comments and $tag$ bodies are none."""
        text = self.text
        while True:
            end = text.at
            while found := PIECES.match(text.data, end):
                end = found.end()
                if text.data[end : end + 1] == b";":
                    statement, text.at = text.data[text.at : end + 1], end + 1
                    return statement
                opening = DOLLARS.match(text.data, end)
                closing = text.data.find(opening.group(), opening.end()) if opening else -1
                if not opening or closing < 0:
                    break
                end = closing + len(opening.group())
            if text.rest_bytes > STATEMENT_BYTES_MAX or not text.more():
                raise DumpInvalid(f"breaks off in the statement at byte {text.position} of its text")

    def meta(self, command: bytes, rest: str) -> None:
        if command in (b"connect", b"c"):
            found = CONNECT.match(rest)
            self.switch(next((one for one in found.groupdict().values() if one), rest) if found else rest)
            self.quoting = STANDARD
        elif command in (b"restrict", b"unrestrict"):
            self.oddities.add(r"has \restrict lines, which a psql from before August 2025 does not know")
        elif command != b"encoding":
            raise DumpInvalid(f"has psql's command \\{command.decode()} in it, which is no part of a dump")

    @property
    def is_wanted(self) -> bool:
        return self.database == self.wanted or (self.database is None and self.flavour == "pg_dump")

    def taker(self, table: str, columns: tuple[str, ...]) -> Take | None:
        return self.content.taker(table, columns) if self.is_wanted else None

    def add(self, table: str, count: int) -> None:
        if self.is_wanted:
            self.rows[table] = self.rows.get(table, 0) + count

    def note(self, statement: bytes) -> None:
        if found := BACKSLASHES.match(statement):
            self.quoting = STANDARD if found[1] == b"on" else BACKSLASH
        elif found := CREATE_TABLE.match(statement):
            self.create(table_of(found[1]), columns_of(COLUMN.findall(statement)))
        elif found := DROP_TABLE.match(statement):
            self.drop(table_of(found[1]))
        elif found := DROP_DATABASE.match(statement):
            self.has_drop_database |= table_of(found[1]) == self.wanted
        elif self.is_wanted:
            self.note_program(statement)

    def note_program(self, statement: bytes) -> None:
        if TRIGGER.match(statement):
            self.triggers += 1
        elif found := ROUTINE.match(statement):
            self.routines.add(table_of(found[1]))
        elif found := OWNER.fullmatch(statement):
            self.people.add(table_of(found[1]))

    def comment(self, line: bytes) -> None:
        super().comment(line)
        if found := VERSION.match(line):
            self.versions["server" if b"from database" in line else "dump"] = found[1].decode("ascii", "replace")
        elif line.startswith(CLUSTER) and self.flavour == "pg_dump":
            self.flavour = "pg_dumpall"
            self.trailer = CLUSTER + b" complete"

    def is_closing(self) -> bool:
        return self.text.data.startswith(b"\\unrestrict", self.text.at)

    def summary(self) -> SqlSummary:
        return SqlSummary(
            engine="postgresql", flavour=self.flavour, **self.common(), owners=tuple(sorted(self.people))
        )


def table_of(written: bytes) -> str:
    """`public.accounts` -> `accounts`, `que."odd name"` -> `que.odd name`."""
    names = [name_of(one) for one in re.findall(NAME, written)]
    return names[-1] if names[0] == "public" else ".".join(names)
