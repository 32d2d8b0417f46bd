"""Switch appendonly on in a running Redis that is not restored, but is restarted with the other.

Where an operator restarts both Redis for an edit of their one ConfigMap (3scale 2.15), the one that is
left alone would come back from its AOF of before the first restart, and lose what was written between
the two. With `CONFIG SET appendonly yes` it writes a whole AOF and keeps appending to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from orchestrator.effects import Effect, SwitchAppendingOn
from orchestrator.port import Seen
from orchestrator.steps.base import CLEAR, DONE, Context, KnownBy, Standing, WayBack, address
from orchestrator.steps.rewrite_aof import AofPicture, AofStep


class KeepAppending(AofStep):
    known_by = KnownBy("probe", "the running server's setting and its AOF")
    kind: Literal["keep_appending"] = "keep_appending"

    @property
    def way_back(self) -> WayBack:
        return "nothing"

    @property
    def undo_note(self) -> str:
        return "nothing to take back: the server appends as it did before"

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = seen if isinstance(seen, AofPicture) else AofPicture.model_validate(seen)
        if waiting := self.unsettled(picture):
            return waiting
        is_appending = picture.redis is not None and picture.redis.appendonly == "yes"
        return DONE if is_appending and self.is_written(picture) else CLEAR

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        assert isinstance(seen, AofPicture)
        yield SwitchAppendingOn(**address(self.workload_kind, self.workload, seen.workload))

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        return DONE

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        yield from ()

    def shell(self, tool: str) -> tuple[str, ...]:
        return (f"{tool} exec {self.workload_kind.lower()}/{self.workload} -- redis-cli CONFIG SET appendonly yes",)
