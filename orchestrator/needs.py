"""What steps need of each other, followed through others. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def needed_by(name: str, needs_of: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Everything that a step needs, directly or through others."""
    found: set[str] = set()
    todo = list(needs_of[name])
    while todo:
        needed = todo.pop()
        if needed not in found:
            found.add(needed)
            todo += needs_of[needed]
    return found


def reached_from(start: str, needs_of: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """A step and every step that needs it, directly or through others."""
    reached = {start}
    grown = True
    while grown:
        more = {s for s, needs in needs_of.items() if s not in reached and reached & set(needs)}
        grown = bool(more)
        reached |= more
    return frozenset(reached)
