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
    from journal import Journal
    from orchestrator.cluster.live import LiveCluster
    from orchestrator.events import Fact
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
    tell_what_is_seen_otherwise(ledger, loaded)
    if loaded.state.phase == "forward":
        same_bundle(loaded, bundle)
    with wiring.cluster_of(loaded, bundle, kubeconfig, context, hint=f"restore resume {run} --kubeconfig FILE") as cluster:
        introduce(ledger, loaded, cluster, to_resume(loaded.state))
        state = carry(ledger, cluster, run, loaded.plan, with_patience(to_resume, patience or 0.0), verbose=verbose)
    ended(ledger, run, state, output)


def introduce(ledger: Journal, loaded: Loaded, cluster: LiveCluster, facts: list[Fact]) -> None:
    """What is finished, in doubt, left, and what is found of the steps in doubt, before anything is done.

    Not of a run that somebody else carries: it is at another place with each look.
    """
    from orchestrator.cluster.live import LiveCluster
    from orchestrator.foresight import doubts, in_doubt

    if ledger.carrier_of(loaded.run):
        return
    steps, names = loaded.state.steps, in_doubt(loaded.state)
    done = [n for n, s in steps.items() if s.status in ("finished", "skipped", "restored", "untouched")]
    left = len(steps) - len(done) - len(names)
    printer.tell(f"run {loaded.run}: {len(done)} steps ended, {len(names)} in doubt, {left} left")
    if names:
        with LiveCluster(cluster.connection, cluster.bundle) as looking:
            for doubt in doubts(loaded, looking, facts):
                printer.tell(f"  in doubt  {doubt.say()}")
            looking.execs.give_up()
