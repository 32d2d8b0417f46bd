"""Save what a workload was before anything changes it: its replicas, kind and template marks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

from orchestrator.events import Confirmation, ReplicaSpecSaved
from orchestrator.port import Reader, Seen, WorkloadSeen
from orchestrator.steps.base import DONE, Context, LookingStep, Standing, torn


class WorkloadPicture(Seen):
    workload: WorkloadSeen | None


class SaveReplicaSpec(LookingStep):
    """Looks, and keeps what it saw: it changes nothing, so it has nothing to take back."""

    Picture = WorkloadPicture
    kind: Literal["save_replica_spec"] = "save_replica_spec"
    workload_kind: str
    workload: str

    def probe(self, reader: Reader, ctx: Context) -> WorkloadPicture:
        return WorkloadPicture(workload=reader.workload(self.workload_kind, self.workload))

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        if cast(WorkloadPicture, seen).workload is None:
            return torn(f"{self.workload_kind} {self.workload} is not there any more")
        return DONE

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        workload = cast(WorkloadPicture, seen).workload
        if workload is not None:
            yield ReplicaSpecSaved(step=self.id, workload=self.workload, replicas=workload.replicas)

    def shell(self, tool: str) -> tuple[str, ...]:
        return (f"{tool} get {self.workload_kind.lower()}/{self.workload} -o jsonpath='{{.spec.replicas}}'",)
