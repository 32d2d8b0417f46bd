"""Who holds a lease, as text: `user@host:pid:start`, and whether that process still lives.

`start` is `<ticks since boot>.<boot id>.<pid namespace>`: a pid alone is used again, and after a
reboot or in another container it names somebody else. Where /proc is missing the answer is "unknown",
and a take-over waits for the lease to expire.
"""

from __future__ import annotations

import getpass
import os
import socket
from pathlib import Path


def this_holder() -> str:
    """The holder text of this process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # A pod often runs under a uid that has no name.
        user = f"uid{os.getuid()}"
    return f"{user}@{socket.gethostname()}:{os.getpid()}:{_start_of(os.getpid()) or '?'}.{_kernel() or '?'}"


def holder_is_alive(holder: str) -> bool | None:
    """Whether the process lives; None when it ran elsewhere (other host, boot or container) or is unreadable."""
    try:
        place, pid, start = holder.rsplit(":", 2)
        ticks, _, kernel = start.partition(".")
        process = int(pid)
    except ValueError:
        return None
    if place.rpartition("@")[2] != socket.gethostname() or kernel != _kernel():
        return None
    start_now = _start_of(process)
    if start_now is None and _is_hidden(process):
        return None
    return start_now == ticks


def process_of(holder: str) -> int | None:
    """The pid, where the holder is seen to live on this machine."""
    return int(holder.rsplit(":", 2)[1]) if holder_is_alive(holder) else None


def holder_in_words(holder: str) -> str:
    """`user@host, process 123`: who it is, for a person who wants to find it."""
    place, _, rest = holder.partition(":")
    pid = rest.partition(":")[0]
    return f"{place}, process {pid}" if pid.isdigit() else holder or "nobody"


def _kernel() -> str | None:
    """The boot and the pid namespace this process runs in."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
        return f"{boot}.{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return None


def _start_of(pid: int) -> str | None:
    """The start of a living process in clock ticks since boot; a zombie is not living."""
    try:
        # The name of a program may hold spaces and parentheses; the fields begin after the last one.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _is_hidden(pid: int) -> bool:
    """Whether a process is there although /proc does not show it (mounted with hidepid)."""
    if Path(f"/proc/{pid}/stat").exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
