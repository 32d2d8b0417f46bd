"""restore resume: go on from the journal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands import printer, wiring
from commands.carrying import carry
from commands.options import Context, JournalPath, Kubeconfig, Output, OutputAs, Patience, Run, Verbose
from commands.replay import tell_what_is_seen_otherwise
from commands.run import ended

if TYPE_CHECKING:
    from orchestrator.runs import Loaded


def resume(
    run: Run,
    bundle: Annotated[Path | None, typer.Option(help="The bundle, where it has been moved.")] = None,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    journal: JournalPath = None,
    patience: Patience = None,
    verbose: Verbose = False,
    output: OutputAs = Output.table,
) -> None:
    """Go on from the journal: shows what is finished, in doubt and left, then carries on.

    Where another version of this program has carried the run, each place where this one would have decided
    otherwise is shown first. A run that a newer version has carried is refused.

    Exit status: 0 done, 3 stopped, 4 a decision is needed, 6 verification failed, 10 unknown run, 11 held
    by another process, 12 journal damaged, 13 journal too new, 21 another cluster or bundle, 30/31 cluster.
    """
    from orchestrator.runs import (
        refuse_over_a_newer_run,
        refuse_unsound,
        same_bundle,
        to_resume,
        with_patience,
    )

    ledger = wiring.open_journal(journal, write=True)
    loaded = refuse_unsound(ledger, run)
    if loaded.state.closed in ("finished", "rolled back"):
        ended(ledger, run, loaded.state, output)
        return
    refuse_over_a_newer_run(ledger, loaded)
    introduce(loaded)
    tell_what_is_seen_otherwise(ledger, loaded)
    if loaded.state.phase == "forward":
        same_bundle(loaded, bundle)
    with wiring.cluster_of(loaded, bundle, kubeconfig, context) as cluster:
        state = carry(ledger, cluster, run, loaded.plan, with_patience(to_resume, patience or 0.0), verbose=verbose)
    ended(ledger, run, state, output)


def introduce(loaded: Loaded) -> None:
    """What is finished, in doubt, left, before anything is done."""
    steps = loaded.state.steps
    done = [n for n, s in steps.items() if s.status in ("finished", "skipped", "restored", "untouched")]
    doubt = [n for n, s in steps.items() if s.is_in_doubt]
    left = len(steps) - len(done) - len(doubt)
    printer.tell(f"run {loaded.run}: {len(done)} steps ended, {len(doubt)} in doubt, {left} left")
    for name in doubt:
        printer.tell(f"  in doubt  {name}: begun, attempt {steps[name].attempt}; it is looked at first")
