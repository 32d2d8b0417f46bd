"""Look at an installation, once, before a plan is made. Reads only; changes nothing.

Only what the wanted parts need is asked for in pods: those have to run. The workloads are found as
DeploymentConfigs (3scale up to 2.14) or Deployments (2.15), by name; their pods by their own selectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from orchestrator.cluster.leases import holder_of
from orchestrator.cluster.live import LiveCluster
from orchestrator.errors import PreflightRefused
from orchestrator.findings import BundleReport
from orchestrator.installation import Installation, RedisWorkload, SqlWorkload
from orchestrator.observe.pods import find
from orchestrator.observe.redis import redis_workload
from orchestrator.observe.sql import sql_workload
from orchestrator.observe.threescale import (
    app_workloads,
    hook_jobs,
    manager_of,
    managers,
    operator_trouble,
    release_of,
    storage_mount,
)
from orchestrator.port import ObjectSeen
from orchestrator.rights import Right

REDIS_WORKLOADS: Final = ("backend-redis", "system-redis")
CONFIGMAP: Final = "redis-config"


def observe(cluster: LiveCluster, report: BundleReport, parts: frozenset[str], now: datetime) -> Installation:
    """What is there, as far as these parts need it. Raises PreflightRefused when it cannot be looked at."""
    namespace = cluster.connection.namespace
    uid = namespace_uid(cluster, namespace)
    listed = managers(cluster)
    raw = listed[0] if listed else None
    manager = manager_of(raw) if raw else None
    key, text = config_of(cluster)
    redises = tuple(redis_workloads(cluster, parts, has_config=bool(key)))
    superdomain = data_of(cluster, "system-environment").get("THREESCALE_SUPERDOMAIN", "")
    return Installation(
        release=release_of(raw),
        server=cluster.connection.server,
        namespace=namespace,
        namespace_uid=uid,
        serves_managers=listed is not None,
        operator=operator_trouble(cluster),
        holder=holder_of(cluster.rest, now),
        manager=manager,
        configmap=CONFIGMAP if key else "",
        key=key,
        config_text=text,
        is_restarted_by_operator=any(is_marked for _, is_marked in redises),
        workloads=tuple(redis for redis, _ in redises),
        absent=tuple(sorted(set(REDIS_WORKLOADS) - {redis.name for redis, _ in redises})),
        databases=tuple(sql_workloads(cluster, parts)),
        storage=storage_mount(cluster) if "system-storage" in parts else None,
        apps=tuple(app_workloads(cluster, manager)),
        hook_jobs=hook_jobs(cluster),
        superdomain=superdomain,
        objects=objects_of(cluster, report) if manager else {},
    )


def redis_workloads(
    cluster: LiveCluster, parts: frozenset[str], *, has_config: bool
) -> Iterator[tuple[RedisWorkload, bool]]:
    """Each Redis, and whether the operator restarts it for an edit. One that is not wanted need not run."""
    for name in REDIS_WORKLOADS:
        found = find(cluster, name)
        if found is None or (name not in parts and not found[0].is_complete):
            continue
        if not has_config:
            raise PreflightRefused(
                f"namespace {cluster.connection.namespace} has no ConfigMap {CONFIGMAP} with a redis.conf in it",
                hint=f"kubectl get configmaps --namespace {cluster.connection.namespace}",
            )
        yield redis_workload(cluster, name, *found), found[0].config_version is not None


def sql_workloads(cluster: LiveCluster, parts: frozenset[str]) -> Iterator[SqlWorkload]:
    """Each database that a wanted part is about."""
    for part in ("system-database", "zync"):
        database = sql_workload(cluster, part) if part in parts else None
        if database is not None:
            yield database


def config_of(cluster: LiveCluster) -> tuple[str, str]:
    """The key of the one ConfigMap that both Redis start from, and its text; "" where there is none."""
    data = data_of(cluster, CONFIGMAP)
    key = "redis.conf" if "redis.conf" in data else next(iter(data), "")
    return key, data.get(key, "")


def data_of(cluster: LiveCluster, configmap: str) -> dict[str, str]:
    found = cluster.rest.find(f"{cluster.core}/configmaps/{configmap}")
    return dict((found or {}).get("data") or {})


def objects_of(cluster: LiveCluster, report: BundleReport) -> dict[str, ObjectSeen]:
    """The bundle's objects compared with the cluster's, by kind and name."""
    files = [f for f in report.files if f.object and f.object.kind in ("Secret", "ConfigMap")]
    return {
        f"{f.object.kind} {f.object.name}": cluster.object(f.object.kind, f.object.name, f.name, "")
        for f in files if f.object
    }  # fmt: skip


def namespace_uid(cluster: LiveCluster, namespace: str) -> str:
    found = cluster.rest.find(f"/api/v1/namespaces/{namespace}")
    if found is None:
        raise PreflightRefused(f"there is no namespace {namespace}", hint="kubectl get namespaces")
    return str(found["metadata"]["uid"])


def forbidden(cluster: LiveCluster, rights: Iterable[Right]) -> tuple[str, ...]:
    """Those of the rights that this user does not have, in words, by SelfSubjectAccessReview."""
    return tuple(right.say() for right in rights if not is_allowed(cluster, right))


def is_allowed(cluster: LiveCluster, right: Right) -> bool:
    attributes = {
        "namespace": cluster.connection.namespace, "verb": right.verb, "group": right.group,
        "resource": right.resource, "subresource": right.subresource,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = cluster.rest.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    return bool((answer.get("status") or {}).get("allowed"))
