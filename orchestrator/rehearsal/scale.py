"""The /scale subresource: the replicas of a workload, whatever its kind, as one small object."""

from __future__ import annotations

from typing import Any

from orchestrator.rehearsal.apierrors import Cause, conflict, invalid_kind
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.selectors import selector_text
from orchestrator.rehearsal.store import Stamp, Store
from orchestrator.rehearsal.types import ResourceType

SHOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(obj: Object) -> Object:
    """The autoscaling/v1 Scale of a stored workload; zero replicas are left out of its spec."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    replicas = spec.get("replicas") or 0
    seen: dict[str, Any] = {"replicas": status.get("replicas", 0)}
    if spec.get("selector"):
        seen["selector"] = selector_text(spec["selector"])
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: obj["metadata"][key] for key in SHOWN if key in obj["metadata"]},
        "spec": {"replicas": replicas} if replicas else {},
        "status": seen,
    }


def set_scale(
    store: Store, rt: ResourceType, namespace: str, name: str, scale: Any, *, dry_run: bool, stamp: Stamp
) -> Object:
    """Sets the replicas that `scale` asks for and returns the new Scale. ApiError 404, 409 or 422."""
    workload = store.get(rt, namespace, name)
    metadata = (scale if isinstance(scale, dict) else {}).get("metadata") or {}
    if metadata.get("resourceVersion", "") not in ("", workload["metadata"]["resourceVersion"]):
        raise conflict(rt, name)
    workload["spec"]["replicas"] = _replicas(scale, name)
    return scale_of(store.replace(rt, namespace, name, workload, dry_run=dry_run, stamp=stamp))


def _replicas(scale: Any, name: str) -> int:
    replicas = ((scale if isinstance(scale, dict) else {}).get("spec") or {}).get("replicas") or 0
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        message = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid_kind(
            "autoscaling", "Scale", name, [Cause("FieldValueInvalid", message, "spec.replicas")]
        )
    return replicas
