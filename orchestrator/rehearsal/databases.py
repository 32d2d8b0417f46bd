"""The SQL servers of a rehearsal as their real clients see them: statements in, rows and dumps out.

Passwords travel in the environment. SqlError has the client's own words.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Protocol

from orchestrator.rehearsal.dialects import MYSQL, POSTGRESQL
from orchestrator.rehearsal.mysql_pod import client
from orchestrator.rehearsal.postgresql_pod import address, program

MYSQL_OWN = ("information_schema", "mysql", "performance_schema", "sys")
PIECE_BYTES = 1 << 20
POSTGRESQL_OWN = ("postgres", "template0", "template1")


class SqlError(Exception):
    """What a client said when it failed."""


class Readable(Protocol):
    """A file of bytes, or what reads like one."""

    def read(self, size: int, /) -> bytes: ...


class SqlServer(Protocol):
    """One running server, as its superuser."""

    def databases(self) -> list[str]:
        """Those that are not the server's own."""
        ...

    def column(self, query: str, database: str) -> list[str]:
        """The values of a query that asks for one column without line ends in it."""
        ...

    def run(self, statements: Iterable[str], database: str = "") -> None:
        """Carries out what may be many megabytes; it ends at the first error."""
        ...

    def load(self, dump: Readable, database: str) -> None:
        """Carries out a dump, as the guide has it: what the client shrugs off is shrugged off."""
        ...

    def recreate(self, database: str, owner: str, statements: Iterable[str]) -> None:
        """Drops every database that is not the server's own, and makes this one of `statements`."""
        ...


@dataclass(frozen=True)
class MysqlServer:
    """On 127.0.0.1, as root."""

    port: int
    password: str = field(repr=False)

    def argv(self, name: str, *words: str) -> list[str]:
        """A client of the image by its name there, as `mysqldump`."""
        address = ["--protocol=tcp", "--host=127.0.0.1", f"--port={self.port}", "--user=root"]
        return [client(name), "--no-defaults", *address, *words]

    @property
    def environment(self) -> Mapping[str, str]:
        return {**os.environ, "MYSQL_PWD": self.password}

    def databases(self) -> list[str]:
        names = self.column("SHOW DATABASES", "mysql")
        return sorted(name for name in names if name not in MYSQL_OWN and not name.startswith("#mysql50#"))

    def column(self, query: str, database: str) -> list[str]:
        return completed(self.argv("mysql", "-N", "-e", query, database), self.environment).decode().splitlines()

    def run(self, statements: Iterable[str], database: str = "") -> None:
        fed(self._loading(database), self.environment, (text.encode() for text in statements))

    def load(self, dump: Readable, database: str) -> None:
        fed(self._loading(database), self.environment, pieces(dump))

    def _loading(self, database: str) -> list[str]:
        return self.argv("mysql", "--binary-mode", "--max-allowed-packet=256M", *filter(None, [database]))

    def recreate(self, database: str, owner: str, statements: Iterable[str]) -> None:
        """`owner` has its rights on the name of the database, whether or not there is one."""
        drops = [f"DROP DATABASE {MYSQL.identifier(name)};\n" for name in self.databases()]
        name = MYSQL.identifier(database)
        self.run(chain(drops, [f"CREATE DATABASE {name};\nUSE {name};\n"], statements))


@dataclass(frozen=True)
class PostgresqlServer:
    """Over its local socket, as `postgres`."""

    port: int

    @property
    def environment(self) -> Mapping[str, str]:
        return {**os.environ, **address(self.port), "PGUSER": "postgres", "PGCLIENTENCODING": "UTF8"}

    def databases(self) -> list[str]:
        names = self.column("SELECT datname FROM pg_database", "postgres")
        return sorted(name for name in names if name not in POSTGRESQL_OWN)

    def column(self, query: str, database: str) -> list[str]:
        return completed([program("psql"), "-XAtc", query, database], self.environment).decode().splitlines()

    def run(self, statements: Iterable[str], database: str = "postgres") -> None:
        argv = [program("psql"), "-Xqo", os.devnull, "-v", "ON_ERROR_STOP=1", database]
        fed(argv, self.environment, (text.encode() for text in statements))

    def load(self, dump: Readable, database: str) -> None:
        fed([program("psql"), "-Xqo", os.devnull, database], self.environment, pieces(dump))

    def recreate(self, database: str, owner: str, statements: Iterable[str]) -> None:
        quoted = POSTGRESQL.identifier
        drops = [f"DROP DATABASE {quoted(name)} WITH (FORCE);\n" for name in self.databases()]
        create = f"CREATE DATABASE {quoted(database)} OWNER {quoted(owner)};\n\\connect {quoted(database)}\n"
        self.run(chain(drops, [create, f"SET ROLE {quoted(owner)};\n"], statements))


def completed(argv: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """What a client said on its output. SqlError when it failed."""
    done = subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode:
        raise SqlError(complaint(argv, done.stderr))
    return done.stdout


def pieces(file: Readable) -> Iterator[bytes]:
    return iter(lambda: file.read(PIECE_BYTES), b"")


def fed(argv: Sequence[str], environment: Mapping[str, str], statements: Iterable[bytes]) -> None:
    """Writes the statements to a client. SqlError when it failed."""
    with tempfile.TemporaryFile() as said, subprocess.Popen(
        argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
    ) as process:  # fmt: skip
        assert process.stdin is not None
        try:
            for text in statements:
                process.stdin.write(text)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended; its exit code tells
        if process.wait():
            said.seek(0)
            raise SqlError(complaint(argv, said.read()))


def complaint(argv: Sequence[str], said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines() or ["it said nothing"]
    return f"{Path(argv[0]).name}: {lines[-1]}"


@contextmanager
def output(argv: Sequence[str], environment: Mapping[str, str]) -> Iterator[IO[bytes]]:
    """The output of a client, to be read piece by piece. SqlError at the end when it failed."""
    with tempfile.TemporaryFile() as said, subprocess.Popen(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
    ) as process:  # fmt: skip
        assert process.stdout is not None
        yield process.stdout
        if process.wait():
            said.seek(0)
            raise SqlError(complaint(argv, said.read()))
