"""What `decide` may return: a closed union, one class a move."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Probe:
    """Look at a step: before doing it, after doing it, after a crash. Waits first when it was busy.

    gives_up: why it has failed where it is still found busy; "" as long as there is patience with it.
    """

    step: str
    is_poll: bool = False
    gives_up: str = ""


@dataclass(frozen=True, slots=True)
class Do:
    step: str


@dataclass(frozen=True, slots=True)
class Undo:
    step: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Put the question to a person, once."""

    step: str
    question: str
    choices: tuple[str, ...] = ("done", "not-done", "skip")


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Record that this step has failed for this time; other lanes go on."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class Close:
    """Nothing can run any more: finished, rolled back, or paused for what it needs."""

    outcome: str
    reason: str = ""
    needs: str = "resume"


Move = Probe | Do | Undo | Ask | GiveUp | Close
