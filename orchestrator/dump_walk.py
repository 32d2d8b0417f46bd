"""One pass over the text of an SQL dump, statement by statement. What both engines have in common.

It knows the text that mysqldump, pg_dump and pg_dumpall write, not the whole of SQL: what is none of theirs
is refused, since a count of rows must be exact or not be given.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from orchestrator.dump_rows import Content
from orchestrator.dump_text import CHUNK_BYTES, DumpInvalid, Text
from orchestrator.summaries import SqlSummary

HEAD_BYTES: Final = 64 * 1024  # more than the head of any statement: names of tables and columns
STATEMENT_BYTES_MAX: Final = 64 * CHUNK_BYTES
BLANK: Final = re.compile(rb"\s*+")
COMMENT_REST: Final = rb"(?:[^*]++|\*(?!/))*\*/"  # behind its slash and star
COMMENT: Final = re.compile(rb"(?:--|#)[^\n]*+(?:\n|\Z)|/\*(?![!+M])%b" % COMMENT_REST)
WORD: Final = re.compile(rb"[A-Za-z]++(?![\w:\[])")
MOMENT: Final = re.compile(rb" on (\d{4}-\d\d-\d\d +\d{1,2}:\d\d:\d\d)")


class Walk:
    """What is found on the way. A subclass has an engine's statements."""

    words: frozenset[bytes] = frozenset()
    trailer: bytes = b""

    def __init__(self, text: Text, wanted: str) -> None:
        self.text = text
        self.wanted = wanted
        self.database: str | None = None  # that the dump itself switched to last
        self.databases: list[str] = []
        self.rows: dict[str, int] = {}
        self.columns: dict[str, tuple[str, ...]] = {}
        self.dropped: set[str] = set()
        self.created: set[str] = set()
        self.triggers = 0
        self.routines: set[str] = set()
        self.people: set[str] = set()
        self.content = Content()
        self.has_drop_database = False
        self.is_complete = False
        self.has_returns = False  # CRLF line ends
        self.completed_at: datetime | None = None
        self.versions: dict[str, str] = {}
        self.oddities: set[str] = set()  # what some client or server may stumble over

    def walk(self) -> None:
        """To the end of the text. Raises DumpInvalid where it is no dump of this engine."""
        while self.skip():
            self.text.reach(HEAD_BYTES)
            word = WORD.match(self.text.data, self.text.at)
            if word and word.group().upper() not in self.words:
                word = None
            if not word and not self.text.data.startswith((b"/*", b"\\"), self.text.at):
                raise DumpInvalid(self.no_statement())
            self.is_complete = self.is_complete and self.is_closing()
            self.statement()

    def skip(self) -> bool:
        """Go past blanks and comments. False at the end of the text."""
        text = self.text
        while True:
            blank = BLANK.match(text.data, text.at)
            text.at = blank.end() if blank else text.at
            if text.rest_bytes < HEAD_BYTES and text.more():
                continue
            if not text.rest_bytes:
                return False
            found = COMMENT.match(text.data, text.at)
            if not found:
                return True
            text.at = found.end()
            self.comment(found.group())

    def comment(self, line: bytes) -> None:
        if line.endswith(b"\r\n"):
            self.has_returns = True
        if line.startswith(self.trailer):
            self.is_complete = True
        if b"ompleted on " in line and (found := MOMENT.search(line)):
            with suppress(ValueError):
                self.completed_at = datetime.strptime(found[1].decode(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)

    def statement(self) -> None:
        """Read one statement, of whatever kind."""
        raise NotImplementedError

    def is_closing(self) -> bool:
        """Whether the statement that begins here may follow the dump's last line."""
        return False

    def whole(self, pattern: re.Pattern[bytes]) -> bytes:
        """The statement that begins here, to its end."""
        text = self.text
        while not (found := pattern.match(text.data, text.at)):
            if text.rest_bytes > STATEMENT_BYTES_MAX or not text.more():
                raise DumpInvalid(f"breaks off in the statement at byte {text.position} of its text")
        text.at = found.end()
        return found.group()

    def no_statement(self) -> str:
        """Where a program's message is, it is shown: it has nothing of the data in it."""
        line = self.text.data[self.text.at :].split(b"\n", 1)[0].strip()
        text = line[:80].decode("utf-8", "replace")
        where = f"has at byte {self.text.position} of its text what is no statement of a dump"
        if self.text.position == 0 or re.match(rb"[\w./-]+(?: \w+)?: |Defaulted |Unable |command ", line):
            return f"{where}: {text!r}: a message of the program went into the file"
        return where

    @property
    def is_wanted(self) -> bool:
        """Whether what comes now goes into the database that is restored."""
        return self.database is None or self.database == self.wanted

    def switch(self, database: str) -> None:
        self.database = database
        if database not in self.databases:
            self.databases.append(database)

    def create(self, table: str, columns: tuple[str, ...]) -> None:
        if self.is_wanted:
            self.rows.setdefault(table, 0)
            self.columns[table] = columns
            self.created.add(table)

    def drop(self, table: str) -> None:
        if self.is_wanted and table not in self.created:
            self.dropped.add(table)

    def summary(self) -> SqlSummary:
        raise NotImplementedError

    def common(self) -> dict[str, Any]:
        """What a summary has of both engines."""
        return {
            "server_version": self.versions.get("server", ""),
            "dump_version": self.versions.get("dump", ""),
            "completed_at": self.completed_at,
            "uncompressed_bytes": self.text.position,
            "rows": dict(sorted(self.rows.items())),
            "databases": tuple(self.databases),
            "has_drop_table": bool(self.created) and self.created <= self.dropped,
            "has_drop_database": self.has_drop_database,
            "triggers": self.triggers,
            "routines": tuple(sorted(self.routines)),
            "migration": self.content.migration,
            "hosts": tuple(sorted(self.content.hosts)),
            "masters": self.content.masters,
        }
