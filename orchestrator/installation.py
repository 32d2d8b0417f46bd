"""What was found on the cluster, observed once: the facts that a plan is made from. Pure data.

Paths are the pods' own. Nothing in here is secret: of a Secret only what its names say is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from orchestrator.effects import Engine
from orchestrator.port import FieldSeen, ObjectSeen


class Found(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RedisWorkload(Found):
    """One Redis of the installation."""

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


class SqlWorkload(Found):
    """One SQL database of the installation: the system database, or zync's."""

    part: Literal["system-database", "zync"]
    name: str  # of the workload
    kind: str
    engine: Engine
    pod: str
    version: str
    database: str
    owner: str = ""  # PostgreSQL: the role that owns the database
    directory: str  # where a dump and a safety copy are put: on the data volume, where the server leaves them alone
    volume: str
    free_bytes: int
    size_bytes: int  # of the database, as the server says
    home: str = ""  # HOME of the pod, where it is another file system than the volume; "" where it is not
    home_free_bytes: int = 0
    missing_tools: tuple[str, ...] = ()


class StorageMount(Found):
    """The pod by which system-storage is reached, and where it has it mounted."""

    workload: str
    kind: str
    pod: str
    path: str
    volume: str
    free_bytes: int
    missing_tools: tuple[str, ...] = ()


class AppWorkload(Found):
    """A workload that is scaled or restarted. path: of its replicas in the APIManager, () where it has none."""

    name: str
    kind: str
    replicas: int | None
    path: tuple[str, ...] = ()
    field: FieldSeen | None = None  # what the APIManager says there
    is_autoscaled: bool = False  # by a HorizontalPodAutoscaler


class Manager(Found):
    """The APIManager, as far as a plan depends on it."""

    name: str
    wildcard_domain: str
    tenant: str
    external: tuple[str, ...] = ()  # parts whose database is not in this namespace
    is_s3: bool = False  # files are in an object store, and there is no system-storage
    preflights: str = ""  # why the operator doesn't act, "" where it does (3scale 2.15 and later)
    spec_sha256: str = ""  # of the whole spec


class Installation(Found):
    release: str  # of 3scale, from the APIManager; "" where there is none
    server: str
    namespace: str
    namespace_uid: str
    configmap: str = ""
    key: str = ""
    config_text: str = ""
    is_restarted_by_operator: bool = False  # an edit of the ConfigMap restarts both Redis by itself (2.15)
    workloads: tuple[RedisWorkload, ...] = ()
    absent: tuple[str, ...] = ()
    serves_managers: bool = True  # the cluster knows the kind APIManager
    operator: str = ""  # what is wrong with the operator's own Deployment; "" where nothing is, or it is not to be seen
    holder: str = ""  # who works on this installation now, by its Lease
    manager: Manager | None = None
    databases: tuple[SqlWorkload, ...] = ()
    storage: StorageMount | None = None
    apps: tuple[AppWorkload, ...] = ()
    hook_jobs: tuple[str, ...] = ()  # Jobs that the operator runs again for each change of system-app (2.15)
    superdomain: str = ""  # of ConfigMap system-environment
    objects: Mapping[str, ObjectSeen] = {}  # the bundle's objects compared with the cluster's, by kind/name

    def workload(self, name: str) -> RedisWorkload | None:
        return next((w for w in self.workloads if w.name == name), None)

    def database(self, part: str) -> SqlWorkload | None:
        return next((d for d in self.databases if d.part == part), None)

    def app(self, name: str) -> AppWorkload | None:
        return next((a for a in self.apps if a.name == name), None)

    @property
    def is_fresh(self) -> bool:
        """There is no APIManager yet, nor anything that one would have made."""
        return self.manager is None and not (self.workloads or self.databases or self.apps)
