"""See that a Redis which is not restored saves as before, whatever has restarted it meanwhile.

Both Redis start from the one ConfigMap. The one that is left alone keeps its settings as long as it runs; a pod that is
evicted while saving is off there comes back without saving, and would stay so when the ConfigMap is long as it was: what
is written to it is on no disk, and its next start would load an AOF of before. Where that has happened the running server
is told to save again, by CONFIG SET and without a restart: it holds what nothing else does. On the way back the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

from orchestrator.effects import Effect, RewriteAof, SwitchSavingOn
from orchestrator.port import Seen
from orchestrator.steps.base import CLEAR, DONE, Context, KnownBy, Standing, WayBack, address, answering
from orchestrator.steps.rewrite_aof import AofPicture, AofStep


class KeepSaving(AofStep):
    known_by = KnownBy("probe", "the running server's settings and its AOF")
    kind: Literal["keep_saving"] = "keep_saving"
    save: str  # what CONFIG GET save has to answer
    appendonly: Literal["yes", "no"]

    @property
    def way_back(self) -> WayBack:
        return "nothing"

    @property
    def undo_note(self) -> str:
        return f"see once more that {self.workload} saves as before"

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        return self.saving(cast(AofPicture, seen), has_begun=ctx.attempt > 0)

    def saving(self, picture: AofPicture, *, has_begun: bool) -> Standing:
        """How its AOF is doing is only asked of a server that this run has told to write one."""
        if waiting := answering(picture.workload, picture.redis, self.workload):
            return waiting
        if not self.is_set(picture):
            return CLEAR
        if not has_begun or self.appendonly == "no":
            return DONE
        return self.unsettled(picture) or (DONE if self.is_written(picture) else CLEAR)

    def is_set(self, picture: AofPicture) -> bool:
        return picture.redis is not None and (picture.redis.save, picture.redis.appendonly) == (self.save, self.appendonly)

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        """Where it appends already and its AOF could not be written, saying so once more would change nothing."""
        picture = cast(AofPicture, seen)
        where = address(self.workload_kind, self.workload, picture.workload)
        if self.is_set(picture):
            yield RewriteAof(**where)
        else:
            yield SwitchSavingOn(save=self.save, appendonly=self.appendonly, **where)

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        return self.saving(cast(AofPicture, seen), has_begun=ctx.undo_attempt > 0)

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        yield from self.do(seen, ctx)

    def shell(self, tool: str) -> tuple[str, ...]:
        redis = f"{tool} exec {self.workload_kind.lower()}/{self.workload} -- redis-cli"
        lines = (f'{redis} CONFIG SET save "{self.save}"', f"{redis} CONFIG SET appendonly yes")
        return lines if self.appendonly == "yes" else lines[:1]
