"""A directory of the bundle brought into a pod, and taken back: only what is missing or differs travels.

Kind, content and the targets of links are compared. Modes and times are given to what is brought, as
`rsync --archive --no-owner --no-group --omit-dir-times` does, and are not compared: a volume may refuse
them. Small files travel together in packs, large ones by themselves, both as any file does: resumable and
compared by digest. What a sync did is known from its stash in the pod alone.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster import copying, tree_scripts
from orchestrator.cluster.execs import Ran
from orchestrator.cluster.pods import At, Pods, whole_bytes
from orchestrator.cluster.sources import Source
from orchestrator.errors import ClusterRefused, ClusterUnreachable, PlanChanged
from orchestrator.port import TreeSeen, WorkloadSeen
from orchestrator.summaries import TreeEntry, tree_summary
from orchestrator.trees import Remarks, entry_of, walk

PACK_BYTES: Final = 4 * 1024 * 1024
PACK_FILES: Final = 500
ABSENT: Final = ("", b"")  # what was set aside and nothing brought in its place
NAMED_MAX: Final = 3  # names of changed files that a look tells
UNIT_BYTES: Final = 512  # the files of a pack begin at a multiple of this
DIGEST: Final = re.compile(rb"\\?([0-9a-f]{64})(?: |$)")
PLAIN: Final = re.compile(rb"[A-Za-z0-9./_-]")


@dataclass(frozen=True, slots=True)
class There:
    """A directory in a pod. entries: kind and digest or target, by name.

    Of the stash: what was created, the numbers of what was moved into it, and as what each entry was brought.
    """

    entries: Mapping[bytes, tuple[str, bytes]]
    has_stash: bool
    created: frozenset[bytes]
    moved: Mapping[bytes, int]
    left: Mapping[bytes, tuple[str, bytes]]

    def changed(self) -> list[bytes]:
        """What was brought and is not so any more."""
        return sorted(name for name, entry in self.left.items() if self.entries.get(name, ABSENT) != entry)


@dataclass(frozen=True, slots=True)
class Item:
    """One entry that has to be brought, or goes; number: under which the old one is set aside, 0 where there is none."""

    entry: TreeEntry
    number: int
    is_extra: bool = False  # the bundle lacks it, and it was asked to be set aside


class Directories:
    def __init__(self, pods: Pods, bundle: Path | None) -> None:
        self._pods, self._bundle = pods, bundle
        self._known: dict[Path, tuple[object, tuple[TreeEntry, ...]]] = {}
        self._memory = copying.Memory()

    def seen(self, workload: WorkloadSeen, source: str, path: str, stash: str) -> TreeSeen:
        has_source = Path(os.fsdecode(self._root(source))).is_dir()
        entries, there = self._entries(source) if has_source else (), self._there(workload, path, stash)
        changed = there.changed()
        items = wanted(entries, there)
        missing = [item for item in items if item.entry.name not in there.entries]
        return TreeSeen(
            same=len(entries) - len(items),
            missing=len(missing),
            differing=len(items) - len(missing),
            extra=len(there.entries.keys() - {entry.name for entry in entries}),
            size_bytes=sum(entry.size_bytes for entry in entries),
            left_bytes=sum(item.entry.size_bytes for item in items),
            created=len(there.created),
            replaced=len(there.moved),
            has_stash=there.has_stash,
            changed=len(changed),
            changed_names=tuple(name.decode("utf-8", "backslashreplace") for name in changed[:NAMED_MAX]),
            has_source=has_source,
        )

    def sync(self, effect: fx.SyncTree, at: At) -> Iterator[ev.EffectFact]:
        entries = self._entries(effect.source)
        if tree_summary(entries).digest != effect.digest:
            raise PlanChanged(f"{effect.source}/ of the bundle is not what the plan was made for")
        there = self._there(effect, effect.path, effect.stash)
        items = wanted(entries, there)
        if effect.is_deleting:
            items += extras(entries, there, items)
        root = self._root(effect.source)
        for pack in packs(items):
            yield from self._bring(effect, at, root, pack)
        files = [item for item in items if item.entry.kind == "f" and not item.is_extra]
        yield ev.DirectorySynced(
            **at, pod=effect.pod, path=effect.path, files=len(files),
            size_bytes=sum(item.entry.size_bytes for item in files),
            replaced=sum(1 for item in items if item.number),
        )  # fmt: skip

    def put_back(self, effect: fx.PutTreeBack, at: At) -> Iterator[ev.EffectFact]:
        ran = self._pods.script(effect, tree_scripts.PUT_BACK, effect.path, below(effect.path, effect.stash))
        answered(ran, effect.path)
        yield ev.DirectoryPutBack(**at, pod=effect.pod, path=effect.path)

    def _bring(self, effect: fx.SyncTree, at: At, root: bytes, pack: list[Item]) -> Iterator[ev.EffectFact]:
        """One pack, or one large file and the pack that puts it in its place."""
        stash, run = below(effect.path, effect.stash), self._pods.runner(effect)
        self._pods.command(effect, 'mkdir -p "$1" && chmod 700 "$1"', effect.stash)
        large = [item for item in pack if is_large(item)]
        sources = []
        for item in large:
            file = Path(os.fsdecode(root + b"/" + item.entry.name))
            sources.append((f"pack-{item.entry.sha256}", Source.of_file(file)))
        lines, content = packed(root, pack)
        name = f"pack-{hashlib.sha256(content).hexdigest()}"
        parts = [*sources, (name, Source.of_bytes(content))]
        for part, source in parts:
            path = f"{effect.stash}/{part}"
            for moved in copying.copy_chunks(run, source, path, self._memory.of(effect.container, path)):
                yield copying.fact_of(moved, at, effect.pod, path)
        numbers = (str(len(lines)), str((len(lines) + UNIT_BYTES - 1) // UNIT_BYTES))
        answered(self._pods.script(effect, tree_scripts.UNPACK, effect.path, stash, name, *numbers), effect.path)

    def _there(self, at: fx.InPod | WorkloadSeen, path: str, stash: str) -> There:
        ran = self._pods.script(at, tree_scripts.MANIFEST, path, below(path, stash))
        return manifest(answered(ran, path))

    def _root(self, source: str) -> bytes:
        if self._bundle is None:
            raise ClusterRefused("this run has no bundle to copy from")
        return os.fsencode(self._bundle / source)

    def _entries(self, source: str) -> tuple[TreeEntry, ...]:
        """What is in the bundle's directory; read again only where names, sizes or times have changed."""
        root, remarks = self._root(source), Remarks(source)
        found = sorted(walk(root, b"", remarks))
        looks = tuple((name, s.st_mode, s.st_size, s.st_mtime_ns, s.st_ino, s.st_ctime_ns) for name, s in found)
        known = self._known.get(Path(os.fsdecode(root)))
        if known and known[0] == looks:
            return known[1]
        try:
            entries = tuple(entry_of(root, name, info, remarks) for name, info in found)
        except OSError as error:
            raise PlanChanged(f"{source}/ of the bundle cannot be read any more: {error.strerror}") from error
        self._known[Path(os.fsdecode(root))] = (looks, entries)
        return entries


