"""A fact as one line of the log, and as a terminal's user expects it: colour only there, and its width kept.

In a pipe a fact is one line, whatever its length, without colour. On a terminal the sentence is folded under
itself. NO_COLOR and TERM=dumb are heeded.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from orchestrator.forensics.told import Told

DIM, BOLD, RED, GREEN, YELLOW, PLAIN = "2", "1", "31", "32", "33", "0"
NARROWEST = 30  # a sentence that has less than this beside its columns goes below them
INDENT = 7  # and stands there under the fact's number
COLOURS: Mapping[str, str] = {
    "StepFailed": RED, "StepFoundTorn": RED, "DriftFound": RED, "VerificationFailed": RED, "SafetyCopyLost": RED, "StepFoundGone": YELLOW, "RunPaused": YELLOW,
    "RetryScheduled": YELLOW, "CopyInterrupted": YELLOW, "DecisionAsked": YELLOW, "DecisionRecorded": YELLOW, "StepFoundDone": GREEN,
    "StepFoundRestored": GREEN, "VerificationPassed": GREEN, "RunFinished": BOLD, "RollbackFinished": BOLD,
    "RunOpened": BOLD, "RunResumed": BOLD, "RollbackOpened": BOLD,
}


class Lines:
    """Makes the lines of one log; knows since when each step is silent, and how wide a lane is."""

    def __init__(self, *, colour: bool, width: int | None) -> None:
        self.colour, self.width = colour, width
        self.lanes: dict[str, str] = {}
        self.last: dict[str, datetime] = {}

    @classmethod
    def of_stdout(cls) -> Lines:
        is_terminal = sys.stdout.isatty()
        colour = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return cls(colour=colour, width=shutil.get_terminal_size().columns if is_terminal else None)

    def hear(self, told: Told) -> str:
        """What has to be known of every fact, shown or not; returns how long its step had been silent."""
        if told.type == "RunOpened":
            self.lanes = {str(step["id"]): str(step.get("lane", "")) for step in told.data["plan"]["steps"]}
        before = self.last.get(told.step)
        self.last[told.step] = told.at
        return f"+{(told.at - before).total_seconds():.1f}s" if before else ""

    def line(self, told: Told, took: str) -> str:
        """The fact: its number, local time, UTC, seconds since its step's fact before, lane, who, and the sentence."""
        local = told.at.astimezone()
        lane_width = max((len(lane) for lane in self.lanes.values()), default=0)
        columns = [
            f"{told.seq:>5}", f"{local:%Y-%m-%d %H:%M:%S %z}", f"{told.at:%H:%M:%S}Z", f"{took:>8}",
            f"{self.lanes.get(told.step, ''):<{lane_width}}", told.actor or "-",
        ]
        subject = f"{told.step}: " if told.step else ""
        return self.laid_out(columns, printable(subject + told.fact.sentence()), COLOURS.get(told.type, PLAIN))

    def laid_out(self, columns: list[str], sentence: str, colour: str) -> str:
        """Beside each other where there is room; else the sentence below, and only as many columns as fit."""
        before = "  ".join(columns) + "  "
        if self.width is None:
            return before + sentence
        beside = self.width - len(before) >= NARROWEST
        indent = len(before) if beside else INDENT
        folded = textwrap.wrap(
            sentence, max(self.width - indent, NARROWEST - INDENT), break_on_hyphens=False, break_long_words=False
        )
        below = [" " * indent + self.painted(text, colour) for text in folded[1 if beside else 0 :]]
        if beside:
            return "\n".join([self.painted(before, DIM) + self.painted("".join(folded[:1]), colour), *below])
        while len("  ".join(columns)) > self.width and len(columns) > 2:
            columns = columns[:-1]
        return "\n".join([self.painted("  ".join(columns), DIM), *below])

    def painted(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.colour and colour != PLAIN else text


def printable(text: str) -> str:
    """One line, and nothing that would steer a terminal: a message may come from anywhere."""
    return " ".join("".join(sign if sign.isprintable() or sign.isspace() else "\ufffd" for sign in text).split())
