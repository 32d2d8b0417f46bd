"""The status of a pod, computed from the statuses of its containers.

Pure: the kubelet calls it after every change and stores the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.rehearsal.environments import POD_ADDRESS
from orchestrator.rehearsal.objects import Object

Status = dict[str, Any]


def pod_status(
    pod: Object, init: Sequence[Status], main: Sequence[Status], now: str, failure: str | None = None
) -> Status:
    """The whole `status` of a pod that has a node. `failure` is a reason why the pod as such has failed."""
    old = pod.get("status") or {}
    phase = "Failed" if failure else phase_of(pod["spec"], init, main)
    status: Status = {
        "phase": phase,
        "conditions": _conditions(old.get("conditions") or [], phase, pod["spec"], init, main, now),
        "hostIP": POD_ADDRESS,
        "hostIPs": [{"ip": POD_ADDRESS}],
        "podIP": POD_ADDRESS,
        "podIPs": [{"ip": POD_ADDRESS}],
        "startTime": old.get("startTime", now),
        "containerStatuses": list(main),
        "qosClass": old.get("qosClass") or qos_class(pod["spec"]),
    }
    if init:
        status["initContainerStatuses"] = [{**entry, "ready": _exit_code(entry) == 0} for entry in init]
    if failure:
        status["reason"] = failure
    if pod["metadata"].get("generation"):
        status["observedGeneration"] = pod["metadata"]["generation"]
    return status


def unschedulable_status(pod: Object, message: str, now: str) -> Status:
    """The status of a pod that no node can take."""
    old = (pod.get("status") or {}).get("conditions") or []
    wanted = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    condition = merged_condition(old, wanted, now)
    return {"phase": "Pending", "conditions": [condition], "qosClass": qos_class(pod["spec"])}


def phase_of(spec: Object, init: Sequence[Status], main: Sequence[Status]) -> str:
    """Pending, Running, Succeeded or Failed."""
    policy = spec.get("restartPolicy", "Always")
    if any(_exit_code(status) not in (None, 0) for status in init) and policy == "Never":
        return "Failed"
    if not all(_exit_code(status) == 0 for status in init):
        return "Pending"
    if any(not _was_started(status) for status in main):
        return "Pending"
    codes = [_exit_code(status) for status in main]
    if any(code is None for code in codes) or policy == "Always":
        return "Running"
    if all(code == 0 for code in codes):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def qos_class(spec: Object) -> str:
    resources = [container.get("resources") or {} for container in spec["containers"]]
    if not any(entry.get("requests") or entry.get("limits") for entry in resources):
        return "BestEffort"
    return "Guaranteed" if all(_is_guaranteed(entry) for entry in resources) else "Burstable"


def merged_condition(old: Sequence[Status], wanted: Status, now: str) -> Status:
    """`wanted` with lastTransitionTime: that of the old condition while the status stays the same."""
    before = next((found for found in old if found["type"] == wanted["type"]), None)
    same = before is not None and before["status"] == wanted["status"]
    since = before["lastTransitionTime"] if same and before is not None else now
    return {**wanted, "lastProbeTime": None, "lastTransitionTime": since}


def _conditions(
    old: Sequence[Status], phase: str, spec: Object, init: Sequence[Status], main: Sequence[Status], now: str
) -> list[Status]:
    initialised = all(_exit_code(status) == 0 for status in init)
    ready = _readiness(phase, main)
    wanted: list[Status] = [
        {"type": "PodReadyToStartContainers", "status": "True"},
        {"type": "Initialized", "status": "True"} if initialised else _uninitialised(init),
        {"type": "Ready", **ready},
        {"type": "ContainersReady", **ready},
        {"type": "PodScheduled", "status": "True"},
    ]
    return [merged_condition(old, condition, now) for condition in wanted]


def _readiness(phase: str, main: Sequence[Status]) -> Status:
    if phase in ("Succeeded", "Failed"):
        return {"status": "False", "reason": "PodCompleted" if phase == "Succeeded" else "PodFailed"}
    unready = [status["name"] for status in main if not status["ready"]]
    if not unready:
        return {"status": "True"}
    message = f"containers with unready status: [{' '.join(unready)}]"
    return {"status": "False", "reason": "ContainersNotReady", "message": message}


def _uninitialised(init: Sequence[Status]) -> Status:
    names = " ".join(status["name"] for status in init if _exit_code(status) != 0)
    message = f"containers with incomplete status: [{names}]"
    return {
        "type": "Initialized",
        "status": "False",
        "reason": "ContainersNotInitialized",
        "message": message,
    }


def _exit_code(status: Status) -> int | None:
    terminated = status["state"].get("terminated")
    return None if terminated is None else int(terminated["exitCode"])


def _was_started(status: Status) -> bool:
    return "waiting" not in status["state"] or bool(status["lastState"])


def _is_guaranteed(resources: Object) -> bool:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return {"cpu", "memory"} <= limits.keys() and all(
        requests.get(key, value) == value for key, value in limits.items()
    )
