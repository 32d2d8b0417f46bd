"""The arithmetic of a rolling rollout, shared by Deployments and DeploymentConfigs. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """What one replica set (or replication controller) has of a workload's pods."""

    name: str
    wanted: int
    available: int


@dataclass(frozen=True)
class Bounds:
    """How many pods there have to be, and how far a rollout may stray from that."""

    desired: int
    surge: int
    unavailable: int


def bounds(desired: int, parameters: Mapping[str, object]) -> Bounds:
    """From `maxSurge` and `maxUnavailable`, numbers or percentages; 25% each where they are left out."""
    surge = _resolved(parameters.get("maxSurge", "25%"), desired, up=True)
    unavailable = _resolved(parameters.get("maxUnavailable", "25%"), desired, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Bounds(desired, surge, min(unavailable, desired))


def next_scales(limits: Bounds, new: Share, old: Sequence[Share]) -> dict[str, int]:
    """The replicas to set now, by name: first of the new share, then of the old ones; empty when in balance."""
    wanted = _new_scale(limits, new, old)
    if wanted != new.wanted:
        return {new.name: wanted}
    return _old_scales(limits, new, old)


def _new_scale(limits: Bounds, new: Share, old: Sequence[Share]) -> int:
    if new.wanted > limits.desired:
        return limits.desired
    room = limits.desired + limits.surge - new.wanted - sum(share.wanted for share in old)
    return new.wanted + max(0, min(room, limits.desired - new.wanted))


def _old_scales(limits: Bounds, new: Share, old: Sequence[Share]) -> dict[str, int]:
    """Unhealthy old pods go first: they serve nobody. Then as many as the new ones have made spare."""
    at_least = limits.desired - limits.unavailable
    spare = new.wanted + sum(share.wanted for share in old) - at_least - (new.wanted - new.available)
    scales = {share.name: share.wanted for share in old}
    for share in old:
        gone = max(0, min(share.wanted - share.available, spare))
        scales[share.name] -= gone
        spare -= gone
    excess = new.available + sum(min(share.available, scales[share.name]) for share in old) - at_least
    for share in old:
        gone = max(0, min(scales[share.name], excess, spare))
        scales[share.name] -= gone
        excess -= gone
        spare -= gone
    return {share.name: scales[share.name] for share in old if scales[share.name] != share.wanted}


def _resolved(value: object, desired: int, *, up: bool) -> int:
    text = str(value)
    if not text.endswith("%"):
        return int(text)
    exact = desired * int(text[:-1]) / 100
    return math.ceil(exact) if up else math.floor(exact)
