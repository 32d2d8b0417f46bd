"""What a server refuses to store, and in which words."""

from __future__ import annotations

from orchestrator.rehearsal.apierrors import Cause
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.types import ResourceType


def findings(rt: ResourceType, new: Object, old: Object | None) -> list[Cause]:
    """Everything wrong with `new`; `old` is the stored object on an update."""
    return []
