"""restore report: a run told from its journal, as one HTML file or as a document."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from commands import printer, wiring
from commands.looking import Out, write_file
from commands.options import JournalPath, Run


class ReportFormat(enum.StrEnum):
    html = "html"
    markdown = "markdown"


def report(
    run: Run,
    out: Out = None,
    format_: Annotated[ReportFormat, typer.Option("--format", help="A page, or a document to go on writing in.")] = ReportFormat.html,
    journal: JournalPath = None,
) -> None:
    """Tell a run: what happened when, what changed, what was verified, who decided, how it is taken back.

    The page is one file: it loads nothing, opens from a mail, and prints. It holds what the journal holds.

    Exit status: 0 done, 2 the file cannot be written, 10 unknown run, 12 journal damaged.
    """
    from orchestrator.forensics.markdown import document
    from orchestrator.forensics.page.document import page
    from orchestrator.forensics.proving import prove
    from orchestrator.forensics.reading import history, story

    ledger = wiring.open_journal(journal, write=False)
    told = story(run, history(ledger, run).facts)
    proof = prove(ledger, run).sentence()
    text = page(told, proof) if format_ is ReportFormat.html else document(told, proof)
    if out is None:
        printer.say(text.rstrip("\n"))
        return
    write_file(out, text.encode())
    printer.tell(f"report of {run}: {out}")
