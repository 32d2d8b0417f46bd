"""One Redis, asked for its files and settings: paths come from `CONFIG GET dir` and the mounts of the pod's spec."""

from __future__ import annotations

from typing import Final

from orchestrator.cluster.live import LiveCluster
from orchestrator.cluster.rest import Object
from orchestrator.installation import RedisWorkload
from orchestrator.observe.pods import COPYING_TOOLS, MISSING_TOOLS, ask, data_directory, free_bytes, settled
from orchestrator.port import WorkloadSeen
from orchestrator.redis_conf import version_of

SETTINGS: Final = ("dir", "dbfilename", "appendfilename", "appenddirname", "databases")
TOOLS: Final = ("redis-cli", *COPYING_TOOLS)


def redis_workload(cluster: LiveCluster, name: str, seen: WorkloadSeen, raw: Object) -> RedisWorkload:
    """One Redis with its paths, volume, tools and room. It has to be running: it is asked."""
    settled(cluster, name, seen)
    settings = cluster.redis_settings(seen, SETTINGS)
    data_dir, volume = data_directory(cluster, seen, raw, settings["dir"])
    aof = f"{data_dir}/{settings['appendfilename']}"
    proof = aof
    if version_of(settings["version"]) >= (7,):
        aof = f"{data_dir}/{settings['appenddirname']}"
        proof = f"{aof}/{settings['appendfilename']}.manifest"
    return RedisWorkload(
        name=name,
        kind=seen.kind,
        replicas=seen.replicas,
        strategy=(raw["spec"].get("strategy") or {}).get("type", ""),
        pod=seen.pod,
        redis_version=settings["version"],
        rdb_path=f"{data_dir}/{settings['dbfilename']}",
        aof_path=aof,
        aof_proof=proof,
        data_dir=data_dir,
        volume=volume,
        databases=int(settings["databases"]),
        free_bytes=free_bytes(cluster, seen, data_dir),
        missing_tools=tuple(ask(cluster, seen, MISSING_TOOLS, *TOOLS)),
    )
