"""What somebody else has changed: each value before this run, as it was left, and now. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ABSENT = "absent"
CHARS_MAX = 200
# What changes by itself: which pod serves, how often something was looked at or written, what it waits for.
PASSING = frozenset(
    {
        "pod", "pods", "container", "generation", "revision", "resource_version", "config_version", "waiting_for", "stage",
        "is_complete", "now_ms", "connections", "done_bytes", "parents", "stash", "state", "code", "complaint",
    }
)


@dataclass(frozen=True, slots=True)
class Drifted:
    """One value that is not as it was left. Texts of many lines are cut down to the lines that are not in all three."""

    path: str
    before: str
    left: str
    now: str

    def say(self) -> str:
        return f"{self.path}: {self.before} before, {self.left} as this run left it, {self.now} now"


def three_way(
    before: Mapping[str, Any] | None, left: Mapping[str, Any] | None, now: Mapping[str, Any] | None
) -> tuple[Drifted, ...]:
    """The values that are not as they were left; where it is not known how they were left, not as before."""
    then, kept, found = (dict(flat(picture or {})) for picture in (before, left, now))
    against = kept or then
    paths = [path for path in dict.fromkeys([*against, *found]) if against.get(path, ABSENT) != found.get(path, ABSENT)]
    return tuple(
        Drifted(path, *shortened(then.get(path, ABSENT), kept.get(path, ABSENT) if kept else "not known", found.get(path, ABSENT)))
        for path in paths if path.rpartition(".")[2].partition("[")[0] not in PASSING
    )  # fmt: skip


def shortened(*texts: str) -> tuple[str, ...]:
    """Of texts with many lines, the lines that are not in all of them."""
    if not any("\n" in text for text in texts):
        return tuple(text[:CHARS_MAX] for text in texts)
    common = set.intersection(*(set(text.splitlines()) for text in texts if "\n" in text))
    return tuple("; ".join(line for line in text.splitlines() if line and line not in common)[:CHARS_MAX] or "nothing of it" for text in texts)


def flat(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf of a picture as (path, text). An empty mapping or list is a leaf: absent is another thing."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple) and value:
        for number, inner in enumerate(value):
            yield from flat(inner, f"{path}[{number}]")
    elif path:
        yield path, value if isinstance(value, str) and value else json.dumps(value)
