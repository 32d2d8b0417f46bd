"""What the files of a bundle hold, as data: SQL dumps, the storage's tree, objects. Pure: they are read elsewhere.

These are the expectations that a restore is held against, so counts are exact, and nothing secret is in them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

KEPT_MODE: Final = 0o777  # the permission bits that a restore brings back; setuid, setgid and sticky are not kept


class SqlSummary(BaseModel):
    """What an SQL dump makes of the database that it is loaded into.

    rows: exact, for every table that the dump creates or fills; a table of PostgreSQL's schema `public`
    goes by its bare name, any other by `schema.table`. Of a dump of a whole server, of a wanted database only.
    completed_at: as the dump itself says; mysqldump names no time zone, and UTC is taken, as in the pods.
    migration: the highest of schema_migrations. masters: how many rows of accounts have master set.
    hosts: of the providers' accounts and of the proxies, sorted, without scheme and port.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Literal["mysql", "postgresql"]
    flavour: Literal["mysqldump", "pg_dump", "pg_dumpall"]
    server_version: str = ""
    dump_version: str = ""
    completed_at: datetime | None = None
    uncompressed_bytes: int
    rows: Mapping[str, int]
    databases: tuple[str, ...] = ()  # that the dump itself switches to, in its order; none in the guide's dumps
    has_drop_table: bool = False  # every table that is created is dropped first, if it exists
    has_drop_database: bool = False
    triggers: int = 0
    routines: tuple[str, ...] = ()
    definers: tuple[str, ...] = ()  # MySQL: `user@host` in whose name triggers, routines and views run
    owners: tuple[str, ...] = ()  # PostgreSQL: the roles that own what the dump creates
    migration: str | None = None
    hosts: tuple[str, ...] = ()
    masters: int | None = None

    @property
    def has_triggers(self) -> bool:
        return self.triggers > 0

    @property
    def has_routines(self) -> bool:
        return bool(self.routines)


class TreeEntry(NamedTuple):
    """One entry below the root of a tree. `name` is its path from there, as the file system's own bytes.

    kind: `d`, `f` or `l`. size_bytes and sha256 (hex) are those of a file, target that of a link.
    """

    name: bytes
    kind: Literal["d", "f", "l"]
    mode: int
    size_bytes: int = 0
    sha256: str = ""
    target: bytes = b""

    def line(self) -> bytes:
        """The entry as bytes that no other entry gives: a name or a target may hold anything but NUL."""
        mode = 0 if self.kind == "l" else self.mode & KEPT_MODE  # a link has no mode of its own
        head = f"{self.kind}\0{mode:04o}\0{self.size_bytes}\0{self.sha256}\0".encode()
        return b"%b%b\0%b\0\n" % (head, self.name, self.target)


class TreeSummary(BaseModel):
    """A directory with all that is below it; the root itself is not counted. size_bytes: of its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: int
    directories: int
    links: int
    size_bytes: int
    digest: str


def tree_summary(entries: Iterable[TreeEntry]) -> TreeSummary:
    """The summary of a tree, whatever the order in which its entries come."""
    kept = sorted(entries)
    sha256 = hashlib.sha256()
    for entry in kept:
        sha256.update(entry.line())
    kinds = [entry.kind for entry in kept]
    return TreeSummary(
        files=kinds.count("f"),
        directories=kinds.count("d"),
        links=kinds.count("l"),
        size_bytes=sum(entry.size_bytes for entry in kept),
        digest=sha256.hexdigest(),
    )


class ObjectSummary(BaseModel):
    """A Secret, a ConfigMap or the APIManager: its keys, never a value.

    keys: of a Secret's and a ConfigMap's data; of the APIManager's spec. sanitised: what will be left out
    when it is created, as paths: `metadata.uid`, `status`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    name: str
    keys: tuple[str, ...] = ()
    sanitised: tuple[str, ...] = ()
