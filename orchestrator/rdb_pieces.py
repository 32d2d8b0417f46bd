"""The bytes of a file, forward only and a piece at a time, digested as they go by.

It holds one piece in memory, however large the file, and knows of the RDB format only which checksum
ends it.
"""

from __future__ import annotations

import hashlib
from typing import BinaryIO, Final

import anycrc

PIECE_BYTES: Final = 1 << 20
CRC64 = anycrc.Model("CRC64-REDIS")


class RdbInvalid(ValueError):
    """The file is not a whole, readable RDB file. The message is one clear sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Pieces:
    """One file being read. Whatever asks for more than there is gets RdbInvalid."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._crc_so_far = 0
        self._sha256 = hashlib.sha256()
        self._base = 0  # where in the file the buffer begins
        self.buffer = b""
        self.at = 0

    @property
    def position(self) -> int:
        return self._base + self.at

    def take(self, count: int) -> bytes:
        """The next `count` bytes, which must be few: they are held in memory."""
        if self.at + count > len(self.buffer):
            self._fill(count)
        taken = self.buffer[self.at : self.at + count]
        self.at += count
        return taken

    def byte(self) -> int:
        if self.at >= len(self.buffer):
            self._fill(1)
        self.at += 1
        return self.buffer[self.at - 1]

    def skip(self, count: int) -> None:
        while count > len(self.buffer) - self.at:
            count -= len(self.buffer) - self.at
            self.at = len(self.buffer)
            self._fill(1)
        self.at += count

    def peek(self, count: int) -> bytes:
        """What comes next, up to `count` bytes, without consuming it; less only at the end of the file."""
        try:
            taken = self.take(count)
        except RdbInvalid:
            return self.buffer[self.at :]
        self.at -= count
        return taken

    def crc(self) -> int:
        """CRC64 of everything before the current position."""
        return int(CRC64.calc(self.buffer[: self.at], self._crc_so_far))

    def finish(self) -> tuple[int, str]:
        """(size of the file, its sha256). RdbInvalid when there is more than what was consumed."""
        if self.at < len(self.buffer) or self._file.read(1):
            raise RdbInvalid(f"the file goes on after its end, which is at byte {self.position}")
        return self.position, self._sha256.hexdigest()

    def _fill(self, count: int) -> None:
        """Brings at least `count` unread bytes into the buffer."""
        self._crc_so_far = self.crc()
        self._base += self.at
        pieces = [self.buffer[self.at :]]
        while sum(map(len, pieces)) < count and (piece := self._file.read(PIECE_BYTES)):
            self._sha256.update(piece)
            pieces.append(piece)
        self.buffer = b"".join(pieces)
        self.at = 0
        if len(self.buffer) < count:
            raise RdbInvalid(f"the file is truncated: it ends at byte {self._base + len(self.buffer)}")
