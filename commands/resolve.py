"""restore resolve: a person says what no probe can tell, and the answer is a fact with a name and a reason."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from commands import printer, wiring
from commands.options import JournalPath, Output, OutputAs, Run
from orchestrator.errors import UsageWrong


class Verdict(enum.StrEnum):
    done = "done"
    not_done = "not-done"
    skip = "skip"


def resolve(
    run: Run,
    step: Annotated[str, typer.Argument(metavar="STEP", help="The step that waits for a decision.")],
    as_: Annotated[Verdict, typer.Option("--as", help="What is true of it.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the journal.")],
    journal: JournalPath = None,
    output: OutputAs = Output.table,
) -> None:
    """Decide about a step that is in doubt; `restore resume`, or `restore rollback`, goes on from there.

    Exit status: 0 recorded, 2 no reason was given, 10 unknown run, 11 held by another process, 21 the step waits for no decision.
    """
    from orchestrator.clock import SystemClock
    from orchestrator.events import DecisionRecorded
    from orchestrator.runs import record_decision, refuse_unsound, user

    if not reason.strip():
        raise UsageWrong("whoever decides says why", hint=f"restore status {run}")
    ledger = wiring.open_journal(journal, write=True)
    loaded = refuse_unsound(ledger, run)
    if step not in loaded.state.steps:
        raise UsageWrong(f"{run} has no step {step}", hint=f"restore status {run}")
    fact = DecisionRecorded(step=step, verdict=as_.value, reason=reason, by=user())
    record_decision(ledger, SystemClock(), run, fact)
    if output is not Output.table:
        printer.document(fact.model_dump(mode="json"), output)
    else:
        printer.say(f"recorded: step {step} is {as_.value}; go on with: {wiring.going_on(run, loaded.state)}")
