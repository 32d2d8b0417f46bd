"""Bring a directory of the bundle into a pod: what is missing there, or differs, and nothing else.

Guide 9.5.3-1. system-app, to which the guide copies, was scaled to 0 (T3): the pod is another one that has the
same volume. What would be overwritten is set aside on the volume first; what only the pod has stays, unless
it was asked to be set aside as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

from orchestrator.effects import Effect, PutTreeBack, SyncTree
from orchestrator.port import Reader, Seen, TreeSeen, WorkloadSeen
from orchestrator.steps.base import (
    CLEAR,
    DONE,
    Context,
    KnownBy,
    Standing,
    Step,
    WayBack,
    address,
    at_rest,
    left_files,
    settled,
    torn,
)


class TreePicture(Seen):
    workload: WorkloadSeen | None
    tree: TreeSeen | None = None


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
        workload = reader.workload(self.workload_kind, self.workload)
        if workload is None or not workload.is_complete:
            return TreePicture(workload=workload)
        return TreePicture(
            workload=workload, tree=reader.tree(workload, self.source, self.path, self.stash(ctx))
        )

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(TreePicture, seen)
        if waiting := settled(picture.workload, self.workload):
            return waiting
        assert picture.tree is not None
        if not picture.tree.has_source:
            return torn(f"{self.source}/ of the bundle is not there any more")
        is_left = picture.tree.missing or picture.tree.differing or (self.is_deleting and picture.tree.extra)
        return CLEAR if is_left else DONE

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        yield SyncTree(
            source=self.source, path=self.path, stash=self.stash(ctx), digest=self.digest,
            is_deleting=self.is_deleting, **self.address(seen),
        )

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        """The stash is the record of what a sync did: as long as it is there, there is something to take back.

        Once that has begun, what it brought is not as it left it: only before is it asked about.
        """
        picture = cast(TreePicture, seen)
        if waiting := settled(picture.workload, self.workload):
            return waiting
        tree = picture.tree
        assert tree is not None
        if tree.changed and not ctx.undo_attempt:
            return torn(f"{tree.changed} of what this run brought to {self.path} was changed since: {', '.join(tree.changed_names)}")
        return CLEAR if tree.has_stash else DONE

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        yield PutTreeBack(path=self.path, stash=self.stash(ctx), **self.address(seen))

    def leftovers(self, reader: Reader, ctx: Context) -> Iterator[Effect]:
        workload = at_rest(reader, self.workload_kind, self.workload)
        yield from left_files(reader, workload, self.workload, self.stash(ctx))

    def address(self, seen: Seen) -> dict[str, str]:
        return address(self.workload_kind, self.workload, cast(TreePicture, seen).workload)

    def shell(self, tool: str) -> tuple[str, ...]:
        if tool == "oc":
            return (f"oc rsync ./{self.source}/ POD:{self.path}   # a pod of {self.workload}",)
        return (f"kubectl cp ./{self.source}/. POD:{self.path}   # a pod of {self.workload}",)
