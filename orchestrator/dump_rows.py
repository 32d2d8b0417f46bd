"""Rows of an SQL dump: counted everywhere, looked into where a restore is held against what they say.

A row is `(…)` of an INSERT, or a line of a COPY. Strings are stepped over as the server reads them, so
that nothing inside one is ever taken for a row's end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from orchestrator.dump_text import CHUNK_BYTES, DumpInvalid, Text

ESCAPED: Final = rb"'[^'\\]*+(?:\\.[^'\\]*+)*'"  # a string in which the backslash escapes
DOUBLED: Final = rb"'[^']*+'"  # one in which only '' stands for a quote: two strings side by side
E_STRING: Final = rb"[eE]'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*'(?!')"  # PostgreSQL's, with both, whatever the setting
CALL: Final = rb"\([^'()]*+\)"  # arguments without strings, as of a function
TEXT: Final = rb"'([^'\\]*+(?:(?:\\.|'')[^'\\]*+)*)'(?!')"
PLAIN: Final = rb"'([^']*+(?:''[^']*+)*)'(?!')"
WORD: Final = rb"([^',\s]++)"


@dataclass(frozen=True)
class Quoting:
    """How strings are written, and with them rows and values."""

    is_escaping: bool
    row: re.Pattern[bytes]
    value: re.Pattern[bytes]


BACKSLASH: Final = Quoting(
    is_escaping=True,
    row=re.compile(rb"[\s,]*+\([^'()]*+(?:(?:%b|%b)[^'()]*+)*\)" % (ESCAPED, CALL), re.S),
    value=re.compile(rb"(?:_\w++\s*+|[bBeEnNxX])?%b()|%b" % (TEXT, WORD), re.S),
)
STANDARD: Final = Quoting(
    is_escaping=False,
    row=re.compile(rb"[\s,]*+\((?:[^'()eE]++|[eE](?!')|%b|%b|%b)*\)" % (E_STRING, DOUBLED, CALL), re.S),
    value=re.compile(rb"[eE]%b|[bBxX]?%b|%b" % (TEXT, PLAIN, WORD), re.S),
)
ROWS_END: Final = re.compile(rb"\s*+(?:ON (?:CONFLICT DO NOTHING|DUPLICATE KEY UPDATE [^';]*+)\s*+)?;")
NEXT: Final = re.compile(rb"[\s,]*+(?:[(;O]|\Z)")
ROW_BEGIN: Final = re.compile(rb"[\s,]*+\(")
OUTSIDE: Final = re.compile(rb"[^'()]*+")
INSIDE: Final = {True: re.compile(rb"(?:[^'\\]++|\\.)*", re.S), False: re.compile(rb"[^']*+")}

Row = list[bytes | None]  # the values in the order of the columns; NULL is None
Take = Callable[[Row], None]


def read_rows(text: Text, how: Quoting, table: str, take: Take | None) -> int:
    """Read the rows of one INSERT with its semicolon. Returns how many they are; `take` is given each."""
    count, match = 0, how.row.match
    while True:
        data, end = text.data, text.at
        while found := match(data, end):  # never a search: a row that is not whole would be looked for inside itself
            end = found.end()
            count += 1
            if take:
                take(row_values(found.group(), how))
        text.at = end
        if last := ROWS_END.match(data, end):
            text.at = last.end()
            return count
        if not NEXT.match(data, end):
            raise DumpInvalid(f"has at byte {text.position} of its text what is no row of table {table}")
        if text.rest_bytes >= CHUNK_BYTES and ROW_BEGIN.match(data, end):
            skip_long_row(text, how, table)
            count += 1
        elif not text.more():
            raise DumpInvalid(f"breaks off in the rows of table {table}")


def skip_long_row(text: Text, how: Quoting, table: str) -> None:
    """Step over a row of any length, part by part. Nobody looks into such a row."""
    depth = 0
    is_inside = escapes = False
    before = b""
    while True:
        found = (INSIDE[escapes] if is_inside else OUTSIDE).match(text.data, text.at)
        if found and found.end() > text.at:
            text.at = found.end()
            before = text.data[text.at - 1 : text.at]
        sign = text.data[text.at : text.at + 1]
        if not sign or sign == b"\\":  # the window's end, or a backslash whose second half is beyond it
            if not text.more():
                raise DumpInvalid(f"breaks off in the rows of table {table}")
            continue
        if sign == b"'":
            if not is_inside:
                escapes = how.is_escaping or before in b"eE" or (before == b"'" and escapes)
            is_inside = not is_inside
        else:
            depth += 1 if sign == b"(" else -1
        text.at += 1
        before = sign
        if depth == 0:
            return


# ---- values --------------------------------------------------------------------------------------

ESCAPES: Final = {b"0": b"\0", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"Z": b"\x1a"}
ESCAPE: Final = re.compile(rb"\\(.)|''", re.S)


def row_values(row: bytes, how: Quoting) -> Row:
    """The values of one `(…)`."""
    found: list[tuple[bytes, ...]] = how.value.findall(row, row.index(b"(") + 1, len(row) - 1)
    return [value_of(*groups) for groups in found]


def value_of(text: bytes, plain: bytes, word: bytes) -> bytes | None:
    """One value: of the three ways to write it, two are empty. All three are for an empty string."""
    if word:
        return None if word in (b"NULL", b"null") else word
    return unescaped(text) if text else plain.replace(b"''", b"'")


def unescaped(text: bytes) -> bytes:
    if b"\\" not in text and b"''" not in text:
        return text
    return ESCAPE.sub(lambda one: ESCAPES.get(one[1], one[1]) if one[1] is not None else b"'", text)


def copied_values(line: bytes) -> Row:
    r"""The values of a line of COPY: parted by tabs, `\N` is NULL, and no '' is special."""
    return [
        None if field == rb"\N" else ESCAPE.sub(lambda one: ESCAPES.get(one[1], one[1]) if one[1] else one[0], field)
        for field in line.split(b"\t")
    ]


class Lines:
    """Whole lines of a COPY, put together from pieces; of a line longer than a megabyte nothing is kept."""

    def __init__(self, take: Take) -> None:
        self.take = take
        self.begun: list[bytes] = []

    def feed(self, piece: bytes) -> None:
        *whole, last = piece.split(b"\n")
        for line in whole:
            self.take(copied_values(b"".join([*self.begun, line]).removesuffix(b"\r")))
            self.begun = []
        if sum(map(len, self.begun)) < CHUNK_BYTES:
            self.begun.append(last)


def read_copied(text: Text, table: str, take: Take | None) -> int:
    r"""Read the lines after `COPY … FROM stdin;` up to and with `\.`. The window begins at the newline before them."""
    lines = Lines(take) if take else None
    count = 0
    while True:
        data, begin = text.data, text.at + 1
        end = data.find(b"\n\\.", text.at)
        stop = end + 1 if end >= 0 else max(begin, len(data) - 2)
        count += data.count(b"\n", begin, stop)
        if lines:
            lines.feed(data[begin:stop])
        if end >= 0:
            text.at = end + 3
            return count
        text.at = stop - 1
        if not text.more():
            raise DumpInvalid(f"breaks off in the rows of table {table}")


# ---- what is looked into ---------------------------------------------------------------------------

HOST: Final = re.compile(rb"(?:[a-z][a-z0-9+.-]*://)?(?:[^/@]*@)?([a-z0-9_-]+(?:\.[a-z0-9_-]+)+)(?::\d+)?(?:/.*)?", re.S)
TRUE: Final = (b"1", b"t", b"true", b"\x01")
LOOKED_INTO: Final = {
    "accounts": ("master", "provider", "domain", "self_domain"),
    "proxies": ("endpoint", "sandbox_endpoint"),
    "schema_migrations": ("version",),
}


class Content:
    """What is taken from the rows of a few small tables: the migration, the masters, the hosts."""

    def __init__(self) -> None:
        self.versions: list[bytes] = []
        self.masters: int | None = None
        self.hosts: set[str] = set()

    def taker(self, table: str, columns: tuple[str, ...]) -> Take | None:
        """Who takes the rows of this table, None when nobody wants them. `columns` in the rows' order."""
        places = {name: columns.index(name) for name in LOOKED_INTO.get(table, ()) if name in columns}
        if not places:
            return None
        if table == "accounts" and "master" in places and self.masters is None:
            self.masters = 0

        def take(row: Row) -> None:
            if len(row) == len(columns):
                self.look(table, {name: row[at] for name, at in places.items()})

        return take

    def look(self, table: str, row: dict[str, bytes | None]) -> None:
        if table == "schema_migrations":
            self.versions += [row["version"]] if row["version"] else []
            return
        if table == "accounts":
            is_master = row.get("master") in TRUE
            self.masters = (self.masters or 0) + is_master if "master" in row else self.masters
            if not is_master and "provider" in row and row["provider"] not in TRUE:
                return  # a developer's account: its domain, if it has one, is of no route
        for name in ("domain", "self_domain", "endpoint", "sandbox_endpoint"):
            if (value := row.get(name)) and (host := HOST.fullmatch(value.strip().lower())):
                self.hosts.add(host[1].decode())

    @property
    def migration(self) -> str | None:
        newest = max(self.versions, key=lambda version: (len(version), version), default=None)
        return newest.decode("ascii", "replace") if newest else None


def columns_of(names: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(name_of(name.strip()) for name in names)


def name_of(quoted: bytes) -> str:
    """A name as it is, without its quotes."""
    text = quoted.decode("utf-8", "replace")
    return text[1:-1].replace(text[0] * 2, text[0]) if text[:1] in ("`", '"') else text
