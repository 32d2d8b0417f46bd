"""What the tables of the step tests are made from: a settled workload, a quiet Redis, a file."""

from __future__ import annotations

from orchestrator.events import Json
from orchestrator.port import FileSeen, RedisSeen, Seen, WorkloadSeen
from orchestrator.steps.base import Context

WHERE = {"kind": "Deployment", "workload": "backend-redis", "pod": "backend-redis-1", "container": "c1"}
STEP = {"id": "step", "title": "a step", "workload_kind": "Deployment", "workload": "backend-redis"}

RUNNING = WorkloadSeen(
    kind="Deployment", replicas=1, is_complete=True, revision="1", pod="backend-redis-1", container="c1"
)
RESTARTED = RUNNING.model_copy(update={"revision": "2", "pod": "backend-redis-2", "container": "c2"})
ROLLING = RUNNING.model_copy(update={"is_complete": False, "waiting_for": "one pod is not ready"})

QUIET = RedisSeen(
    version="7.0.15", now_ms=1000, is_loading=False, save="", appendonly="no", keys={0: 5},
    aof_rewrite_in_progress=False, aof_rewrite_scheduled=False, bgsave_in_progress=False,
    aof_last_bgrewrite_ok=True, aof_last_write_ok=True,
)  # fmt: skip
FILE = FileSeen(size_bytes=9, sha256="ours")
OTHER = FileSeen(size_bytes=9, sha256="other")
EMPTY = FileSeen(size_bytes=0)


def redis(**changes: object) -> RedisSeen:
    return QUIET.model_copy(update=changes)


def at(workload: WorkloadSeen, **changes: object) -> WorkloadSeen:
    return workload.model_copy(update=changes)


def ctx(before: Seen | None = None, **others: object) -> Context:
    values = {"run": "run", "now": "2026-11-23T03:00:00Z", "before": json_of(before), **others}
    return Context(**values)  # type: ignore[arg-type]


def json_of(picture: Seen | None) -> Json | None:
    return None if picture is None else picture.model_dump(mode="json")
