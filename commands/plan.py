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
    AcceptIrreversible,
    Context,
    Delete,
    Kubeconfig,
    Namespace,
    NoSafetyCopy,
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
    from orchestrator.steps import Step


def plan(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The directory of backup files.")],
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
    out: Annotated[Path | None, typer.Option(help="Write the plan here; `restore run` takes it.")] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Show how it would be taken back.")] = False,
    shell: Annotated[bool, typer.Option("--shell", help="Print the commands a person would type for it.")] = False,
    output: OutputAs = Output.table,
) -> None:
    """Observe the installation, check that it can take this bundle, and print the steps.

    Exit status: 20 bundle invalid, 22 preflight refused, 30 unreachable, 31 refused by the cluster.
    """
    said = wiring.options_of(
        only, with_objects=with_objects, is_deleting=delete, queues=queues, reason=reason,
        no_safety_copy=no_safety_copy, accepted=accept_irreversible,
    )
    report = wiring.sound_bundle(bundle, said)
    with wiring.live_cluster(kubeconfig, context, namespace, bundle) as cluster:
        made, found, warnings = wiring.sound_plan(cluster, report, said)
    if out is not None:
        write_plan(out, made, report.digest, str(bundle.resolve()), said)
    if output is not Output.table:
        printer.document(
            {
                "plan": made.model_dump(mode="json"), "digest": made.digest, "warnings": warnings,
                "installation": found.model_dump(mode="json"), "ways_back": ways_back(made),
                "no_return": no_return(made),
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
    """The steps as a table: the guide's number, what is done, its way back; lanes and the critical path."""
    if reverse:
        show_reverse(made)
    else:
        show_forward(made)
    for note in made.notes:
        printer.say(f"note: {note}")


def show_forward(made: Plan) -> None:
    from orchestrator.estimates import critical_path, moved_bytes
    from orchestrator.sizes import in_words

    path, line = critical_path(made), no_return(made)
    rows: list[tuple[str, ...] | str] = []
    for step in made.steps:
        if step.id == line:
            rows.append(f"no way back after this: {step.id}, {step.undo_note}")
        size = moved_bytes(step)
        rows.append(
            (", ".join(step.cites) or "-", step.lane or "-", "*" if step.id in path else "", step.id, step.title,
             in_words(size) if size else "-", way_back(step))
        )
    printer.table(("GUIDE", "LANE", "", "STEP", "DOES", "BYTES", "WAY BACK"), rows)
    lanes = dict.fromkeys(step.lane for step in made.steps if step.lane)
    printer.say(f"lanes: {', '.join(lanes)}; those that need nothing of each other go side by side")
    printer.say(f"critical path (*): {len(path)} of {len(made.steps)} steps")
    if not line:
        printer.say("ways back: every step of this plan can be taken back")


def show_reverse(made: Plan) -> None:
    """Newest first, as a rollback would go. RUN stands for the run's id."""
    steps = [made.step(name) for name in reversed_order(made)]
    rows = [(step.lane or "-", step.id, way_back(step), step.undo_note) for step in steps if step.way_back != "nothing"]
    printer.table(("LANE", "STEP", "WAY BACK", "WOULD DO"), rows)
    printer.say(f"{len(steps) - len(rows)} of {len(steps)} steps leave nothing to take back")


def way_back(step: Step) -> str:
    """What taking a step back rests on, with the size and place of a safety copy."""
    return step.way_back + (f" ({step.copy_note})" if step.copy_note else "")


def ways_back(made: Plan) -> dict[str, str]:
    return {step.id: way_back(step) for step in made.steps}


def no_return(made: Plan) -> str:
    """The first step after which something cannot be taken back; "" where everything can."""
    return next((step.id for step in made.steps if step.way_back == "irreversible"), "")


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
