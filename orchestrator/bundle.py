"""Looks at a bundle, the directory of backup files, offline, and says what is in it and what is wrong.

Nothing here raises for bad content: what is wrong is a finding, so that all of it can be shown at once.
It knows the names that the guide's backup chapter gives the files, and no cluster. Which release the
files are for is decided elsewhere.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from orchestrator import agreements
from orchestrator.dump_remarks import dump_findings
from orchestrator.dumps import read_dump
from orchestrator.findings import BundleFile, BundleReport, Finding, printable
from orchestrator.manifests import Manifest, absent, read_manifest
from orchestrator.parts import APIMANAGER_FILE, DATABASES, FILES, PARTS, part_of
from orchestrator.rdb import RdbInvalid, read_rdb
from orchestrator.rdb_summary import RdbSummary
from orchestrator.trees import read_tree

STALE_AFTER: Final = timedelta(hours=6)

Progress = Callable[[str, int, int], None]  # the file's name, bytes done, bytes in all
Found = tuple[list[BundleFile], list[Finding]]


def inspect_bundle(path: Path, parts: frozenset[str], progress: Progress | None = None) -> BundleReport:
    """Reads the files of `parts` (of PARTS; ValueError for others) to their end, and looks at the rest.

    `progress` is called again and again with (file, bytes done, bytes in all).
    """
    if unknown := parts - set(PARTS):
        raise ValueError(f"no such part of a bundle: {', '.join(sorted(unknown))}")
    if trouble := directory_trouble(path):
        return BundleReport(path=str(path), files=(), findings=(trouble,), digest=digest_of(()))
    inspection = Inspection(path, progress or (lambda name, done, total: None))
    for part in PARTS:
        if part in parts:
            inspection.inspect(part)
    inspection.compare(parts)
    files = tuple(inspection.files)
    findings = [*inspection.findings, *stale_dumps(files), *other_files(path, parts, inspection.manifests)]
    return BundleReport(path=str(path), files=files, findings=tuple(findings), digest=digest_of(files))


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


class Inspection:
    """One look at a bundle: reads part after part, and keeps what was found."""

    def __init__(self, directory: Path, progress: Progress) -> None:
        self.directory = directory
        self.progress = progress
        self.files: list[BundleFile] = []
        self.findings: list[Finding] = []
        self.manifests = dict(read_manifests(directory))

    def inspect(self, part: str) -> None:
        if part == "objects":
            self.take_manifests()
            return
        names = FILES[part]
        there = [name for name in names if (self.directory / name).exists() or (self.directory / name).is_symlink()]
        if len(there) > 1:
            self.findings.append(wrong(there[0], f"and {there[1]} are both there: an installation has one of them"))
        if not there and part == "system-storage" and self.is_stored_elsewhere():
            self.findings.append(note(names[0], "is missing, as it should be: the files of this installation are in S3"))
        elif not there:
            message = f"is missing, and so is {names[1]}" if names[1:] else "is missing"
            self.findings.append(wrong(names[0], message))
        for name in there:
            self.read(part, name)

    def read(self, part: str, name: str) -> None:
        path = self.directory / name
        try:
            mode = path.stat().st_mode
            if part == "system-storage":
                if stat.S_ISDIR(mode):
                    self.read_storage(path)
                else:
                    self.findings.append(wrong(name, "is not a directory"))
            elif not stat.S_ISREG(mode):
                self.findings.append(wrong(name, "is not a file"))
            elif part in DATABASES:
                self.read_sql(part, path)
            else:
                self.read_redis(part, path)
        except FileNotFoundError:
            self.findings.append(wrong(name, "is missing"))
        except OSError as error:
            self.findings.append(wrong(name, f"cannot be read: {why(error)}"))

    def read_redis(self, part: str, path: Path) -> None:
        size_bytes, sha256 = digest_file(path)
        file = BundleFile(name=path.name, part=part, size_bytes=size_bytes, sha256=sha256)
        try:
            rdb = read_rdb(path)
        except RdbInvalid as error:
            self.findings.append(wrong(path.name, error.reason))
        else:
            if rdb.sha256 != sha256:
                self.findings.append(wrong(path.name, "changed while it was being read"))
            else:
                file = file.model_copy(update={"rdb": rdb})
                self.findings += remarks(part, path.name, rdb)
        self.files.append(file)
        self.progress(path.name, size_bytes, size_bytes)

    def read_sql(self, part: str, path: Path) -> None:
        name, total = path.name, path.stat().st_size
        wanted = agreements.databases(self.manifests)[part]
        dump = read_dump(path, wanted, lambda done: self.progress(name, done, total))
        self.files.append(
            BundleFile(name=name, part=part, size_bytes=dump.size_bytes, sha256=dump.sha256, sql=dump.sql)
        )
        self.findings += dump_findings(name, part, dump)
        if dump.size_bytes != total:
            self.findings.append(wrong(name, "changed while it was being read"))

    def read_storage(self, path: Path) -> None:
        tree = read_tree(path, lambda done, total: self.progress(path.name, done, total))
        summary = tree.summary
        self.files.append(
            BundleFile(
                name=path.name, part="system-storage", size_bytes=summary.size_bytes, sha256=summary.digest, tree=summary
            )
        )
        self.findings += tree.findings
        if not summary.files:
            self.findings.append(warn(path.name, "holds no files"))
        if [entry.name for entry in tree.entries if b"/" not in entry.name] == [b"system"]:
            self.findings.append(warn(path.name, "holds nothing but a directory of its own name: was it copied one level too deep?"))

    def take_manifests(self) -> None:
        dump = self.directory / FILES["system-database"][0]
        for _, manifest in sorted(self.manifests.items()):
            self.files += [manifest.file] if manifest.file.object else []
            self.findings += manifest.findings
        names = frozenset(name.removesuffix(".json") for name in self.manifests)
        self.findings += absent(names, is_mysql=dump.exists())

    def compare(self, parts: frozenset[str]) -> None:
        """What the objects and the system database must agree on."""
        if "objects" in parts:
            dump = next((file for file in self.files if file.part == "system-database"), None)
            self.findings += agreements.disagreements(self.manifests, dump)

    def is_stored_elsewhere(self) -> bool:
        uploads = agreements.value(self.manifests, "system-environment.json", "FILE_UPLOAD_STORAGE")
        manifest = self.manifests.get(APIMANAGER_FILE)
        system = manifest.spec.get("system") if manifest else None
        storage = system.get("fileStorage") if isinstance(system, dict) else None
        return uploads == "s3" or (isinstance(storage, dict) and bool(storage.get("simpleStorageService")))


def read_manifests(directory: Path) -> Iterator[tuple[str, Manifest]]:
    """Every JSON file by its name. They are small, and say which database the dumps are of."""
    for path in sorted(directory.glob("*.json")):
        name = printable(path.name)
        unread = BundleFile(name=name, part="objects", size_bytes=0, sha256="")
        try:
            if stat.S_ISREG(path.stat().st_mode):
                yield name, read_manifest(path, name)
            else:
                yield name, Manifest(unread, (wrong(name, "is not a file"),))
        except OSError as error:
            yield name, Manifest(unread, (wrong(name, f"cannot be read: {why(error)}"),))


def digest_file(path: Path) -> tuple[int, str]:
    with path.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        return opened.tell(), sha256


def remarks(part: str, name: str, rdb: RdbSummary) -> Iterator[Finding]:
    if part == "system-redis" and any(database.has_services for database in rdb.databases.values()):
        yield wrong(name, "holds the services of backend-redis: were the dumps of the two mixed up?")
    if rdb.checksum == "absent":
        yield warn(name, "has no checksum: damage inside it would not show")
    if not any(database.keys for database in rdb.databases.values()):
        yield warn(name, "holds no keys: restoring it empties the database")


def stale_dumps(files: Iterable[BundleFile]) -> Iterator[Finding]:
    """The guide copies whatever dump.rdb lies on disk, which may be hours older than the others."""
    times = {file.name: at for file in files if (at := written_at(file))}
    newest = max(times.values(), default=None)
    for name, at in sorted(times.items()):
        if newest and newest - at > STALE_AFTER:
            yield warn(name, f"was written {age(at, newest)} before the newest dump of this bundle")


def written_at(file: BundleFile) -> datetime | None:
    """When its writer says it was; pg_dump says nothing."""
    if file.rdb:
        return file.rdb.created_at
    return file.sql.completed_at if file.sql else None


def other_files(directory: Path, parts: frozenset[str], manifests: Mapping[str, Manifest]) -> Iterator[Finding]:
    """What is said of the files that were not asked for: small ones were looked into all the same."""
    for path in sorted(directory.iterdir()):
        part = part_of(path.name)
        if part is None:
            yield note(printable(path.name), "is no file of the guide: left alone")
        elif part not in parts:
            manifest = manifests.get(printable(path.name))
            yield from (one for one in manifest.findings if one.severity == "error") if manifest else ()
            yield note(printable(path.name), "is of a part that was not asked for")


def wrong(subject: str, message: str) -> Finding:
    return Finding(severity="error", subject=subject, message=message)


def warn(subject: str, message: str) -> Finding:
    return Finding(severity="warning", subject=subject, message=message)


def note(subject: str, message: str) -> Finding:
    return Finding(severity="note", subject=subject, message=message)


def why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def age(then: datetime, now: datetime) -> str:
    hours = int((now - then).total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
