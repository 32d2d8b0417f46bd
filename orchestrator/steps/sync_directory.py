"""Bring a directory of the bundle into a pod: what is missing there, or differs, and nothing else.

Guide 9.5.3-1. system-app, to which the guide copies, was scaled to 0 (T3): the pod is another one that has the
same volume, or one of ours where that one is not ready. What would be overwritten is set aside on the volume first; what only the pod has stays, unless
it was asked to be set aside as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, cast

from orchestrator.effects import Effect, PutTreeBack, SyncTree
from orchestrator.port import Reader, Seen, TreeSeen
from orchestrator.steps.base import (
    CLEAR,
    DONE,
    Context,
    Gate,
    KnownBy,
    Standing,
    Step,
    WayBack,
    at_rest,
    left_files,
    left_jobs,
    opened,
    running,
    torn,
)
from orchestrator.steps.serving import ServedPicture, address_of, served, starting, unserved


class TreePicture(ServedPicture):
    tree: TreeSeen | None = None
    running: Mapping[str, int] = {}  # gates that are open


def tree_picture(
    reader: Reader, picture: ServedPicture, gates: Iterable[Gate], source: str, path: str, stash: str
) -> TreePicture:
    tree = reader.tree(picture.server, source, path, stash) if picture.server is not None else None
    return TreePicture(workload=picture.workload, helper=picture.helper, tree=tree, running=running(reader, gates))


class SyncDirectory(Step):
    Picture = TreePicture
    known_by = KnownBy("probe", "the pod's own digests of the files")
    kind: Literal["sync_directory"] = "sync_directory"
    workload_kind: str
    workload: str
    source: str  # the directory's name in the bundle
    path: str
    digest: str  # of the bundle's directory
    size_bytes: int = 0  # of its files
    gates: tuple[Gate, ...] = ()  # what writes there, stopped before
    is_deleting: bool = False  # what only the pod has is set aside

    @property
    def way_back(self) -> WayBack:
        return "safety copy"

    @property
    def undo_note(self) -> str:
        return f"remove from {self.path} what was created, put back what was replaced or deleted"

    @property
    def copy_note(self) -> str:
        return "what it replaces or deletes is renamed on its volume: needs no room"

    def stash(self, ctx: Context) -> str:
        return f"{self.path}/.replaced-by-{ctx.run}"

    def probe(self, reader: Reader, ctx: Context) -> TreePicture:
        found = served(reader, ctx, self.workload_kind, self.workload, is_helped=True)
        return tree_picture(reader, found, self.gates, self.source, self.path, self.stash(ctx))

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(TreePicture, seen)
        if waiting := unserved(picture, self.workload, is_helped=True):
            return waiting
        assert picture.tree is not None
        if not picture.tree.has_source:
            return torn(f"{self.source}/ of the bundle is not there any more")
        is_left = picture.tree.missing or picture.tree.differing or (self.is_deleting and picture.tree.extra)
        if is_left and (is_open := opened(picture.running)):
            return torn(is_open)
        return CLEAR if is_left else DONE

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        picture = cast(TreePicture, seen)
        if picture.server is None:
            yield from starting(picture, ctx, self.workload_kind, self.workload, self.path)
            return
        yield SyncTree(
            source=self.source, path=self.path, stash=self.stash(ctx), digest=self.digest,
            is_deleting=self.is_deleting, **self.address(picture, ctx),
        )

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        """The stash is the record of what a sync did: as long as it is there, there is something to take back.

        Once that has begun, what it brought is not as it left it: only before is it asked about.
        """
        picture = cast(TreePicture, seen)
        if waiting := unserved(picture, self.workload, is_helped=True):
            return waiting
        tree = picture.tree
        assert tree is not None
        if tree.changed and not ctx.undo_attempt:
            return torn(f"{tree.changed} of what this run brought to {self.path} was changed since: {', '.join(tree.changed_names)}")
        return CLEAR if tree.has_stash else DONE

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        picture = cast(TreePicture, seen)
        if picture.server is None:
            yield from starting(picture, ctx, self.workload_kind, self.workload, self.path)
            return
        yield PutTreeBack(path=self.path, stash=self.stash(ctx), **self.address(picture, ctx))

    def leftovers(self, reader: Reader, ctx: Context) -> Iterator[Effect]:
        workload = at_rest(reader, self.workload_kind, self.workload)
        yield from left_files(reader, workload, self.workload, self.stash(ctx))
        yield from left_jobs(reader, workload, self.workload, ctx)

    def address(self, picture: TreePicture, ctx: Context) -> dict[str, str]:
        return address_of(picture, ctx, self.workload_kind, self.workload)

    def shell(self, tool: str) -> tuple[str, ...]:
        if tool == "oc":
            return (f"oc rsync ./{self.source}/ POD:{self.path}   # a pod of {self.workload}",)
        return (f"kubectl cp ./{self.source}/. POD:{self.path}   # a pod of {self.workload}",)
