"""Delete the pod of ours by which a volume was reached, once nothing needs it any more; nothing, where none was made.

It applies the step that works in it: on the way back it comes after that one too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

from orchestrator import effects as fx
from orchestrator.effects import Effect
from orchestrator.port import HELPER, Reader, Seen, WorkloadSeen
from orchestrator.steps.base import CLEAR, DONE, Context, KnownBy, Standing, Step, WayBack, busy
from orchestrator.steps.serving import HELPERS, helper_of


class HelperPicture(Seen):
    helper: WorkloadSeen | None


class RemoveHelper(Step):
    Picture = HelperPicture
    known_by = KnownBy("probe", "whether the helper pod is there")
    kind: Literal["remove_helper"] = "remove_helper"

    @property
    def way_back(self) -> WayBack:
        return "nothing"

    @property
    def undo_note(self) -> str:
        return "deletes the helper pod again, where taking back what lies on the volume needed one"

    def probe(self, reader: Reader, ctx: Context) -> HelperPicture:
        return HelperPicture(helper=reader.workload(HELPER, helper_of(ctx)))

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        helper = cast(HelperPicture, seen).helper
        if helper is None:
            return DONE
        return CLEAR if helper.replicas else busy(helper.waiting_for)

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        yield fx.RemoveHelper(helper=helper_of(ctx), run=ctx.run)

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        return self.standing(seen, ctx)

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        yield from self.do(seen, ctx)

    def shell(self, tool: str) -> tuple[str, ...]:
        return (f"{tool} delete pod {HELPERS}RUN --ignore-not-found",)

    def leftovers(self, reader: Reader, ctx: Context) -> Iterator[Effect]:
        if reader.workload(HELPER, helper_of(ctx)) is not None:
            yield fx.RemoveHelper(helper=helper_of(ctx), run=ctx.run)
