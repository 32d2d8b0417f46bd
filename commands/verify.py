"""restore verify: is this journal the one that was written?"""

from __future__ import annotations

import re
from typing import Annotated

import typer

from commands import printer, wiring
from commands.options import JournalPath, Output, OutputAs, Run
from orchestrator.errors import JournalBroken, UsageWrong


def verify(
    run: Run,
    anchor: Annotated[
        str, typer.Option(metavar="HEAD", help="A journal head that was noted elsewhere.", show_default=False)
    ] = "",
    journal: JournalPath = None,
    output: OutputAs = Output.table,
) -> None:
    """Recompute the digest chain, and check that every fact could follow the one before.

    Exit status: 0 when the run's facts are as they were written, 12 when they are not.
    """
    from orchestrator.runs import explained, load

    digest = anchor.rpartition(":")[2]  # the Lease notes it as SEQ:DIGEST
    if anchor and not re.fullmatch("[0-9a-f]{64}", digest):
        raise UsageWrong(f"{anchor} is no journal head: it has 64 hexadecimal digits", hint=f"restore status {run}")
    ledger = wiring.open_journal(journal, write=False)
    with explained(run):
        verdict = ledger.verify(run, anchor=digest or None)
    found = {"run": run, "status": verdict.status, "seq": verdict.seq, "reason": verdict.reason,
             "facts": verdict.facts, "head": verdict.head}
    illegal = None
    if verdict.status == "ok":
        try:
            load(ledger, run)
        except JournalBroken as error:
            illegal = error
            found |= {"status": "broken", "reason": error.message}
    if output is not Output.table:
        printer.document(found, output)
    elif found["status"] == "ok":
        printer.say(f"OK: {verdict.facts} facts, chain unbroken, every transition legal; head {verdict.head}")
    if illegal is not None:
        raise illegal
    if verdict.status != "ok":
        where = f" at fact {verdict.seq}" if verdict.seq is not None else ""
        raise JournalBroken(
            f"the journal of {run} is {verdict.status}{where}: {verdict.reason}",
            hint=f"restore log {run}",
        )
