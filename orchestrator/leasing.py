"""Holding a run while it is carried out: its lease in the journal, and the Lease on the cluster.

Both are renewed from a thread of its own, on the monotonic clock. A renewal that finds another holder
stops the engine before its next effect; a cluster that cannot be reached stops nothing. `check` is what asks
before each request that changes something: a process that was stopped and goes on is told there, before the
thread has found time to look. The wall clock is written only as a hint for others: the epoch is what protects
the journal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from types import TracebackType

from journal import Journal, JournalError, Lease
from orchestrator.errors import ClusterUnreachable, RestoreError, RunHeldElsewhere
from orchestrator.fencing import awake_seconds
from orchestrator.port import Guard

TTL_SECONDS = 60.0
RENEW_SECONDS = 5.0  # so far behind is the head that the Lease notes, at most
HURRIED_SECONDS = 3.0  # a cluster that does not answer keeps nobody longer who wants to end
LOOK_SECONDS = 2.0  # for so long a look at the Lease on the cluster counts; the journal is looked at each time


class LeaseKeeper:
    """Renews while inside `with`; gives both back at the end."""

    def __init__(
        self, journal: Journal, lease: Lease, guard: Guard | None, now: Callable[[], datetime]
    ) -> None:
        self._journal, self._lease, self._guard, self._now = journal, lease, guard, now
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_often, name="lease", daemon=True)
        self._looked_at = awake_seconds()
        self._is_over = False
        self.lost: Exception | None = None
        self.is_open = False  # it has facts, and can be gone on with
        self.is_standing = True  # what the run did is still in place
        self.is_hurried = False  # somebody waits for the end
        self.on_loss: Callable[[], None] = lambda: None

    def __enter__(self) -> LeaseKeeper:
        try:
            if self._guard is not None:
                lease = self._lease
                self._guard.take(lease.run, lease.holder, lease.epoch, self._head(), self._is_ours)
        except BaseException:
            self._give_back()
            raise
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._is_over = True
        giving_back = threading.Thread(target=self._release, daemon=True)
        giving_back.start()
        giving_back.join(HURRIED_SECONDS if self.is_hurried else None)
        self._give_back()

    def _release(self) -> None:
        self._thread.join()
        if self._guard is not None:
            with suppress(RestoreError):  # it expires by itself
                self._guard.release(self._head(), is_open=self.is_open, is_standing=self.is_standing)

    def _give_back(self) -> None:
        with suppress(JournalError):  # it expires, and a dead holder's lease can be taken at once
            self._journal.release_lease(self._lease)

    def opened(self) -> None:
        """The run has facts from here on: nobody else begins on its installation before it has ended."""
        self.is_open = True
        self._tell_guard()

    def check(self) -> None:
        """Whether the run is still ours. Raises LeaseLost or RunHeldElsewhere when it is not.

        Raises ClusterUnreachable where the cluster's Lease cannot be looked at, and for a lane that was left behind.
        """
        if self._is_over:
            raise ClusterUnreachable("this process has ended what it carried")
        if self.lost is not None:
            raise self.lost
        self._journal.check_lease(self._lease)
        if self._guard is not None and awake_seconds() - self._looked_at > LOOK_SECONDS:
            began = awake_seconds()
            self._guard.confirm()
            self._looked_at = began

    def _is_ours(self, noted: str) -> bool:
        """Whether a head that was noted outside the journal, SEQ:DIGEST, is in the run's chain."""
        seq, _, digest = noted.partition(":")
        if not seq.isdecimal():
            return False
        record = next(iter(self._journal.read(self._lease.run, after=int(seq) - 1)), None)
        return record is not None and (record.seq, record.digest) == (int(seq), digest)

    def _renew_often(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            try:
                self._renew()
            except (JournalError, RunHeldElsewhere) as error:
                self.lost = error
                self.on_loss()
                return

    def _renew(self) -> None:
        self._journal.renew_lease(self._lease, ttl_seconds=TTL_SECONDS, now=self._now())
        self._tell_guard()

    def _tell_guard(self) -> None:
        if self._guard is None:
            return
        try:
            self._guard.renew(self._head())
        except RunHeldElsewhere:
            raise
        except RestoreError:
            return  # the line is down: whoever takes over raises the epoch, and that is seen

    def _head(self) -> str:
        with suppress(JournalError):
            head = self._journal.head(self._lease.run)
            return f"{head.seq}:{head.digest}" if head else ""
        return ""
