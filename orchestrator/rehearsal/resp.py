"""Speaks to a Redis server: just enough of its protocol to fill one and to read it out.

The product itself reaches Redis with redis-cli in the pod; this is for the rehearsal's own sample data and
for the comparison of before and after, where any bytes have to pass.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Word = str | bytes | int | float
Command = Sequence[Word]
BATCH = 100
BATCH_BYTES = 4 << 20
TIMEOUT_SECONDS = 60.0


class RedisError(Exception):
    """The server's own words, as `ERR unknown command`."""


class RedisClient:
    """One connection. `address` is a port on 127.0.0.1 or the path of a unix socket."""

    def __init__(self, address: int | Path) -> None:
        if isinstance(address, int):
            self._socket = socket.create_connection(("127.0.0.1", address), TIMEOUT_SECONDS)
        else:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(TIMEOUT_SECONDS)
            self._socket.connect(str(address))
        self._answers = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answers.close()
        self._socket.close()

    def call(self, *words: Word) -> Any:
        """One command: bytes, int, None, or a list of these. RedisError when the server says so."""
        return next(iter(self.calls([words])))

    def calls(self, commands: Iterable[Command]) -> Iterator[Any]:
        """Many commands, some hundred sent at a time; the answers in the same order."""
        batch: list[bytes] = []
        for command in commands:
            batch.append(encoded(command))
            if len(batch) == BATCH or len(batch[-1]) > BATCH_BYTES // BATCH:
                yield from self._exchange(batch)
                batch = []
        yield from self._exchange(batch)

    def load(self, commands: Iterable[Command]) -> None:
        """Many commands whose answers matter only when they are errors."""
        for _ in self.calls(commands):
            pass

    def _exchange(self, commands: Sequence[bytes]) -> list[Any]:
        self._socket.sendall(b"".join(commands))
        answers = [self._answer() for _ in commands]
        for answer in answers:
            if isinstance(answer, RedisError):
                raise answer
        return answers

    def _answer(self) -> Any:
        line = self._answers.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return RedisError(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._answers.read(int(rest) + 2)[:-2]
        return None if rest == b"-1" else [self._answer() for _ in range(int(rest))]


def encoded(command: Command) -> bytes:
    words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
