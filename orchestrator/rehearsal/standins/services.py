"""The pod's network: ports of Services by name, and clients for what stands behind them.

`REHEARSAL_SERVICES` is the directory of the port files. A Service without a file, or with one whose server
is gone, cannot be reached.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.rehearsal.resp import RedisClient

TIMEOUT_SECONDS = 5.0


class Unreachable(Exception):
    """Nobody answers under the name of a Service. The message names it."""


def directory() -> Path:
    return Path(os.environ["REHEARSAL_SERVICES"])


def port_of(service: str) -> int:
    try:
        return int((directory() / service).read_text())
    except (OSError, ValueError):
        raise Unreachable(f"{service}: no such service answers") from None


def redis(url: str) -> RedisClient:
    """A connection to the database that a URL as `redis://system-redis:6379/1` names; Unreachable without one."""
    found = urlsplit(url)
    try:
        client = RedisClient(port_of(found.hostname or ""))
        client.call("SELECT", found.path.strip("/") or "0")
    except OSError as error:
        raise Unreachable(f"{found.hostname}: {error}") from None
    return client


def request(method: str, service: str, path: str, body: str = "") -> tuple[int, str]:
    """One HTTP request: status and body. Unreachable when there is no answer."""
    try:
        with socket.create_connection(("127.0.0.1", port_of(service)), TIMEOUT_SECONDS) as connection:
            content = body.encode()
            head = f"{method} {path} HTTP/1.0\r\nHost: {service}\r\nContent-Length: {len(content)}\r\n\r\n"
            connection.sendall(head.encode() + content)
            answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        first, _, text = answer.partition("\r\n\r\n")
        return int(first.split()[1]), text
    except (OSError, IndexError, ValueError) as error:
        raise Unreachable(f"{service}: {error}") from None


class Announcement:
    """Says under which names a server of this pod can be reached, as an endpoint of the Services."""

    def __init__(self, names: tuple[str, ...], port: int) -> None:
        self._files = [directory() / name for name in names]
        self._text = f"{port}\n"

    def renew(self) -> None:
        """Where nobody is announced: another pod of the same Service may have gone since."""
        for file in self._files:
            if not file.exists():
                write_whole(file, self._text)

    def make(self) -> None:
        for file in self._files:
            write_whole(file, self._text)

    def withdraw(self) -> None:
        for file in self._files:
            with suppress(OSError):
                if file.read_text() == self._text:
                    file.unlink()


def write_whole(file: Path, text: str) -> None:
    """The file is there complete or not at all, and only its owner can read it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        opened.write(text)
    fresh.replace(file)
