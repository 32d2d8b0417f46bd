"""Compare a directory in a pod with the bundle's, file by file, by the pod's own digests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

from orchestrator.events import Confirmation, VerificationFailed, VerificationPassed
from orchestrator.port import Reader, Seen
from orchestrator.steps.base import DONE, Context, LookingStep, Standing, settled, torn
from orchestrator.steps.sync_directory import TreePicture


class CheckDirectory(LookingStep):
    Picture = TreePicture
    kind: Literal["check_directory"] = "check_directory"
    workload_kind: str
    workload: str
    source: str
    path: str

    def probe(self, reader: Reader, ctx: Context) -> TreePicture:
        workload = reader.workload(self.workload_kind, self.workload)
        if workload is None or not workload.is_complete:
            return TreePicture(workload=workload)
        stash = f"{self.path}/.replaced-by-{ctx.run}"
        return TreePicture(workload=workload, tree=reader.tree(workload, self.source, self.path, stash))

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(TreePicture, seen)
        if waiting := settled(picture.workload, self.workload):
            return waiting
        tree = picture.tree
        assert tree is not None
        if tree.missing or tree.differing:
            return torn(f"{self.path}: {tree.missing} entries are missing, {tree.differing} differ")
        return DONE

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        tree = cast(TreePicture, seen).tree
        if tree is None or standing.name not in ("done", "torn"):
            return
        fact = VerificationPassed if standing is DONE else VerificationFailed
        total = tree.same + tree.missing + tree.differing
        yield fact(
            step=self.id, attempt=ctx.attempt, subject=f"{self.source}/ in {self.workload}",
            expected={"entries": total}, found={"entries": tree.same},
        )
