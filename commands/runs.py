"""restore runs: every run in the journal, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands import printer, wiring
from commands.options import JournalPath, Output, OutputAs
from orchestrator.errors import JournalBroken, RunUnknown

if TYPE_CHECKING:
    from journal import Journal


def runs(
    limit: Annotated[int, typer.Option(help="How many, the newest; 0 for all.", min=0)] = 20,
    journal: JournalPath = None,
    output: OutputAs = Output.table,
) -> None:
    """List the runs in the journal, newest first."""
    left = 0
    try:
        ledger = wiring.open_journal(journal, write=False)
    except RunUnknown:
        if journal is not None:  # a path that was named has to be there
            raise
        rows = []
    else:
        names = ledger.runs()
        rows = [summary_of(ledger, name) for name in names[: limit or None]]
        left = len(names) - len(rows)
    if left:
        printer.tell(f"restore: {left} older runs are not shown: restore runs --limit 0")
    if output is not Output.table:
        printer.document(rows, output)
        return
    header = ("RUN", "STATE", "STEPS", "FACTS", "OPENED", "NAMESPACE")
    printer.table(
        header,
        [
            (r["run"], r["state"], f"{r['ended']}/{len(r['steps'])}", r["facts"], r["opened_at"], r["namespace"])
            for r in rows
        ],
    )


def summary_of(ledger: Journal, run: str) -> dict[str, Any]:
    """A run that cannot be read does not hide the others."""
    from commands.status import summary
    from orchestrator.forensics.reading import standing
    from orchestrator.state import RunState

    try:
        return summary(ledger, run, standing(ledger, run))
    except JournalBroken as error:
        return summary(ledger, run, RunState(closed="damaged", reason=error.message))
