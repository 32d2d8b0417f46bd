"""restore runs: every run in the journal, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from commands import printer, wiring
from commands.options import JournalPath, Output, OutputAs
from orchestrator.errors import JournalBroken, RunUnknown

if TYPE_CHECKING:
    from journal import Journal


def runs(journal: JournalPath = None, output: OutputAs = Output.table) -> None:
    """List every run in the journal, newest first."""
    try:
        ledger = wiring.open_journal(journal, write=False)
    except RunUnknown:
        if journal is not None:  # a path that was named has to be there
            raise
        rows = []
    else:
        rows = [summary_of(ledger, name) for name in ledger.runs()]
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
    from orchestrator.runs import load
    from orchestrator.state import RunState

    try:
        return summary(ledger, run, load(ledger, run).state)
    except JournalBroken as error:
        return summary(ledger, run, RunState(closed="damaged", reason=error.message))
