"""The status of a DeploymentConfig, from the counters of its rollouts. Pure but for the time of day.

Counters of zero are shown, and without a running pod the config is not available, even when none is
wanted: both unlike a Deployment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.rehearsal.controllers import rolloutrecords as records
from orchestrator.rehearsal.controllers.conditions import Condition, set_condition
from orchestrator.rehearsal.controllers.rollouts import bounds
from orchestrator.rehearsal.objects import Object


def config_status(config: Object, rollouts: Sequence[Object]) -> dict[str, Any]:
    """The whole status; `rollouts` are the ReplicationControllers of the config."""
    old = config.get("status") or {}
    name = records.rollout_name(config)
    latest = next((rollout for rollout in rollouts if rollout["metadata"]["name"] == name), None)
    available = _sum(rollouts, "availableReplicas")
    wanted = sum(int(rollout["spec"].get("replicas", 1)) for rollout in rollouts)
    status = {
        "latestVersion": records.latest_version(config),
        "observedGeneration": config["metadata"]["generation"],
        "replicas": _sum(rollouts, "replicas"),
        "updatedReplicas": _sum([latest], "replicas") if latest else 0,
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
    }
    ready = _sum(rollouts, "readyReplicas")
    status |= {"readyReplicas": ready} if ready else {}
    status |= {"details": old["details"]} if "details" in old else {}
    conditions = _availability(old.get("conditions") or [], config, available)
    return {**status, "conditions": _progress(conditions, old, status, latest)}


def note_created(config: Object, name: str) -> None:
    """Notes in the status that a rollout has begun."""
    status = config.setdefault("status", {})
    message = f'created new replication controller "{name}"'
    conditions = status.get("conditions") or []
    status["conditions"] = set_condition(
        conditions, "Progressing", "True", "NewReplicationControllerCreated", message, touch=True
    )


def _availability(conditions: list[Condition], config: Object, available: int) -> list[Condition]:
    strategy = config["spec"].get("strategy") or {}
    limits = bounds(records.desired_replicas(config), strategy.get("rollingParams") or {})
    tolerated = 0 if strategy.get("type") == "Recreate" else limits.unavailable
    if available and available >= limits.desired - tolerated:
        return set_condition(
            conditions, "Available", "True", "", "Deployment config has minimum availability."
        )
    text = "Deployment config does not have minimum availability."
    return set_condition(conditions, "Available", "False", "", text)


def _progress(
    conditions: list[Condition], old: dict[str, Any], new: dict[str, Any], latest: Object | None
) -> list[Condition]:
    if latest is None:
        return conditions
    name, phase = latest["metadata"]["name"], records.phase_of_rollout(latest)
    if phase == "Complete":
        text = f'replication controller "{name}" successfully rolled out'
        return set_condition(conditions, "Progressing", "True", "NewReplicationControllerAvailable", text)
    if phase == "Failed":
        cancelled = bool(records.annotation(latest, records.CANCELLED))
        text = f'replication controller "{name}" has failed progressing'
        if cancelled:
            text = f'rollout of replication controller "{name}" was cancelled'
        reason = "RolloutCancelled" if cancelled else "ProgressDeadlineExceeded"
        return set_condition(conditions, "Progressing", "False", reason, text)
    grown = any(new[key] > int(old.get(key, 0)) for key in ("updatedReplicas", "availableReplicas"))
    if phase == "Running" and grown:
        text = f'replication controller "{name}" is progressing'
        return set_condition(
            conditions, "Progressing", "True", "ReplicationControllerUpdated", text, touch=True
        )
    return conditions


def _sum(rollouts: Sequence[Object], counter: str) -> int:
    return sum(int((rollout.get("status") or {}).get(counter, 0)) for rollout in rollouts)
