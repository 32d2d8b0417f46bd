"""Compare a directory in a pod with the bundle's, file by file, by the pod's own digests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

from orchestrator.effects import Effect
from orchestrator.events import Confirmation, VerificationFailed, VerificationPassed
from orchestrator.port import Reader, Seen
from orchestrator.steps.base import DONE, Context, Gate, LookingStep, Standing, opened, torn
from orchestrator.steps.serving import served, starting, unserved
from orchestrator.steps.sync_directory import TreePicture, tree_picture


class CheckDirectory(LookingStep):
    Picture = TreePicture
    kind: Literal["check_directory"] = "check_directory"
    workload_kind: str
    workload: str
    source: str
    path: str
    gates: tuple[Gate, ...] = ()  # what writes there, stopped before
    is_helped: bool = False  # a helper pod is started where no pod of the workload is ready

    def probe(self, reader: Reader, ctx: Context) -> TreePicture:
        found = served(reader, ctx, self.workload_kind, self.workload, is_helped=self.is_helped)
        return tree_picture(reader, found, self.gates, self.source, self.path, f"{self.path}/.replaced-by-{ctx.run}")

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(TreePicture, seen)
        if waiting := unserved(picture, self.workload, is_helped=self.is_helped):
            return waiting
        tree = picture.tree
        assert tree is not None
        if is_open := opened(picture.running):
            return torn(is_open)
        if tree.missing or tree.differing:
            return torn(f"{self.path}: {tree.missing} entries are missing, {tree.differing} differ")
        return DONE

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        picture = cast(TreePicture, seen)
        if picture.server is None:
            yield from starting(picture, ctx, self.workload_kind, self.workload, self.path)

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        tree = cast(TreePicture, seen).tree
        if tree is None or standing.name not in ("done", "torn"):
            return
        fact = VerificationFailed if tree.missing or tree.differing else VerificationPassed
        total = tree.same + tree.missing + tree.differing
        yield fact(
            step=self.id, attempt=ctx.attempt, subject=f"{self.source}/ in {self.workload}",
            expected={"entries": total}, found={"entries": tree.same},
        )
