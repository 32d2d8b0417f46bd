"""Pods of ours: they have a volume of a workload mounted where that workload has no pod that is ready.

A pod that waits for another program to start (3scale's system-sidekiq for system-app) runs nothing that could be
worked in, and has the volume all the same. The helper is made after such a pod as it was admitted, or after the
template where there is none: the same image, account and security context, since on OpenShift those decide the user
that files are written as. No label of the workload's is taken over, so no Service and no controller takes it for one
of theirs, and nothing of its environment, where passwords are. A volume that only one node can have at a time is
on the node of the workload's own pod: the helper asks for that node, and goes elsewhere where it cannot be had.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.pods import At
from orchestrator.cluster.rest import Object, Rest
from orchestrator.cluster.workloads import (
    container_of,
    is_over,
    is_stopping,
    main_container,
    path_of,
    selector_of,
)
from orchestrator.errors import ClusterRefused
from orchestrator.port import HELPER, WorkloadSeen

RUN_LABEL: Final = "restore.run/helper-of"
CONTAINER: Final = "helper"
WAIT: Final = ("sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done")
RESOURCES: Final = {
    "requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "1", "memory": "512Mi"},
}  # fmt: skip
# Where it may run and as whom; never `affinity`, which may keep pods of one workload apart.
TAKEN_OVER: Final = (
    "serviceAccountName", "securityContext", "imagePullSecrets", "nodeSelector", "tolerations", "priorityClassName",
)


class Helpers:
    def __init__(self, rest: Rest) -> None:
        self._rest, self._namespace = rest, rest.connection.namespace
        self._pods = f"/api/v1/namespaces/{self._namespace}/pods"

    def seen(self, name: str) -> WorkloadSeen | None:
        pod = self._rest.find(f"{self._pods}/{name}")
        if pod is None:
            return None
        container, waiting = container_of(pod), waits_for(pod)
        serves = container is not None and not waiting
        return WorkloadSeen(
            kind=HELPER, replicas=0 if is_stopping(pod) else 1, pods=0 if is_over(pod) else 1, is_complete=serves,
            waiting_for=f"pod {name}: {waiting}" if waiting else "", pod=name if serves else "",
            container=container.identity if serves and container else "",
        )

    def start(self, effect: fx.StartHelper, at: At) -> Iterator[ev.EffectFact]:
        workload = self._rest.get(path_of(self._namespace, effect.kind, effect.workload))
        found = self._rest.get(self._pods, {"labelSelector": selector_of(workload)}).get("items", [])
        pods = [pod for pod in found if not is_over(pod) and not is_stopping(pod)]
        self._rest.post(self._pods, helper_pod(effect, pods[-1] if pods else workload["spec"]["template"]))
        yield ev.HelperStarted(**at, pod=effect.helper, workload=effect.workload, path=effect.path)

    def remove(self, effect: fx.RemoveHelper, at: At) -> Iterator[ev.EffectFact]:
        path = f"{self._pods}/{effect.helper}"
        pod = self._rest.find(path)
        if pod is not None:
            if (pod["metadata"].get("labels") or {}).get(RUN_LABEL) != effect.run:
                raise ClusterRefused(f"pod {effect.helper} was not started by {effect.run}")
            self._rest.delete(path, pod["metadata"]["uid"])
        yield ev.HelperRemoved(**at, pod=effect.helper)


def helper_pod(effect: fx.StartHelper, like: Object) -> Object:
    """The pod, after another one or after the template of such. Raises ClusterRefused where that has no such volume."""
    spec = like["spec"]
    container = main_container(like.get("metadata") or {}, spec)
    mounts = [m for m in container.get("volumeMounts") or [] if str(m["mountPath"]).rstrip("/") == effect.path]
    volumes = [v for v in spec.get("volumes") or [] if any(v["name"] == mount["name"] for mount in mounts)]
    if not volumes:
        raise ClusterRefused(f"{effect.kind} {effect.workload} has no volume at {effect.path} any more")
    helper = {
        "name": CONTAINER, "image": container["image"], "command": list(WAIT), "resources": RESOURCES, "volumeMounts": mounts,
    } | {key: container[key] for key in ("imagePullPolicy", "securityContext") if key in container}  # fmt: skip
    node = spec.get("nodeName", "")
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": effect.helper, "labels": {RUN_LABEL: effect.run},
            "annotations": {"restore.run/why": f"no pod of {effect.workload} is ready; `restore cleanup {effect.run}` removes this one"},
        },
        "spec": {key: spec[key] for key in TAKEN_OVER if key in spec} | {
            "containers": [helper], "volumes": volumes, "restartPolicy": "Always", "terminationGracePeriodSeconds": 5,
            "automountServiceAccountToken": False,
        } | ({"affinity": prefers(node)} if node else {}),
    }  # fmt: skip


def prefers(node: str) -> Object:
    """By the node's name, not by a label of it, which may be another."""
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    preference = {"weight": 100, "preference": term}
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [preference]}}


def waits_for(pod: Object) -> str:
    """Why it cannot be worked in; "" when it can."""
    status = pod.get("status") or {}
    if is_stopping(pod):
        return "it is still stopping"
    if is_over(pod):
        return f"it has ended: {status.get('reason') or status.get('phase')}"
    if container_of(pod) is not None:
        return ""
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return str(condition.get("message") or condition.get("reason") or "it is not scheduled")
    states = [(c.get("state") or {}).get("waiting") or {} for c in status.get("containerStatuses") or []]
    return next((str(state["reason"]) for state in states if state.get("reason")), "it has not started yet")
