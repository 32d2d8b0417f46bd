"""Bytes into a pod and out of it, chunk by chunk over several lines at once; the far end is the truth.

In: the part file is written in place, chunk by chunk, in any order. What is there already is found by the
digests that the pod computes of every block of the part, so after a cut only what is missing or wrong travels.
The digest of every chunk is read back from what the file holds. The end is the digest of the whole file,
then a rename. Out: ranges are read with their digest, written to a part here, and compared with the digest
that the pod has of the whole file.

Chunks are as large as what the line carries in a few seconds, so that a cut costs little on a slow line
and few round trips are made on a fast one.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.cluster import scripts
from orchestrator.cluster.execs import Ran
from orchestrator.errors import ClusterRefused, ClusterUnreachable, PlanChanged

BLOCK_BYTES: Final = 256 * 1024  # chunks are made of whole blocks
PIECE_BYTES: Final = 16 * BLOCK_BYTES
CHUNK_BYTES_MAX: Final = 32 * 1024 * 1024
CHUNK_BYTES_FIRST: Final = 1024 * 1024
CHUNK_SECONDS: Final = 3.0
LINES: Final = 4
DISK_EXIT_CODE: Final = 8
NO_TOOL_EXIT_CODE: Final = 11

Run = Callable[[list[str], bytes], Ran]
Span = tuple[int, int]  # offset and size in bytes


@dataclass(frozen=True, slots=True)
class Chunk:
    offset_bytes: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Source:
    """What is copied in: its size, and how to read a range of it."""

    size_bytes: int
    read: Callable[[int, int], bytes]

    @staticmethod
    def of_file(path: Path) -> Source:
        def read(offset: int, size: int) -> bytes:
            with path.open("rb") as file:
                file.seek(offset)
                return file.read(size)

        return Source(path.stat().st_size, read)

    @staticmethod
    def of_bytes(content: bytes) -> Source:
        return Source(len(content), lambda offset, size: content[offset : offset + size])


class Pace:
    """How large the next chunk is to be, by what the lines have carried."""

    def __init__(self) -> None:
        self._lock, self._size_bytes = threading.Lock(), CHUNK_BYTES_FIRST

    def next_bytes(self) -> int:
        with self._lock:
            return self._size_bytes

    def carried(self, size_bytes: int, seconds: float) -> None:
        """At most four times as much as before: one lucky chunk says little."""
        wanted = size_bytes / max(seconds, 0.001) * CHUNK_SECONDS
        with self._lock:
            most = min(CHUNK_BYTES_MAX, self._size_bytes * 4)
            self._size_bytes = max(BLOCK_BYTES, int(min(wanted, most)) // BLOCK_BYTES * BLOCK_BYTES)


def copy_chunks(run: Run, source: Source, part: str) -> Iterator[Chunk]:
    """Bring `part` in the pod to the content of source; yields each chunk when the pod has confirmed it."""

    def send(offset: int, size: int) -> Chunk:
        data = source.read(offset, size)
        digest = hashlib.sha256(data).hexdigest()
        command = scripts.argv(
            scripts.CHUNK, part, str(offset // BLOCK_BYTES), str(len(data)), str(BLOCK_BYTES)
        )
        if len(data) != size:
            raise PlanChanged("a file of the bundle became shorter while it was copied")
        if words(run(command, data), part)[:1] != [digest]:
            raise ClusterUnreachable(f"a chunk of {part} arrived damaged")
        return Chunk(offset, size, digest)

    yield from spread(send, missing_spans(run, source, part, is_ours=True))


def fetch_chunks(run: Run, path: str, size_bytes: int, target: Path) -> Iterator[Chunk]:
    """Bring the file `target` here to the content of `path` in the pod.

    What `target` holds already is kept where the pod's digests say that it is right.
    """
    target.touch(mode=0o600)
    with target.open("r+b") as file:
        file.truncate(size_bytes)
        held, lock = Source.of_file(target), threading.Lock()

        def fetch(offset: int, size: int) -> Chunk:
            ran = run(scripts.argv(scripts.RANGE, path, str(offset), str(size)), b"")
            if ran.code:
                raise ClusterUnreachable(f"{path}: {ran.complaint}")
            data, digest = ran.out[:size], ran.out[size:].split()[:1]
            if not ran.out.endswith(b"end\n") or digest != [hashlib.sha256(data).hexdigest().encode()]:
                raise ClusterUnreachable(f"a chunk of {path} arrived damaged or cut off")
            with lock:
                file.seek(offset)
                file.write(data)
            return Chunk(offset, size, digest[0].decode())

        yield from spread(fetch, missing_spans(run, held, path, is_ours=False))
        file.flush()
        os.fsync(file.fileno())


def spread(work: Callable[[int, int], Chunk], spans: list[Span]) -> Iterator[Chunk]:
    """Carry spans over several lines at once. After a failure nothing new is begun; what was under way is told."""
    pace, running = Pace(), set[Future[Chunk]]()
    failure: BaseException | None = None

    def timed(offset: int, size: int) -> Chunk:
        began = time.monotonic()
        chunk = work(offset, size)
        pace.carried(size, time.monotonic() - began)
        return chunk

    with ThreadPoolExecutor(LINES, thread_name_prefix="copy") as lines:
        while spans or running:
            while spans and len(running) < LINES and failure is None:
                offset, left = spans.pop(0)
                size = min(left, pace.next_bytes())
                if left > size:
                    spans.insert(0, (offset + size, left - size))
                running.add(lines.submit(timed, offset, size))
            if not running:
                break
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                error = future.exception()
                if error is None:
                    yield future.result()
                elif failure is None or not isinstance(failure, ClusterRefused):
                    failure = error
    if failure is not None:
        raise failure


def missing_spans(run: Run, source: Source, part: str, *, is_ours: bool) -> list[Span]:
    """Where source and the pod's file differ. Large pieces are compared first, blocks only where those differ."""
    spans: list[Span] = []
    for offset, size in differing(run, source, part, PIECE_BYTES, (0, source.size_bytes), is_ours=is_ours):
        spans += differing(run, source, part, BLOCK_BYTES, (offset, size), is_ours=is_ours)
    return spans


