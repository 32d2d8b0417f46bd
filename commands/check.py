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
    from collections.abc import Iterator, Sequence

    from orchestrator.findings import BundleFile, Finding

ALIKE_MAX = 3


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
        for line in told(report.findings):
            printer.say(line)
    if report.errors:
        wrong = report.errors[0]
        raise BundleInvalid(f"{wrong.subject}: {wrong.message}", hint=f"ls -l {bundle}")


def told(findings: Sequence[Finding]) -> Iterator[str]:
    """One line each; many notes that begin with the same words are one, as what is said of every object."""
    alike: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.severity, finding.message.partition(": ")[0]), []).append(finding)
    for (severity, words), some in alike.items():
        if severity == "note" and len(some) > ALIKE_MAX:
            yield f"note: {len(some)} files: {words} (by name: -o json)"
        else:
            yield from (f"{severity}: {finding.subject}: {finding.message}" for finding in some)


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
