"""A server that answers one HTTP request after the other: enough for probes, checks and notifications."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from orchestrator.rehearsal.standins.services import Announcement

Answer = Callable[[str, str, str], tuple[int, str]]
"""Method, path and body in; status and body out."""
RENEWAL_SECONDS = 1.0
CLIENT_SECONDS = 5.0
LISTENING = Path("listening")
"""In the container's directory, for its readiness probe."""


class Ended:
    """True once the process has been asked to end; whoever works in a loop looks at it between two rounds."""

    def __init__(self) -> None:
        self._asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def __bool__(self) -> bool:
        return self._asked

    def _ask(self, number: int, frame: object) -> None:
        self._asked = True


def serve(names: tuple[str, ...], answer: Answer) -> None:
    """Serves on the pod's port, announced under `names`, until SIGTERM."""
    listener = socket.create_server(("127.0.0.1", int(os.environ["REHEARSAL_PORT"])))
    announcement = Announcement(names, listener.getsockname()[1])
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    try:
        announcement.make()
        LISTENING.write_text("yes\n")
        listener.settimeout(RENEWAL_SECONDS)
        while True:
            announcement.renew()
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                _converse(connection, answer)
    finally:
        announcement.withdraw()


def _converse(connection: socket.socket, answer: Answer) -> None:
    connection.settimeout(CLIENT_SECONDS)
    with connection, suppress(OSError, ValueError):  # a client that goes away, or speaks something else
        with connection.makefile("rb") as stream:
            first = stream.readline().decode("latin-1").split()
            length = 0
            while line := stream.readline().strip():
                key, _, value = line.partition(b":")
                length = int(value) if key.lower() == b"content-length" else length
            body = stream.read(length).decode() if length else ""
        if len(first) < 2:
            return
        status, text = answer(first[0], first[1].partition("?")[0], body)
        content = b"" if first[0] == "HEAD" else text.encode()
        head = f"HTTP/1.0 {status} {'OK' if status < 400 else 'Error'}\r\nContent-Length: {len(text.encode())}\r\n\r\n"
        connection.sendall(head.encode() + content)
