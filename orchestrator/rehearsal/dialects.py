"""The two dialects of SQL that sample data is written in: names, values, column types, rows.

Pure. A value is None, bool, int, Decimal, str, bytes or NO_DATE.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto


class Special(Enum):
    """A value that each dialect has its own word for."""

    NO_DATE = auto()
    """MySQL's date of only zeros, which old rows have; elsewhere there is none, and it is null."""


NO_DATE = Special.NO_DATE
Value = None | bool | int | Decimal | str | bytes | Special
Row = Sequence[Value]

ROWS_PER_INSERT = 200
INSERT_BYTES = 4 << 20


@dataclass(frozen=True)
class Dialect:
    """How one kind of server wants it. `types`: the kinds of a column, as `str` or `time` -> its own words."""

    name: str
    types: Mapping[str, str]
    escapes: tuple[tuple[str, str], ...]
    quote: str
    string_prefix: str = ""

    def identifier(self, name: str) -> str:
        return f"{self.quote}{name.replace(self.quote, self.quote * 2)}{self.quote}"

    def string(self, text: str) -> str:
        """A string, on one line."""
        for plain, escaped in self.escapes:
            text = text.replace(plain, escaped)
        return f"{self.string_prefix}'{text}'"

    def value(self, value: Value) -> str:
        if isinstance(value, str):
            return self.string(value)
        if isinstance(value, bytes):
            return f"X'{value.hex()}'" if self.name == "mysql" else f"'\\x{value.hex()}'"
        if value is NO_DATE:
            return "'0000-00-00 00:00:00'" if self.name == "mysql" else "NULL"
        return "NULL" if value is None else str(value).upper() if isinstance(value, bool) else str(value)

    def inserts(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
        """INSERT statements of many rows each."""
        head = f"INSERT INTO {self.identifier(table)} ({', '.join(map(self.identifier, columns))}) VALUES\n"
        batch: list[str] = []
        size_bytes = 0
        for row in rows:
            batch.append(f"({', '.join(map(self.value, row))})")
            size_bytes += len(batch[-1])
            if len(batch) == ROWS_PER_INSERT or size_bytes > INSERT_BYTES:
                yield head + ",\n".join(batch) + ";\n"
                batch, size_bytes = [], 0
        if batch:
            yield head + ",\n".join(batch) + ";\n"


MYSQL = Dialect(
    "mysql",
    {
        "key": "bigint NOT NULL AUTO_INCREMENT PRIMARY KEY", "int": "bigint", "str": "varchar(255)", "bool": "tinyint(1)",
        "text": "mediumtext", "emoji": "mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "bytes": "longblob",
        "time": "datetime", "money": "decimal(20,4)", "list": "enum('hits','logic','backend')",
    },
    (("\\", "\\\\"), ("'", "''"), ("\n", "\\n"), ("\r", "\\r"), ("\0", "\\0")),
    "`",
)  # fmt: skip
POSTGRESQL = Dialect(
    "postgresql",
    {
        "key": "bigserial PRIMARY KEY", "int": "bigint", "str": "varchar(255)", "bool": "boolean", "text": "text",
        "emoji": "text", "bytes": "bytea", "time": "timestamp(6)", "money": "numeric(20,4)", "list": "varchar(16)",
    },
    (("\\", "\\\\"), ("'", "''"), ("\n", "\\n"), ("\r", "\\r")),
    '"',
    "E",
)  # fmt: skip
DIALECTS = {"mysql": MYSQL, "postgresql": POSTGRESQL}