def wanted(entries: Iterable[TreeEntry], there: There) -> list[Item]:
    """What is missing or differs, parents first. What was set aside once keeps its number: the first one wins."""
    items, numbers = [], dict(there.moved)
    for entry in sorted(entries):
        found = there.entries.get(entry.name)
        content = {"f": entry.sha256.encode(), "l": entry.target, "d": b""}[entry.kind]
        if found == (entry.kind, content):
            continue
        if found is not None and entry.name not in there.created:
            numbers.setdefault(entry.name, len(numbers) + 1)
        items.append(Item(entry, numbers.get(entry.name, 0)))
    return items


def extras(entries: Iterable[TreeEntry], there: There, items: Iterable[Item]) -> list[Item]:
    """What only the pod has, each by the topmost of it: a directory goes with all that is in it."""
    known = {entry.name for entry in entries}
    numbers = dict(there.moved) | {item.entry.name: item.number for item in items if item.number}
    found: list[Item] = []
    for name in sorted(there.entries.keys() - known):
        if found and name.startswith(found[-1].entry.name + b"/"):
            continue
        number = numbers.setdefault(name, max(numbers.values(), default=0) + 1)
        found.append(Item(TreeEntry(name, "f", 0), number, is_extra=True))
    return found


def packs(items: Iterable[Item]) -> Iterator[list[Item]]:
    """In order; a large file goes alone, as what is behind it in a pack would wait for it."""
    pack: list[Item] = []
    size_bytes = 0
    for item in items:
        size = item.entry.size_bytes
        if pack and (is_large(item) or size_bytes + size > PACK_BYTES or len(pack) >= PACK_FILES):
            yield pack
            pack, size_bytes = [], 0
        pack.append(item)
        size_bytes += size
        if is_large(item):
            yield pack
            pack, size_bytes = [], 0
    if pack:
        yield pack


def is_large(item: Item) -> bool:
    return item.entry.size_bytes > PACK_BYTES


