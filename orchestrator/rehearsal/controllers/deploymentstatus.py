"""The status of a Deployment, from the counters of its ReplicaSets. Pure but for the time of day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.rehearsal.controllers.base import seconds_since, without_zeros
from orchestrator.rehearsal.controllers.conditions import Condition, find_condition, set_condition
from orchestrator.rehearsal.controllers.rollouts import Bounds
from orchestrator.rehearsal.objects import Object

NO_DEADLINE = 2**31 - 1
IN_ORDER = ("Available", "Progressing")


@dataclass(frozen=True)
class Counts:
    """Pods of all ReplicaSets; `updated` are those of the present template, `wanted` what the sets ask for."""

    wanted: int
    replicas: int
    updated: int
    ready: int
    available: int


def deployment_status(deployment: Object, counts: Counts, limits: Bounds, new_set: str) -> dict[str, Any]:
    """The whole status; `new_set` is the name of the present template's ReplicaSet, or empty."""
    old = deployment.get("status") or {}
    conditions = _availability(old.get("conditions") or [], counts, limits)
    if deployment["spec"].get("progressDeadlineSeconds", 600) != NO_DEADLINE:
        conditions = _progress(deployment, old, conditions, counts, limits, new_set)
    counters = {
        "replicas": counts.replicas,
        "updatedReplicas": counts.updated,
        "readyReplicas": counts.ready,
        "availableReplicas": counts.available,
        "unavailableReplicas": max(0, counts.wanted - counts.available),
    }
    generation = deployment["metadata"]["generation"]
    return {"observedGeneration": generation, **without_zeros(counters), "conditions": _sorted(conditions)}


def with_new_replica_set(deployment: Object, name: str) -> None:
    """Notes in the status that a rollout has begun."""
    status = deployment.setdefault("status", {})
    message = f'Created new replica set "{name}"'
    conditions = status.get("conditions") or []
    status["conditions"] = _sorted(
        set_condition(conditions, "Progressing", "True", "NewReplicaSetCreated", message, touch=True)
    )


def seconds_to_deadline(deployment: Object) -> float | None:
    """How long a rollout under way may still make no progress; None when none is under way."""
    condition = find_condition((deployment.get("status") or {}).get("conditions") or [], "Progressing")
    if condition is None or condition["reason"] not in ("NewReplicaSetCreated", "ReplicaSetUpdated"):
        return None
    deadline = deployment["spec"].get("progressDeadlineSeconds", 600)
    return max(0.0, float(deadline) - seconds_since(condition["lastUpdateTime"])) + 0.05


def _availability(conditions: list[Condition], counts: Counts, limits: Bounds) -> list[Condition]:
    if counts.available >= limits.desired - limits.unavailable:
        text = "Deployment has minimum availability."
        return set_condition(conditions, "Available", "True", "MinimumReplicasAvailable", text)
    text = "Deployment does not have minimum availability."
    return set_condition(conditions, "Available", "False", "MinimumReplicasUnavailable", text)


def _progress(
    deployment: Object,
    old: dict[str, Any],
    conditions: list[Condition],
    counts: Counts,
    limits: Bounds,
    new_set: str,
) -> list[Condition]:
    current = find_condition(conditions, "Progressing")
    reason = current["reason"] if current else ""
    if deployment["spec"].get("paused"):
        return set_condition(conditions, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
    if reason == "DeploymentPaused":
        conditions = set_condition(
            conditions, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed"
        )
    if reason == "NewReplicaSetAvailable" and counts.replicas == counts.updated:
        return conditions
    if counts.replicas == counts.updated == counts.available == limits.desired and new_set:
        text = f'ReplicaSet "{new_set}" has successfully progressed.'
        return set_condition(conditions, "Progressing", "True", "NewReplicaSetAvailable", text)
    if _progressed(old, counts):
        text = f'ReplicaSet "{new_set}" is progressing.'
        return set_condition(conditions, "Progressing", "True", "ReplicaSetUpdated", text, touch=True)
    if _timed_out(deployment, current):
        text = f'ReplicaSet "{new_set}" has timed out progressing.'
        return set_condition(conditions, "Progressing", "False", "ProgressDeadlineExceeded", text)
    return conditions


def _progressed(old: dict[str, Any], counts: Counts) -> bool:
    updated, replicas = int(old.get("updatedReplicas", 0)), int(old.get("replicas", 0))
    return (
        counts.updated > updated
        or counts.replicas - counts.updated < replicas - updated
        or counts.ready > int(old.get("readyReplicas", 0))
        or counts.available > int(old.get("availableReplicas", 0))
    )


def _timed_out(deployment: Object, current: Condition | None) -> bool:
    if current is None or current["reason"] not in ("NewReplicaSetCreated", "ReplicaSetUpdated"):
        return False
    deadline = float(deployment["spec"].get("progressDeadlineSeconds", 600))
    return seconds_since(current["lastUpdateTime"]) > deadline


def _sorted(conditions: list[Condition]) -> list[Condition]:
    known = [found for kind in IN_ORDER for found in conditions if found["type"] == kind]
    return known + [found for found in conditions if found["type"] not in IN_ORDER]
