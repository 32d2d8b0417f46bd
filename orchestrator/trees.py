"""Reads a directory tree, such as the backup of system-storage, and says what is in it and what is wrong.

Names are bytes all the way: whatever a file system allows may be in one. Links are kept as they are and
never followed. What can be no part of a backup is a finding, and the rest is read on.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from orchestrator.findings import Finding, printable
from orchestrator.summaries import KEPT_MODE, TreeEntry, TreeSummary, tree_summary

READ_BYTES: Final = 1024 * 1024
EXAMPLES_MAX: Final = 5
SPECIAL: Final = {
    stat.S_IFSOCK: "a socket", stat.S_IFIFO: "a pipe", stat.S_IFBLK: "a block device", stat.S_IFCHR: "a character device",
}  # fmt: skip


@dataclass(frozen=True)
class Tree:
    """What reading a tree gave: its entries sorted by name, and what is to be said of them."""

    entries: tuple[TreeEntry, ...]
    summary: TreeSummary
    findings: tuple[Finding, ...]


class Remarks:
    """Collects what is said of entries: of many that are alike, a few by name and how many more."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.names: dict[tuple[Literal["error", "warning", "note"], str], list[bytes]] = defaultdict(list)

    def error(self, name: bytes, message: str) -> None:
        self.names["error", message].append(name)

    def warn(self, name: bytes, message: str) -> None:
        self.names["warning", message].append(name)

    def findings(self) -> Iterator[Finding]:
        for (severity, message), names in self.names.items():
            for name in sorted(names)[:EXAMPLES_MAX]:
                yield Finding(severity=severity, subject=f"{self.subject}/{printable(name)}" if name else self.subject, message=message)
            if more := len(names[EXAMPLES_MAX:]):
                yield Finding(severity=severity, subject=self.subject, message=f"{more} more of its entries: each {message}")


def read_tree(root: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Tree:
    """Reads everything below `root`. `progress` is told (bytes done, bytes of all files)."""
    remarks = Remarks(root.name)
    found = sorted(walk(os.fsencode(root), b"", remarks))
    total = sum(info.st_size for _, info in found if stat.S_ISREG(info.st_mode))
    entries: list[TreeEntry] = []
    done = 0
    for name, info in found:
        try:
            entry = entry_of(os.fsencode(root), name, info, remarks)
        except OSError as error:
            remarks.error(name, f"cannot be read: {error.strerror}")
            continue
        entries.append(entry)
        done += entry.size_bytes
        progress(done, total)
    return Tree(tuple(entries), tree_summary(entries), tuple(remarks.findings()))


def walk(root: bytes, below: bytes, remarks: Remarks) -> Iterator[tuple[bytes, os.stat_result]]:
    """(name from the root, what lstat says) of all that can be restored: files, directories and links."""
    waiting = [below]
    while waiting:
        directory = waiting.pop()
        try:
            with os.scandir(root + b"/" + directory) as listing:
                before = directory + b"/" if directory else b""
                entries = [(before + one.name, one.stat(follow_symlinks=False)) for one in listing]
        except OSError as error:
            remarks.error(directory, f"cannot be read: {error.strerror}")
            continue
        for name, info in entries:
            if what := SPECIAL.get(stat.S_IFMT(info.st_mode)):
                remarks.error(name, f"is {what}, which no volume of 3scale holds")
                continue
            if stat.S_ISDIR(info.st_mode):
                waiting.append(name)
            yield name, info


def entry_of(root: bytes, name: bytes, info: os.stat_result, remarks: Remarks) -> TreeEntry:
    path, mode = root + b"/" + name, info.st_mode & KEPT_MODE
    if stat.S_ISDIR(info.st_mode):
        return TreeEntry(name, "d", mode)
    if stat.S_ISLNK(info.st_mode):
        target = os.readlink(path)  # noqa: PTH115 - a Path would tidy it up
        if leads_outside(name, target):
            remarks.warn(name, "is a link that leads out of the tree: it is kept as it is, and not followed")
        return TreeEntry(name, "l", 0, target=target)
    if info.st_mode & (stat.S_ISUID | stat.S_ISGID):
        remarks.warn(name, "has the setuid or setgid bit, which is not restored")
    size_bytes, sha256 = digest_file(path)
    if size_bytes != info.st_size:
        remarks.error(name, "changed while it was being read")
    return TreeEntry(name, "f", mode, size_bytes, sha256)


def digest_file(path: bytes) -> tuple[int, str]:
    """(bytes, SHA-256) of a regular file. What was put in its place meanwhile is neither followed nor waited for."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", buffering=0) as file:
        sha256 = hashlib.sha256()
        size_bytes = 0
        while piece := file.read(READ_BYTES):
            sha256.update(piece)
            size_bytes += len(piece)
    return size_bytes, sha256.hexdigest()


def leads_outside(name: bytes, target: bytes) -> bool:
    """Whether a link's target, as it is written, is not below the root of the tree."""
    above = name.rpartition(b"/")[0] or b"."
    reached = os.path.normpath(target if target.startswith(b"/") else above + b"/" + target)
    return reached.startswith(b"/") or reached.split(b"/", 1)[0] == b".."
