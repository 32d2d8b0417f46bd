"""The only module that prints. Results go to stdout, progress and messages to stderr.

One line a step, when it ends; -v shows every fact. On a terminal commands/lanes_table.py draws below them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from commands.options import Output

if TYPE_CHECKING:
    from orchestrator.events import Entry, Fact
    from orchestrator.plan import Plan


class OutputLost(Exception):
    """The result has nowhere to go: a full disk behind stdout."""


def say(text: str = "") -> None:
    """A line of the result. Raises OutputLost, and BrokenPipeError for a reader who has seen enough."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputLost(error.strerror) from error


def say_if_heard(text: str) -> None:
    """A line of the result that must not stop a run when nobody listens."""
    with suppress(OutputLost, BrokenPipeError):
        say(text)


def tell(text: str) -> None:
    """A line beside the result: progress, a remark, an error. A terminal that is gone stops no run."""
    with suppress(OSError, ValueError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def progress(text: str) -> None:
    """On a terminal a line whose place the next one takes; elsewhere nothing. "" takes it away."""
    with suppress(OSError, ValueError):
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()


def let_go() -> None:
    """At the end Python flushes once more, and would end with a code of its own where nobody listens any more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def document(value: object, output: Output) -> None:
    """One JSON or YAML document, and nothing else."""
    if output.value == "yaml":
        import yaml

        say(yaml.safe_dump(json.loads(json.dumps(value)), sort_keys=False, allow_unicode=True).rstrip())
    else:
        say(json.dumps(value, indent=2, ensure_ascii=False))


def table(header: Sequence[str], rows: Iterable[Sequence[object] | str]) -> None:
    """Columns as kubectl prints them. A row that is a text is a line across the table, with the text on it."""
    lines = [list(header), *(row if isinstance(row, str) else [str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines if isinstance(line, list)) for i in range(len(header))]
    for line in lines:
        if isinstance(line, str):
            say(f"{'─' * 3} {line} ".ljust(sum(widths) + 3 * (len(widths) - 1), "─"))
        else:
            say("   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def error(message: str, stands: str = "", hint: str = "") -> None:
    """What happened, where the run stands, and what to type next."""
    tell(f"restore: error: {message}")
    if stands:
        tell(f"restore: {stands}")
    if hint:
        tell(f"restore: hint: {hint}")


class Reading:
    """Hears how far the reading of a file is; says so at every tenth of one that takes long."""

    LARGE_BYTES = 256 * 1024 * 1024

    def __init__(self) -> None:
        self.tenths: dict[str, int] = {}

    def __call__(self, name: str, done_bytes: int, total_bytes: int) -> None:
        if total_bytes < self.LARGE_BYTES:
            return
        tenths = 10 * done_bytes // total_bytes
        if tenths > self.tenths.get(name, 0):
            self.tenths[name] = tenths
            tell(f"  {'reading':<9} {name}: {tenths * 10:3} % of {total_bytes} bytes")


class Progress:
    """Hears every fact as it becomes durable; says what a person wants to see of it."""

    def __init__(self, plan: Plan, *, verbose: bool, tell: Callable[[str], None] = tell) -> None:
        self.plan = plan
        self.verbose = verbose
        self.tell = tell
        self.begun: dict[str, float] = {}
        self.waiting: dict[str, Waiting] = {}

    def __call__(self, entry: Entry) -> None:
        fact = entry.fact
        step = getattr(fact, "step", "")
        self.note(step, fact, entry.recorded_at.timestamp())
        if step:
            self.begun.setdefault(step, entry.recorded_at.timestamp())
        if self.verbose:
            self.tell(line_of(entry))
        elif fact.name in ENDINGS:
            seconds = entry.recorded_at.timestamp() - self.begun.pop(step)
            title = self.plan.step(step).title
            self.tell(f"  {ENDINGS[fact.name]:<9} {title:<58} {seconds:6.1f} s")
        elif fact.name in REMARKS:
            self.tell(f"  {'...':<9} {step}: {fact.sentence()}" if step else f"  {'...':<9} {fact.sentence()}")


    def note(self, step: str, fact: Fact, at: float) -> None:
        """What a step waits for, until something else is told of it. A journal has a wait once, as long as its reason stays."""
        if fact.name == "StepFoundBusy":
            begun = self.waiting[step].since if step in self.waiting else at
            self.waiting[step] = Waiting(fact.sentence(), begun, at)
        elif not step:
            self.waiting.clear()
        else:
            self.waiting.pop(step, None)

    def remind(self, now: float) -> None:
        """Say again what has been waited for in silence."""
        for step, waiting in list(self.waiting.items()):
            if now - waiting.told >= SILENT_SECONDS:
                self.waiting[step] = waiting._replace(told=now)
                self.tell(f"  {'...':<9} {step}: {waiting.sentence}, for {now - waiting.since:.0f} s")


class Waiting(NamedTuple):
    sentence: str
    since: float
    told: float


SILENT_SECONDS = 60.0
ENDINGS: Mapping[str, str] = {"StepFoundDone": "done", "StepFoundRestored": "restored", "StepFailed": "failed"}
REMARKS = frozenset(
    {"RetryScheduled", "StepFoundTorn", "DriftFound", "VerificationPassed", "VerificationFailed", "RunPaused",
     "StepFoundGone", "SafetyCopyLost"}
)


def line_of(entry: Entry) -> str:
    """A fact as one line of the log."""
    step = getattr(entry.fact, "step", "")
    subject = f"{step}: " if step else ""
    return f"{entry.seq:>5}  {entry.recorded_at:%Y-%m-%d %H:%M:%S}Z  {subject}{entry.fact.sentence()}"
