"""Real processes for the pods: start them, hear of their end, and end all that belongs to them.

Each process is the leader of a session of its own. A process that is not found or not executable raises
OSError, as in `subprocess`. Nothing here knows of pods or of the API.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import signal
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from orchestrator.rehearsal import warden

SIGNAL_EXIT = 128
"""A process ended by signal N has exit code 128 + N, as a shell reports it."""


class Process:
    """A running process; `wait` may be called by any number of tasks."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._pidfd = os.pidfd_open(popen.pid)
        self._loop.add_reader(self._pidfd, self._reap)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return not self._ended.done()

    async def wait(self) -> int:
        """The exit code: 0 to 255, or 128 + N after signal N."""
        return await asyncio.shield(self._ended)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to this one process; nothing happens when it has ended."""
        if self.running:
            self._popen.send_signal(number)

    def on_end(self, callback: partial[None]) -> None:
        self._ended.add_done_callback(lambda _: callback())

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        code = self._popen.wait()
        self._ended.set_result(code if code >= 0 else SIGNAL_EXIT - code)


class Processes:
    """All processes of one cluster, grouped by container."""

    def __init__(self) -> None:
        self.cluster = secrets.token_hex(8)
        self._sessions: dict[str, set[int]] = {}
        self._warden = _start_warden(self.cluster)

    def spawn(
        self,
        group: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.DEVNULL,
        stderr: int = subprocess.DEVNULL,
        terminal: bool = False,
    ) -> Process:
        """Starts `argv` in `group`. The descriptors stay the caller's; `terminal` says stdin is a tty."""
        popen = subprocess.Popen(
            argv,
            env={**environment, warden.MARK: f"{self.cluster}.{group}"},
            cwd=directory,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=_take_terminal if terminal else None,
        )
        process = Process(popen)
        self._sessions.setdefault(group, set()).add(popen.pid)
        self._tell_warden("+", popen.pid)
        process.on_end(partial(self._forget, group, popen.pid))
        return process

    def strike(self, group: str) -> None:
        """SIGKILL to all of `group`, without waiting for the end."""
        warden.strike(f"{self.cluster}.{group}", self._sessions.get(group, set()))

    async def sweep(self, group: str, *ended: int) -> None:
        """Ends whatever is left of `group`; `ended` are sessions whose leader was reaped just now."""
        while warden.strike(f"{self.cluster}.{group}", self._sessions.get(group, set()) | set(ended)):
            await asyncio.sleep(warden.PAUSE_SECONDS)

    def close(self) -> None:
        """Ends every process of the cluster, and the warden."""
        warden.sweep(f"{self.cluster}.", set().union(*self._sessions.values()))
        if self._warden.stdin:
            self._warden.stdin.close()
        self._warden.wait()

    def _forget(self, group: str, session: int) -> None:
        self._sessions[group].discard(session)
        if not self._sessions[group]:
            del self._sessions[group]
        self._tell_warden("-", session)

    def _tell_warden(self, sign: str, session: int) -> None:
        pipe = self._warden.stdin
        if pipe and not pipe.closed:
            with contextlib.suppress(BrokenPipeError):
                pipe.write(f"{sign}{session}\n".encode())


def _start_warden(cluster: str) -> subprocess.Popen[bytes]:
    """In a session of its own, so that what ends the cluster's process group does not end it too."""
    argv = [sys.executable, "-I", "-S", warden.__file__, f"{cluster}."]
    return subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, bufsize=0, env={}, start_new_session=True
    )


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
