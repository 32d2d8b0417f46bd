"""How many lines a copy uses, and how large its next chunk is, by what the lines have carried.

Chunks are as large as what a line carries in a few seconds: little is lost between two facts on a slow line,
and few round trips are made on a fast one. After a failure one line begins again with little: what a cut
costs is what was on its way, and that is as much as there are lines.
"""

from __future__ import annotations

import math
import threading
from typing import Final

MIB: Final = 1024 * 1024
CHUNK_BYTES_MIN: Final = MIB // 4
CHUNK_BYTES_FIRST: Final = MIB
CHUNK_BYTES_MAX: Final = 64 * MIB
CHUNK_SECONDS: Final = 3.0
LINES: Final = 4


class Pace:
    """Of all copies into one container; it is kept from one attempt to the next."""

    def __init__(self, chunk_bytes_max: int = CHUNK_BYTES_MAX) -> None:
        self._lock, self._chunk_bytes_max = threading.Lock(), chunk_bytes_max
        self._lines, self._chunk_bytes = LINES, CHUNK_BYTES_FIRST
        self._carried_bytes: float = math.inf  # since the last failure

    @property
    def lines(self) -> int:
        return self._lines

    @property
    def chunk_bytes(self) -> int:
        """A whole number of CHUNK_BYTES_MIN."""
        return self._chunk_bytes

    def carried(self, size_bytes: int, seconds: float) -> None:
        """At most four times as much as before, and one line more: one lucky chunk says little. Nor more than
        half of what came through since the last failure: where the next one is near, more would be on its way."""
        if size_bytes < CHUNK_BYTES_MIN:  # the end of a file: what took its time was the round trip
            return
        wanted = size_bytes / max(seconds, 0.001) * CHUNK_SECONDS
        with self._lock:
            if size_bytes >= CHUNK_BYTES_FIRST:
                self._lines = min(LINES, self._lines + 1)
            self._carried_bytes += size_bytes
            most = min(self._chunk_bytes_max, self._chunk_bytes * 4, self._carried_bytes / 2)
            self._chunk_bytes = max(1, int(min(wanted, most)) // CHUNK_BYTES_MIN) * CHUNK_BYTES_MIN

    def failed(self) -> None:
        with self._lock:
            self._lines, self._chunk_bytes, self._carried_bytes = 1, CHUNK_BYTES_MIN, 0
