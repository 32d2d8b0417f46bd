"""restore run: open a run and carry it out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands import printer, wiring
from commands.carrying import carry
from commands.options import (
    AcceptIrreversible,
    Context,
    Delete,
    JournalPath,
    Kubeconfig,
    Namespace,
    NoSafetyCopy,
    Only,
    Output,
    OutputAs,
    Patience,
    QueuesAs,
    Reason,
    Verbose,
    WithObjects,
    Yes,
)
from orchestrator.errors import PlanChanged, RunHalted, UsageWrong

if TYPE_CHECKING:
    from journal import Journal
    from orchestrator.cluster.connection import Connection
    from orchestrator.cluster.live import LiveCluster
    from orchestrator.events import Entry
    from orchestrator.findings import BundleReport
    from orchestrator.installation import Installation
    from orchestrator.plan import Plan
    from orchestrator.runbooks.options import Options
    from orchestrator.state import RunState


def run(
    source: Annotated[Path, typer.Argument(metavar="BUNDLE|PLAN", help="A bundle, or a plan file.")],
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    only: Only = None,
    with_objects: WithObjects = False,
    delete: Delete = False,
    queues: QueuesAs = None,
    no_safety_copy: NoSafetyCopy = None,
    accept_irreversible: AcceptIrreversible = None,
    reason: Reason = "",
    journal: JournalPath = None,
    yes: Yes = False,
    patience: Patience = None,
    verbose: Verbose = False,
    output: OutputAs = Output.table,
) -> None:
    """Open a run and carry it out; the run's id is printed first.

    Exit status: 0 done, 3 stopped and resumable, 4 a decision is needed, 6 verification failed, 11 held by another
    process, 20 bundle invalid, 21 no longer what the plan was made for, 22 preflight refused, 30/31 cluster,
    130 interrupted.
    """
    from orchestrator.observe import namespace_uid
    from orchestrator.runs import refuse_over_an_open_run

    planned = read_plan(source) if source.is_file() else None
    bundle = Path(planned["bundle"]) if planned else source
    said = options_of_plan(planned) if planned else wiring.options_of(
        only, with_objects=with_objects, is_deleting=delete,
        queues=wiring.asked_about_queues(queues, only, yes=yes), reason=reason,
        no_safety_copy=no_safety_copy, accepted=accept_irreversible,
    )
    report = wiring.sound_bundle(bundle, said)
    with wiring.live_cluster(kubeconfig, context, namespace, bundle) as cluster:
        ledger = wiring.open_journal(journal, write=True, create=True)
        uid = wiring.looked_up(cluster, lambda: namespace_uid(cluster, cluster.connection.namespace))
        refuse_over_an_open_run(ledger, uid)
        made, found, warnings = wiring.sound_plan(cluster, report, said, is_to_run=True)
        if planned is not None and planned["digest"] != made.digest:
            raise PlanChanged(
                f"{source} was made for another bundle or for what the installation was then",
                hint=f"restore plan {bundle} --out {source}",
            )
        for warning in warnings:
            printer.tell(f"restore: warning: {warning}")
        for note in made.notes:
            printer.tell(f"restore: note: {note}")
        wiring.confirm(
            f"Restore {', '.join(made.parts)} in namespace {found.namespace} at {found.server}?", yes=yes
        )
        start(made, found, report, cluster, ledger, verbose=verbose, output=output, patience=patience or 0.0)


def start(
    made: Plan,
    found: Installation,
    report: BundleReport,
    cluster: LiveCluster,
    ledger: Journal,
    *,
    verbose: bool,
    output: Output,
    heard: Callable[[Entry], None] = lambda entry: None,
    context: Mapping[str, object] = MappingProxyType({}),
    patience: float = 0.0,
) -> str:
    """Open the run, say its id, carry it out; returns the id."""
    from datetime import UTC, datetime

    from orchestrator.runs import new_run_id, opening, to_open, with_patience

    run_id = new_run_id(made.runbook, datetime.now(UTC))
    is_opened = False

    def announce(entry: Entry) -> None:
        nonlocal is_opened
        if entry.seq == 1:  # from here on the id names something
            is_opened = True
            (printer.say_if_heard if output is Output.table else printer.tell)(f"run {run_id}")
        heard(entry)

    facts = opening(made, found, report, context_of(cluster.connection, found.namespace_uid) | dict(context))
    begun = with_patience(to_open(facts), patience)
    try:
        state = carry(ledger, cluster, run_id, made, begun, verbose=verbose, heard=announce)
    except RunHalted as error:
        if is_opened:
            raise
        raise RunHalted(f"{error.message}; no run was opened", hint=f"restore run {report.path}") from error
    ended(ledger, run_id, state, output)
    if found.is_fresh:
        printer.tell(f"restore: hint: now the databases and files: restore run {report.path}")
    return run_id


def ended(ledger: Journal, run_id: str, state: RunState, output: Output) -> None:
    """How a run ended, and the head of its chain: a copy kept elsewhere shows what is cut off later."""
    from commands.status import summary, without_a_copy

    found = summary(ledger, run_id, state)
    if output is not Output.table:
        printer.document(found, output)
        return
    # That nobody reads on does not change how the run ended.
    printer.say_if_heard(f"run {run_id} {state.closed} at fact {state.seq}")
    if without := without_a_copy(state):
        printer.say_if_heard(without)
    printer.say_if_heard(f"journal head {found['head']}")


def context_of(connection: Connection, namespace_uid: str) -> dict[str, object]:
    """Where a run belongs, for the journal: no credentials, only where they are found."""
    return {
        "server": connection.server, "kubeconfig": connection.kubeconfig, "context": connection.context,
        "namespace": connection.namespace, "namespace_uid": namespace_uid,
    }


def read_plan(path: Path) -> dict[str, Any]:
    """A plan file as `restore plan --out` writes it."""
    try:
        read = json.loads(path.read_text())
        return {key: read[key] for key in ("plan", "digest", "bundle", "options")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageWrong(
            f"{path} is neither a bundle directory nor a plan file", hint="restore plan BUNDLE --out plan.json"
        ) from error


def options_of_plan(planned: dict[str, Any]) -> Options:
    """What was said when a plan file was made."""
    from orchestrator.runbooks.options import Options

    said = dict(planned["options"])
    lists = ("only", "no_safety_copy")
    return Options(**(said | {name: tuple(said.get(name, ())) for name in lists}))
