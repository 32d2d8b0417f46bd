"""Where the data of a running installation is: servers, their databases, the storage, what pods call home."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.rehearsal.apiclient import ApiClient
from orchestrator.rehearsal.databases import MysqlServer, PostgresqlServer, SqlServer
from orchestrator.rehearsal.installation import labels_of
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.programs import announced_port
from orchestrator.rehearsal.volumes import claim_directory

REDIS = ("backend-redis", "system-redis")
SQL = ("system-mysql", "system-postgresql", "zync-database")
STORAGE_CLAIM = "system-storage"
OBJECTS: Mapping[str, str] = {
    "DeploymentConfig": "apis/apps.openshift.io/v1", "Deployment": "apis/apps/v1", "Secret": "api/v1", "ConfigMap": "api/v1",
    "Route": "apis/route.openshift.io/v1", "APIManager": "apis/apps.3scale.net/v1alpha1",
}  # fmt: skip
"""Kind -> where the API serves it."""


@dataclass(frozen=True)
class SqlPlace:
    """A server that runs, and the database in it that is 3scale's."""

    server: SqlServer
    database: str
    owner: str


def present(cluster: Rehearsed, workloads: tuple[str, ...]) -> list[str]:
    """Those of the workloads that this installation has, whether or not they have a pod now."""
    return [name for name in workloads if (cluster.root / "services" / name).exists()]


def redis_port(cluster: Rehearsed, workload: str) -> int:
    """The port of the ready pod of a Redis workload. LookupError when there is none."""
    ApiClient(cluster.kubeconfig).ready_pod(cluster.namespace, labels_of(workload))
    return announced_port(cluster.root, workload)


def sql_place(cluster: Rehearsed, workload: str) -> SqlPlace:
    """The server of the ready pod of a workload, by its pod's own environment. LookupError when there is none."""
    api = ApiClient(cluster.kubeconfig)
    pod = api.ready_pod(cluster.namespace, labels_of(workload))
    values = {entry["name"]: _value(api, cluster.namespace, entry) for entry in pod["spec"]["containers"][0]["env"]}
    port = announced_port(cluster.root, workload)
    if "MYSQL_DATABASE" in values:
        return SqlPlace(MysqlServer(port, values["MYSQL_ROOT_PASSWORD"]), values["MYSQL_DATABASE"], "")
    return SqlPlace(PostgresqlServer(port), values["POSTGRESQL_DATABASE"], values["POSTGRESQL_USER"])


def storage(cluster: Rehearsed) -> Path | None:
    """The directory of porta's storage, if the installation has one."""
    place = claim_directory(cluster.root, cluster.namespace, STORAGE_CLAIM)
    return place if place.is_dir() else None


def homes(cluster: Rehearsed) -> list[Path]:
    """What stands for the HOME of the images, one for each workload that has volumes."""
    return sorted(path for path in (cluster.root / "mnt").glob("*") if path.is_dir())


def objects(api: ApiClient, namespace: str, kind: str) -> dict[str, dict[str, Any]]:
    """All objects of a kind, by name."""
    found = api.get(f"/{OBJECTS[kind]}/namespaces/{namespace}/{kind.lower()}s")
    return {one["metadata"]["name"]: one for one in found["items"]}


def _value(api: ApiClient, namespace: str, entry: Mapping[str, Any]) -> str:
    reference = entry.get("valueFrom", {}).get("secretKeyRef")
    if reference is None:
        return str(entry.get("value", ""))
    secret = api.get(f"/api/v1/namespaces/{namespace}/secrets/{reference['name']}")
    return base64.b64decode(secret["data"][reference["key"]]).decode()
