"""Empty the job queues of a Redis that has just loaded its dump, where it was decided to drop them.

Guide 9.5.4.2. Between the load and the AOF rewrite, so that what is written holds no queue either; in the
end where there is no AOF. Taken back with the file that the dump replaced: the old queues come back with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

from orchestrator.effects import Effect, FlushRedis
from orchestrator.port import Reader, RedisSeen, Seen, WorkloadSeen
from orchestrator.steps.base import (
    CLEAR,
    DONE,
    Context,
    KnownBy,
    Standing,
    Step,
    WayBack,
    address,
    answering,
)


class QueuesPicture(Seen):
    workload: WorkloadSeen | None
    redis: RedisSeen | None = None


class FlushQueues(Step):
    Picture = QueuesPicture
    known_by = KnownBy("probe", "the queue keys that the running server counts")
    kind: Literal["flush_queues"] = "flush_queues"
    workload_kind: str
    workload: str
    database: int

    @property
    def way_back(self) -> WayBack:
        return "safety copy"

    @property
    def undo_note(self) -> str:
        return f"comes back with the RDB of {self.workload} that was set aside"

    @property
    def copy_note(self) -> str:
        return "the file that was set aside"

    def probe(self, reader: Reader, ctx: Context) -> QueuesPicture:
        workload = reader.workload(self.workload_kind, self.workload)
        if workload is None or not workload.is_complete:
            return QueuesPicture(workload=workload)
        return QueuesPicture(workload=workload, redis=reader.redis(workload))

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(QueuesPicture, seen)
        if waiting := answering(picture.workload, picture.redis, self.workload):
            return waiting
        assert picture.redis is not None
        left = picture.redis.keys.get(self.database, 0)
        return DONE if not left or self.is_flushed(picture, left, ctx) else CLEAR

    def is_flushed(self, picture: QueuesPicture, left: int, ctx: Context) -> bool:
        """The backend runs and fills its queues again at once: fewer keys than this very server had are enough."""
        before = cast("QueuesPicture | None", self.picture(ctx.before))
        if before is None or before.workload is None or before.redis is None or picture.workload is None:
            return False
        return before.workload.container == picture.workload.container and left < before.redis.keys.get(self.database, 0)

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        where = address(self.workload_kind, self.workload, cast(QueuesPicture, seen).workload)
        yield FlushRedis(database=self.database, **where)

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        return DONE

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        yield from ()

    def shell(self, tool: str) -> tuple[str, ...]:
        return (f"{tool} exec {self.workload_kind.lower()}/{self.workload} -- redis-cli -n {self.database} FLUSHDB",)
