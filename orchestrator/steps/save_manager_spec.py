"""Save what the APIManager says of a workload's replicas, before anything changes it.

Guide 9.5-1 and 9.5.4-1. A field that the operator has not written yet is waited for: after its first look
every such field is there, at least as `{}` (3scale operator 0.8 and later, SetDefaults).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, cast

from orchestrator.events import Confirmation, ReplicaSpecSaved
from orchestrator.port import FieldSeen, Reader, Seen
from orchestrator.steps.base import DONE, Context, LookingStep, Standing, busy, torn


class ManagerPicture(Seen):
    fields: Mapping[str, FieldSeen | None]  # by path, dots between


class SaveManagerSpec(LookingStep):
    Picture = ManagerPicture
    kind: Literal["save_manager_spec"] = "save_manager_spec"
    manager: str
    paths: tuple[tuple[str, ...], ...]

    def probe(self, reader: Reader, ctx: Context) -> ManagerPicture:
        return ManagerPicture(fields={".".join(path): reader.field(self.manager, path) for path in self.paths})

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        for path, field in cast(ManagerPicture, seen).fields.items():
            if field is None:
                return torn(f"APIManager {self.manager} is not there any more")
            if not field.is_there:
                return busy(f"the operator has not written {path} into APIManager {self.manager} yet")
        return DONE

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        for path, field in cast(ManagerPicture, seen).fields.items():
            value = field.value if field else None
            replicas = value.get("replicas") if isinstance(value, dict) else None
            yield ReplicaSpecSaved(step=self.id, workload=path, replicas=replicas)

    def shell(self, tool: str) -> tuple[str, ...]:
        return tuple(
            f"{tool} get apimanager {self.manager} -o jsonpath='{{.{'.'.join(path)}}}'" for path in self.paths
        )
