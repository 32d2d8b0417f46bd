"""One chunk on its way into a pod or out of it, and the digest of it that the other end computes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from orchestrator.cluster import scripts
from orchestrator.cluster.execs import Ran, Run
from orchestrator.cluster.sources import Reading, Source
from orchestrator.errors import ClusterRefused, ClusterUnreachable, PodChanged
from orchestrator.spans import Span

BLOCK_BYTES: Final = 64 * 1024  # chunks begin at a multiple of it, and what a cut left is known as exactly
DISK_EXIT_CODE: Final = 8
NO_TOOL_EXIT_CODE: Final = 11


@dataclass(frozen=True, slots=True)
class Chunk:
    offset_bytes: int
    size_bytes: int
    sha256: str


class Carrier(Protocol):
    """One chunk on its way. moved_bytes: how much of it has been sent, or has come, so far."""

    @property
    def span(self) -> Span: ...

    @property
    def moved_bytes(self) -> int: ...

    def carry(self) -> Chunk: ...


class Sending:
    """A chunk on its way into a pod."""

    def __init__(self, run: Run, source: Source, part: str, span: Span) -> None:
        self._run, self._part, self.span = run, part, span
        self._reading = Reading(source, span)

    @property
    def moved_bytes(self) -> int:
        return self._reading.read_bytes

    def carry(self) -> Chunk:
        offset, size = self.span
        numbers = (offset // BLOCK_BYTES, size, BLOCK_BYTES)
        said = words(self._run(scripts.argv(scripts.CHUNK, self._part, *map(str, numbers)), self._reading), self._part)
        if said != [self._reading.sha256]:
            raise ClusterUnreachable(f"a chunk of {self._part} arrived damaged")
        return Chunk(offset, size, self._reading.sha256)


class Arriving:
    """A chunk on its way out of a pod: written as it comes, so that after a cut what came has not to come again."""

    def __init__(self, run: Run, path: str, file: int, part: Path, span: Span) -> None:
        self._run, self._path, self._file, self._part, self.span = run, path, file, part, span
        self.moved_bytes = 0
        self._digest, self._last = hashlib.sha256(), b""

    def carry(self) -> Chunk:
        offset, size = self.span
        numbers = (offset // BLOCK_BYTES, size, BLOCK_BYTES)
        ran = self._run(scripts.argv(scripts.RANGE, self._path, *map(str, numbers)), b"", self._take)
        if ran.code == NO_TOOL_EXIT_CODE:
            raise ClusterRefused(f"{self._path} cannot be compared: {ran.complaint}")
        if ran.code:
            raise PodChanged(f"{self._path}: {ran.complaint}")
        digest = self._digest.hexdigest()
        if self._last.split() != [digest.encode(), scripts.END.encode()]:
            raise ClusterUnreachable(f"a chunk of {self._path} arrived damaged or cut off")
        return Chunk(offset, size, digest)

    def _take(self, piece: bytes) -> None:
        offset, size = self.span
        data, more = piece[: size - self.moved_bytes], piece[size - self.moved_bytes :]
        try:
            os.pwrite(self._file, data, offset + self.moved_bytes)
        except OSError as error:
            raise unwritable(self._part, error) from error
        self._digest.update(data)
        self.moved_bytes, self._last = self.moved_bytes + len(data), self._last + more


@contextmanager
def opened(part: Path, size_bytes: int) -> Iterator[int]:
    """A file of this machine that is written in place, with its room taken beforehand. Raises ClusterRefused."""
    try:
        file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise unwritable(part, error) from error
    try:
        os.ftruncate(file, size_bytes)
        if size_bytes:
            os.posix_fallocate(file, 0, size_bytes)
        yield file
    except OSError as error:
        raise unwritable(part, error) from error
    finally:
        os.close(file)


def unwritable(part: Path, error: OSError) -> ClusterRefused:
    return ClusterRefused(f"{part} cannot be written on this machine: {error.strerror}")


def words(ran: Ran, path: str) -> list[str]:
    """The answer of a script, whole or not at all."""
    if ran.code == DISK_EXIT_CODE:
        raise ClusterRefused(f"{path} cannot be written in the pod: {ran.complaint}")
    if ran.code == NO_TOOL_EXIT_CODE:
        raise ClusterRefused(f"{path} cannot be compared: {ran.complaint}")
    if ran.code:
        raise PodChanged(f"{path}: {ran.complaint}")
    found = ran.out.decode("utf-8", "replace").split()
    if not found or found[-1] != scripts.END:
        raise ClusterUnreachable("the pod's answer was cut off")
    return found[:-1]
