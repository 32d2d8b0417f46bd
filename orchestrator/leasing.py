"""Holding a run's lease while it is carried out: renewed from a thread of its own, on the monotonic clock.

A renewal that fails stops the engine before its next effect. The wall clock is written into the lease
only as a hint for others; the epoch is what protects the journal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from types import TracebackType

from journal import Journal, JournalError, Lease

TTL_SECONDS = 60.0
RENEW_SECONDS = 15.0


class LeaseKeeper:
    """Renews while inside `with`; gives the lease back at the end."""

    def __init__(self, journal: Journal, lease: Lease, now: Callable[[], datetime]) -> None:
        self._journal, self._lease, self._now = journal, lease, now
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self.lost: JournalError | None = None
        self.on_loss: Callable[[], None] = lambda: None

    def __enter__(self) -> LeaseKeeper:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        try:
            self._journal.release_lease(self._lease)
        except JournalError:
            return  # it expires by itself, and a dead holder's lease can be taken at once

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            try:
                self._journal.renew_lease(self._lease, ttl_seconds=TTL_SECONDS, now=self._now())
            except JournalError as error:
                self.lost = error
                self.on_loss()
                return