def differing(
    run: Run, source: Source, part: str, step_bytes: int, span: Span, *, is_ours: bool
) -> list[Span]:
    """The differences within a span, compared step by step; neighbours are one. The span begins at a step."""
    start, end = span[0], sum(span)
    first, last = start // step_bytes, (end + step_bytes - 1) // step_bytes
    numbers = (source.size_bytes, step_bytes, int(is_ours), first, last)
    there = words(run(scripts.argv(scripts.BLOCKS, part, *map(str, numbers)), b""), part)
    spans: list[Span] = []
    for number, offset in enumerate(range(start, end, step_bytes)):
        size = min(step_bytes, end - offset)
        is_there = number < len(there) and there[number] == hashlib.sha256(source.read(offset, size)).hexdigest()
        if is_there:
            continue
        if spans and sum(spans[-1]) == offset:
            spans[-1] = (spans[-1][0], spans[-1][1] + size)
        else:
            spans.append((offset, size))
    return spans


def finish(run: Run, part: str, path: str, sha256: str) -> None:
    """Rename the whole file into place, if its digest is right."""
    ran = run(scripts.argv(scripts.FINISH, part, path, sha256), b"")
    if ran.code == 10:
        run(scripts.argv(scripts.REMOVE, part), b"")
        raise ClusterUnreachable(f"{path}: {ran.complaint}")
    if ran.code:
        raise ClusterRefused(f"{path} could not be put in place: {ran.complaint}")


def words(ran: Ran, path: str) -> list[str]:
    """The answer of a script, whole or not at all."""
    if ran.code == DISK_EXIT_CODE:
        raise ClusterRefused(f"{path} cannot be written in the pod: {ran.complaint}")
    if ran.code == NO_TOOL_EXIT_CODE:
        raise ClusterRefused(f"{path} cannot be compared: {ran.complaint}")
    if ran.code:
        raise ClusterUnreachable(f"{path}: {ran.complaint}")
    found = ran.out.decode("utf-8", "replace").split()
    if not found or found[-1] != scripts.END:
        raise ClusterUnreachable("the pod's answer was cut off")
    return found[:-1]


def unchanged(source: Path, size_bytes: int) -> Path:
    """The bundle's file, as long as it still has the size that the plan knows."""
    try:
        found = source.stat().st_size
    except OSError as error:
        raise PlanChanged(f"{source} of the bundle cannot be read any more: {error.strerror}") from error
    if found != size_bytes:
        raise PlanChanged(f"{source} has {found} bytes; the plan was made for {size_bytes}")
    return source
