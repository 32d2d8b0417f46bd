"""Stretches of a file: which of its bytes are known, in whatever order and however often they came. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Span = tuple[int, int]  # offset and size in bytes


def joined(spans: Iterable[Span]) -> list[Span]:
    """The same bytes in order, each once: neighbours and what overlaps are one span."""
    known: list[Span] = []
    for offset, size in sorted(spans):
        if known and offset <= sum(known[-1]):
            known[-1] = (known[-1][0], max(sum(known[-1]), offset + size) - known[-1][0])
        else:
            known.append((offset, size))
    return known


def without(span: Span, known: Iterable[Span]) -> Iterator[Span]:
    """What of a span none of the known ones holds. These are joined."""
    at, end = span[0], sum(span)
    for offset, size in known:
        if at < min(offset, end):
            yield at, min(offset, end) - at
        at = max(at, offset + size)
        if at >= end:
            break
    if at < end:
        yield at, end - at


def cut(span: Span, size_bytes: int) -> Iterator[Span]:
    """The span in pieces of at most so many bytes."""
    start, end = span[0], sum(span)
    for offset in range(start, end, size_bytes):
        yield offset, min(size_bytes, end - offset)


def size_of(spans: Iterable[Span]) -> int:
    return sum(size for _, size in spans)
