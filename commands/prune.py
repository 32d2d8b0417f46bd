"""restore prune: remove old runs from the journal; the end of each chain stays, and the removal is a fact."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands import printer, wiring
from commands.looking import span_of
from commands.options import JournalPath, Output, OutputAs, Yes

if TYPE_CHECKING:
    from datetime import datetime

    from journal import Journal, Outline


def prune(
    older_than: Annotated[str, typer.Option(metavar="AGE", help="Runs whose last fact is older: 30d, 4w.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed; remove nothing.")] = False,
    compact: Annotated[bool, typer.Option("--compact", help="Then make the file smaller: rewrites it, locked meanwhile.")] = False,
    journal: JournalPath = None,
    yes: Yes = False,
    output: OutputAs = Output.table,
) -> None:
    """Remove runs that have ended from the journal. What is removed can no longer be taken back or reported on.

    Of each run its id, times and chain head stay, and the removal itself is a fact that `restore log journal`
    shows. Runs that have not ended are never removed.

    Exit status: 0 done, 2 the age is none, 4 not confirmed, 10 unknown journal, 11 --compact while a run is
    carried, 12 journal damaged.
    """
    from orchestrator.clock import SystemClock
    from orchestrator.runs import explained, user

    age, now = span_of(older_than), SystemClock().now()
    ledger = wiring.open_journal(journal, write=not dry_run)
    with explained():
        old = [one for one in ledger.outlines() if is_old(one, now, age)]
    if old and not dry_run:
        wiring.confirm(
            f"Remove the facts of {counted(old)}? They can no longer be rolled back, reported on or replayed.", yes=yes
        )
        if compact:
            refuse_while_carried(ledger)
        with explained():
            for one in old:  # a transaction each: a restore that goes on meanwhile has to be able to write
                ledger.prune([one.run], actor=user(), now=now)
            if compact:
                ledger.compact()
    show(ledger, old, output, dry_run=dry_run)


def is_old(run: Outline, now: datetime, age: timedelta) -> bool:
    """A run that has not ended may still have to be gone on with, however old it is."""
    from datetime import datetime

    from orchestrator.runs import ENDINGS

    return run.last_type in ENDINGS and datetime.fromisoformat(run.last_at) < now - age


def refuse_while_carried(ledger: Journal) -> None:
    """Rewriting the file keeps it locked for as long as that takes; a run that cannot write stops."""
    from journal import holder_in_words
    from orchestrator.errors import RunHeldElsewhere

    for one in ledger.outlines():
        if carrier := ledger.carrier_of(one.run):
            raise RunHeldElsewhere(
                f"{holder_in_words(carrier)} carries {one.run}: --compact would keep the journal from it",
                hint=f"restore status {one.run} --watch",
            )


def counted(runs: list[Outline]) -> str:
    return f"{len(runs)} run{'' if len(runs) == 1 else 's'} ({sum(one.facts for one in runs)} facts)"


def show(ledger: Journal, old: list[Outline], output: Output, *, dry_run: bool) -> None:
    from journal import OWN_CHAIN

    head = ledger.head(OWN_CHAIN)
    document: dict[str, Any] = {
        "dry_run": dry_run, "runs": [{"run": one.run, "facts": one.facts, "last_at": one.last_at} for one in old],
        "journal_head": f"{head.seq}:{head.digest}" if head else "",
    }
    if output is not Output.table:
        printer.document(document, output)
        return
    printer.table(("RUN", "FACTS", "LAST FACT"), [(one.run, one.facts, one.last_at) for one in old])
    printer.say(f"{'would remove' if dry_run else 'removed'} {counted(old)}")
    if head and not dry_run:
        printer.say(f"head of the journal's own chain {head.seq}:{head.digest}")
