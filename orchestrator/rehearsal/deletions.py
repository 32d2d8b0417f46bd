"""The rules of deletion: what goes at once, what has to wait, and for whom. Pure functions on objects."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.rehearsal import apierrors
from orchestrator.rehearsal.objects import Object, timestamp
from orchestrator.rehearsal.types import ResourceType

ENDED = ("Succeeded", "Failed")
IMMORTAL = ("default", "kube-system")
FINALIZERS = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}


def refuse_immortal(rt: ResourceType, name: str) -> None:
    if rt.kind == "Namespace" and name in IMMORTAL:
        raise apierrors.forbidden(rt, name, "this namespace may not be deleted")


def check_preconditions(rt: ResourceType, old: Object, preconditions: Mapping[str, str]) -> None:
    for field, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        wanted, found = preconditions.get(field), old["metadata"][field]
        if wanted is not None and wanted != found:
            raise apierrors.precondition_failed(rt, old["metadata"]["name"], label, wanted, found)


def pod_waits(pod: Object, grace_seconds: int | None) -> tuple[bool, int]:
    """Whether a kubelet has to stop the pod first, and how long that may take."""
    grace = pod["spec"].get("terminationGracePeriodSeconds", 30) if grace_seconds is None else grace_seconds
    before = pod["metadata"].get("deletionGracePeriodSeconds")
    if before is not None:
        grace = min(grace, before)
    elsewhere = not pod["spec"].get("nodeName") or (pod.get("status") or {}).get("phase") in ENDED
    return grace > 0 and not elsewhere, grace


def mark_deleting(rt: ResourceType, obj: Object, grace_seconds: int) -> None:
    metadata = obj["metadata"]
    if "deletionTimestamp" not in metadata:
        metadata["deletionTimestamp"] = timestamp()
        if rt.generation:
            metadata["generation"] = metadata.get("generation", 0) + 1
    if rt.kind == "Namespace":
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
    else:
        metadata["deletionGracePeriodSeconds"] = grace_seconds


def released(rt: ResourceType, old: Object, new: Object) -> bool:
    """Whether this write took away the last finalizer of an object that only waited for that."""
    metadata = new["metadata"]
    if "deletionTimestamp" not in metadata or not old["metadata"].get("finalizers"):
        return False
    waiting = metadata.get("deletionGracePeriodSeconds", 0) or (
        rt.kind == "Namespace" and new["spec"].get("finalizers")
    )
    return not metadata.get("finalizers") and not waiting
