"""restore unlock: who holds a run and its installation; and taking it from them, which is a decision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands import printer, wiring
from commands.options import Context, JournalPath, Kubeconfig, Namespace, Output, OutputAs, Run, Yes
from orchestrator.errors import ClusterUnreachable, RestoreError, RunUnknown, UsageWrong

if TYPE_CHECKING:
    from journal import Journal
    from orchestrator.cluster.live import LiveCluster
    from orchestrator.runs import Loaded
    from orchestrator.unlocking import Held, Locks

ALIVE = {True: "alive", False: "dead", None: "not to be seen from here"}


def unlock(
    run: Run,
    steal: Annotated[bool, typer.Option("--steal", help="Take the run from whoever holds it.")] = False,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why it is taken; kept in the journal and on the Lease.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Also from a process of this machine that is alive.")] = False,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    journal: JournalPath = None,
    yes: Yes = False,
    output: OutputAs = Output.table,
) -> None:
    """Show who holds a run and its installation; with --steal, take both from them.

    Whoever held it is refused by the journal, the Lease and the pods from then on, and does nothing more; it is not
    stopped. The decision is a fact of the run. A run whose journal is on another machine is named by the Lease on the
    cluster: it is taken only where that journal is lost for good, as nobody can go on with it or take it back then.

    Exit status: 0 shown or taken, 2 no reason was given, 4 not confirmed, 10 unknown run, 11 its holder is alive,
    12 journal damaged, 21 the run was carried on with another journal, 30/31 cluster.
    """
    from orchestrator.clock import SystemClock
    from orchestrator.cluster.rest import Rest
    from orchestrator.unlocking import locks_of
    from orchestrator.unlocking import steal as take

    if steal and not reason.strip():
        raise UsageWrong("whoever takes a run from somebody says why", hint=f"restore unlock {run} --steal --reason TEXT")
    ledger, loaded = found_here(run, journal, write=steal)
    try:
        cluster = cluster_for(loaded, namespace, kubeconfig, context)
    except UsageWrong as error:  # the kubeconfig is gone, or is none
        if steal or loaded is None:
            raise UsageWrong(error.message, hint=f"restore unlock {run} --kubeconfig FILE") from error
        show(in_journal(run, ledger, loaded, error), output)
        return
    with cluster:
        rest = Rest(cluster.connection)
        locks = looked(run, ledger, loaded, rest, is_needed=steal or loaded is None)
        if loaded is None and not locks.is_open_elsewhere:
            raise RunUnknown(f"neither this journal nor the Lease on the cluster knows a run {run}", hint="restore runs")
        if not steal:
            show(locks, output)
            return
        if locks.held or locks.is_open_elsewhere:
            wiring.confirm(question(locks), yes=yes)
            take(locks, ledger, rest, SystemClock(), reason, force=force)
            ledger, loaded = found_here(run, journal, write=False)
        else:
            printer.tell("restore: note: nobody holds it; nothing was taken")
        show(locks_of(run, ledger, loaded, rest), output)


def found_here(run: str, journal: Path | None, *, write: bool) -> tuple[Journal | None, Loaded | None]:
    """The run as this journal knows it, if it does."""
    from orchestrator.runs import refuse_unsound

    try:
        ledger = wiring.open_journal(journal, write=write)
        return ledger, refuse_unsound(ledger, run)
    except RunUnknown:
        return None, None


def cluster_for(loaded: Loaded | None, namespace: str, kubeconfig: str, context: str) -> LiveCluster:
    """The run's own cluster; for a run that is not known here the one that is named. Nothing is asked of it yet."""
    if loaded is None:
        return wiring.live_cluster(kubeconfig, context, namespace)
    known = loaded.opened.context
    return wiring.live_cluster(
        kubeconfig or str(known.get("kubeconfig", "")),
        context or ("" if kubeconfig else str(known.get("context", ""))),
        str(known.get("namespace", "")),
    )


def looked(run: str, ledger: Journal | None, loaded: Loaded | None, rest: Any, *, is_needed: bool) -> Locks:
    """Both leases; only the journal's where the cluster cannot be asked, and nothing depends on it."""
    from orchestrator.unlocking import locks_of

    try:
        return locks_of(run, ledger, loaded, rest)
    except ClusterUnreachable as error:
        if is_needed:
            raise
        return in_journal(run, ledger, loaded, error)


def in_journal(run: str, ledger: Journal | None, loaded: Loaded | None, error: RestoreError) -> Locks:
    """The journal's lease alone, and why the other one cannot be looked at."""
    from orchestrator.unlocking import locks_of

    printer.tell(f"restore: warning: the Lease on the cluster cannot be looked at: {error.message}")
    return locks_of(run, ledger, loaded, None)


def question(locks: Locks) -> str:
    holder = locks.held[0].say() if locks.held else "nobody"
    if locks.loaded is None:
        return (
            f"Give up run {locks.run}, held by {holder}? Its journal is not here: without it nobody can go on with it or "
            "take it back, and the next run takes what it finds for the original."
        )
    return f"Take run {locks.run} from {holder}? It does nothing more from then on, whatever it is at."


def show(locks: Locks, output: Output) -> None:
    if output is not Output.table:
        printer.document(document(locks), output)
        return
    printer.table(
        ("LEASE", "HOLDER", "IS", "SINCE", "UNTIL", "EPOCH"),
        [(held.where, held.say(), ALIVE[held.is_alive], held.since or "-", held.until or "-", held.epoch) for held in locks.held],
    )
    if locks.lease and locks.lease.run == locks.run and locks.lease.stolen:
        printer.say(f"last taken by {locks.lease.stolen}")
    printer.say(advice(locks))


def document(locks: Locks) -> dict[str, Any]:
    def shown(held: Held | None) -> dict[str, Any] | None:
        if held is None:
            return None
        names = ("holder", "epoch", "since", "until")
        return {name: getattr(held, name) for name in names} | {"alive": held.is_alive}

    lease = locks.lease
    return {
        "run": locks.run, "known": locks.loaded is not None, "journal": shown(locks.journal), "cluster": shown(locks.cluster),
        "lease": {"run": lease.run, "open": lease.open_run, "head": lease.head, "stolen": lease.stolen} if lease else None,
        "advice": advice(locks),
    }


def advice(locks: Locks) -> str:
    """What there is to do, in one line."""
    run, lease = locks.run, locks.lease
    take = f"restore unlock {run} --steal --reason TEXT"
    if locks.loaded is None and not locks.is_open_elsewhere:
        return "it was given up, and keeps nobody off any more"
    if locks.loaded is None:
        return f"its journal is not here: go on with it there; where that journal is lost for good: {take}"
    if any(held.is_alive for held in locks.held):
        return f"it is being carried by a process of this machine: stop that one, or take the run from it: {take} --force"
    if any(held.is_alive is None for held in locks.held):
        return f"it is carried from another machine, or a container: free when its time is over, or at once: {take}"
    if lease and lease.holder and lease.run != run:
        return f"nobody holds it; the installation is held by run {lease.run}: restore unlock {lease.run}"
    if lease and lease.open_run not in ("", run):
        return f"nobody holds it; run {lease.open_run} has begun to change the installation and has not ended: restore unlock {lease.open_run}"
    if locks.loaded.state.closed in ("finished", "rolled back"):
        return f"nobody holds it, and it is {locks.loaded.state.closed}"
    without = "" if lease else ", and there is no Lease to be seen that keeps another journal off"
    return f"nobody holds it{without}; go on with: {wiring.going_on(run, locks.loaded.state)}"
