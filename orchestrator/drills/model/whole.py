"""A whole installation of 3scale, by release and by what its APIManager says; and a bundle for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orchestrator.drills.model.apps import DOMAIN, HOOKS
from orchestrator.drills.model.contents import CHUNKS, CONTENTS, digest_of
from orchestrator.drills.model.redis import QUEUE
from orchestrator.drills.model.storage import OBJECTS, STORAGE_PATH, TREE, StorageCluster
from orchestrator.findings import BundleFile, BundleReport
from orchestrator.installation import Installation, StorageMount
from orchestrator.port import ObjectSeen
from orchestrator.summaries import ObjectSummary, SqlSummary, TreeSummary

RELEASES: Final = ("2.11", "2.13", "2.14", "2.15")


@dataclass
class WholeCluster(StorageCluster):
    """Implements Reader and Cluster for everything that a plan can hold."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.is_fresh:
            self.servers = {}
            return
        backend = self.servers["backend-redis"]
        for server in self.servers.values():
            server.data |= {f"{QUEUE}old": "1"}
        backend.data |= {"service:1": "1", "service:2": "2"}
        for server in self.servers.values():
            server.rdb, server.aof = (dict(server.data), 0), dict(server.data)
        self.new = {name: {**data, f"{QUEUE}new": "1"} for name, data in self.new.items()}
        self.new["backend-redis"] |= {"service:1": "4", "service:2": "2"}  # the third is only in the system database
        for part in ("backend-redis", "system-redis"):
            if part in self.external:
                del self.servers[part]

    def installation(self) -> Installation:
        redis = super().installation()
        if self.is_fresh:
            return Installation(release="", server="model", namespace="model", namespace_uid="uid")
        return redis.model_copy(
            update={
                "workloads": tuple(w for w in redis.workloads if w.name in self.servers),
                "manager": self.manager(self.external, is_s3=self.is_s3), "databases": self.sql_workloads(),
                "storage": None if self.is_s3 else self.storage_mount(), "apps": self.app_workloads(),
                "hook_jobs": HOOKS if self.has_hooks else (), "superdomain": DOMAIN,
                "objects": {what.replace("/", " "): self.compared(what) for what in OBJECTS if not what.startswith("API")},
            }
        )  # fmt: skip

    def compared(self, what: str) -> ObjectSeen:
        kind, name = what.split("/")
        return self.object(kind, name, "", "")

    def storage_mount(self) -> StorageMount:
        return StorageMount(
            workload="system-sidekiq", kind=self.kind, pod="system-sidekiq-1", path=STORAGE_PATH,
            volume="persistentVolumeClaim", free_bytes=1 << 40,
        )  # fmt: skip

    def bundle(self) -> BundleReport:
        redis = super().bundle().files
        files = (*self.sql_files(), tree_file(), *redis, *object_files())
        return BundleReport(path="/bundle", files=files, findings=(), digest="bundle")

    def sql_files(self) -> list[BundleFile]:
        named = (
            ("system-database", f"system-{self.engine}-backup.gz", self.engine, "system"),
            ("zync", "zync-database-backup.gz", "postgresql", "zync_production"),
        )
        return [
            BundleFile(
                name=name, part=part, size_bytes=CHUNKS, sha256=digest_of(CONTENTS[database, "new"]),
                sql=SqlSummary(
                    engine=engine, flavour="mysqldump" if engine == "mysql" else "pg_dump", uncompressed_bytes=9,
                    rows=CONTENTS[database, "new"].rows, has_drop_table=engine == "mysql", hosts=CONTENTS[database, "new"].hosts,
                ),
            )
            for part, name, engine, database in named
        ]  # fmt: skip


def tree_file() -> BundleFile:
    tree = TreeSummary(files=len(TREE), directories=1, links=0, size_bytes=3, digest="tree")
    return BundleFile(name="system", part="system-storage", size_bytes=3, sha256="tree", tree=tree)


def object_files() -> list[BundleFile]:
    return [
        BundleFile(
            name=f"{name}.json", part="objects", size_bytes=1, sha256=f"sha256 of {name}",
            object=ObjectSummary(kind=kind, name=name, keys=tuple(OBJECTS[f"{kind}/{name}"])),
        )
        for kind, name in (what.split("/") for what in OBJECTS)
    ]  # fmt: skip
