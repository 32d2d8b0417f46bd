"""restore runs: every run in the journal, newest first."""

from __future__ import annotations

from commands import printer, wiring
from commands.options import JournalPath, Output, OutputAs
from orchestrator.errors import RunUnknown


def runs(journal: JournalPath = None, output: OutputAs = Output.table) -> None:
    """List every run in the journal, newest first."""
    from commands.status import summary
    from orchestrator.runs import load

    try:
        ledger = wiring.open_journal(journal, write=False)
    except RunUnknown:
        rows = []
    else:
        rows = [summary(name, load(ledger, name).state) for name in ledger.runs()]
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
