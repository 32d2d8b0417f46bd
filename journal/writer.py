"""One thread that appends for many: calls that arrive during a commit share the next one.

A call returns when its drafts are durable. The owner of the run's state decides what may be written:
`admit` sees each call's drafts in order, on a tentative basis; `published` tells that everything
admitted since is durable. When `admit` raises, that call alone is refused. When the commit
fails nothing of the group was written, every producer hears of it and the writer is dead: what cannot
be recorded must not be done.

The writer does not know what a fact means, and never waits in order to gather more calls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType

from journal.errors import JournalError
from journal.records import Draft, Lease, Line, Record, encode
from journal.store import Journal


@dataclass(frozen=True)
class _Call:
    """What one producer waits for."""

    lines: tuple[Line, ...]
    answer: Future[list[Record]] = field(default_factory=Future)

    @property
    def drafts(self) -> tuple[Draft, ...]:
        return tuple(line.draft for line in self.lines)


class GroupWriter:
    """Appends under one lease from any number of threads.

    `admit` and `published` run in the writer's thread and must not call `append`. `admit` raises to
    refuse, and then leaves the owner's tentative state as it was; after `published` that state is the
    true one; after a failed commit neither is called again. A `published` that raises kills the writer too,
    although the facts of that group are in the file.
    """

    def __init__(
        self,
        journal: Journal,
        lease: Lease,
        *,
        now: Callable[[], datetime],
        admit: Callable[[tuple[Draft, ...]], None],
        published: Callable[[list[Record]], None],
    ) -> None:
        self._journal, self._lease, self._now = journal, lease, now
        self._admit, self._published = admit, published
        self._waiting: list[_Call] = []
        self._changed = threading.Condition()
        self._closed = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    def append(self, *drafts: Draft) -> list[Record]:
        """Appends the drafts, contiguous and in one transaction; blocks until they are durable.

        Raises what `admit` raised for these drafts, or what killed the writer: JournalUnwritable,
        LeaseLost, JournalDamaged. After that every call raises the same.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("append was called from inside admit or published")
        call = _Call(tuple(encode(draft) for draft in drafts))
        with self._changed:
            if self._failure is not None:
                raise self._failure
            if self._closed:
                raise JournalError("the writer is closed")
            self._waiting.append(call)
            self._changed.notify()
        return call.answer.result()

    def close(self) -> None:
        """Writes what was already handed in, then ends the thread. Does not give the lease back."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def __enter__(self) -> GroupWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _run(self) -> None:
        while group := self._next_group():
            admitted = [call for call in group if self._is_admitted(call)]
            try:
                self._commit(admitted)
            except BaseException as failure:
                self._die(failure, admitted)
                return

    def _next_group(self) -> list[_Call]:
        """Every call that waits now; empty when the writer is closed and none is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            group, self._waiting = self._waiting, []
            return group

    def _is_admitted(self, call: _Call) -> bool:
        try:
            self._admit(call.drafts)
        except BaseException as refusal:
            call.answer.set_exception(refusal)
            return False
        return True

    def _commit(self, calls: list[_Call]) -> None:
        lines = [line for call in calls for line in call.lines]
        records = self._journal.append_lines(self._lease, lines, recorded_at=self._now()) if lines else []
        if records:
            self._published(records)
        start = 0
        for call in calls:
            end = start + len(call.lines)
            call.answer.set_result(records[start:end])
            start = end

    def _die(self, failure: BaseException, admitted: list[_Call]) -> None:
        with self._changed:
            self._failure = failure
            left, self._waiting = self._waiting, []
        for call in admitted + left:
            if not call.answer.done():
                call.answer.set_exception(failure)
