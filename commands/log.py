"""restore log: the facts of a run, one sentence each."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands import printer, wiring
from commands.options import JournalPath, LogOutput, LogOutputAs, Output, Run

if TYPE_CHECKING:
    from orchestrator.forensics.told import Told

FOLLOW_SECONDS = 0.5

Wanted = Callable[["Told"], bool]


def log(
    run: Run,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run is closed.")] = False,
    step: Annotated[str, typer.Option(help="Facts of this step only.", show_default=False)] = "",
    type_: Annotated[str, typer.Option("--type", help="Facts of this type only.", show_default=False)] = "",
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Facts from this time on: 2026-11-23T03:15:00Z, or 10m for ten minutes ago.",
                          show_default=False)
    ] = "",
    grep: Annotated[
        str, typer.Option(metavar="REGEX", help="Facts whose step or sentence matches only; upper case counts if there is any.",
                          show_default=False)
    ] = "",
    journal: JournalPath = None,
    output: LogOutputAs = LogOutput.table,
) -> None:
    """Print what happened, one sentence a fact, in the order of the journal.

    The columns: the fact's number, local time, UTC, how long its step had been silent, its lane, who recorded it.
    `-o jsonl` gives the facts themselves, one JSON object a line. `restore log journal` tells which runs were
    removed.
    """
    from orchestrator.errors import IllegalFact
    from orchestrator.forensics.reading import refuse_absent, tell
    from orchestrator.state import RunState, evolve

    wanted = filters(run, step, type_, since, grep)
    ledger = wiring.open_journal(journal, write=False)
    show = Shower(output)
    state, seq, steps, types = RunState(), 0, set[str](), set[str]()
    while True:
        for told in tell(ledger, run, after=seq):
            seq = told.seq
            steps.add(told.step)
            types.add(told.type)
            with suppress(IllegalFact):  # such a journal is shown all the same
                state = evolve(state, told.entry)
            show(told, wanted(told))
        if not seq:
            refuse_absent(ledger, run)
        refuse_unknown_words(run, step, steps | set(state.steps), type_, types)
        if not follow or state.closed:
            break
        time.sleep(FOLLOW_SECONDS)
    show.end()


def filters(run: str, step: str, type_: str, since: str, grep: str) -> Wanted:
    """One question from all the options. Raises UsageWrong."""
    from commands.looking import moment_of
    from orchestrator.clock import SystemClock
    from orchestrator.errors import UsageWrong

    start = moment_of(since, SystemClock().now()) if since else None
    try:
        pattern = re.compile(grep, 0 if grep != grep.lower() else re.IGNORECASE)
    except re.error as error:
        raise UsageWrong(f"{grep!r} is no regular expression: {error}", hint=f"restore log {run}") from None

    def wanted(told: Told) -> bool:
        return (
            (not step or told.step == step)
            and (not type_ or told.type == type_)
            and (start is None or told.at >= start)
            and (not grep or pattern.search(f"{told.step}: {told.fact.sentence()}") is not None)
        )

    return wanted


def refuse_unknown_words(run: str, step: str, steps: set[str], type_: str, types: set[str]) -> None:
    """A name that is mistyped finds nothing: say so instead."""
    from orchestrator.errors import UsageWrong
    from orchestrator.events import FACTS

    if step and step not in steps:
        raise UsageWrong(f"{run} has no step {step}", hint=f"restore status {run}")
    if type_ and type_ not in FACTS and type_ not in types:
        raise UsageWrong(f"there is no fact of type {type_}", hint=f"restore log {run} -o jsonl")


class Shower:
    """Shows facts as they come, or all of them at the end."""

    def __init__(self, output: LogOutput) -> None:
        from commands.lines import Lines

        self.output = output
        self.lines = Lines.of_stdout()
        self.documents: list[dict[str, Any]] = []

    def __call__(self, told: Told, is_wanted: bool) -> None:
        from orchestrator.forensics.told import as_document

        took = self.lines.hear(told)
        if not is_wanted:
            return
        if self.output is LogOutput.table:
            printer.say(self.lines.line(told, took))
        elif self.output is LogOutput.jsonl:
            printer.say(json.dumps(as_document(told), ensure_ascii=False))
        else:
            self.documents.append(as_document(told))

    def end(self) -> None:
        if self.output in (LogOutput.json, LogOutput.yaml):
            printer.document(self.documents, Output(self.output.value))
