"""restore cleanup: remove what a run keeps on the cluster for a way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from commands import printer, wiring
from commands.options import Context, JournalPath, Kubeconfig, Output, OutputAs, Run, Verbose, Yes

if TYPE_CHECKING:
    from orchestrator.cleanup import Left


def cleanup(
    run: Run,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed; remove nothing.")] = False,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    journal: JournalPath = None,
    yes: Yes = False,
    verbose: Verbose = False,
    output: OutputAs = Output.table,
) -> None:
    """Remove what a run keeps on the cluster: safety copies, files set aside, stashes, marks. Then it stays as it is.

    Only a run that is finished or rolled back is cleaned up. One that is finished can no longer be taken back
    afterwards. The Lease `restore` of the namespace stays: it notes the head of the journal.

    Exit status: 0 removed, or nothing was there, 3 something is still there, 4 not confirmed, 10 unknown run,
    11 held by another process, 22 the run has not ended, 30/31 cluster.
    """
    from orchestrator.cleanup import clean_up, leftovers, refuse_before_its_end
    from orchestrator.clock import SystemClock, label
    from orchestrator.cluster.leases import InstallationLease
    from orchestrator.cluster.rest import Rest
    from orchestrator.runs import Session, refuse_unsound

    ledger = wiring.open_journal(journal, write=not dry_run)
    loaded = refuse_unsound(ledger, run)
    refuse_before_its_end(loaded)
    clock = SystemClock()
    try:
        with wiring.cluster_of(loaded, None, kubeconfig, context, hint=f"restore cleanup {run} --kubeconfig FILE") as cluster:
            cluster.copies.directory = wiring.copies_of(ledger)
            found = leftovers(run, loaded.plan, loaded.state, cluster, label(clock.now()))
            if not dry_run and not (loaded.state.cleanup == "finished" and not found):
                lost = f" {run} can no longer be taken back afterwards." if loaded.state.in_place else ""
                wiring.confirm(f"Remove {len(found)} things that {run} keeps on the cluster?{lost}", yes=yes)
                guard = InstallationLease(
                    Rest(cluster.connection), clock.now, lambda text: printer.tell(f"restore: warning: {text}"), may_be_below=True
                )
                heard = printer.Progress(loaded.plan, verbose=verbose)
                clean_up(Session(ledger, cluster, clock, heard=heard, guard=guard, fence=cluster.fence), loaded)
    finally:
        clock.close()
    show(run, found, output, dry_run=dry_run)


def show(run: str, found: Left, output: Output, *, dry_run: bool) -> None:
    """What was, or would be, removed."""
    if output is not Output.table:
        effects = [{"step": step, "removes": effect.say()} for step, effect in found]
        printer.document({"run": run, "dry_run": dry_run, "removed": effects}, output)
        return
    printer.table(("STEP", "WOULD DO" if dry_run else "DONE"), [(step, effect.say()) for step, effect in found])
    printer.say(f"{'would remove' if dry_run else 'removed'} {len(found)} things of {run}")