def packed(root: bytes, pack: Iterable[Item]) -> tuple[bytes, bytes]:
    """The lines of a pack, and the whole of it: the lines, filled up to a whole number of units, and the bodies of its files."""
    rows = list(pack)
    lines = b"".join(line_of(root, item) for item in rows)
    files = [item for item in rows if item.entry.kind == "f" and not item.is_extra]
    bodies = [content_of(root, item.entry) for item in files if not is_large(item)]
    return lines, lines + bytes(-len(lines) % UNIT_BYTES) + b"".join(bodies)


def line_of(root: bytes, item: Item) -> bytes:
    entry = item.entry
    if item.is_extra:
        return b"x %d 000 000 0 0 %b -\n" % (item.number, escaped(b"./" + entry.name))
    op, target = entry.kind.encode(), escaped(entry.target) or entry.sha256.encode() or b"-"
    if is_large(item):
        op, target = b"b", f"pack-{entry.sha256}".encode()
    mtime = int(os.lstat(root + b"/" + entry.name).st_mtime)
    number = str(item.number or "-")
    head = f"{number} {0o777 & ~entry.mode:03o} {entry.mode:03o} {mtime} {entry.size_bytes}".encode()
    return b"%b %b %b %b\n" % (op, head, escaped(b"./" + entry.name), target)


def content_of(root: bytes, entry: TreeEntry) -> bytes:
    with os.fdopen(os.open(root + b"/" + entry.name, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        content = file.read()
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise PlanChanged(f"{os.fsdecode(root)} of the bundle changed while it was copied")
    return content


def escaped(name: bytes) -> bytes:
    """As `printf %b` reads it back, without a space and without a line's end."""
    return b"".join(
        bytes([byte]) if PLAIN.match(bytes([byte])) else b"\\0%03o" % byte for byte in name
    )


def unescaped(line: bytes) -> bytes:
    return re.sub(rb"\\0([0-7]{3})", lambda match: bytes([int(match[1], 8)]), line)


def manifest(answer: bytes) -> There:
    """The answer of tree_scripts.MANIFEST."""
    fields = iter(answer.split(b"\0"))
    entries: dict[bytes, tuple[str, bytes]] = {}
    try:
        kind = next(fields)
        if kind == b"none":
            return There({}, False, frozenset(), {}, {})
        created = frozenset(bare(unescaped(line)) for line in next(fields).splitlines())
        moved = [line.split(b" ", 1) for line in next(fields).splitlines()]
        left = dict(left_entry(line) for line in next(fields).splitlines())
        for what in fields:
            if what == b"d":
                entries[bare(next(fields))] = ("d", b"")
            elif what == b"l":
                name = next(fields)
                entries[bare(name)] = ("l", next(fields).removesuffix(b"\n"))
            elif what == b"s":
                entries[bare(next(fields))] = ("s", b"")
            elif what == b"b":
                names = list(iter(lambda: next(fields), b""))
                digests = [m[1] for line in next(fields).splitlines() if (m := DIGEST.match(line))]
                for name, digest in zip(names, digests, strict=True):
                    entries[bare(name)] = ("f", digest)
    except (StopIteration, ValueError, RuntimeError) as error:
        raise ClusterUnreachable("a directory in the pod changed while it was looked at") from error
    return There(
        entries, kind == b"stash", created, {bare(unescaped(name)): int(number) for number, name in moved}, left
    )


def left_entry(line: bytes) -> tuple[bytes, tuple[str, bytes]]:
    """A line of the stash's list: how an entry was brought. Links by their target, files by their digest."""
    op, content, name = line.split(b" ")
    if op == b"x":
        return bare(unescaped(name)), ABSENT
    if op == b"l":
        return bare(unescaped(name)), ("l", unescaped(content))
    return bare(unescaped(name)), ("f", content.removeprefix(b"pack-"))


def bare(name: bytes) -> bytes:
    return name.removeprefix(b"./")


def below(path: str, stash: str) -> str:
    """The stash as a name below the root."""
    if not stash.startswith(f"{path}/") or "/" in (name := stash.removeprefix(f"{path}/")) or not name:
        raise ClusterRefused(f"{stash} does not lie directly in {path}")
    return name


def answered(ran: Ran, path: str) -> bytes:
    if ran.code == tree_scripts.LINK_ON_THE_WAY or ran.code == tree_scripts.NOT_EMPTY:
        raise ClusterRefused(f"{path}: {ran.complaint}")
    if ran.code:
        raise (ClusterRefused if b"ermission denied" in ran.err else ClusterUnreachable)(f"{path}: {ran.complaint}")
    return whole_bytes(ran)
