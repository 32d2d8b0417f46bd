"""Look at an installation, once, before a plan is made. Reads only; changes nothing.

Paths in a pod come from the pod: `CONFIG GET dir` and the mounts of its spec. The workloads are found as
DeploymentConfigs (3scale up to 2.14) or Deployments (2.15), by name; their pods by their own selectors.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.cluster import scripts
from orchestrator.cluster.live import LiveCluster, whole
from orchestrator.cluster.rest import Object
from orchestrator.cluster.workloads import main_container, path_of
from orchestrator.errors import ClusterRefused, PreflightRefused
from orchestrator.installation import Installation, RedisWorkload
from orchestrator.port import WorkloadSeen
from orchestrator.redis_conf import version_of

REDIS_WORKLOADS: Final = ("backend-redis", "system-redis")
KINDS: Final = ("DeploymentConfig", "Deployment")
CONFIGMAP: Final = "redis-config"
SETTINGS: Final = ("dir", "dbfilename", "appendfilename", "appenddirname", "databases")
TOOLS: Final = ("redis-cli", "sha256sum", "head", "tail", "dd", "wc", "mv", "rm", "sync", "df")

MISSING_TOOLS: Final = 'for t in "$@"; do command -v "$t" >/dev/null || echo "$t"; done; echo end'
PHYSICAL: Final = 'for d in "$@"; do (cd "$d" 2>/dev/null && pwd -P) || echo; done; echo end'


def observe(cluster: LiveCluster) -> Installation:
    """What is there. Raises PreflightRefused when it is not an installation that can be restored."""
    namespace = cluster.connection.namespace
    uid = namespace_uid(cluster, namespace)
    found = {name: find(cluster, name) for name in REDIS_WORKLOADS}
    present = {name: seen for name, seen in found.items() if seen is not None}
    if not present:
        raise PreflightRefused(
            f"namespace {namespace} has neither {' nor '.join(REDIS_WORKLOADS)}: there is nothing to restore",
            hint="kubectl get deployments,deploymentconfigs --all-namespaces",
        )
    key, text = config_of(cluster, namespace)
    return Installation(
        release=release_of(cluster, namespace),
        server=cluster.connection.server,
        namespace=namespace,
        namespace_uid=uid,
        configmap=CONFIGMAP,
        key=key,
        config_text=text,
        is_restarted_by_operator=any(w.config_version for w, _ in present.values()),
        workloads=tuple(redis_workload(cluster, name, *seen) for name, seen in present.items()),
        absent=tuple(sorted(set(REDIS_WORKLOADS) - set(present))),
        forbidden=forbidden(cluster, {w.kind for w, _ in present.values()}),
    )


def find(cluster: LiveCluster, name: str) -> tuple[WorkloadSeen, Object] | None:
    """A workload of either kind, as seen and as the API gives it.

    Who has few rights is refused what the cluster doesn't even serve: that counts only if nothing is found.
    """
    refusal: ClusterRefused | None = None
    for kind in KINDS:
        try:
            raw = cluster.rest.find(path_of(cluster.connection.namespace, kind, name))
        except ClusterRefused as error:
            refusal = error
            continue
        seen = cluster.workload(kind, name) if raw else None
        if raw and seen:
            return seen, raw
    if refusal is not None:
        raise refusal
    return None


def config_of(cluster: LiveCluster, namespace: str) -> tuple[str, str]:
    """The key of the one ConfigMap that both Redis start from, and its text."""
    found = cluster.rest.find(f"{cluster.core}/configmaps/{CONFIGMAP}")
    data: dict[str, str] = (found or {}).get("data") or {}
    key = "redis.conf" if "redis.conf" in data else next(iter(data), "")
    if not key:
        raise PreflightRefused(
            f"namespace {namespace} has no ConfigMap {CONFIGMAP} with a redis.conf in it",
            hint=f"kubectl get configmaps --namespace {namespace}",
        )
    return key, data[key]


def release_of(cluster: LiveCluster, namespace: str) -> str:
    """From the annotation of the APIManager; "" where there is none."""
    try:
        managers = cluster.rest.find(f"/apis/apps.3scale.net/v1alpha1/namespaces/{namespace}/apimanagers")
    except ClusterRefused:  # the roles `edit` and `admin` need not include it, and only its name is wanted
        return ""
    for manager in (managers or {}).get("items", []):
        annotations = manager["metadata"].get("annotations") or {}
        version = annotations.get("apps.3scale.net/apimanager-threescale-version", "")
        return ".".join(str(version).split(".")[:2])
    return ""


def namespace_uid(cluster: LiveCluster, namespace: str) -> str:
    found = cluster.rest.find(f"/api/v1/namespaces/{namespace}")
    if found is None:
        raise PreflightRefused(f"there is no namespace {namespace}", hint="kubectl get namespaces")
    return str(found["metadata"]["uid"])


def redis_workload(cluster: LiveCluster, name: str, seen: WorkloadSeen, raw: Object) -> RedisWorkload:
    """One Redis with its paths, volume, tools and room. It has to be running: it is asked."""
    if not seen.is_complete:
        raise PreflightRefused(
            f"{seen.kind} {name} is not settled: {seen.waiting_for}",
            hint=f"kubectl get pods --namespace {cluster.connection.namespace}",
        )
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


def data_directory(
    cluster: LiveCluster, seen: WorkloadSeen, raw: Object, working_dir: str
) -> tuple[str, str]:
    """The data directory by the name of its mount, and the kind of volume it is on."""
    template: dict[str, Any] = raw["spec"]["template"]
    spec = template["spec"]
    mounts = main_container(template.get("metadata") or {}, spec).get("volumeMounts") or []
    real = ask(cluster, seen, PHYSICAL, *(mount["mountPath"] for mount in mounts))
    kinds = {v["name"]: next((k for k in v if k != "name"), "emptyDir") for v in spec.get("volumes") or []}
    best = ("", "container", working_dir)
    for mount, path in zip(mounts, real, strict=False):
        if path and (working_dir + "/").startswith(path.rstrip("/") + "/") and len(path) > len(best[0]):
            named = mount["mountPath"].rstrip("/") + working_dir[len(path.rstrip("/")) :]
            best = (path, kinds.get(mount["name"], "unknown"), named)
    return best[2], best[1]


def free_bytes(cluster: LiveCluster, seen: WorkloadSeen, directory: str) -> int:
    command = scripts.argv(scripts.FREE, directory)
    lines = whole(cluster.in_pod(seen.pod, seen.container, command)).split()
    return int(lines[3]) * 1024 if len(lines) > 3 else 0


def ask(cluster: LiveCluster, seen: WorkloadSeen, script: str, *arguments: str) -> list[str]:
    """The lines that a script prints in the pod."""
    if not arguments:
        return []
    ran = cluster.in_pod(seen.pod, seen.container, scripts.argv(script, *arguments))
    text = whole(ran) if ran.out.strip() != scripts.END.encode() else ""
    return text.split("\n") if text else []


def forbidden(cluster: LiveCluster, kinds: set[str]) -> tuple[str, ...]:
    """Every action of a restore that this user may not take, by SelfSubjectAccessReview."""
    wanted = [
        ("patch", "", "configmaps", ""),
        ("get", "", "pods", ""),
        ("create", "", "pods", "exec"),
    ]
    if "Deployment" in kinds:
        wanted.append(("patch", "apps", "deployments", ""))
    if "DeploymentConfig" in kinds:
        wanted.append(("create", "apps.openshift.io", "deploymentconfigs", "instantiate"))
    return tuple(
        f"{verb} {resource}{'/' + sub if sub else ''}"
        for verb, group, resource, sub in wanted
        if not is_allowed(cluster, verb, group, resource, sub)
    )


def is_allowed(cluster: LiveCluster, verb: str, group: str, resource: str, subresource: str) -> bool:
    attributes = {
        "namespace": cluster.connection.namespace, "verb": verb, "group": group, "resource": resource,
        "subresource": subresource,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = cluster.rest.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    return bool((answer.get("status") or {}).get("allowed"))
