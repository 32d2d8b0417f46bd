"""The time, and waiting for it. The only place that knows APScheduler, and the only `now` of the product.

Waits are jobs of a memory store: on resume they are made again from the facts, so nothing about time is
kept anywhere but in the journal. Lease heartbeats do not come from here: they must not depend on the
wall clock.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from apscheduler.schedulers.background import BackgroundScheduler


class Clock(Protocol):
    def now(self) -> datetime: ...

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Return after so many seconds, or as soon as `stop` is set."""
        ...


class SystemClock:
    """Wall clock time in UTC; waits are APScheduler jobs."""

    def __init__(self) -> None:
        self._scheduler: BackgroundScheduler | None = None
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, seconds: float, stop: threading.Event) -> None:
        woken = threading.Event()
        at = self.now() + timedelta(seconds=seconds)
        self.scheduler().add_job(woken.set, "date", run_date=at, misfire_grace_time=None)
        while not woken.wait(0.05):
            if stop.is_set():
                return

    def scheduler(self) -> BackgroundScheduler:
        with self._lock:
            if self._scheduler is None:
                from apscheduler.executors.pool import ThreadPoolExecutor
                from apscheduler.schedulers.background import BackgroundScheduler

                self._scheduler = BackgroundScheduler(
                    timezone=UTC,
                    executors={"default": ThreadPoolExecutor(2)},
                    job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
                )
                self._scheduler.start()
            return self._scheduler

    def close(self) -> None:
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)


def label(moment: datetime) -> str:
    """RFC 3339. With microseconds: two restarts within one second must not carry the same mark."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
