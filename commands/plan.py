"""restore plan: what a restore of this bundle would do here. Looks; changes nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands import printer, wiring
from commands.options import Context, Kubeconfig, Namespace, Only, Output, OutputAs
from orchestrator.errors import UsageWrong

if TYPE_CHECKING:
    from orchestrator.plan import Plan


def plan(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The directory of backup files.")],
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    only: Only = None,
    out: Annotated[Path | None, typer.Option(help="Write the plan here; `restore run` takes it.")] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Show how it would be taken back.")] = False,
    output: OutputAs = Output.table,
) -> None:
    """Observe the installation, check that it can take this bundle, and print the steps.

    Exit status: 20 bundle invalid, 22 preflight refused, 30 unreachable, 31 refused by the cluster.
    """
    parts = wiring.only_of(only)
    report = wiring.sound_bundle(bundle, parts)
    with wiring.live_cluster(kubeconfig, context, namespace) as cluster:
        made, found, warnings = wiring.sound_plan(cluster, report, parts)
    if out is not None:
        write_plan(out, made, report.digest, str(bundle.resolve()))
    if output is not Output.table:
        printer.document(
            {
                "plan": made.model_dump(mode="json"), "digest": made.digest, "warnings": warnings,
                "installation": found.model_dump(mode="json"),
            },
            output,
        )
        return
    show(made, reverse=reverse)
    for warning in warnings:
        printer.say(f"warning: {warning}")


def write_plan(path: Path, made: Plan, bundle_digest: str, bundle: str) -> None:
    """The plan as a file of its own, readable by its owner alone."""
    text = json.dumps(
        {"plan": made.model_dump(mode="json"), "digest": made.digest, "bundle": bundle,
         "bundle_digest": bundle_digest},
        indent=2,
    )
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            os.fchmod(file.fileno(), 0o600)  # also where the file was there before
            file.write(text + "\n")
    except OSError as error:
        raise UsageWrong(f"{path} cannot be written: {error.strerror}", hint=f"restore plan {bundle}") from error


def show(made: Plan, *, reverse: bool) -> None:
    """The steps as a table: the guide's number, what is done, how it is taken back."""
    names = list(made.by_id)
    order = reversed_order(made) if reverse else names
    rows = []
    for name in order:
        step = made.step(name)
        cited = ", ".join(step.cites)
        rows.append((cited or "-", step.lane, name, step.undo_note if reverse else step.title))
    printer.table(("GUIDE", "LANE", "STEP", "TAKEN BACK" if reverse else "DOES"), rows)
    for note in made.notes:
        printer.say(f"note: {note}")


def reversed_order(made: Plan) -> list[str]:
    import graphlib

    return list(graphlib.TopologicalSorter(made.undo_needs).static_order())
