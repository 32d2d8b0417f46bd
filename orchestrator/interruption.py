"""Somebody wants a run to end: heard at once, whatever it is waiting for.

A signal's handler may do next to nothing: it runs between any two lines of the main thread, which may hold any lock.
So it only notes the wish, and a thread of its own carries it through: nothing more is begun; what is under way gets
a moment to end; then the lines into the pods are given up, as a cut does it; then whatever still hangs is left behind,
which can neither change nor record anything from then on.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence

GRACE_SECONDS = 1.0  # between one of these and the next


class Interruption:
    """A request, not an exception: that could come between any two lines."""

    def __init__(self) -> None:
        self.is_asked = False
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()  # its `put` may be called from a signal's handler

    def ask(self) -> None:
        self.is_asked = True
        self._asked.put(None)

    def heed(self, *stages: Callable[[], None]) -> None:
        """What to do when it is asked, or at once where it has been, one after the other."""
        threading.Thread(target=self._carry_through, args=(stages,), name="interruption", daemon=True).start()

    def _carry_through(self, stages: Sequence[Callable[[], None]]) -> None:
        self._asked.get()
        for number, stage in enumerate(stages):
            if number:
                time.sleep(GRACE_SECONDS)
            stage()
