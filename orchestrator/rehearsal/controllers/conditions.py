"""The conditions of a status: set, keep, find. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.rehearsal.objects import timestamp

Condition = dict[str, Any]


def find_condition(conditions: Sequence[Condition], kind: str) -> Condition | None:
    return next((found for found in conditions if found["type"] == kind), None)


def set_condition(
    conditions: Sequence[Condition], kind: str, status: str, reason: str, message: str, *, touch: bool = False
) -> list[Condition]:
    """The conditions with one of them as given, at its old place or at the end.

    lastTransitionTime moves with the status; lastUpdateTime with status or reason, or when `touch` says so.
    """
    old, now = find_condition(conditions, kind), timestamp()
    wanted = {"type": kind, "status": status, **({"reason": reason} if reason else {}), "message": message}
    same_status = old is not None and old["status"] == status
    wanted["lastTransitionTime"] = old["lastTransitionTime"] if old and same_status else now
    same = old is not None and same_status and old.get("reason", "") == reason and not touch
    before = old and (old.get("lastUpdateTime") or old.get("lastProbeTime"))
    wanted["lastUpdateTime"] = before if before and same else now
    if old is None:
        return [*conditions, wanted]
    return [wanted if found is old else found for found in conditions]
