"""The APIManager and the programs of 3scale, as the API shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from orchestrator.cluster.live import LiveCluster
from orchestrator.cluster.rest import Object
from orchestrator.errors import ClusterRefused
from orchestrator.installation import AppWorkload, Manager, StorageMount
from orchestrator.observe.pods import COPYING_TOOLS, MISSING_TOOLS, ask, find, free_bytes
from orchestrator.steps.check_workloads import digest_of

MANAGERS: Final = "/apis/apps.3scale.net/v1alpha1"
OPERATOR: Final = "threescale-operator-controller-manager-v2"
VERSION: Final = "apps.3scale.net/apimanager-threescale-version"
# Each workload, and where the APIManager has its replicas (3scale operator, APIManagerSpec); () where it has none.
APPS: Final[Mapping[str, tuple[str, ...]]] = {
    "system-app": ("spec", "system", "appSpec", "replicas"),
    "system-sidekiq": ("spec", "system", "sidekiqSpec", "replicas"),
    "system-sphinx": (),
    "system-searchd": (),
    "system-memcache": (),
    "backend-listener": ("spec", "backend", "listenerSpec", "replicas"),
    "backend-worker": ("spec", "backend", "workerSpec", "replicas"),
    "backend-cron": ("spec", "backend", "cronSpec", "replicas"),
    "zync": ("spec", "zync", "appSpec", "replicas"),
    "zync-que": ("spec", "zync", "queSpec", "replicas"),
    "apicast-staging": ("spec", "apicast", "stagingSpec", "replicas"),
    "apicast-production": ("spec", "apicast", "productionSpec", "replicas"),
}
STORAGE_PODS: Final = ("system-sidekiq", "system-app")  # the first stays while the second is stopped (T3)
STORAGE_CLAIM: Final = "system-storage"
STORAGE_TOOLS: Final = ("mkdir", "chmod", "ln", *COPYING_TOOLS)
HOOK_JOBS: Final = ("system-app-pre", "system-app-post")
EXTERNAL: Final = {
    "system-database": ("system", "database"), "system-redis": ("system", "redis"),
    "backend-redis": ("backend", "redis"), "zync": ("zync", "database"),
}


def managers(cluster: LiveCluster) -> list[Object] | None:
    """The APIManagers of the namespace; None where the cluster does not serve them, or not to this user."""
    try:
        found = cluster.rest.find(f"{MANAGERS}/namespaces/{cluster.connection.namespace}/apimanagers")
    except ClusterRefused:
        return None
    return None if found is None else list(found.get("items") or [])


def release_of(manager: Object | None) -> str:
    """Major and minor, from the annotation that the operator writes; "" where there is none."""
    version = (((manager or {}).get("metadata") or {}).get("annotations") or {}).get(VERSION, "")
    return ".".join(str(version).split(".")[:2])


def manager_of(raw: Object) -> Manager:
    spec: dict[str, Any] = raw.get("spec") or {}
    storage = ((spec.get("system") or {}).get("fileStorage") or {}).get("simpleStorageService")
    return Manager(
        name=raw["metadata"]["name"], wildcard_domain=spec.get("wildcardDomain", ""),
        tenant=spec.get("tenantName") or "3scale", external=tuple(sorted(external_parts(spec))),
        is_s3=storage is not None, preflights=failed_preflights(raw), spec_sha256=digest_of(spec),
    )


def external_parts(spec: Mapping[str, Any]) -> Iterator[str]:
    """externalComponents; where it is missing the older highAvailability stands for it."""
    components = spec.get("externalComponents")
    if components is None:
        availability = spec.get("highAvailability") or {}
        yield from ("system-database", "system-redis", "backend-redis") if availability.get("enabled") else ()
        yield from ("zync",) if availability.get("externalZyncDatabaseEnabled") else ()
        return
    for part, (component, field) in EXTERNAL.items():
        if (components.get(component) or {}).get(field):
            yield part


def failed_preflights(raw: Object) -> str:
    for condition in (raw.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Preflights" and condition.get("status") == "False":
            return str(condition.get("message") or condition.get("reason") or "no reason given")
    return ""


def operator_trouble(cluster: LiveCluster) -> str:
    """What is wrong with the operator's Deployment. It may live in another namespace: then nothing is said."""
    try:
        found = cluster.rest.find(f"/apis/apps/v1/namespaces/{cluster.connection.namespace}/deployments/{OPERATOR}")
    except ClusterRefused:
        return ""
    if found is None:
        return ""
    if found["spec"].get("replicas", 1) == 0:
        return f"Deployment {OPERATOR} is scaled to 0"
    return "" if (found.get("status") or {}).get("availableReplicas") else f"Deployment {OPERATOR} is not available"


def app_workloads(cluster: LiveCluster, manager: Manager | None) -> Iterator[AppWorkload]:
    scaled = autoscaled(cluster)
    for name, path in APPS.items():
        try:
            found = find(cluster, name)
        except ClusterRefused:  # who may not look at a kind of workload has none of it in the plan
            continue
        if found is None:
            continue
        seen, _ = found
        yield AppWorkload(
            name=name, kind=seen.kind, replicas=seen.replicas, path=path, is_autoscaled=name in scaled,
            field=cluster.field(manager.name, path) if manager is not None and path else None,
        )


def autoscaled(cluster: LiveCluster) -> frozenset[str]:
    """The workloads that a HorizontalPodAutoscaler scales."""
    try:
        found = cluster.rest.find(
            f"/apis/autoscaling/v2/namespaces/{cluster.connection.namespace}/horizontalpodautoscalers"
        )
    except ClusterRefused:
        return frozenset()
    return frozenset(item["spec"]["scaleTargetRef"]["name"] for item in (found or {}).get("items") or [])


def storage_mount(cluster: LiveCluster) -> StorageMount | None:
    """The pod that has system-storage mounted to write, and stays while system-app is stopped."""
    for name in STORAGE_PODS:
        found = find(cluster, name)
        if found is None or not found[0].is_complete:
            continue
        seen, raw = found
        mounted = mounts_of(raw)
        if mounted is None:
            continue
        path, volume = mounted
        return StorageMount(
            workload=name, kind=seen.kind, pod=seen.pod, path=path, volume=volume,
            free_bytes=free_bytes(cluster, seen, path),
            missing_tools=tuple(ask(cluster, seen, MISSING_TOOLS, *STORAGE_TOOLS)),
        )
    return None


def mounts_of(raw: Object) -> tuple[str, str] | None:
    """Where the first container has the claim system-storage, and the kind of volume."""
    spec = raw["spec"]["template"]["spec"]
    claims = {
        v["name"] for v in spec.get("volumes") or []
        if (v.get("persistentVolumeClaim") or {}).get("claimName") == STORAGE_CLAIM
    }  # fmt: skip
    for mount in spec["containers"][0].get("volumeMounts") or []:
        if mount["name"] in claims and not mount.get("readOnly"):
            return str(mount["mountPath"]).rstrip("/"), "persistentVolumeClaim"
    return None


def hook_jobs(cluster: LiveCluster) -> tuple[str, ...]:
    """Those of the two that are there: 3scale 2.15 runs them again for each change of system-app (T6)."""
    try:
        return tuple(name for name in HOOK_JOBS if cluster.job(name) is not None)
    except ClusterRefused:  # who may not look at Jobs has no part in a plan that waits for them
        return ()
