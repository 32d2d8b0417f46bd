"""Wait until the operator has deployed what a new APIManager stands for.

Guide 9.5.1-4. Not for the condition Available: that one waits for routes which only the resync of 9.5.8.2 makes.
"""

from __future__ import annotations

from typing import Literal, cast

from orchestrator.port import FieldSeen, Reader, Seen
from orchestrator.steps.base import DONE, Context, LookingStep, Standing, busy


class StagePicture(Seen):
    field: FieldSeen | None
    stage: str = ""


class AwaitOperator(LookingStep):
    Picture = StagePicture
    kind: Literal["await_operator"] = "await_operator"
    manager: str
    path: tuple[str, ...]  # a field that the operator writes at its first look

    def probe(self, reader: Reader, ctx: Context) -> StagePicture:
        field = reader.field(self.manager, self.path)
        return StagePicture(field=field, stage=reader.stage(self.manager) if field else "")

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(StagePicture, seen)
        if picture.field is None:
            return busy(f"APIManager {self.manager} is not there")
        if not picture.field.is_there:
            return busy(f"the operator has not looked at APIManager {self.manager} yet")
        return busy(picture.stage) if picture.stage else DONE

    def shell(self, tool: str) -> tuple[str, ...]:
        return (f"{tool} get apimanager {self.manager} -o yaml   # status.deployments",)
