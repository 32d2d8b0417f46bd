"""Set a file of a pod aside under a name that carries the run's id, so that no run destroys another's copy.

Guide 9.5.5.1-4 and -5. A file that is not there is nothing to set aside.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

from orchestrator.effects import Effect, PutBack, SetAside
from orchestrator.port import FileSeen, Reader, Seen, WorkloadSeen
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


class AsidePicture(Seen):
    workload: WorkloadSeen | None
    file: FileSeen | None = None
    aside: FileSeen | None = None


class SetAsideFile(Step):
    Picture = AsidePicture
    known_by = KnownBy("probe", "which of its two names the file has")
    kind: Literal["set_aside_file"] = "set_aside_file"
    workload_kind: str
    workload: str
    path: str

    @property
    def way_back(self) -> WayBack:
        return "safety copy"

    @property
    def undo_note(self) -> str:
        return f"rename {self.path}-before-RUN back to {self.path}"

    @property
    def copy_note(self) -> str:
        return "a rename beside it: needs no room"

    def aside(self, ctx: Context) -> str:
        return f"{self.path}-before-{ctx.run}"

    def probe(self, reader: Reader, ctx: Context) -> AsidePicture:
        workload = reader.workload(self.workload_kind, self.workload)
        if workload is None or not workload.is_complete:
            return AsidePicture(workload=workload)
        found = reader.files(workload, [self.path, self.aside(ctx)])
        return AsidePicture(workload=workload, file=found[self.path], aside=found[self.aside(ctx)])

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(AsidePicture, seen)
        if waiting := settled(picture.workload, self.workload):
            return waiting
        if picture.file and picture.aside:
            return torn(f"{self.path} is there again after it was set aside")
        if picture.file:
            return CLEAR
        if ctx.before and not picture.aside:
            return torn(f"{self.path} is gone, and {self.aside(ctx)} is not there either")
        return DONE

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        yield SetAside(path=self.path, aside=self.aside(ctx), **self.address(seen))

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(AsidePicture, seen)
        if waiting := settled(picture.workload, self.workload):
            return waiting
        if picture.file and picture.aside:
            return torn(f"something has written {self.path} while {self.aside(ctx)} waits to be put back")
        if picture.aside:
            return CLEAR
        if picture.file:
            return DONE
        return torn(f"neither {self.path} nor {self.aside(ctx)} is there")

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        yield PutBack(path=self.path, aside=self.aside(ctx), **self.address(seen))

    def leftovers(self, reader: Reader, ctx: Context) -> Iterator[Effect]:
        workload = at_rest(reader, self.workload_kind, self.workload)
        yield from left_files(reader, workload, self.workload, self.aside(ctx))

    def address(self, seen: Seen) -> dict[str, str]:
        return address(self.workload_kind, self.workload, cast(AsidePicture, seen).workload)

    def shell(self, tool: str) -> tuple[str, ...]:
        where = f"{self.workload_kind.lower()}/{self.workload}"
        return (f"{tool} exec {where} -- mv {self.path} {self.path}-before-RUN",)
