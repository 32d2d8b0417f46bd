"""restore check: is this bundle what it should be? Offline; touches no cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands import printer, wiring
from commands.options import Only, Output, OutputAs
from orchestrator.errors import BundleInvalid


def check(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The directory of backup files.")],
    only: Only = None,
    output: OutputAs = Output.table,
) -> None:
    """Validate a bundle offline: RDB header, CRC64, versions, keys; JSON; what is missing.

    Exit status: 0 when nothing is wrong, 20 when the bundle is invalid.
    """
    from orchestrator.bundle import inspect_bundle
    from orchestrator.runbooks.threescale import PARTS

    report = inspect_bundle(bundle, frozenset(wiring.only_of(only) or PARTS))
    if output is not Output.table:
        printer.document(report.model_dump(mode="json"), output)
    else:
        rows = [
            (file.name, file.size_bytes, f"RDB {file.rdb.version}", f"db{number}", db.keys, db.expires)
            for file in report.files if file.rdb
            for number, db in file.rdb.databases.items()
        ]
        printer.table(("FILE", "BYTES", "FORMAT", "DATABASE", "KEYS", "EXPIRING"), rows)
        for finding in report.findings:
            printer.say(f"{finding.severity}: {finding.subject}: {finding.message}")
    if report.errors:
        wrong = report.errors[0]
        raise BundleInvalid(f"{wrong.subject}: {wrong.message}", hint=f"ls -l {bundle}")
