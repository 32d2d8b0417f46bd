"""What was found on the cluster, observed once: the facts that a plan is made from. Pure data."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class RedisWorkload(BaseModel):
    """One Redis of the installation. Paths are the pod's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: str  # Deployment or DeploymentConfig
    replicas: int | None
    strategy: str
    pod: str
    redis_version: str
    rdb_path: str
    aof_path: str  # the file (Redis <= 6) or the directory (Redis >= 7)
    aof_proof: str  # the same file, or the manifest in the directory
    data_dir: str
    volume: str  # what kind of volume the data directory is on: persistentVolumeClaim, emptyDir, ...
    free_bytes: int
    databases: int = 16
    missing_tools: tuple[str, ...] = ()


class Installation(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    release: str  # of 3scale, from the APIManager; "" where there is none
    server: str
    namespace: str
    namespace_uid: str
    configmap: str
    key: str
    config_text: str
    is_restarted_by_operator: bool  # an edit of the ConfigMap restarts both Redis by itself (2.15)
    workloads: tuple[RedisWorkload, ...]
    absent: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()  # what SelfSubjectAccessReview says we may not do

    def workload(self, name: str) -> RedisWorkload | None:
        return next((w for w in self.workloads if w.name == name), None)
