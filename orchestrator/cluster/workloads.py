"""Deployments and DeploymentConfigs as the API shows them, reduced to what a step needs to know.

A rollout is complete only when the controller has seen the newest spec, the wanted pods are ready, and
no other pod of the workload is left, not even one that is still stopping: a Redis that stops may write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from orchestrator.cluster.rest import Object, Rest
from orchestrator.port import WorkloadSeen

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
CONFIG_VERSION = "redisConfigMapResourceVersion"  # the 3scale 2.15 operator's mark
GROUPS = {"Deployment": "apps/v1", "DeploymentConfig": "apps.openshift.io/v1"}
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
PHASE = "openshift.io/deployment.phase"
FAILED = " is Failed"


@dataclass(frozen=True, slots=True)
class Container:
    name: str
    identity: str  # pod uid and container id
    is_ready: bool


def path_of(namespace: str, kind: str, name: str) -> str:
    return f"/apis/{GROUPS[kind]}/namespaces/{namespace}/{kind.lower()}s/{quote(name, safe='')}"


def selector_of(workload: Object) -> str:
    """The label selector of a workload's own pods."""
    selector = workload["spec"].get("selector") or {}
    labels: Mapping[str, str] = selector.get("matchLabels", selector)
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def workload_seen(rest: Rest, namespace: str, kind: str, workload: Object) -> WorkloadSeen:
    """The workload with the pod that serves it; `waiting_for` says what is not there yet."""
    pods = rest.get(f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": selector_of(workload)})
    items = [pod for pod in pods.get("items", []) if not is_over(pod)]
    name = workload["metadata"]["name"]
    rollout = dc_waits(rest, namespace, kind, workload)
    is_failed = rollout.endswith(FAILED)  # comes first: nothing else of it will ever be there
    waiting = rollout if is_failed else spec_waits(workload) or rollout or pods_wait(workload, items)
    ready = [c for pod in items if (c := container_of(pod)) and c.is_ready and not is_stopping(pod)]
    newest = ready[-1] if ready else None
    annotations = (workload["spec"]["template"].get("metadata") or {}).get("annotations") or {}
    return WorkloadSeen(
        kind=kind,
        replicas=workload["spec"].get("replicas"),
        is_complete=not waiting and newest is not None,
        waiting_for=f"{name}: {waiting or 'no pod is ready'}" if waiting or newest is None else "",
        revision=revision_of(kind, workload),
        restarted_at=annotations.get(RESTARTED_AT),
        config_version=annotations.get(CONFIG_VERSION),
        pod=pod_name(items, newest),
        container=newest.identity if newest else "",
        generation=str(workload["metadata"].get("generation", "")),
        pods=len(items),
    )


def spec_waits(workload: Object) -> str:
    status, spec = workload.get("status") or {}, workload["spec"]
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0):
        return "the controller has not seen the newest spec"
    wanted = spec.get("replicas", 1)
    for field in ("updatedReplicas", "replicas", "availableReplicas"):
        if status.get(field, 0) != wanted:
            return f"{field} is {status.get(field, 0)} of {wanted}"
    return ""


def dc_waits(rest: Rest, namespace: str, kind: str, workload: Object) -> str:
    """A DeploymentConfig's latest rollout has to be Complete."""
    if kind != "DeploymentConfig":
        return ""
    latest = (workload.get("status") or {}).get("latestVersion", 0)
    name = f"{workload['metadata']['name']}-{latest}"
    controller = rest.find(f"/api/v1/namespaces/{namespace}/replicationcontrollers/{name}")
    if controller is None:
        return f"rollout {latest} has not begun"
    phase = (controller["metadata"].get("annotations") or {}).get(PHASE, "New")
    return "" if phase == "Complete" else f"rollout {latest} is {phase}"


def pods_wait(workload: Object, pods: Sequence[Object]) -> str:
    stopping = [pod["metadata"]["name"] for pod in pods if is_stopping(pod)]
    if stopping:
        return f"pod {stopping[0]} is still stopping"
    wanted = workload["spec"].get("replicas", 1)
    if wanted == 0:
        return "it is scaled to 0"
    return "" if len(pods) == wanted else f"{len(pods)} pods, {wanted} wanted"


def is_stopping(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def is_over(pod: Object) -> bool:
    """Ended for good, such as a deployer pod or an evicted one."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def container_of(pod: Object) -> Container | None:
    """The pod's main container, while it runs."""
    name = main_container(pod["metadata"], pod["spec"])["name"]
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        if status["name"] == name and (status.get("state") or {}).get("running"):
            identity = f"{pod['metadata']['uid']}/{status.get('containerID', '')}"
            return Container(name, identity, bool(status.get("ready")))
    return None


def main_container(metadata: Object, spec: Object) -> Object:
    """As kubectl chooses it: the one that the annotation names, else the first."""
    containers: Sequence[Object] = spec["containers"]
    wanted = (metadata.get("annotations") or {}).get(DEFAULT_CONTAINER)
    return next((c for c in containers if c["name"] == wanted), containers[0])


def pod_name(pods: Sequence[Object], chosen: Container | None) -> str:
    for pod in pods:
        if chosen and chosen.identity.startswith(pod["metadata"]["uid"]):
            return str(pod["metadata"]["name"])
    return ""


def revision_of(kind: str, workload: Object) -> str:
    if kind == "DeploymentConfig":
        return str((workload.get("status") or {}).get("latestVersion", ""))
    annotations = workload["metadata"].get("annotations") or {}
    return str(annotations.get("deployment.kubernetes.io/revision", ""))
