"""Where moves are carried out side by side: one lane a step, each in a thread of its own.

Work is a generator that yields wherever another lane may come between; a thread runs it through. A test
gives the engine lanes that interleave the same generators by a seed.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Protocol

Work = Iterator[None]


class Lanes(Protocol):
    def under_way(self) -> frozenset[str]:
        """The lanes that have not been seen to end. Ask this before looking at the state."""
        ...

    def start(self, name: str, work: Work) -> None: ...

    def wait(self, timeout_seconds: float | None) -> None:
        """Until a lane ends. Raises what it raised."""
        ...


class ThreadLanes:
    """One thread a lane."""

    def __init__(self) -> None:
        self._ended: queue.Queue[tuple[str, BaseException | None]] = queue.Queue()
        self._names: set[str] = set()

    def under_way(self) -> frozenset[str]:
        return frozenset(self._names)

    def start(self, name: str, work: Work) -> None:
        self._names.add(name)
        threading.Thread(target=self._run, args=(name, work), name=f"lane {name}", daemon=True).start()

    def wait(self, timeout_seconds: float | None) -> None:
        try:
            name, error = self._ended.get(timeout=timeout_seconds)
        except queue.Empty:
            return
        self._names.discard(name)
        if error is not None:
            raise error

    def leave(self) -> None:
        """What is still under way is left behind: nobody waits for it any more, nor hears how it ends."""
        self._names.clear()
        self._ended.put(("", None))

    def _run(self, name: str, work: Work) -> None:
        try:
            for _ in work:
                pass
        except BaseException as error:  # handed to the engine's thread, which raises it there
            self._ended.put((name, error))
        else:
            self._ended.put((name, None))
