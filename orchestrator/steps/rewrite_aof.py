"""Have Redis write its AOF from what it has loaded, and wait until it really is there.

Guide 9.5.5.1-8 and -9. `aof_rewrite_in_progress:0` alone says nothing: it is 0 before the rewrite starts,
while it is only scheduled, and after it failed. Done is: not scheduled, not in progress, last status ok,
and the file has content. Redis <= 6 writes appendonly.aof; Redis >= 7 a manifest in appendonlydir.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

from orchestrator.effects import Effect, FlushRedis, RemovePath, RewriteAof
from orchestrator.events import AofRewriteConfirmed, Confirmation
from orchestrator.port import FileSeen, Reader, RedisSeen, Seen, WorkloadSeen
from orchestrator.steps.base import (
    CLEAR,
    DONE,
    Context,
    KnownBy,
    Standing,
    Step,
    address,
    busy,
    settled,
    torn,
)


class AofPicture(Seen):
    workload: WorkloadSeen | None
    redis: RedisSeen | None = None
    aof: FileSeen | None = None  # the file or directory
    proof: FileSeen | None = None  # the file that is there only when the rewrite ended


class AofStep(Step):
    """What the steps share that have a running Redis write its AOF: the look, and what has to be waited for."""

    Picture = AofPicture
    workload_kind: str
    workload: str
    path: str  # appendonly.aof, or appendonlydir
    proof: str  # the same file, or the manifest in the directory

    def probe(self, reader: Reader, ctx: Context) -> AofPicture:
        workload = reader.workload(self.workload_kind, self.workload)
        if workload is None or not workload.is_complete:
            return AofPicture(workload=workload)
        redis = reader.redis(workload)  # before the files: what it says must hold when they are looked at
        found = reader.files(workload, [self.path, self.proof])
        return AofPicture(workload=workload, redis=redis, aof=found[self.path], proof=found[self.proof])

    def is_written(self, picture: AofPicture) -> bool:
        has_content = picture.proof is not None and picture.proof.size_bytes > 0
        return has_content and picture.redis is not None and picture.redis.aof_last_bgrewrite_ok

    def unsettled(self, picture: AofPicture) -> Standing | None:
        if waiting := settled(picture.workload, self.workload):
            return waiting
        redis = picture.redis
        if redis is None:
            return busy(f"Redis of {self.workload} does not answer")
        if redis.is_loading:
            return busy(f"Redis of {self.workload} is loading its data")
        if redis.aof_rewrite_in_progress:
            return busy("the AOF rewrite is in progress")
        if redis.aof_rewrite_scheduled:
            return busy("the AOF rewrite is scheduled and has not begun")
        if redis.bgsave_in_progress:
            return busy("a background save is in progress")
        return None


class RewriteAofFile(AofStep):
    known_by = KnownBy("probe", "the AOF on the disk, and what the server says of its last rewrite")
    kind: Literal["rewrite_aof"] = "rewrite_aof"
    drops: int | None = None  # a database that was emptied before, and is full again where the server was started anew since

    @property
    def undo_note(self) -> str:
        return f"remove {self.path}, with what was appended to it since"

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(AofPicture, seen)
        if waiting := self.unsettled(picture):
            return waiting
        assert picture.redis is not None
        if picture.redis.appendonly == "yes":
            return torn(f"{self.workload} was restarted with saving on meanwhile, and may have started empty")
        if picture.aof is not None and ctx.before is None:
            return torn(f"{self.path} is there, and this run has not asked for it")
        return DONE if self.is_written(picture) else CLEAR

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        picture = cast(AofPicture, seen)
        where = address(self.workload_kind, self.workload, picture.workload)
        if self.drops is not None and picture.redis and picture.redis.keys.get(self.drops):
            yield FlushRedis(database=self.drops, **where)
        yield RewriteAof(**where)

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        workload = cast(AofPicture, seen).workload
        if standing is DONE and workload is not None:
            yield AofRewriteConfirmed(step=self.id, attempt=ctx.attempt, pod=workload.pod, path=self.proof)

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(AofPicture, seen)
        return self.unsettled(picture) or (CLEAR if picture.aof else DONE)

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        yield RemovePath(
            path=self.path, **address(self.workload_kind, self.workload, cast(AofPicture, seen).workload)
        )

    def shell(self, tool: str) -> tuple[str, ...]:
        redis = f"{tool} exec {self.workload_kind.lower()}/{self.workload} -- redis-cli"
        return f"{redis} BGREWRITEAOF", f"{redis} INFO persistence"
