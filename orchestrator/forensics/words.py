"""Times, sizes and pictures as a person reads them; and what is different between two pictures. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from orchestrator.drift import flat
from orchestrator.events import Json

ABSENT = "absent"


def duration(seconds: float | None) -> str:
    """`0.4 s`, `3 min 12 s`, `2 h 05 min`."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def size(count_bytes: int) -> str:
    """`512 bytes`, `463 KiB`, `1.5 GiB`."""
    value, units = float(count_bytes), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "bytes" or value >= 100 else f"{value:.1f} {units[0]}"


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "es" if noun.endswith(("s", "sh")) else "s")


@dataclass(frozen=True, slots=True)
class Change:
    """A value that is not the same in two pictures, by its path. `lines` is set for a long text: + and - lines."""

    path: str
    before: str
    after: str
    lines: tuple[str, ...] = ()


def changes(before: Json | None, after: Json | None) -> list[Change]:
    """What is different, in the order of the first picture."""
    ours, theirs = dict(flat(before or {})), dict(flat(after or {}))
    found = []
    for path in dict.fromkeys([*ours, *theirs]):
        a, b = ours.get(path, ABSENT), theirs.get(path, ABSENT)
        if a != b and not is_told_below(path, ours, theirs):
            found.append(Change(path, a, b, line_changes(a, b) if "\n" in a + b else ()))
    return found


def is_told_below(path: str, ours: Mapping[str, str], theirs: Mapping[str, str]) -> bool:
    """A value that was null on one side, and has parts on the other: the parts tell it."""
    leaf = ours.get(path, theirs.get(path))
    below = (f"{path}.", f"{path}[")
    return leaf == "null" and any(other.startswith(below) for other in (*ours, *theirs))


def line_changes(before: str, after: str) -> tuple[str, ...]:
    old = [] if before == ABSENT else before.splitlines()
    new = [] if after == ABSENT else after.splitlines()
    lines = difflib.unified_diff(old, new, lineterm="", n=1)
    return tuple(line for line in lines if not line.startswith(("---", "+++")))
