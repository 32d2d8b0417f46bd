"""What a person can say about a restore besides the bundle. Pure data, and part of every plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from orchestrator.parts import PARTS

QUEUES_DEFAULT: Literal["restore"] = "restore"


@dataclass(frozen=True, slots=True)
class Options:
    """only: the parts to restore, () for all. queues: guide 9.5.4.2, None for the default."""

    only: tuple[str, ...] = ()
    with_objects: bool = False  # the bundle's Secrets and ConfigMaps too, where the installation is there already
    is_deleting: bool = False  # files that only system-storage has are set aside
    queues: Literal["restore", "drop"] | None = None
    queues_by: str = ""
    queues_reason: str = ""
    no_safety_copy: tuple[str, ...] = ()  # databases that are loaded over without being saved before
    accepted_by: str = ""  # who accepted that these loads cannot be taken back, and why
    accepted_reason: str = ""

    @property
    def named(self) -> frozenset[str]:
        """The parts that are asked for. The objects only where they are named: they are for a new installation."""
        wanted = set(self.only) or set(PARTS) - {"objects"}
        return frozenset(wanted | ({"objects"} if self.with_objects else set()))


def in_order(parts: Iterable[str]) -> tuple[str, ...]:
    wanted = set(parts)
    return tuple(part for part in PARTS if part in wanted)
