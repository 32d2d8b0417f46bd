"""restore plan: what a restore of this bundle would do here. Looks; changes nothing."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands import printer, wiring
from commands.options import (
    Context,
    Delete,
    Kubeconfig,
    Namespace,
    Only,
    Output,
    OutputAs,
    QueuesAs,
    Reason,
    WithObjects,
)
from orchestrator.errors import UsageWrong

if TYPE_CHECKING:
    from orchestrator.installation import Installation
    from orchestrator.plan import Plan
    from orchestrator.runbooks.options import Options


def plan(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The directory of backup files.")],
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    only: Only = None,
    with_objects: WithObjects = False,
    delete: Delete = False,
    queues: QueuesAs = None,
    reason: Reason = "",
    out: Annotated[Path | None, typer.Option(help="Write the plan here; `restore run` takes it.")] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Show how it would be taken back.")] = False,
    shell: Annotated[bool, typer.Option("--shell", help="Print the commands a person would type for it.")] = False,
    output: OutputAs = Output.table,
) -> None:
    """Observe the installation, check that it can take this bundle, and print the steps.

    Exit status: 20 bundle invalid, 22 preflight refused, 30 unreachable, 31 refused by the cluster.
    """
    said = wiring.options_of(only, with_objects=with_objects, is_deleting=delete, queues=queues, reason=reason)
    report = wiring.sound_bundle(bundle, said)
    with wiring.live_cluster(kubeconfig, context, namespace, bundle) as cluster:
        made, found, warnings = wiring.sound_plan(cluster, report, said)
    if out is not None:
        write_plan(out, made, report.digest, str(bundle.resolve()), said)
    if output is not Output.table:
        printer.document(
            {
                "plan": made.model_dump(mode="json"), "digest": made.digest, "warnings": warnings,
                "installation": found.model_dump(mode="json"),
            },
            output,
        )
        return
    if shell:
        show_shell(made, found)
        return
    show(made, reverse=reverse)
    for warning in warnings:
        printer.say(f"warning: {warning}")


def write_plan(path: Path, made: Plan, bundle_digest: str, bundle: str, said: Options) -> None:
    """The plan as a file of its own, readable by its owner alone."""
    text = json.dumps(
        {"plan": made.model_dump(mode="json"), "digest": made.digest, "bundle": bundle,
         "bundle_digest": bundle_digest, "options": dataclasses.asdict(said)},
        indent=2,
    )
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            os.fchmod(file.fileno(), 0o600)  # also where the file was there before
            file.write(text + "\n")
    except OSError as error:
        raise UsageWrong(f"{path} cannot be written: {error.strerror}", hint=f"restore plan {bundle}") from error


def show(made: Plan, *, reverse: bool) -> None:
    """The steps as a table: the guide's number, what is done, how it is taken back; lanes and the critical path."""
    from orchestrator.estimates import critical_path, moved_bytes
    from orchestrator.progress import in_words

    path = critical_path(made)
    rows = []
    for name in reversed_order(made) if reverse else list(made.by_id):
        step = made.step(name)
        size = moved_bytes(step)
        rows.append(
            (", ".join(step.cites) or "-", step.lane or "-", "*" if name in path else "", name, step.title,
             in_words(size) if size else "-", step.undo_note)
        )
    printer.table(("GUIDE", "LANE", "", "STEP", "DOES", "BYTES", "TAKEN BACK"), rows)
    lanes = dict.fromkeys(step.lane for step in made.steps if step.lane)
    printer.say(f"lanes: {', '.join(lanes)}; those that need nothing of each other go side by side")
    printer.say(f"critical path (*): {len(path)} of {len(made.steps)} steps")
    for note in made.notes:
        printer.say(f"note: {note}")


def show_shell(made: Plan, found: Installation) -> None:
    """The same in commands of oc or kubectl, to be read beside the guide."""
    tool = "oc" if found.manager is not None else "kubectl"
    printer.say("# What a person would type. restore itself uses none of it: it checks, waits, and can be resumed.")
    printer.say(f"# namespace {found.namespace}; RUN stands for the run's id, POD for the pod at that time")
    for step in made.steps:
        lines = step.shell(tool)
        printer.say(f"# {', '.join(step.cites) or 'besides the guide'}: {step.title}")
        for line in lines or ("#   (looks only)",):
            printer.say(line)


def reversed_order(made: Plan) -> list[str]:
    import graphlib

    return list(graphlib.TopologicalSorter(made.undo_needs).static_order())
