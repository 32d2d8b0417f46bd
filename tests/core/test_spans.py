"""Spans against sets of bytes, which are slow and plain."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.spans import Span, cut, joined, size_of, without

SPAN = st.tuples(st.integers(0, 20), st.integers(1, 8))
SPANS = st.lists(SPAN, max_size=6)


def bytes_of(*spans: Span) -> set[int]:
    return {at for offset, size in spans for at in range(offset, offset + size)}


@given(SPANS)
def test_joined_spans_hold_the_same_bytes_in_order_and_never_touch(spans: list[Span]) -> None:
    known = joined(spans)
    assert bytes_of(*known) == bytes_of(*spans)
    assert size_of(known) == len(bytes_of(*spans))
    assert all(sum(one) < other[0] for one, other in pairwise(known))


@given(SPAN, SPANS)
def test_without_what_is_known_the_rest_of_a_span_is_left(span: Span, known: list[Span]) -> None:
    left = list(without(span, joined(known)))
    assert bytes_of(*left) == bytes_of(span) - bytes_of(*known)
    assert size_of(left) == len(bytes_of(*left))


@given(SPAN, st.integers(1, 9))
def test_the_pieces_of_a_span_are_the_span(span: Span, size: int) -> None:
    pieces = list(cut(span, size))
    assert joined(pieces) == [span]
    assert size_of(pieces) == span[1]
    assert all(piece <= size for _, piece in pieces)
