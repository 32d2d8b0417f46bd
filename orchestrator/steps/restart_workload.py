"""Roll a workload out and wait until its new pods are ready, and its hooks have ended.

Guide 9.5.6-1, 9.5.7-3, 9.5.8-1 and 9.5.8.1-1. Done is another rollout than the one that was there when the
step began, seen complete: whoever started it, what was to be forgotten is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, cast

from orchestrator.effects import DeleteJob, Effect, RollOut
from orchestrator.events import Confirmation, RolloutCompleted
from orchestrator.port import JobSeen, Reader, Seen, WorkloadSeen
from orchestrator.steps.base import (
    CLEAR,
    DONE,
    Context,
    KnownBy,
    Standing,
    Step,
    busy,
    clear,
    rollout_commands,
    settled,
)


class RestartPicture(Seen):
    workload: WorkloadSeen | None
    jobs: Mapping[str, JobSeen | None] = {}
    stage: str = ""  # what keeps the operator from acting


class RestartWorkload(Step):
    Picture = RestartPicture
    known_by = KnownBy("probe", "the rollout: another one than when it began")
    kind: Literal["restart_workload"] = "restart_workload"
    workload_kind: str
    workload: str
    manager: str = ""
    jobs: tuple[str, ...] = ()  # Jobs that the operator runs again for this (3scale 2.15)

    @property
    def undo_note(self) -> str:
        return "nothing to take back: a rollout leaves nothing in the template" if self.workload_kind == "DeploymentConfig" else f"bring the restart mark in the template of {self.workload} back, which restarts it again"

    def probe(self, reader: Reader, ctx: Context) -> RestartPicture:
        jobs = {name: reader.job(name) for name in self.jobs}
        workload = reader.workload(self.workload_kind, self.workload)
        stage = reader.stage(self.manager) if jobs and self.manager else ""
        return RestartPicture(workload=workload, jobs=jobs, stage=stage)

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(RestartPicture, seen)
        if waiting := self.unsettled(picture):
            return waiting
        return DONE if self.is_another_rollout(picture, ctx) else CLEAR

    def unsettled(self, picture: RestartPicture) -> Standing | None:
        if failed := [name for name, job in picture.jobs.items() if job and job.state == "failed"]:
            return clear(f"Job {failed[0]} failed; see its log: kubectl logs job/{failed[0]}")
        if has_failed(picture.workload):
            assert picture.workload is not None
            return clear(picture.workload.waiting_for)
        if waiting := settled(picture.workload, self.workload):
            return waiting
        assert picture.workload is not None
        for name, job in picture.jobs.items():
            if job is None or job.generation not in ("", picture.workload.generation):
                why = f"; {picture.stage}" if picture.stage else ""
                return busy(f"the operator has not run Job {name} again for {self.workload}{why}")
            if job.state != "complete":
                return busy(f"Job {name} is running")
        return None

    def is_another_rollout(self, picture: RestartPicture, ctx: Context) -> bool:
        before = cast("RestartPicture | None", self.picture(ctx.before))
        if before is None or before.workload is None or picture.workload is None:
            return False
        then, now = before.workload, picture.workload
        return (then.revision, then.restarted_at) != (now.revision, now.restarted_at)

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        picture = cast(RestartPicture, seen)
        failed = [(name, job) for name, job in picture.jobs.items() if job and job.state == "failed"]
        for name, job in failed:
            yield DeleteJob(job=name, uid=job.uid)
        if not failed or not self.is_another_rollout(picture, ctx) or has_failed(picture.workload):
            yield RollOut(kind=self.workload_kind, workload=self.workload, restarted_at=ctx.now)

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        workload = cast(RestartPicture, seen).workload
        if standing is DONE and workload is not None:
            yield RolloutCompleted(
                step=self.id, attempt=ctx.attempt, workload=self.workload, pod=workload.pod
            )

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        """A DeploymentConfig's rollout leaves nothing in its template: only its end is waited for, and one that failed is followed up.

        Where it applies a change it is restarted again: what it holds of the data that is taken back is forgotten too.
        Before its end was seen, nobody has filled it.
        """
        picture, before = cast(RestartPicture, seen), cast("RestartPicture | None", self.picture(ctx.before))
        after = cast("RestartPicture | None", self.picture(ctx.after))
        if before is None or before.workload is None:
            return DONE
        if self.is_config and picture.workload and picture.workload.revision == before.workload.revision:
            return DONE
        if waiting := self.unsettled(picture):
            return waiting
        assert picture.workload is not None
        if self.is_config:
            if not (self.applies and after and after.workload):
                return DONE
            is_restarted = ctx.undo_attempt and picture.workload.revision != after.workload.revision
            return DONE if is_restarted else CLEAR
        return DONE if picture.workload.restarted_at == before.workload.restarted_at else CLEAR

    @property
    def is_config(self) -> bool:
        return self.workload_kind == "DeploymentConfig"

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        picture, before = cast(RestartPicture, seen), cast("RestartPicture | None", self.picture(ctx.before))
        for name, job in picture.jobs.items() if ctx.undo_attempt else ():
            if job and job.state == "failed":
                yield DeleteJob(job=name, uid=job.uid)
        then = before.workload if before else picture.workload
        if then is not None and (self.applies or not self.is_config or has_failed(picture.workload)):
            mark = ctx.now if self.is_config else then.restarted_at
            yield RollOut(kind=self.workload_kind, workload=self.workload, restarted_at=mark)

    def shell(self, tool: str) -> tuple[str, ...]:
        return rollout_commands(tool, self.workload_kind, self.workload)


def has_failed(workload: WorkloadSeen | None) -> bool:
    """A DeploymentConfig's newest rollout was given up: it goes on only by another one."""
    return workload is not None and workload.kind == "DeploymentConfig" and workload.waiting_for.endswith(" is Failed")
