"""Which pod a volume is worked on in: a ready one of the workload that has it, else one of ours, a helper.

The helper is started by the step that needs it, at the look that finds none, as one more attempt of that step. So it
is in the journal before it is there, and comes again where it goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.effects import Effect, RemoveHelper, StartHelper
from orchestrator.port import HELPER, Reader, Seen, WorkloadSeen
from orchestrator.steps.base import Context, Standing, address, busy, clear

HELPERS: Final = "restore-helper-"  # what their names begin with; the run's id follows


def helper_of(ctx: Context) -> str:
    return f"{HELPERS}{ctx.run}"


class ServedPicture(Seen):
    workload: WorkloadSeen | None
    helper: WorkloadSeen | None = None  # looked for where no pod of the workload is ready

    @property
    def server(self) -> WorkloadSeen | None:
        """What has a pod that can be worked in. Another pod of the workload may be on its way: the volume is the same."""
        return next((w for w in (self.workload, self.helper) if w is not None and w.pod), None)


def served(reader: Reader, ctx: Context, kind: str, name: str, *, is_helped: bool) -> ServedPicture:
    workload = reader.workload(kind, name)
    if workload is None or workload.pod or not is_helped:
        return ServedPicture(workload=workload)
    return ServedPicture(workload=workload, helper=reader.workload(HELPER, helper_of(ctx)))


def unserved(picture: ServedPicture, name: str, *, is_helped: bool) -> Standing | None:
    """None where there is a pod to work in; clear where a helper has to be started first."""
    if picture.server is not None:
        return None
    if picture.workload is None:
        return busy(f"{name} is not there")
    why = picture.workload.waiting_for or f"{name}: no pod is ready"
    helper = picture.helper
    if not is_helped:
        return busy(why)
    if helper is None or (helper.replicas and not helper.pods):
        return clear(f"{why}; a helper pod is started in its place")
    return busy(f"{why}; the helper is not ready: {helper.waiting_for}")


def starting(picture: ServedPicture, ctx: Context, kind: str, name: str, path: str) -> Iterator[Effect]:
    """A helper, in the place of one that has ended, such as one that was evicted."""
    if picture.helper is not None:
        yield RemoveHelper(helper=helper_of(ctx), run=ctx.run)
    yield StartHelper(kind=kind, workload=name, path=path, helper=helper_of(ctx), run=ctx.run)


def address_of(picture: ServedPicture, ctx: Context, kind: str, name: str) -> dict[str, str]:
    is_helper = picture.server is not None and picture.server is picture.helper
    return address(HELPER, helper_of(ctx), picture.server) if is_helper else address(kind, name, picture.server)
