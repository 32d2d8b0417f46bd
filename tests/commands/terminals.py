"""A program on a terminal of its own: what is typed there comes as signals, and it can be taken away."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import sys
import termios
import threading
from contextlib import suppress
from pathlib import Path

from tests.commands.program import ROOT, environment

CTRL_C = b"\x03"


class Terminal:
    """`restore WORDS…` as the leader of a session on a pty."""

    def __init__(self, *words: str, home: Path) -> None:
        self._master, slave = pty.openpty()
        self._said = bytearray()

        def lead() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, "-m", "commands", *words], cwd=ROOT, env=environment(home) | {"TERM": "xterm"},
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=lead,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # EIO: nobody has it open any more
            while data := os.read(self._master, 65536):
                self._said += data

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def take_away(self) -> None:
        """The terminal is closed: its session hears SIGHUP, and whatever is written from then on fails."""
        master, self._master = self._master, -1
        os.close(master)

    def ended(self) -> int:
        """The exit code, negative for a signal."""
        code = self.process.wait(timeout=120)
        self._reader.join(timeout=1)
        return code

    @property
    def said(self) -> str:
        return self._said.decode("utf-8", "replace")
