"""Whether this process may still change the world: asked before every effect, and before every request of one.

A process may be stopped between any two lines and go on hours later, when somebody else has taken its run over
and ended it. So the question is asked as late as can be, and what is sent carries the epoch where its receiver
can compare it. Unarmed, as before a run is opened, everything passes.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Fence:
    """One for a cluster and whoever carries a run on it."""

    def __init__(self) -> None:
        self.run, self.epoch = "", 0  # "" while unarmed: then nothing is noted in the pods either
        self._look: Callable[[], None] = lambda: None

    def arm(self, run: str, epoch: int, look: Callable[[], None]) -> None:
        """`look` raises when the run was taken over, or has been given up."""
        self.run, self.epoch, self._look = run, epoch, look

    def disarm(self) -> None:
        self.arm("", 0, lambda: None)

    def check(self) -> None:
        self._look()


def awake_seconds() -> float:
    """A clock that nobody sets, and that goes on while the machine sleeps, where the system has one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
