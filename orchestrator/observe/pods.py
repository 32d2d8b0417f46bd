"""What a pod says when it is asked: which programs it has, where its volumes are, how much room there is."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.cluster import scripts
from orchestrator.cluster.live import LiveCluster, whole
from orchestrator.cluster.rest import Object
from orchestrator.cluster.workloads import main_container, path_of
from orchestrator.errors import ClusterRefused, PreflightRefused
from orchestrator.port import WorkloadSeen

KINDS: Final = ("DeploymentConfig", "Deployment")
COPYING_TOOLS: Final = ("sha256sum|shasum|openssl|busybox", "head", "tail", "dd", "wc", "mv", "rm", "sync", "df")

# One line a tool that is missing; of `a|b` one is enough.
MISSING_TOOLS: Final = """
for t in "$@"; do
  found=; left=$t
  while [ -n "$left" ]; do
    one=${left%%"|"*}; case $left in *"|"*) left=${left#*"|"} ;; *) left= ;; esac
    ! command -v "$one" >/dev/null || found=1
  done
  [ -n "$found" ] || echo "$t"
done
echo end
"""
PHYSICAL: Final = 'for d in "$@"; do (cd "$d" 2>/dev/null && pwd -P) || echo; done; echo end'


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


def settled(cluster: LiveCluster, name: str, seen: WorkloadSeen) -> None:
    """Raises PreflightRefused for a workload whose pod cannot be asked now."""
    if not seen.is_complete:
        raise PreflightRefused(
            f"{seen.kind} {name} is not settled: {seen.waiting_for}",
            hint=f"kubectl get pods --namespace {cluster.connection.namespace}",
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


def volume_of(cluster: LiveCluster, seen: WorkloadSeen, raw: Object, working_dir: str) -> tuple[str, str]:
    """The mount that a directory is below, by its name in the spec, and the kind of volume it is."""
    directory, volume = data_directory(cluster, seen, raw, working_dir)
    template = raw["spec"]["template"]
    mounts = main_container(template.get("metadata") or {}, template["spec"]).get("volumeMounts") or []
    paths = [str(mount["mountPath"]).rstrip("/") for mount in mounts]
    return max((p for p in paths if (directory + "/").startswith(p + "/")), key=len, default=directory), volume


def free_bytes(cluster: LiveCluster, seen: WorkloadSeen, directory: str) -> int:
    command = scripts.argv(scripts.FREE, directory)
    lines = whole(cluster.in_pod(seen.pod, seen.container, command)).split()
    return int(lines[3]) * 1024 if len(lines) > 3 else 0


def ask(cluster: LiveCluster, seen: WorkloadSeen, script: str, *arguments: str) -> list[str]:
    """The lines that a script prints in the pod; none where it failed."""
    if not arguments:
        return []
    ran = cluster.in_pod(seen.pod, seen.container, scripts.argv(script, *arguments))
    text = whole(ran) if ran.code == 0 and ran.out.strip() != scripts.END.encode() else ""
    return text.split("\n") if text else []
