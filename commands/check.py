"""restore check: is this bundle what it should be? Offline; touches no cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands import printer, wiring
from commands.options import Only, Output, OutputAs
from orchestrator.errors import BundleInvalid
from orchestrator.parts import PARTS

if TYPE_CHECKING:
    from orchestrator.findings import BundleFile


def check(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The directory of backup files.")],
    only: Only = None,
    output: OutputAs = Output.table,
) -> None:
    """Validate a bundle offline, and say what is in it and what is missing.

    SQL dumps: gzip, the last line, line ends, the rows of every table. RDB files: header, CRC64, versions, keys.
    The storage: every file, links, what cannot be restored. Objects: JSON, names, keys; whether they agree.

    Exit status: 0 when nothing is wrong, 20 when the bundle is invalid.
    """
    from orchestrator.bundle import inspect_bundle

    report = inspect_bundle(bundle, frozenset(wiring.only_of(only) or PARTS), printer.Reading())
    if output is not Output.table:
        printer.document(report.model_dump(mode="json"), output)
    else:
        rows = [(file.name, file.size_bytes, *described(file)) for file in report.files]
        printer.table(("FILE", "BYTES", "WHAT", "VERSION", "CONTENT"), rows)
        for finding in report.findings:
            printer.say(f"{finding.severity}: {finding.subject}: {finding.message}")
    if report.errors:
        wrong = report.errors[0]
        raise BundleInvalid(f"{wrong.subject}: {wrong.message}", hint=f"ls -l {bundle}")


def described(file: BundleFile) -> tuple[str, str, str]:
    """What a file is, of which version, and how much is in it."""
    if file.rdb:
        databases = [
            f"db{number}: {one.keys} keys, {one.expires} expiring" for number, one in file.rdb.databases.items()
        ]
        return "RDB", f"{file.rdb.version}", "; ".join(databases) or "no keys"
    if file.sql:
        content = f"{len(file.sql.rows)} tables, {sum(file.sql.rows.values())} rows"
        return file.sql.flavour, file.sql.server_version or "unknown", content
    if file.tree:
        content = f"{file.tree.files} files, {file.tree.directories} directories, {file.tree.links} links"
        return "directory", "", content
    if file.object:
        return file.object.kind, "", f"{len(file.object.keys)} keys"
    return "unreadable", "", ""
