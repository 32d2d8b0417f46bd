"""A dump of mysqldump, of MySQL or MariaDB, read statement by statement."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from orchestrator.dump_rows import BACKSLASH, ESCAPED, columns_of, name_of, read_rows
from orchestrator.dump_text import DumpInvalid
from orchestrator.dump_walk import COMMENT_REST, Walk
from orchestrator.summaries import SqlSummary

NAME: Final = rb"(?:`(?:[^`]|``)+`(?!`)|\"[^\"]++\"|\w++)"
INSERT: Final = re.compile(
    rb"(?:INSERT|REPLACE)\s+(?:(?:IGNORE|DELAYED)\s+)?INTO\s+(%b)\s*(?:\(([^)']*)\)\s*)?VALUES?(?=[\s(])" % NAME, re.I
)
DELIMITER: Final = re.compile(rb"DELIMITER[ \t]+([;$|]{1,3})\s*(?:\n|\Z)", re.I)
CREATE_TABLE: Final = re.compile(rb"CREATE TABLE (?:IF NOT EXISTS )?(%b) \(" % NAME)
COLUMN: Final = re.compile(
    rb"^\s+(?!(?:CHECK|CONSTRAINT|FOREIGN|FULLTEXT|INDEX|KEY|PERIOD|PRIMARY|SPATIAL|UNIQUE)\b)(%b) " % NAME, re.M
)
DROP_TABLE: Final = re.compile(rb"DROP TABLE IF EXISTS (%b)" % NAME)
USE: Final = re.compile(rb"USE (%b)" % NAME)
CONDITIONAL: Final = re.compile(rb"/\*M?!\d*|\*/")
CREATE: Final = re.compile(
    rb"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:ALGORITHM\s*=\s*\w+\s+)?(?:DEFINER\s*=\s*(%b@%b)\s+)?(?:SQL\s+SECURITY\s+\w+\s+)?"
    rb"(?:AGGREGATE\s+)?(TRIGGER|PROCEDURE|FUNCTION|VIEW|EVENT)\s+(?:IF\s+NOT\s+EXISTS\s+)?(%b)" % (NAME, NAME, NAME)
)
HEAD: Final = re.compile(rb"-- (?:MySQL|MariaDB) dump [^\n]*?(?:Distrib |\d-)(\d[\w.-]*)")
SERVER: Final = re.compile(rb"-- Server version\s+(\S+)")
SANDBOX: Final = re.compile(rb"/\*M?!999999\\- [^\n]*\n?")


@cache
def statement_up_to(delimiter: bytes) -> re.Pattern[bytes]:
    """A statement as the client reads it: the delimiter counts outside of strings, names and comments only."""
    end = re.escape(delimiter)
    pieces = (
        rb"[^;'\"`#/\-$|]++",
        ESCAPED,
        rb"\"[^\"\\]*+(?:\\.[^\"\\]*+)*\"",
        rb"`[^`]*+`",
        rb"(?:#|--(?=\s))[^\n]*+\n",
        rb"/\*(?![!+M])%b" % COMMENT_REST,
        rb"(?!%b|--\s|/\*(?![!+M]))[;/\-$|]" % end,
    )
    return re.compile(rb"(?:%b)*%b" % (b"|".join(pieces), end), re.S)


class MysqlWalk(Walk):
    words = frozenset(
        b"ALTER ANALYZE BEGIN CALL CHANGE COMMIT CREATE DELETE DELIMITER DO DROP FLUSH GRANT INSERT LOCK RENAME REPLACE SELECT SET "
        b"START TRUNCATE UNLOCK UPDATE USE".split()
    )
    trailer = b"-- Dump completed"
    delimiter = b";"

    def statement(self) -> None:
        text = self.text
        if found := INSERT.match(text.data, text.at):
            text.at = found.end()
            self.insert(name_of(found[1]), found[2])
        elif found := DELIMITER.match(text.data, text.at):
            text.at = found.end()
            self.delimiter = found[1]
        elif found := SANDBOX.match(text.data, text.at):
            text.at = found.end()
            self.oddities.add("begins with MariaDB's sandbox line, at which a client of MySQL stops")
        elif text.data[text.at : text.at + 1] == b"\\":
            raise DumpInvalid(self.no_statement())
        else:
            self.note(self.whole(statement_up_to(self.delimiter)))

    def insert(self, table: str, names: bytes | None) -> None:
        columns = columns_of(names.split(b",")) if names else self.columns.get(table, ())
        take = self.content.taker(table, columns) if self.is_wanted else None
        count = read_rows(self.text, BACKSLASH, table, take)
        if self.is_wanted:
            self.rows[table] = self.rows.get(table, 0) + count

    def note(self, statement: bytes) -> None:
        if found := CREATE_TABLE.match(statement):
            self.create(name_of(found[1]), columns_of(COLUMN.findall(statement)))
        elif found := DROP_TABLE.match(statement):
            self.drop(name_of(found[1]))
        elif found := USE.match(statement):
            self.switch(name_of(found[1]))
        elif found := CREATE.match(CONDITIONAL.sub(b" ", statement[:2000])):
            self.note_program(found)
        elif b"DROP DATABASE" in statement[:60]:
            self.has_drop_database = True

    def note_program(self, found: re.Match[bytes]) -> None:
        definer, kind, name = found.groups()
        if not self.is_wanted:
            return
        if definer:
            self.people.add("@".join(map(name_of, definer.split(b"@", 1))))
        if kind == b"TRIGGER":
            self.triggers += 1
        elif kind in (b"PROCEDURE", b"FUNCTION"):
            self.routines.add(name_of(name))

    def comment(self, line: bytes) -> None:
        super().comment(line)
        if found := HEAD.match(line):
            self.versions["dump"] = found[1].decode("ascii", "replace").rstrip(",")
        elif found := SERVER.match(line):
            self.versions["server"] = found[1].decode("ascii", "replace")

    def summary(self) -> SqlSummary:
        return SqlSummary(
            engine="mysql", flavour="mysqldump", **self.common(), definers=tuple(sorted(self.people))
        )
