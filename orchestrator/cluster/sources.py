"""What is copied: a file or bytes of this machine, read piece by piece while it is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import PlanChanged
from orchestrator.spans import Span, cut

PIECE_BYTES: Final = 256 * 1024  # what each line holds in memory


@dataclass(frozen=True, slots=True)
class Source:
    """Its size, and how to read a range of it."""

    size_bytes: int
    read: Callable[[int, int], bytes]

    @staticmethod
    def of_file(path: Path) -> Source:
        def read(offset: int, size: int) -> bytes:
            try:
                with path.open("rb") as file:
                    file.seek(offset)
                    return file.read(size)
            except OSError as error:
                raise PlanChanged(f"{path} cannot be read any more: {error.strerror}") from error

        return Source(path.stat().st_size, read)

    @staticmethod
    def of_bytes(content: bytes) -> Source:
        return Source(len(content), lambda offset, size: content[offset : offset + size])

    def sha256(self, span: Span) -> str:
        reading = Reading(self, span)
        for _ in reading:
            pass
        return reading.sha256


class Reading:
    """The bytes of a span, and their digest as soon as all of them have been read."""

    def __init__(self, source: Source, span: Span) -> None:
        self._source, self._span, self._digest = source, span, hashlib.sha256()
        self.read_bytes = 0

    def __len__(self) -> int:
        return self._span[1]

    def __iter__(self) -> Iterator[bytes]:
        for offset, size in cut(self._span, PIECE_BYTES):
            data = self._source.read(offset, size)
            if len(data) != size:
                raise PlanChanged("a file became shorter while it was copied")
            self._digest.update(data)
            self.read_bytes += size
            yield data

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def unchanged(source: Path, size_bytes: int) -> Path:
    """A file of this machine, as long as it still has the size that is known."""
    try:
        found = source.stat().st_size
    except OSError as error:
        raise PlanChanged(f"{source} cannot be read any more: {error.strerror}") from error
    if found != size_bytes:
        raise PlanChanged(f"{source} has {found} bytes, and {size_bytes} were expected")
    return source
