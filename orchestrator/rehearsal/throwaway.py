"""Servers for a moment: to make a dump with, or to see what is in one. They leave nothing behind."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from orchestrator.rehearsal import mysql_pod, postgresql_pod
from orchestrator.rehearsal.databases import MysqlServer, PostgresqlServer, SqlError
from orchestrator.rehearsal.programs import found, write
from orchestrator.rehearsal.resp import RedisClient

T = TypeVar("T")

START_SECONDS = 30.0
POLL_SECONDS = 0.01
END_SECONDS = 10.0


@contextmanager
def redis_server(rdb: Path | None = None) -> Iterator[tuple[RedisClient, Path]]:
    """A redis-server without a port, in a directory that goes with it; it has loaded `rdb`, if one is given."""
    with directory() as place:
        if rdb is not None:
            shutil.copyfile(rdb, place / "dump.rdb")
        argv = [
            found("redis-server", "redis-server"), "--port", "0", "--unixsocket", str(place / "s"),
            "--unixsocketperm", "600", "--save", "", "--dir", str(place),
        ]  # fmt: skip
        with (
            running(argv, place, signal.SIGKILL) as process,
            connected(process, lambda: RedisClient(place / "s"), OSError) as redis,
        ):
            yield redis, place


@contextmanager
def mysql_server(database: str) -> Iterator[MysqlServer]:
    """A mariadbd with an empty database of that name."""
    password = secrets.token_hex(16)
    accounts = {
        "MYSQL_DATABASE": database, "MYSQL_USER": "mysql", "MYSQL_PASSWORD": password, "MYSQL_ROOT_PASSWORD": password,
    }  # fmt: skip
    with directory() as place:
        (place / "data").mkdir(mode=0o700)
        file = write(place / "accounts.sql", mysql_pod.accounts_of(accounts), 0o600)
        server = MysqlServer(free_port(), password)
        argv = mysql_pod.server_argv(place / "data", place, file, server.port)
        with running(argv, place, signal.SIGKILL, mysql_pod.ONLY_OWNER) as process:
            connected(process, server.databases, SqlError)
            yield server


@contextmanager
def postgresql_server(database: str, owner: str) -> Iterator[PostgresqlServer]:
    """A postgres with an empty database of that name and that owner.

    It is asked to end: one that is killed leaves shared memory behind.
    """
    account = {"POSTGRESQL_DATABASE": database, "POSTGRESQL_USER": owner, "POSTGRESQL_PASSWORD": secrets.token_hex(16)}
    with directory() as place:
        (place / "data").mkdir(mode=0o700)
        server = PostgresqlServer(free_port())
        argv = postgresql_pod.server_argv(place / "data", place, account, server.port)
        with running(argv, place, signal.SIGINT) as process:
            connected(process, server.databases, SqlError)
            yield server


@contextmanager
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as name:
        yield Path(name)


@contextmanager
def running(
    argv: list[str], place: Path, stop_signal: signal.Signals, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            argv, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.send_signal(stop_signal)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def connected(process: subprocess.Popen[bytes], attempt: Callable[[], T], refused: type[Exception]) -> T:
    """What `attempt` gives, once it is not refused. SqlError when the server ends before, or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return attempt()
        except refused as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SqlError(f"a server for sample data did not start: {error}") from error
            time.sleep(POLL_SECONDS)


def free_port() -> int:
    """A loopback port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
