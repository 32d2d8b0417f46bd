"""Compare what backend-redis knows of services and applications with 3scale's own database.

This is what the guide's 9.5.5 means by consistency: system-app's post-deploy hook writes into the backend what is missing
there (`backend:storage:enqueue_rewrite`). It does so in the background, so some time is given to it. Keys
that only the backend has are reported and left: the rewrite never deletes either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, cast

from orchestrator.effects import Engine
from orchestrator.events import Confirmation, VerificationFailed, VerificationPassed
from orchestrator.port import Reader, Seen, WorkloadSeen
from orchestrator.steps.base import DONE, Context, LookingStep, Standing, busy, settled, torn

PATIENCE_SECONDS = 300.0
SECONDS_PER_APPLICATION = 0.1  # the rewrite is a background job for each provider: large installations take longer
PATIENCE_SECONDS_MAX = 6000.0  # less than the budget of the step: who waits so long is asked, not given up
NAMED_MAX = 3  # services that a sentence names


class BackendPicture(Seen):
    database: WorkloadSeen | None
    redis: WorkloadSeen | None
    in_sql: Mapping[str, int] | None = None  # service id -> applications
    in_redis: Mapping[str, int] | None = None


class CheckBackend(LookingStep):
    Picture = BackendPicture
    kind: Literal["check_backend"] = "check_backend"
    workload_kind: str
    database_workload: str
    engine: Engine
    database: str
    redis_workload: str

    def probe(self, reader: Reader, ctx: Context) -> BackendPicture:
        database = reader.workload(self.workload_kind, self.database_workload)
        redis = reader.workload(self.workload_kind, self.redis_workload)
        if not (database and database.is_complete and redis and redis.is_complete):
            return BackendPicture(database=database, redis=redis)
        return BackendPicture(
            database=database, redis=redis, in_sql=reader.services_in_sql(database, self.engine, self.database),
            in_redis=reader.services_in_redis(redis),
        )

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(BackendPicture, seen)
        if waiting := settled(picture.database, self.database_workload):
            return waiting
        if waiting := settled(picture.redis, self.redis_workload):
            return waiting
        if picture.in_sql is None or picture.in_redis is None:
            return busy("one of the two servers does not answer yet")
        lacking = self.lacking(picture)
        if not lacking:
            return DONE
        more = f" and {len(lacking) - NAMED_MAX} more" if len(lacking) > NAMED_MAX else ""
        reason = f"{self.redis_workload} lacks applications of service {', '.join(lacking[:NAMED_MAX])}{more}"
        return busy(f"{reason}; 3scale may still be writing them") if ctx.waited_seconds < self.patience(picture) else torn(reason)

    def patience(self, picture: BackendPicture) -> float:
        applications = sum((picture.in_sql or {}).values())
        return min(PATIENCE_SECONDS_MAX, PATIENCE_SECONDS + SECONDS_PER_APPLICATION * applications)

    def lacking(self, picture: BackendPicture) -> list[str]:
        known = picture.in_redis or {}
        return [s for s, count in sorted((picture.in_sql or {}).items()) if s not in known or known[s] < count]

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        picture = cast(BackendPicture, seen)
        if picture.in_sql is None or picture.in_redis is None or standing.name not in ("done", "torn"):
            return
        fact = VerificationPassed if standing is DONE else VerificationFailed
        shared = {service: picture.in_redis[service] for service in picture.in_sql if service in picture.in_redis}
        yield fact(
            step=self.id, attempt=ctx.attempt, subject=f"services of {self.database} in {self.redis_workload}",
            expected={"services": len(picture.in_sql), "applications": sum(picture.in_sql.values())},
            found={"services": len(shared), "applications": sum(shared.values())},
        )
