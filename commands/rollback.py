"""restore rollback: take back what a run did, newest first."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from commands import printer, wiring
from commands.carrying import carry
from commands.options import Context, JournalPath, Kubeconfig, Output, OutputAs, Patience, Run, Verbose, Yes
from commands.plan import reversed_order
from commands.replay import tell_what_is_seen_otherwise
from commands.resume import introduce
from commands.run import ended
from orchestrator.errors import ClusterRefused, ClusterUnreachable, UsageWrong

if TYPE_CHECKING:
    from orchestrator.cluster.live import LiveCluster
    from orchestrator.events import Fact
    from orchestrator.runs import Loaded


def rollback(
    run: Run,
    to: Annotated[str, typer.Option(metavar="STEP", help="Back to before this step.", show_default=False)] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; do nothing.")] = False,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    journal: JournalPath = None,
    yes: Yes = False,
    patience: Patience = None,
    verbose: Verbose = False,
    output: OutputAs = Output.table,
) -> None:
    """Take back what a run did, from its recorded pictures, newest first. Can be resumed like a run.

    Exit status: 0 everything is back, 4 a decision is needed, 5 some steps are not back, 10 unknown run,
    11 held by another process, 12 journal damaged, 13 carried by a newer version, 30/31 cluster.
    """
    from orchestrator.runs import refuse_over_a_newer_run, refuse_unsound, to_roll_back, with_patience

    ledger = wiring.open_journal(journal, write=True)
    loaded = refuse_unsound(ledger, run)
    if loaded.state.closed == "rolled back" and (not loaded.state.in_place or loaded.state.cleanup):
        ended(ledger, run, loaded.state, output)
        return
    if to and to not in loaded.state.steps:
        raise UsageWrong(f"{run} has no step {to}", hint=f"restore status {run}")
    refuse_over_a_newer_run(ledger, loaded)
    tell_what_is_seen_otherwise(ledger, loaded)
    turn = to_roll_back(to)
    with wiring.cluster_of(loaded, None, kubeconfig, context, hint=f"restore rollback {run} --kubeconfig FILE") as cluster:
        cluster.copies.directory = wiring.copies_of(ledger)
        if not dry_run or output is Output.table:
            tell_the_keys(loaded, cluster)
        if dry_run:
            show(loaded, cluster, turn(loaded.state), output)
            return
        lost = irreversible(loaded)
        kept = f" {', '.join(lost)} cannot be taken back: the rollback stops there and asks." if lost else ""
        wiring.confirm(f"Take back {run}? What was written to the restored databases since is lost.{kept}", yes=yes)
        if loaded.state.closed != "finished":  # there nothing is in doubt
            introduce(ledger, loaded, cluster, turn(loaded.state))
        state = carry(ledger, cluster, run, loaded.plan, with_patience(turn, patience or 0.0), verbose=verbose)
    ended(ledger, run, state, output)


def tell_the_keys(loaded: Loaded, cluster: LiveCluster) -> None:
    """Before it is confirmed: what was written to a Redis since goes with the rollback."""
    from orchestrator.foresight import keys_since

    with suppress(ClusterUnreachable, ClusterRefused):
        for line in keys_since(loaded, cluster):
            printer.tell(f"restore: {line}; what was written to it since is lost by the rollback")


def irreversible(loaded: Loaded) -> list[str]:
    """Steps that were begun, and that nothing can take back."""
    steps = loaded.state.steps
    begun = [s for s in loaded.plan.steps if steps[s.id].before is not None]
    return [s.id for s in begun if s.way_back == "irreversible" or steps[s.id].is_copy_lost]


def show(loaded: Loaded, cluster: LiveCluster, facts: list[Fact], output: Output) -> None:
    """What a rollback would do now, step by step, with the fact that each value comes from."""
    from orchestrator.foresight import foresee

    foreseen = foresee(loaded, cluster, facts, reversed_order(loaded.plan))
    if output is not Output.table:
        printer.document(foreseen, output)
        return
    rows: list[tuple[object, ...] | str] = []
    for f in foreseen:
        if f["way_back"] == "nothing" and not f["effects"]:
            continue
        if f["way_back"] == "irreversible":
            rows.append(f"no way back: {f['step']}, {f['note']}")
        found = f["standing"] + (f": {f['reason']}" if f["reason"] else "")
        first, *more = f["effects"] or [f["note"]]
        rows.append((f["step"], found, f["from_fact"] or "-", first))
        rows += [("", "", "", effect) for effect in more]
    printer.table(("STEP", "FOUND NOW", "FROM FACT", "WOULD DO"), rows)
    printer.say(f"{len(foreseen)} steps, newest first; each value is that of the fact named beside it")
