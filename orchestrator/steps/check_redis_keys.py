"""Compare the keys of every database with what the RDB file holds, in the running server.

Fewer keys than the file must give is a failure. More is not: whoever is connected may have written.
Keys that expire are counted by the server's own clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, cast

from orchestrator.events import Confirmation, VerificationFailed, VerificationPassed
from orchestrator.port import Reader, RedisSeen, Seen, WorkloadSeen
from orchestrator.steps.base import DONE, Context, LookingStep, Standing, answering, torn


class ExpectedKeys(Seen):
    """Keys of one database in the RDB. expired_by: (time in ms, that key's rank by expiry), ascending.

    The first pair is the soonest expiry; where there are many, only some ranks are kept.
    """

    keys: int
    expired_by: tuple[tuple[int, int], ...] = ()

    def at_least(self, now_ms: int) -> int:
        """How many must still be there: every key that may have expired is taken as gone."""
        last = self.expired_by[-1][1] if self.expired_by else 0
        return self.keys - next((rank - 1 for at_ms, rank in self.expired_by if at_ms > now_ms), last)


class KeysPicture(Seen):
    workload: WorkloadSeen | None
    redis: RedisSeen | None = None


class CheckRedisKeys(LookingStep):
    Picture = KeysPicture
    kind: Literal["check_redis_keys"] = "check_redis_keys"
    workload_kind: str
    workload: str
    databases: Mapping[int, ExpectedKeys]
    appendonly: Literal["yes", "no"]

    def probe(self, reader: Reader, ctx: Context) -> KeysPicture:
        workload = reader.workload(self.workload_kind, self.workload)
        if workload is None or not workload.is_complete:
            return KeysPicture(workload=workload)
        return KeysPicture(workload=workload, redis=reader.redis(workload))

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(KeysPicture, seen)
        if waiting := answering(picture.workload, picture.redis, self.workload):
            return waiting
        redis = picture.redis
        assert redis is not None
        if redis.appendonly != self.appendonly:
            return torn(f"appendonly is {redis.appendonly} and should be {self.appendonly}")
        if not redis.aof_last_write_ok:
            return torn("Redis could not write to its AOF")
        short = [f"db{db}" for db, least in self.least(redis).items() if redis.keys.get(db, 0) < least]
        return torn(f"keys are missing in {', '.join(short)}") if short else DONE

    def least(self, redis: RedisSeen) -> dict[int, int]:
        return {db: expected.at_least(redis.now_ms) for db, expected in self.databases.items()}

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        redis = cast(KeysPicture, seen).redis
        if redis is None or standing.name not in ("done", "torn"):
            return
        fact = VerificationPassed if standing is DONE else VerificationFailed
        expected = {f"db{db}": least for db, least in self.least(redis).items()}
        found = {f"db{db}": keys for db, keys in redis.keys.items()}
        settings = {"appendonly": redis.appendonly}
        yield fact(
            step=self.id, attempt=ctx.attempt, subject=f"keys of {self.workload}",
            expected=expected | {"appendonly": self.appendonly}, found=found | settings,
        )

    def shell(self, tool: str) -> tuple[str, ...]:
        return (f"{tool} exec {self.workload_kind.lower()}/{self.workload} -- redis-cli INFO keyspace",)
