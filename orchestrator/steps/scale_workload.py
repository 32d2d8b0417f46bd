"""Scale a workload as its APIManager wants it scaled, and wait until its pods, and its hooks, have followed.

Guide 9.5-2, 9.5.4-2, 9.5.4-6, 9.5.4-7, 9.5.7-1 and 9.5.7-2. The field of the APIManager decides: where it
holds a number the operator brings the workload to it and reverts whoever scales the workload by hand; where
it holds none the operator leaves the replicas alone, and the workload itself is scaled (3scale operator
0.10 and later). So the number goes into the field on the way down, and on the way up both are brought to
what they were. Only `replicas` is written: what others change in the same object meanwhile stays. A DeploymentConfig whose
newest rollout failed never gets ready, however it is scaled: it is rolled out anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, cast

from orchestrator.effects import DeleteJob, Effect, RollOut, SetField
from orchestrator.effects import ScaleWorkload as Scale
from orchestrator.port import FieldSeen, JobSeen, Reader, Seen, WorkloadSeen
from orchestrator.steps.base import CLEAR, DONE, Context, KnownBy, Standing, Step, busy, clear, torn
from orchestrator.steps.restart_workload import has_failed


class ScalePicture(Seen):
    workload: WorkloadSeen | None
    field: FieldSeen | None = None
    jobs: Mapping[str, JobSeen | None] = {}
    stage: str = ""  # what keeps the operator from acting


class ScaleWorkload(Step):
    Picture = ScalePicture
    known_by = KnownBy("probe", "the replicas in the APIManager and in the workload")
    kind: Literal["scale_workload"] = "scale_workload"
    workload_kind: str
    workload: str
    replicas: int
    manager: str = ""
    path: tuple[str, ...] = ()  # of the replicas in the APIManager; () where it knows none
    field_is_there: bool = False  # what the field has to be
    field_value: int | None = None
    jobs: tuple[str, ...] = ()  # Jobs that the operator runs again for this

    @property
    def undo_note(self) -> str:
        where = f"in {'.'.join(self.path)} of APIManager {self.manager} and in the workload" if self.path else "in the workload"
        return f"scale {self.workload} back to what it was when this step began, {where}"

    def probe(self, reader: Reader, ctx: Context) -> ScalePicture:
        workload = reader.workload(self.workload_kind, self.workload)
        field = reader.field(self.manager, self.path) if self.path else None
        jobs = {name: reader.job(name) for name in self.jobs}
        needs_stage = self.path and workload is not None
        return ScalePicture(
            workload=workload, field=field, jobs=jobs, stage=reader.stage(self.manager) if needs_stage else ""
        )

    @property
    def wanted(self) -> FieldSeen:
        return FieldSeen(is_there=self.field_is_there, value=self.field_value, parents=len(self.path))

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(ScalePicture, seen)
        if self.path and picture.field is None:
            return torn(f"APIManager {self.manager} is not there any more")
        return self.distance(picture, self.wanted, self.replicas)

    def distance(self, picture: ScalePicture, field: FieldSeen, replicas: int) -> Standing:
        """What is still to be done, or waited for, until the field and the replicas are these."""
        workload = picture.workload
        if workload is None:
            return busy(f"{self.workload} is not there")
        if failed := [name for name, job in picture.jobs.items() if job and job.state == "failed"]:
            return clear(f"Job {failed[0]} failed; see its log: kubectl logs job/{failed[0]}")
        if self.path and not same(picture.field, field):
            return CLEAR
        if (workload.replicas if workload.replicas is not None else 1) != replicas:
            waits = f"the operator has not acted on {'.'.join(self.path)}"
            return busy(f"{waits}{staged(picture)}") if is_number(field) else CLEAR
        if replicas and has_failed(workload):
            return clear(workload.waiting_for)
        return self.followed(picture, workload, replicas) or DONE

    def followed(self, picture: ScalePicture, workload: WorkloadSeen, replicas: int) -> Standing | None:
        """The pods and the hooks of the workload, once its spec is right."""
        if replicas == 0 and workload.pods:
            return busy(f"{self.workload}: {workload.pods} pods are still stopping")
        if replicas and not workload.is_complete:
            return busy(workload.waiting_for or f"the rollout of {self.workload} is under way")
        for name, job in picture.jobs.items():
            if job is None or job.generation not in ("", workload.generation):
                return busy(f"the operator has not run Job {name} again for {self.workload}{staged(picture)}")
            if job.state != "complete":
                return busy(f"Job {name} is running")
        return None

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        yield from self.approach(cast(ScalePicture, seen), self.wanted, self.replicas)

    def approach(self, picture: ScalePicture, field: FieldSeen, replicas: int) -> Iterator[Effect]:
        """The changes that lead there. A failed hook goes first: the operator does nothing while it is there."""
        for name, job in picture.jobs.items():
            if job and job.state == "failed":
                yield DeleteJob(job=name, uid=job.uid)
        if self.path and picture.field is not None and not same(picture.field, field):
            yield SetField(
                manager=self.manager, path=self.path, expected_is_there=picture.field.is_there,
                expected=picture.field.value, is_there=field.is_there, value=field.value, parents=field.parents,
            )
        found = picture.workload.replicas if picture.workload else None
        if found != replicas and not is_number(field):
            yield Scale(kind=self.workload_kind, workload=self.workload, expected=found, replicas=replicas)
        if found == replicas and replicas and has_failed(picture.workload):
            yield RollOut(kind=self.workload_kind, workload=self.workload, restarted_at=None)

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        picture, before = cast(ScalePicture, seen), cast("ScalePicture | None", self.picture(ctx.before))
        if before is None or before.workload is None:
            return DONE
        field = before.field or FieldSeen(is_there=False)
        if self.path and picture.field is None:
            return torn(f"APIManager {self.manager} is not there any more")
        if self.path and not same(picture.field, field) and not same(picture.field, self.wanted):
            return torn(f"somebody else has changed {'.'.join(self.path)} in APIManager {self.manager}")
        if not ctx.undo_attempt and self.is_scaled_by_others(picture, before.workload):
            return torn(f"somebody else has scaled {self.workload}")
        return self.distance(picture, field, replicas_of(before.workload))

    def is_scaled_by_others(self, picture: ScalePicture, before: WorkloadSeen) -> bool:
        """Where no number in the APIManager has the operator scale it, the replicas are as before, or as this step leaves them."""
        if picture.workload is None or (picture.field is not None and is_number(picture.field)):
            return False
        return replicas_of(picture.workload) not in (replicas_of(before), self.replicas)

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        """Before anything is undone, it is asked for the record of the inverse: from what this step will leave."""
        picture, before = cast(ScalePicture, seen), cast("ScalePicture | None", self.picture(ctx.before))
        before = before or picture
        if not ctx.undo_attempt:
            picture = self.left(picture)
        field = before.field or FieldSeen(is_there=False)
        yield from self.approach(picture, field, replicas_of(before.workload))

    def left(self, picture: ScalePicture) -> ScalePicture:
        """The picture as this step leaves it."""
        workload = picture.workload and picture.workload.model_copy(update={"replicas": self.replicas, "waiting_for": ""})
        return ScalePicture(workload=workload, field=self.wanted if self.path else None)

    def shell(self, tool: str) -> tuple[str, ...]:
        lines = []
        if self.path:
            value = self.field_value if self.field_is_there else None
            body = nested(self.path, "null" if value is None else str(value))
            lines.append(f"{tool} patch apimanager {self.manager} --type merge -p '{body}'")
        if not (self.path and self.field_is_there and self.field_value is not None):
            lines.append(f"{tool} scale {self.workload_kind.lower()}/{self.workload} --replicas={self.replicas}")
        return tuple(lines)


def staged(picture: ScalePicture) -> str:
    """What keeps the operator from acting, where something shows."""
    return f"; {picture.stage}" if picture.stage else ""


def same(one: FieldSeen | None, other: FieldSeen) -> bool:
    """Absent, null and a value are three different things; which parents are there is not compared."""
    return one is not None and (one.is_there, one.value) == (other.is_there, other.value)


def is_number(field: FieldSeen) -> bool:
    """The operator acts on it. Null is no number for it, as absent is none."""
    return field.is_there and field.value is not None


def replicas_of(workload: WorkloadSeen | None) -> int:
    """Kubernetes takes an absent number for one."""
    return 1 if workload is None or workload.replicas is None else workload.replicas


def nested(path: tuple[str, ...], leaf: str) -> str:
    """A merge patch that sets one field."""
    return "".join(f'{{"{name}":' for name in path) + leaf + "}" * len(path)
