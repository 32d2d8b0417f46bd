"""Putting the parts together: which journal, which cluster, which clock; asking; ending."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from orchestrator.errors import (
    ClusterRefused,
    ClusterUnreachable,
    DecisionNeeded,
    RestoreError,
    RollbackStopped,
    RunHalted,
    RunUnknown,
    UsageWrong,
    VerificationMissed,
)

if TYPE_CHECKING:
    from journal import Journal
    from orchestrator.cluster.live import LiveCluster
    from orchestrator.findings import BundleReport, Finding
    from orchestrator.installation import Installation
    from orchestrator.plan import Plan
    from orchestrator.runbooks.options import Options
    from orchestrator.runs import Loaded
    from orchestrator.state import RunState

T = TypeVar("T")


def journal_path(given: Path | None) -> Path:
    if given is not None:
        return given
    from platformdirs import user_state_path

    return user_state_path("restore") / "journal.db"


def open_journal(given: Path | None, *, write: bool, create: bool = False) -> Journal:
    """The journal at its path. Raises RunUnknown where there is none, and none is to be made."""
    from journal import Journal
    from orchestrator.runs import explained

    path = journal_path(given)
    if path.is_dir():
        raise UsageWrong(f"{path} is a directory; a journal is a file", hint=f"restore runs --journal {path}/journal.db")
    if not create and not path.exists():
        raise RunUnknown(f"there is no journal at {path}", hint="restore runs")
    try:
        with explained():
            return Journal.open(path, write=write)
    except RunHalted as error:
        if path.exists():
            raise
        raise UsageWrong(error.message, hint="restore run BUNDLE --journal FILE") from error  # there is nothing to go on with


def copies_of(journal: Journal) -> Path:
    """Where what is copied out of pods is kept on this machine: beside the journal that tells of it."""
    return journal.path.with_name(f"{journal.path.name}.copies")


def live_cluster(kubeconfig: str, context: str, namespace: str, bundle: Path | None = None) -> LiveCluster:
    from orchestrator.cluster.connection import connect
    from orchestrator.cluster.live import LiveCluster

    return LiveCluster(connect(kubeconfig, context, namespace), bundle)


def cluster_of(loaded: Loaded, bundle: Path | None, kubeconfig: str, context: str, *, hint: str) -> LiveCluster:
    """The cluster that a run was opened on, by what its journal says, unless named otherwise. hint: where its kubeconfig is gone."""
    known = loaded.opened.context
    file = str(known.get("kubeconfig", ""))
    if file and not kubeconfig and not any(Path(one).exists() for one in file.split(os.pathsep)):
        raise ClusterUnreachable(
            f"{file}, by which {loaded.run} reached its cluster, is not there any more",
            hint=hint,
        )
    cluster = live_cluster(
        kubeconfig or file,
        context or ("" if kubeconfig else str(known.get("context", ""))),
        str(known.get("namespace", "")),
        bundle or Path(str(loaded.opened.bundle["path"])),
    )
    from orchestrator.observe import namespace_uid
    from orchestrator.runs import same_cluster

    same_cluster(loaded, namespace_uid(cluster, cluster.connection.namespace))
    return cluster


def options_of(
    only: Sequence[str] | None, *, with_objects: bool = False, is_deleting: bool = False,
    queues: str | None = None, reason: str = "",
    no_safety_copy: Sequence[str] | None = None, accepted: Sequence[str] | None = None,
) -> Options:
    """What was said on the command line about a restore; who said it is who runs this program.

    A database that is not saved before it is loaded over has to be named twice.
    """
    from orchestrator.runbooks.options import Options
    from orchestrator.runs import user

    unsaved, agreed = sorted(set(only_of(no_safety_copy))), sorted(set(only_of(accepted)))
    if unsaved != agreed:
        (part, *_) = sorted(set(unsaved) ^ set(agreed))
        raise UsageWrong(
            f"{part} is named by only one of --no-safety-copy and --accept-irreversible: without a safety copy its "
            "load cannot be taken back, and with one nothing has to be accepted",
            hint="restore --help",
        )
    return Options(
        only=only_of(only), with_objects=with_objects, is_deleting=is_deleting, queues=queues or None,  # type: ignore[arg-type]
        queues_by=user() if queues else "", queues_reason=reason if queues else "", no_safety_copy=tuple(unsaved),
        accepted_by=user() if agreed else "", accepted_reason=reason if agreed else "",
    )


def sound_bundle(path: Path, options: Options) -> BundleReport:
    """The bundle's report, or the first thing that is wrong with it.

    The objects are looked at too unless other parts are named: a new installation is made from them.
    """
    from orchestrator.bundle import inspect_bundle
    from orchestrator.errors import BundleInvalid

    report = inspect_bundle(path, options.named | (frozenset() if options.only else frozenset({"objects"})))
    if report.errors:
        wrong = report.errors[0]
        more = f" (and {len(report.errors) - 1} more)" if len(report.errors) > 1 else ""
        raise BundleInvalid(f"{wrong.subject}: {wrong.message}{more}", hint=f"restore check {path}")
    return report


def sound_plan(
    cluster: LiveCluster, report: BundleReport, options: Options, *, is_to_run: bool = False
) -> tuple[Plan, Installation, list[str]]:
    """The plan, what it was made from, and the warnings. Raises PreflightRefused: nothing was changed.

    One that is to be run takes the Lease itself, and is refused there where somebody else has it.
    """
    from orchestrator.clock import SystemClock
    from orchestrator.errors import PreflightRefused
    from orchestrator.observe import forbidden, observe
    from orchestrator.rights import rights_of, rights_to_see
    from orchestrator.runbooks.threescale import preflight, restore_plan

    found = looked_up(cluster, lambda: observe(cluster, report, options.named, SystemClock().now()))
    found = found.model_copy(update={"holder": ""}) if is_to_run else found
    made = restore_plan(found, report, options)
    rights = (*rights_of(made), *rights_to_see(found, options))
    findings = preflight(found, report, options, forbidden(cluster, rights))
    if not made.steps and not any(f.severity == "error" for f in findings):
        raise PreflightRefused(
            f"namespace {found.namespace} has nothing that this bundle could be restored to",
            hint="kubectl get deployments,deploymentconfigs --all-namespaces",
        )
    refusals = [f"{f.subject}: {f.message}" for f in findings if f.severity == "error"]
    if refusals:
        first = next(f.subject for f in findings if f.severity == "error")
        look = LOOKS.get(first, "kubectl get pods")
        raise PreflightRefused("; ".join(refusals), hint=f"{look} --namespace {cluster.connection.namespace}")
    remarks = [*findings, *unleased(cluster), *report.findings]
    warnings = [f"{f.subject}: {f.message}" for f in remarks if f.severity == "warning"]
    return made, found, warnings


# Where to look into what a preflight refused, by its subject; elsewhere at the pods.
LOOKS: Final = {
    "rights": "kubectl auth can-i --list", "lease": "kubectl get lease restore --output yaml",
    "operator": "kubectl get deployments,apimanagers", "system-storage": "kubectl describe pods",
}  # fmt: skip


def unleased(cluster: LiveCluster) -> list[Finding]:
    """A warning where another machine cannot be kept off the installation meanwhile."""
    from orchestrator.findings import Finding
    from orchestrator.observe import forbidden
    from orchestrator.rights import LEASING

    missing = ", ".join(forbidden(cluster, LEASING))
    said = f"this user may not {missing}: nobody else is kept off this installation while it is restored"
    return [Finding(severity="warning", subject="lease", message=said)] if missing else []


def looked_up(cluster: LiveCluster, look: Callable[[], T]) -> T:
    """A look before a plan. Raises PreflightRefused, which names the rights, where it is refused for lack of them."""
    from orchestrator.errors import PreflightRefused
    from orchestrator.observe import forbidden
    from orchestrator.rights import LOOKING

    try:
        return tried_again(look)
    except ClusterRefused as error:
        missing = ", ".join(forbidden(cluster, LOOKING))
        if not missing:
            raise
        namespace = cluster.connection.namespace
        raise PreflightRefused(
            f"rights: this user may not {missing} in namespace {namespace}",
            hint=f"kubectl auth can-i --list --namespace {namespace}",
        ) from error


def tried_again(look: Callable[[], T]) -> T:
    """A look that a bad line has cut is repeated a few times; it changes nothing. Raises the last failure."""
    for pause_seconds in (0.2, 0.5, 1.0, 2.0, 4.0):
        try:
            return look()
        except ClusterUnreachable as error:
            if "connection refused" in error.message or "certificate" in error.message:
                raise  # the next look would see the same
            sys.stderr.write(f"restore: {error.message}; looking again\n")
            time.sleep(pause_seconds)
    return look()


def asked_about_queues(said: str | None, only: Sequence[str] | None, *, yes: bool) -> str | None:
    """Guide 9.5.4.2, asked on a terminal with both consequences; elsewhere what was said, or the default."""
    from orchestrator.steps.decide_queues import CONSEQUENCES

    is_wanted = not only or "backend-redis" in only_of(only)
    if said is not None or yes or not is_wanted or not sys.stdin.isatty():
        return said
    lines = ["The dump of backend-redis holds job queues.", f"  restore (the default): {CONSEQUENCES['restore']}"]
    lines += [f"  drop: {CONSEQUENCES['drop']}", "What becomes of them? [restore/drop] "]
    sys.stderr.write("\n".join(lines))
    sys.stderr.flush()
    answer = sys.stdin.readline().strip().lower()
    return "drop" if answer in ("d", "drop") else "restore"


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal; without one, stop and name the flag."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise DecisionNeeded(
            f"this has to be confirmed, and there is no terminal to ask on: {question}",
            hint="add --yes to the command",
        )
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise DecisionNeeded("not confirmed; nothing was changed")


def outcome(run: str, state: RunState) -> RestoreError | None:
    """Why a run did not reach its end, as the error that names the exit code; None when it did."""
    if state.closed in ("finished", "rolled back"):
        return None
    hint = f"restore resume {run}"
    asked = next((n for n, s in state.steps.items() if s.status in ("torn", "drifted")), "")
    resolve = f"restore resolve {run} {asked} --as done|not-done|skip --reason TEXT"
    if state.phase == "backward":
        again = resolve if asked else f"restore rollback {run}"
        stuck = next((n for n, s in state.steps.items() if s.status == "stuck"), "")
        out = f"; it is left out with `restore resolve {run} {stuck} --as skip --reason TEXT`" if stuck else ""
        return RollbackStopped(f"the rollback stopped: {state.reason}{out}", hint=again)
    if state.needs == "verification":
        return VerificationMissed(f"verification failed: {state.reason}", hint=hint)
    if state.needs == "decision":
        return DecisionNeeded(state.reason, hint=resolve)
    return RunHalted(state.reason or "the run was stopped", hint=hint)


def going_on(run: str, state: RunState) -> str:
    """The command that goes on with a run."""
    return f"restore rollback {run}" if state.phase == "backward" else f"restore resume {run}"


def stands(run: str, state: RunState) -> str:
    """Where a run stands, in one sentence."""
    ended = sum(s.status in ("finished", "skipped", "restored", "untouched") for s in state.steps.values())
    doubt = [name for name, s in state.steps.items() if s.is_in_doubt]
    what = "back" if state.phase == "backward" else "finished"
    text = f"run {run} is at fact {state.seq}; {ended} of {len(state.steps)} steps are {what}"
    return text + (f"; in doubt: {', '.join(doubt)}" if doubt else "")


def only_of(parts: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(str(part) for part in parts or ())
