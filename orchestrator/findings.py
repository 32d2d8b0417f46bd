"""What was found, of good and of bad: one shape for the bundle's files and for the installation. Pure data."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from orchestrator.rdb_summary import RdbSummary
from orchestrator.summaries import ObjectSummary as ObjectSummary
from orchestrator.summaries import SqlSummary as SqlSummary
from orchestrator.summaries import TreeSummary as TreeSummary


class Finding(BaseModel):
    """One thing to know about one subject: a file of the bundle, a workload. Errors stop a plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: Literal["error", "warning", "note"]
    subject: str
    message: str


class BundleFile(BaseModel):
    """A file of a handled part, or the directory of the storage: then size and sha256 are those of its tree.

    One of the four summaries is there, unless the file could not be read as one; then a finding says why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    part: str
    size_bytes: int
    sha256: str
    rdb: RdbSummary | None = None
    sql: SqlSummary | None = None
    tree: TreeSummary | None = None
    object: ObjectSummary | None = None


class BundleReport(BaseModel):
    """What a bundle holds. Two bundles with one digest have the same handled files, wherever they lie."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    files: tuple[BundleFile, ...]
    findings: tuple[Finding, ...]
    digest: str

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def file_of(self, part: str) -> BundleFile | None:
        """The file of one part, or None when the bundle lacks it. The objects have many: see files_of."""
        return next(iter(self.files_of(part)), None)

    def files_of(self, part: str) -> tuple[BundleFile, ...]:
        return tuple(file for file in self.files if file.part == part)


def printable(name: str | bytes) -> str:
    """A file's name as text on one line, whatever its bytes are: nothing in it moves a terminal's cursor."""
    raw = name.encode(errors="surrogateescape") if isinstance(name, str) else name
    text = raw.decode(errors="backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
