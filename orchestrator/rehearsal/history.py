"""What happened to the objects, newest last: the memory behind watches and lists of a past version.

It is bounded; what fell out of it is answered with 410 Expired, as a compacted etcd does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.rehearsal.types import ResourceType

ROOM = 5_000


@dataclass(frozen=True)
class Event:
    """One change. Objects in it are the stored ones: readers copy before they alter them."""

    type: str
    """ADDED, MODIFIED or DELETED."""
    rt: ResourceType
    object: dict[str, Any]
    """The state after the change; for DELETED the last state, with the version of the deletion."""
    old: dict[str, Any] | None
    version: int


class History:
    """The last changes, by version."""

    def __init__(self, first_version: int) -> None:
        self._events: deque[Event] = deque(maxlen=ROOM)
        self._first = first_version

    def append(self, event: Event) -> None:
        if len(self._events) == ROOM:
            self._first = self._events[0].version
        self._events.append(event)

    def reaches(self, version: int) -> bool:
        """Whether every change after `version` is still known."""
        return version >= self._first

    def after(self, version: int) -> Iterator[Event]:
        """The changes after `version`, oldest first."""
        newest: list[Event] = []
        for event in reversed(self._events):
            if event.version <= version:
                break
            newest.append(event)
        return reversed(newest)

    def undone(self, version: int) -> Iterator[Event]:
        """The changes after `version`, newest first."""
        for event in reversed(self._events):
            if event.version <= version:
                return
            yield event
