"""restore diff: two restores side by side, or one at two of its facts."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands import printer, wiring
from commands.looking import place_of
from commands.options import JournalPath, Output, OutputAs
from orchestrator.errors import UsageWrong

if TYPE_CHECKING:
    from orchestrator.forensics.comparison import Side

Place = Annotated[str, typer.Argument(metavar="RUN[@SEQ]", help="A run, or a run as it stood at a fact.")]


def diff(
    left: Place,
    right: Place,
    everything: Annotated[bool, typer.Option("--all", help="Also what is the same in both.")] = False,
    journal: JournalPath = None,
    output: OutputAs = Output.table,
) -> None:
    """Hold two restores against each other, or one against itself at another fact.

    `RUN@40 RUN@80` shows what happened between two facts; `RUN1 RUN2` two restores of one plan: outcomes,
    durations, retries, decisions. Exit status: 0 whatever differs, 2 no such fact, 10 unknown run.
    """
    from orchestrator.forensics.comparison import compare

    one, other = (side_of(text, journal) for text in (left, right))
    rows = compare(one, other)
    shown = rows if everything else [row for row in rows if row.is_different]
    if output is not Output.table:
        printer.document(
            {"left": one.label, "right": other.label,
             "rows": [{**asdict(row), "is_different": row.is_different} for row in shown]}, output
        )
        return
    table = [(row.step or "run", row.about, row.left, row.right) for row in shown]
    printer.table(("STEP", "ABOUT", one.label, other.label), table)
    if not any(row.is_different for row in rows):
        printer.say("nothing is different")


def side_of(text: str, journal: Path | None) -> Side:
    from orchestrator.forensics.comparison import Side
    from orchestrator.forensics.reading import history, story

    run, at = place_of(text)
    facts = history(wiring.open_journal(journal, write=False), run).facts
    if at is not None and not 1 <= at <= len(facts):
        raise UsageWrong(f"{run} has {len(facts)} facts, from 1", hint=f"restore log {run}")
    return Side(run if at is None else text, story(run, facts[:at]))
