"""The streams of an exec: pipes or a terminal, read and written without blocking the loop.

Nothing is read ahead: a reader that does not come back for more makes the process wait, as in a real
container runtime.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import termios
from typing import Any

PIECE_BYTES = 64 * 1024
PIPE_BYTES = 256 * 1024


class Streams:
    """Our ends and the process's ends. Ours are closed with `close`, the others once it has started."""

    def __init__(self, *, stdin: bool, stdout: bool, stderr: bool, terminal: bool) -> None:
        self.stdin = self.stdout = self.stderr = -1
        self.terminal = terminal
        self._theirs: dict[str, int] = {}
        if terminal:
            self._open_terminal()
            return
        if stdin:
            self._theirs["stdin"], self.stdin = _pipe()
        if stdout:
            self.stdout, self._theirs["stdout"] = _pipe()
        if stderr:
            self.stderr, self._theirs["stderr"] = _pipe()
        for end in (self.stdin, self.stdout, self.stderr):
            if end >= 0:
                os.set_blocking(end, False)

    def for_process(self) -> dict[str, Any]:
        """The arguments of `Processes.spawn`."""
        return {**self._theirs, **({"terminal": True} if self.terminal else {})}

    def started(self) -> None:
        """The process has its own copies of its ends."""
        for end in set(self._theirs.values()):
            os.close(end)
        self._theirs.clear()

    def close_stdin(self) -> None:
        """End of file for the process; a terminal has no such thing."""
        if not self.terminal and self.stdin >= 0:
            os.close(self.stdin)
            self.stdin = -1

    def resize(self, width: int, height: int) -> None:
        if self.terminal:
            fcntl.ioctl(self.stdin, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def close(self) -> None:
        self.started()
        for end in {self.stdin, self.stdout, self.stderr} - {-1}:
            os.close(end)
        self.stdin = self.stdout = self.stderr = -1

    def _open_terminal(self) -> None:
        """Both directions share one descriptor; a terminal has no separate stderr."""
        ours, theirs = pty.openpty()
        os.set_blocking(ours, False)
        self.stdin = ours
        self.stdout = ours
        self._theirs = {"stdin": theirs, "stdout": theirs, "stderr": theirs}


async def read_some(descriptor: int) -> bytes:
    """Up to PIECE_BYTES; empty at the end. A terminal whose other side is gone reports EIO: the end too."""
    while True:
        try:
            return os.read(descriptor, PIECE_BYTES)
        except BlockingIOError:
            loop = asyncio.get_running_loop()
            await _ready(descriptor, loop.add_reader, loop.remove_reader)
        except OSError:
            return b""


async def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Returns when everything is written; BrokenPipeError when nobody reads any more."""
    left = memoryview(content)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            loop = asyncio.get_running_loop()
            await _ready(descriptor, loop.add_writer, loop.remove_writer)


async def _ready(descriptor: int, watch: Any, forget: Any) -> None:
    woken = asyncio.Event()
    watch(descriptor, woken.set)
    try:
        await woken.wait()
    finally:
        forget(descriptor)


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    with contextlib.suppress(OSError):  # more than this user may have: the usual size does as well
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return ends
