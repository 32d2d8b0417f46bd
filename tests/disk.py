"""A disk that fails, kills or loses what was not yet safe: disk.c before a process, and what its log tells.

The faults are real to the process: the call fails, or the process dies in it. A power cut is worked out from the
log: what was written since the last fsync of a file is there, is not, or is there in sectors, in any mixture.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).with_name("disk.c")
SECTOR = 512


def built(directory: Path) -> Path:
    """The library to preload; deploy/setup.sh has installed a compiler for the tests."""
    library = directory / "disk.so"
    flags = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O1"]
    subprocess.run(["cc", *flags, "-o", str(library), str(SOURCE)], check=True)
    return library


def preloaded(library: Path) -> dict[str, str]:
    """The environment of a process that stands on this disk. Sanitizers and the like are preloaded besides."""
    return {"LD_PRELOAD": " ".join(filter(None, [os.environ.get("LD_PRELOAD", ""), str(library)]))}


@dataclass(frozen=True)
class Call:
    """One call that changed a file, as the log has it: write, truncate, unlink or fsync."""

    kind: str
    offset: int  # of a truncate: the size afterwards
    path: str
    data: bytes = b""


def calls_in(log: Path) -> list[Call]:
    rest, calls = log.read_bytes() if log.exists() else b"", []
    while rest:
        line, _, rest = rest.partition(b"\n")
        kind, offset, length, path = line.decode().split(" ", 3)
        calls.append(Call(kind, int(offset), path, rest[: int(length)]))
        rest = rest[int(length) :]
    return calls


@dataclass
class Disk:
    """Files as a power cut may find them: what is safe of each, and what was done to it since."""

    safe: dict[str, bytes]
    since: dict[str, list[Call]] = field(default_factory=dict)

    def take(self, call: Call) -> None:
        if call.kind == "fsync":
            self.safe[call.path] = applied(self.safe.get(call.path, b""), self.since.pop(call.path, []))
        else:
            self.since.setdefault(call.path, []).append(call)

    def all_lost(self) -> dict[str, bytes]:
        return dict(self.safe)

    def all_kept(self) -> dict[str, bytes]:
        return {path: applied(self.safe.get(path, b""), self.since.get(path, [])) for path in self.safe | self.since}

    def some_kept(self, dice: random.Random) -> dict[str, bytes]:
        """Each call has reached the disk or not, and of a write each sector."""
        return {
            path: applied(self.safe.get(path, b""), mixture(self.since.get(path, []), dice))
            for path in self.safe | self.since
        }


def applied(content: bytes, calls: Sequence[Call]) -> bytes:
    for call in calls:
        if call.kind == "write":
            content = content.ljust(call.offset, b"\0")
            content = content[: call.offset] + call.data + content[call.offset + len(call.data) :]
        else:
            content = content[: call.offset].ljust(call.offset, b"\0")  # an unlink leaves nothing, as truncate 0 does
    return content


def mixture(calls: Sequence[Call], dice: random.Random) -> list[Call]:
    kept: list[Call] = []
    for call in calls:
        if call.kind == "write":
            kept += [piece for piece in pieces_of(call) if dice.random() < 0.5]
        elif dice.random() < 0.5:
            kept.append(call)
    return kept


def pieces_of(call: Call) -> Iterator[Call]:
    """A write by the sectors that it touches."""
    end = call.offset + len(call.data)
    start = call.offset
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        yield Call("write", start, call.path, call.data[start - call.offset : stop - call.offset])
        start = stop
