"""How long the steps of a plan may take, roughly, and which of them decide when it ends. Pure.

The seconds are those of an idle cluster and a line of some MiB/s; only their proportions are used.
"""

from __future__ import annotations

import graphlib
from typing import Final

from orchestrator.plan import Plan
from orchestrator.steps import AnyStep

BYTES_PER_SECOND: Final = 10 * 1024 * 1024
LOADED_BYTES_PER_SECOND: Final = 2 * 1024 * 1024  # compressed bytes of a dump
SECONDS: Final = {
    "scale_workload": 60.0, "restart_workload": 60.0, "roll_out": 30.0, "await_operator": 300.0, "run_rake": 120.0,
    "resync_routes": 120.0, "save_database": 30.0, "edit_configmap": 30.0,
}


def moved_bytes(step: AnyStep) -> int:
    """What a step brings to the cluster, or loads there; 0 of one that moves nothing."""
    return int(getattr(step, "size_bytes", 0))


def seconds_of(step: AnyStep) -> float:
    rate = LOADED_BYTES_PER_SECOND if step.kind == "load_dump" else BYTES_PER_SECOND
    return SECONDS.get(step.kind, 1.0) + moved_bytes(step) / rate


def critical_path(plan: Plan) -> tuple[str, ...]:
    """The chain of steps that takes longest, first to last."""
    needs = plan.needs
    until: dict[str, float] = {}
    before: dict[str, str] = {}
    for name in graphlib.TopologicalSorter(needs).static_order():
        longest = max(needs[name], key=lambda needed: (until[needed], needed), default="")
        if longest:
            before[name] = longest
        until[name] = until.get(longest, 0.0) + seconds_of(plan.step(name))
    at = max(until, key=lambda name: (until[name], name), default="")
    path = []
    while at:
        path.append(at)
        at = before.get(at, "")
    return tuple(reversed(path))
