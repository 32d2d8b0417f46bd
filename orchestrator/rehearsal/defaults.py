"""The values a server fills in where the client left them out."""

from __future__ import annotations

from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.types import ResourceType


def apply_defaults(rt: ResourceType, obj: Object) -> None:
    """Fills in `obj` in place."""
