"""Ends processes that outlive what they belong to.

Two users: the kubelet, when the main process of a container is gone (everything else in a container dies
with it), and a small process of its own that waits for the cluster to disappear, so that a cluster killed
with SIGKILL leaves nothing behind. It runs as a bare script in that second role, so it imports nothing of
this project and little else. Linux only: it reads /proc.
"""

import os
import signal
import sys
import time
from contextlib import suppress

MARK = "REHEARSAL_CONTAINER"
"""The variable every process of a container inherits; its value is `<cluster>.<container>`."""
PAUSE_SECONDS = 0.005


def strike(mark: str, sessions: set[int]) -> bool:
    """SIGKILL to every process that carries `mark` (a prefix of the value) or is in one of `sessions`.

    Some servers overwrite their environment with a title, so the sessions of the processes we started
    count too. True when there were any: they need a moment to end, and may have forked while we looked.
    """
    found = [pid for pid in _processes() if pid != os.getpid() and _belongs(pid, mark, sessions)]
    for pid in found:
        _kill(pid)
    return bool(found)


def sweep(mark: str, sessions: set[int]) -> None:
    """Strikes until nothing is left."""
    while strike(mark, sessions):
        time.sleep(PAUSE_SECONDS)


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208


def _belongs(pid: int, mark: str, sessions: set[int]) -> bool:
    state, session = _state_and_session(pid)
    if state in ("", "Z", "X"):
        return False
    return session in sessions or f"{MARK}={mark}".encode() in _read(pid, "environ")


def _state_and_session(pid: int) -> tuple[str, int]:
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return (fields[0].decode(), int(fields[3])) if fields else ("", 0)


def _read(pid: int, what: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{what}", "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:  # gone meanwhile, or not ours to look at
        return b""


def _kill(pid: int) -> None:
    with suppress(OSError):  # gone meanwhile
        os.kill(pid, signal.SIGKILL)


def watch(mark: str) -> None:
    """Reads `+SESSION` and `-SESSION` lines until the other end closes, then sweeps what is left."""
    sessions: set[int] = set()
    for line in sys.stdin:
        sign, number = line[0], int(line[1:])
        (sessions.add if sign == "+" else sessions.discard)(number)
    sweep(mark, sessions)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watch(sys.argv[1])
