"""The text of a gzip-packed SQL dump, read once, in constant memory, and hashed as it goes.

A line of a dump may be many megabytes long, so nothing here knows lines: the text is a window that moves
forward, and whoever reads it asks for more.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

READ_BYTES: Final = 256 * 1024
CHUNK_BYTES: Final = 1024 * 1024
GZIP_MAGIC: Final = b"\x1f\x8b"

# What else a file of that name was found to be: (offset, magic, what it is).
OTHER_FORMATS: Final = (
    (0, b"PGDMP", "a dump in pg_dump's custom format (-Fc): the guide's are plain SQL"),
    (257, b"ustar", "a tar archive: the guide's dumps are plain SQL"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"\xfd7zXZ", "packed with xz"),
    (0, b"BZh", "packed with bzip2"),
    (0, b"\x28\xb5\x2f\xfd", "packed with zstd"),
    (0, b"\xff\xfe", "text in UTF-16, as PowerShell's `>` writes it"),
)
HEADS_OF_SQL: Final = (b"--", b"/*", b"SET ", b"\\restrict", b"\n--", b"\r\n--")


class DumpInvalid(Exception):
    """The file is no whole dump. `reason` is the rest of a sentence that begins with the file's name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Packed:
    """A gzip file. Its text comes in chunks; size and SHA-256 are of the packed file, once it is read to its end."""

    def __init__(self, file: BinaryIO, progress: Callable[[int], None]) -> None:
        self.file = file
        self.progress = progress
        self.sha256 = hashlib.sha256()
        self.size_bytes = 0

    def read(self) -> bytes:
        data = self.file.read(READ_BYTES)
        self.sha256.update(data)
        self.size_bytes += len(data)
        self.progress(self.size_bytes)
        return data

    def chunks(self) -> Iterator[bytes]:
        """The text, in pieces of up to a megabyte. Raises DumpInvalid where it is not whole."""
        data = self.read()
        refuse_other_formats(data)
        while data:  # a gzip file may be several, one after the other
            member = zlib.decompressobj(wbits=31)
            while not member.eof:
                try:
                    text = member.decompress(data, CHUNK_BYTES)
                except zlib.error as error:
                    raise DumpInvalid(f"is damaged: gzip says {detail(error)}") from error
                if text:
                    yield text
                data = member.unconsumed_tail or member.unused_data
                if not member.eof and not data and not (data := self.read()):
                    raise DumpInvalid(f"is truncated: its gzip data break off at byte {self.size_bytes}")
            data = member.unused_data or self.read()
            if data and data[:2] != GZIP_MAGIC[: len(data)]:
                data = self.after_the_end(data)

    def after_the_end(self, data: bytes) -> bytes:
        """gzip lets zeroes follow, as tapes leave them; anything else is damage."""
        while data:
            if data.strip(b"\0"):
                raise DumpInvalid("is damaged: something follows the end of its gzip data")
            data = self.read()
        return data

    def drain(self) -> None:
        """Read what is left of the file, for its size and digest."""
        while self.read():
            pass


def refuse_other_formats(first: bytes, *, packed: bool = False) -> None:
    """Raise DumpInvalid for what is no gzip file, or, packed, no SQL, with what it is instead."""
    inside = "holds " if packed else "is "
    for offset, magic, what in OTHER_FORMATS:
        if first[offset : offset + len(magic)] == magic:
            raise DumpInvalid(inside + what)
    if packed:
        if first[:2] == GZIP_MAGIC:
            raise DumpInvalid("is packed twice with gzip")
    elif not first:
        raise DumpInvalid("is empty")
    elif first.startswith(HEADS_OF_SQL):
        raise DumpInvalid("is plain SQL, not packed: the guide's dump is packed with gzip")
    elif first[:2] != GZIP_MAGIC[: len(first)]:
        raise DumpInvalid("is not a gzip file")


def detail(error: zlib.error) -> str:
    """`Error -3 while decompressing data: incorrect data check` -> `incorrect data check`."""
    return str(error).rpartition(": ")[2]


class Text:
    """A window on the text: `data[at:]` is what has not been read yet."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks = chunks
        self.data = b""
        self.at = 0
        self.gone_bytes = 0  # of the text, before the window

    @property
    def position(self) -> int:
        return self.gone_bytes + self.at

    @property
    def rest_bytes(self) -> int:
        return len(self.data) - self.at

    def more(self) -> bool:
        """Forget what was read and look further. False at the end of the text."""
        chunk = next(self.chunks, b"")
        if not chunk:
            return False
        self.gone_bytes += self.at
        self.data = self.data[self.at :] + chunk
        self.at = 0
        return True

    def reach(self, count: int) -> None:
        """Have at least so many bytes in the window, unless the text ends before."""
        while self.rest_bytes < count and self.more():
            pass
