"""Copy a file of the bundle into a pod, and believe only the digest that the pod itself computes.

Guide 9.5.5.1-6. The file grows beside its place under a name that carries the run's id, and is renamed
when its sha256 is right: a file under the final name is whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

from orchestrator.effects import CopyIn, Effect, RemovePath
from orchestrator.port import FileSeen, Reader, Seen, WorkloadSeen
from orchestrator.steps.base import (
    CLEAR,
    DONE,
    Context,
    KnownBy,
    Standing,
    Step,
    address,
    at_rest,
    left_files,
    left_jobs,
    settled,
    torn,
)


class CopyPicture(Seen):
    workload: WorkloadSeen | None
    file: FileSeen | None = None
    part: FileSeen | None = None


class CopyIntoPod(Step):
    Picture = CopyPicture
    known_by = KnownBy("probe", "the pod's own digest of the file; only a whole one has its final name")
    kind: Literal["copy_into_pod"] = "copy_into_pod"
    workload_kind: str
    workload: str
    source: str  # the file's name in the bundle
    path: str
    size_bytes: int
    sha256: str

    @property
    def undo_note(self) -> str:
        return f"remove {self.path}, with what was written to it since"

    def part(self, ctx: Context) -> str:
        return f"{self.path}.part-{ctx.run}"

    def probe(self, reader: Reader, ctx: Context) -> CopyPicture:
        workload = reader.workload(self.workload_kind, self.workload)
        if workload is None or not workload.is_complete:
            return CopyPicture(workload=workload)
        path, part = self.path, self.part(ctx)
        file = reader.files(workload, [path], digests=True)[path]
        return CopyPicture(workload=workload, file=file, part=reader.files(workload, [part], digests=False)[part])

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(CopyPicture, seen)
        if waiting := settled(picture.workload, self.workload):
            return waiting
        if picture.file is None:
            return CLEAR
        if picture.file.sha256 == self.sha256:
            return DONE
        return torn(f"{self.path} holds another file than {self.source}")

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        where = address(self.workload_kind, self.workload, cast(CopyPicture, seen).workload)
        yield CopyIn(
            source=self.source, path=self.path, part=self.part(ctx), size_bytes=self.size_bytes,
            sha256=self.sha256, **where,
        )

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(CopyPicture, seen)
        if waiting := settled(picture.workload, self.workload):
            return waiting
        if picture.file and ctx.after is None and picture.file.sha256 != self.sha256:
            return torn(f"{self.path} is not the file that this run copies")
        return CLEAR if picture.file or picture.part else DONE

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        """The content isn't compared: Redis rewrites this file itself once saving is on again."""
        picture = cast(CopyPicture, seen)
        where = address(self.workload_kind, self.workload, picture.workload)
        if picture.part:
            yield RemovePath(path=self.part(ctx), **where)
        if picture.file or not picture.part:
            yield RemovePath(path=self.path, **where)

    def leftovers(self, reader: Reader, ctx: Context) -> Iterator[Effect]:
        workload = at_rest(reader, self.workload_kind, self.workload)
        yield from left_files(reader, workload, self.workload, self.part(ctx))
        yield from left_jobs(reader, workload, self.workload, ctx)

    def shell(self, tool: str) -> tuple[str, ...]:
        return (f"{tool} cp ./{self.source} POD:{self.path}   # a pod of {self.workload}",)
