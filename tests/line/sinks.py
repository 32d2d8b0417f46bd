"""A server that takes whatever comes and says at its end how much it was, and clients for it."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

PATIENCE_SECONDS = 30.0


class Sink:
    """Answers the end of a connection with the number of bytes that came over it; `got` has them all."""

    def __init__(self) -> None:
        self.got: list[int] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more. A thread that waits in accept would keep the socket alive."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._take, args=(client,), daemon=True).start()

    def _take(self, client: socket.socket) -> None:
        number = len(self.got)
        self.got.append(0)
        with client:
            try:
                while piece := client.recv(1 << 16):
                    self.got[number] += len(piece)
                client.sendall(str(self.got[number]).encode())
            except OSError:
                return


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)


def sent(port: int, size_bytes: int) -> int | None:
    """How many of so many bytes the sink says it got; None when the connection ended before it could."""
    try:
        with connected(port) as client:
            client.sendall(bytes(size_bytes))
            client.shutdown(socket.SHUT_WR)
            answer = client.makefile("rb").read()
            return int(answer) if answer else None
    except OSError as error:  # a reset between two calls makes the second one say ENOTCONN
        if isinstance(error, ConnectionError) or error.errno == errno.ENOTCONN:
            return None
        raise


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
