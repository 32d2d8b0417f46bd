"""Looks at a bundle, the directory of backup files, offline, and says what is in it and what is wrong.

Nothing here raises for bad content: what is wrong is a finding, so that all of it can be shown at once.
It knows the names that the guide's backup chapter gives the files, and no cluster. Which release the
files are for is decided elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from orchestrator.findings import BundleFile, BundleReport, Finding
from orchestrator.rdb import RdbInvalid, read_rdb
from orchestrator.rdb_summary import RdbSummary

HANDLED: Final = {
    "backend-redis": "backend-redis-dump.rdb",
    "system-redis": "system-redis-dump.rdb",
}
NOT_YET_HANDLED: Final = {
    "system-mysql-backup.gz": "system-mysql",
    "system-postgresql-backup.gz": "system-postgresql",
    "zync-database-backup.gz": "zync",
    "system": "system-storage",
}
STALE_AFTER: Final = timedelta(hours=6)


def inspect_bundle(path: Path, parts: frozenset[str]) -> BundleReport:
    """Reads the files of `parts` (keys of HANDLED; ValueError for others) and looks at the rest."""
    if unknown := parts - HANDLED.keys():
        raise ValueError(f"no such part of a bundle: {', '.join(sorted(unknown))}")
    if trouble := directory_trouble(path):
        return BundleReport(path=str(path), files=(), findings=(trouble,), digest=digest_of(()))
    files: list[BundleFile] = []
    findings: list[Finding] = []
    for part in sorted(parts):
        file, found = inspect_part(path, part)
        files += [file] if file else []
        findings += found
    findings += [*stale_dumps(files), *other_files(path, parts)]
    return BundleReport(path=str(path), files=tuple(files), findings=tuple(findings), digest=digest_of(files))


def digest_of(files: Iterable[BundleFile]) -> str:
    """sha256 over the names, sizes and digests of the handled files, in hex."""
    lines = sorted(f"{file.name}\0{file.size_bytes}\0{file.sha256}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def directory_trouble(path: Path) -> Finding | None:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISDIR(mode):
            return wrong(printable(str(path)), "is not a directory")
        next(path.iterdir(), None)
    except FileNotFoundError:
        return wrong(printable(str(path)), "does not exist")
    except (OSError, ValueError) as error:
        return wrong(printable(str(path)), f"cannot be read: {why(error)}")
    return None


def inspect_part(directory: Path, part: str) -> tuple[BundleFile | None, list[Finding]]:
    name = HANDLED[part]
    path = directory / name
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None, [wrong(name, "is not a file")]
        size_bytes, sha256 = digest_file(path)
        file = BundleFile(name=name, part=part, size_bytes=size_bytes, sha256=sha256)
        rdb = read_rdb(path)
    except FileNotFoundError:
        return None, [wrong(name, "is missing")]
    except OSError as error:
        return None, [wrong(name, f"cannot be read: {why(error)}")]
    except RdbInvalid as error:
        return file, [wrong(name, error.reason)]
    if rdb.sha256 != sha256:
        return file, [wrong(name, "changed while it was being read")]
    return file.model_copy(update={"rdb": rdb}), list(remarks(name, rdb))


def digest_file(path: Path) -> tuple[int, str]:
    with path.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        return opened.tell(), sha256


def remarks(name: str, rdb: RdbSummary) -> Iterator[Finding]:
    if rdb.checksum == "absent":
        yield Finding(severity="warning", subject=name, message="has no checksum: damage inside it would not show")
    if not any(database.keys for database in rdb.databases.values()):
        yield Finding(severity="warning", subject=name, message="holds no keys: restoring it empties the database")


def stale_dumps(files: Iterable[BundleFile]) -> Iterator[Finding]:
    """The guide copies whatever dump.rdb lies on disk, which may be hours older than the others."""
    times = {file.name: file.rdb.created_at for file in files if file.rdb and file.rdb.created_at}
    newest = max(times.values(), default=None)
    for name, created_at in sorted(times.items()):
        if newest and newest - created_at > STALE_AFTER:
            message = f"was written {age(created_at, newest)} before the newest dump of this bundle"
            yield Finding(severity="warning", subject=name, message=message)


def other_files(directory: Path, parts: frozenset[str]) -> Iterator[Finding]:
    ours = {HANDLED[part] for part in parts}
    for path in sorted(directory.iterdir()):
        name = printable(path.name)
        if path.name in ours:
            continue
        if path.suffix == ".json":
            yield json_finding(path, name)
        elif part := NOT_YET_HANDLED.get(path.name):
            yield Finding(severity="note", subject=name, message=f"is the backup of {part}, which is not yet handled")
        elif path.name in HANDLED.values():
            yield Finding(severity="note", subject=name, message="is of a part that was not asked for")
        else:
            yield Finding(severity="note", subject=name, message="is no file of the guide: left alone")


def json_finding(path: Path, name: str) -> Finding:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        return wrong(name, f"cannot be read: {why(error)}")
    except (ValueError, RecursionError):
        return wrong(name, "is not JSON" if path.stat().st_size else "is empty")
    kind = content.get("kind") if isinstance(content, dict) else None
    if kind not in ("Secret", "ConfigMap"):
        return Finding(severity="warning", subject=name, message="is JSON, and neither a Secret nor a ConfigMap")
    return Finding(severity="note", subject=name, message=f"is a {kind}, which is not yet handled")


def wrong(subject: str, message: str) -> Finding:
    return Finding(severity="error", subject=subject, message=message)


def why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def printable(name: str) -> str:
    """A file's name as text, whatever its bytes are."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def age(then: datetime, now: datetime) -> str:
    hours = int((now - then).total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
