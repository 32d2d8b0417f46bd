"""Bytes into a pod and out of it, chunk by chunk over several lines at once; the far end is the truth.

In: the part file is written in place, chunk by chunk, in any order. What is there already is found by the
digests that the pod computes of the part, so only what is missing or wrong travels. The digest of every chunk
is read back from what the file holds. The end is the digest of the whole file, then a rename. Out: ranges are
read with their digest and written to a part here as they come; what is there already is found in the same way.

An attempt begins with a look at everything. While the container is the same, it outlives a few cuts by itself:
then only what was under way is looked at.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from orchestrator import events as ev
from orchestrator.cluster import scripts
from orchestrator.cluster.carriers import BLOCK_BYTES, Arriving, Carrier, Chunk, Sending, opened, words
from orchestrator.cluster.execs import Run
from orchestrator.cluster.pace import CHUNK_BYTES_MAX, LINES, MIB, Pace
from orchestrator.cluster.pods import At
from orchestrator.cluster.sources import Source
from orchestrator.errors import ClusterRefused, ClusterUnreachable, PodChanged
from orchestrator.spans import Span, cut, joined, without

STEPS_BYTES: Final = (32 * MIB, MIB, BLOCK_BYTES)  # of a look: closer only where the step before differs
LOOK_BYTES: Final = 1024 * MIB  # what one look takes in: of a large file some is known before a cut
LOOK_SPANS: Final = 64  # as many as fit into the command of one exec
TRIES_MAX: Final = 3  # in a row that bring nothing; then the engine has its say
PAUSE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Interruption:
    """What a copy has outlived by itself: why, and how much, at most, had been sent and was not there afterwards."""

    reason: str
    wasted_bytes: int


Moved = Chunk | Interruption


@dataclass(frozen=True, slots=True)
class Known:
    """What this process knows of a part from earlier attempts: how its line is, and what has been told of it."""

    pace: Pace = field(default_factory=Pace)
    told: list[Span] = field(default_factory=list)


class Memory:
    """What this process knows, by container and part. Never what a part holds: that is looked at."""

    def __init__(self) -> None:
        self._paces: dict[str, Pace] = {}
        self._told: dict[tuple[str, str], list[Span]] = {}

    def of(self, container: str, part: str) -> Known:
        pace = self._paces.setdefault(container, Pace())
        return Known(pace, self._told.setdefault((container, part), []))

    def forget(self, container: str, part: str) -> None:
        """The part has become a file."""
        self._told.pop((container, part), None)


def copy_chunks(run: Run, source: Source, part: str, known: Known | None = None) -> Iterator[Moved]:
    """Bring `part` in the pod to the content of source; yields each chunk when the pod has confirmed it.

    What was found there is yielded too, unless it has been before; and each interruption that was outlived.
    """
    look = Look(run, source, part, is_new=True)
    whole = list(cut((0, source.size_bytes), LOOK_BYTES)) or [(0, 0)]  # an empty file is made by the look
    yield from Transfer(look, partial(Sending, run, source, part), known or Known(), unsure=whole).moved()


def fetch_chunks(run: Run, path: str, part: Path, size_bytes: int, known: Known | None = None) -> Iterator[Moved]:
    """Bring the file `part` here to the content of `path` in the pod; yields each chunk when it is here and was compared.

    Of a part that is here already is kept what the pod's digests confirm, and it is yielded too. The pod is only read.
    """
    is_new = not part.exists()
    with opened(part, size_bytes) as file:
        whole = list(cut((0, size_bytes), LOOK_BYTES))
        look = Look(run, Source.of_file(part), path, is_new=False)
        unsure, missing = ([], whole) if is_new else (whole, [])
        arriving = partial(Arriving, run, path, file, part)
        yield from Transfer(look, arriving, known or Known(), unsure=unsure, missing=missing).moved()
        os.fsync(file)


class Look:
    """Compares what a file in the pod holds with what it should hold, by digests."""

    def __init__(self, run: Run, source: Source, part: str, *, is_new: bool) -> None:
        self._run, self._source, self._part = run, source, part
        self._is_new = is_new  # until it was looked at once: made where it is missing, cut off where it is too long

    @property
    def source(self) -> Source:
        return self._source

    def absent(self, spans: Sequence[Span]) -> list[Span]:
        """What of these is not there. A chunk is written from its start on: what came of it ends in the first step
        that differs, and only that one is looked at in blocks."""
        absent: list[Span] = []
        for step in STEPS_BYTES:
            if step != BLOCK_BYTES and all(size <= step for _, size in spans):
                continue
            if step == BLOCK_BYTES:
                heads = [(offset, min(size, MIB)) for offset, size in spans]
                absent += (tail for span, head in zip(spans, heads, strict=True) for tail in without(span, [head]))
                spans = heads
            spans, gone = self._differing(spans, step)
            absent += gone
        return joined([*absent, *spans])

    def _differing(self, spans: Sequence[Span], step: int) -> tuple[list[Span], list[Span]]:
        """The differences step by step, those that are next to each other within a span as one; and what lies
        behind the end of the file."""
        differing: list[Span] = []
        gone: list[Span] = []
        for at in range(0, len(spans), LOOK_SPANS):
            some = spans[at : at + LOOK_SPANS]
            for span, there in zip(some, self._digests(some, step), strict=True):
                differs = []
                for number, (offset, size) in enumerate(cut(span, step)):
                    if number == len(there):
                        gone.append((offset, sum(span) - offset))
                        break
                    if there[number] != self._source.sha256((offset, size)):
                        differs.append((offset, size))
                differing += joined(differs)
        return differing, gone

    def _digests(self, spans: Sequence[Span], step: int) -> list[list[str]]:
        """Of each step of each span, as far as the file goes."""
        numbers = [self._source.size_bytes, BLOCK_BYTES, step // BLOCK_BYTES, int(self._is_new)]
        for offset, size in spans:
            numbers += [offset // BLOCK_BYTES, -(-(offset + size) // BLOCK_BYTES)]
        said = words(self._run(scripts.argv(scripts.BLOCKS, self._part, *map(str, numbers)), b""), self._part)
        self._is_new = False
        found: list[list[str]] = [[]]
        for word in said:
            if word == "-":
                found.append([])
            else:
                found[-1].append(word)
        return found[:-1]


class Transfer:
    """One file on its way, until nothing of it is missing."""

    def __init__(
        self, look: Look, carrier: Callable[[Span], Carrier], known: Known, *, unsure: list[Span],
        missing: Sequence[Span] = (),
    ) -> None:
        self._look, self._carrier, self._known = look, carrier, known
        self._unsure, self._missing = unsure, list(missing)
        self._there_bytes = 0
        self._lost_bytes = 0  # of chunks that were under way at a cut, as far as nothing of them was found there

    def moved(self) -> Iterator[Moved]:
        """Raises what cut the line when it has done so a few times in a row and nothing came through."""
        tries, reason = 0, ""
        while self._unsure or self._missing:
            there_bytes = self._there_bytes
            try:
                yield from self._found()
                if reason:
                    yield self._interruption(reason)
                    reason = ""
                yield from self._carried()
            except PodChanged:
                raise
            except ClusterUnreachable as error:
                tries, reason = tries + 1 if self._there_bytes == there_bytes else 0, error.message
                if tries == TRIES_MAX:
                    yield self._interruption(reason)
                    raise
                time.sleep(PAUSE_SECONDS * 2**tries)
        if reason:
            yield self._interruption(reason)

    def _interruption(self, reason: str) -> Interruption:
        wasted_bytes, self._lost_bytes = max(0, self._lost_bytes), 0
        return Interruption(reason, wasted_bytes)

    def _found(self) -> Iterator[Moved]:
        """Look at what is unsure, and tell what is there."""
        while self._unsure:
            looked = [self._unsure[0]]
            for span in self._unsure[1:LOOK_SPANS]:
                if sum(size for _, size in looked) + span[1] <= LOOK_BYTES:
                    looked.append(span)
            absent = self._look.absent(looked)
            self._unsure = [span for span in self._unsure if span not in looked]
            self._missing = joined([*self._missing, *absent])
            for span in looked:
                for there in without(span, absent):
                    self._there_bytes += there[1]
                    self._lost_bytes -= there[1]
                    yield from self._told(there)

    def _told(self, there: Span) -> Iterator[Moved]:
        for new in list(without(there, self._known.told)):
            for offset, size in cut(new, CHUNK_BYTES_MAX):
                digest = self._look.source.sha256((offset, size))
                self._tell((offset, size))
                yield Chunk(offset, size, digest)

    def _tell(self, span: Span) -> None:
        self._known.told[:] = joined([*self._known.told, span])

    def _carried(self) -> Iterator[Moved]:
        """Carry what is missing over several lines at once. After a failure nothing new is begun; what was under
        way is told where it came through, and looked at where it did not."""
        running: dict[Future[Chunk], Carrier] = {}
        failures: list[BaseException] = []
        with ThreadPoolExecutor(LINES, thread_name_prefix="copy") as lines:
            while running or (self._missing and not failures):
                while self._missing and len(running) < self._known.pace.lines and not failures:
                    carrier = self._carrier(self._next())
                    running[lines.submit(self._timed, carrier)] = carrier
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    carrier, error = running.pop(future), future.exception()
                    if error is None:
                        self._there_bytes += carrier.span[1]
                        self._tell(carrier.span)
                        yield future.result()
                        continue
                    failures.append(error)
                    self._unsure.append(carrier.span)
                    self._lost_bytes += carrier.moved_bytes
                    self._known.pace.failed()
        if failures:
            raise next((error for error in failures if not isinstance(error, ClusterUnreachable)), failures[0])

    def _next(self) -> Span:
        offset, left = self._missing.pop(0)
        size = min(left, self._known.pace.chunk_bytes)
        if left > size:
            self._missing.insert(0, (offset + size, left - size))
        return offset, size

    def _timed(self, carrier: Carrier) -> Chunk:
        began = time.monotonic()
        chunk = carrier.carry()
        self._known.pace.carried(chunk.size_bytes, time.monotonic() - began)
        return chunk


def fact_of(moved: Moved, at: At, pod: str, path: str, chunk: type[ev.FileChunkCopied] = ev.FileChunkCopied) -> ev.EffectFact:
    """What the journal keeps of it."""
    if isinstance(moved, Interruption):
        return ev.CopyInterrupted(**at, pod=pod, path=path, reason=moved.reason, wasted_bytes=moved.wasted_bytes)
    return chunk(
        **at, pod=pod, path=path, offset_bytes=moved.offset_bytes, size_bytes=moved.size_bytes, sha256=moved.sha256
    )


def finish(run: Run, part: str, path: str, sha256: str) -> None:
    """Rename the whole file into place, if its digest is right."""
    ran = run(scripts.argv(scripts.FINISH, part, path, sha256), b"")
    if ran.code == 10:
        run(scripts.argv(scripts.REMOVE, part), b"")
        raise ClusterUnreachable(f"{path}: {ran.complaint}")
    if ran.code:
        raise ClusterRefused(f"{path} could not be put in place: {ran.complaint}")
