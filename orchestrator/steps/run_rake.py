"""Run one of 3scale's own rake tasks in a pod, detached, and wait for its end.

Guide 9.5.8.1 where the search has to be indexed anew (T12). The task is known by a name of this run, so one
that ran to its end before a crash is not run again; one that failed is, a few times. Where it applies a change, it
is run once more when that has been taken back: from what is there then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, cast

from orchestrator.effects import Effect, StartJob, StopJob
from orchestrator.events import Confirmation
from orchestrator.port import PodJobSeen, Reader, Seen, WorkloadSeen
from orchestrator.steps.base import (
    CLEAR,
    DONE,
    Context,
    KnownBy,
    Standing,
    Step,
    address,
    at_rest,
    busy,
    clear,
    exited,
    job_name,
    left_jobs,
    settled,
    torn,
)

ATTEMPTS_MAX = 3


class RakePicture(Seen):
    workload: WorkloadSeen | None
    job: PodJobSeen | None = None
    back: PodJobSeen | None = None  # the same task, run on the way back


class RunRake(Step):
    Picture = RakePicture
    known_by = KnownBy("probe", "the task's job in the pod, by a name of this run")
    kind: Literal["run_rake"] = "run_rake"
    workload_kind: str
    workload: str
    task: str

    @property
    def undo_note(self) -> str:
        if self.applies:
            return f"run rake {self.task} once more, from the database that has come back"
        return "stop it if it runs; what it wrote is made from the database, by the same task at any time"

    def probe(self, reader: Reader, ctx: Context) -> RakePicture:
        workload = reader.workload(self.workload_kind, self.workload)
        if workload is None or not workload.is_complete:
            return RakePicture(workload=workload)
        job = reader.pod_job(workload, "", job_name(self, ctx))
        back = reader.pod_job(workload, "", self.back_name(ctx)) if ctx.undo_attempt else None
        return RakePicture(workload=workload, job=job, back=back)

    def back_name(self, ctx: Context) -> str:
        return f"{job_name(self, ctx)}-back"

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(RakePicture, seen)
        if waiting := settled(picture.workload, self.workload):
            return waiting
        assert picture.job is not None
        return job_standing(picture.job, self.task, ctx) or DONE

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        yield rake(self, self.task, address(self.workload_kind, self.workload, cast(RakePicture, seen).workload), ctx)

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        picture = cast(RakePicture, seen)
        if picture.job is not None:
            yield from exited(self, picture.job, picture.workload, ctx)

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        """One that still runs would go on with what is being taken back below it."""
        picture = cast(RakePicture, seen)
        is_running = picture.job is not None and picture.job.state == "running"
        if not self.applies or ctx.before is None:
            return CLEAR if is_running else DONE
        if waiting := settled(picture.workload, self.workload):
            return waiting
        if is_running or picture.back is None:
            return CLEAR
        return job_standing(picture.back, self.task, replace(ctx, attempt=ctx.undo_attempt)) or DONE

    def confirm_back(self, seen: Seen, ctx: Context) -> Iterator[Confirmation]:
        picture = cast(RakePicture, seen)
        if picture.back is not None:
            back = replace(ctx, attempt=ctx.undo_attempt)
            yield from exited(self, picture.back, picture.workload, back, self.back_name(ctx))

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        picture = cast(RakePicture, seen)
        where = address(self.workload_kind, self.workload, picture.workload)
        if not self.applies or (picture.job is not None and picture.job.state == "running"):
            yield StopJob(directory="", job=job_name(self, ctx), epoch=ctx.epoch, **where)
        if self.applies:
            yield rake(self, self.task, where, replace(ctx, attempt=ctx.undo_attempt), self.back_name(ctx))

    def leftovers(self, reader: Reader, ctx: Context) -> Iterator[Effect]:
        workload = at_rest(reader, self.workload_kind, self.workload)
        yield from left_jobs(reader, workload, self.workload, ctx)

    def shell(self, tool: str) -> tuple[str, ...]:
        where = f"{self.workload_kind.lower()}/{self.workload}"
        return (f"{tool} exec {where} -- bash -c 'bundle exec rake {self.task}'",)


def job_standing(job: PodJobSeen, task: str, ctx: Context) -> Standing | None:
    """What keeps a task's end from being a good one; None when it has ended well."""
    if job.state == "running":
        return busy(f"rake {task} is running")
    if job.state != "exited":
        return CLEAR
    if job.code == 0:
        return None
    reason = f"rake {task} ended with {job.code}: {job.complaint}"
    return clear(reason) if ctx.attempt < ATTEMPTS_MAX else torn(reason)


def rake(step: Step, task: str, where: dict[str, str], ctx: Context, name: str = "") -> StartJob:
    return StartJob(
        directory="", job=name or job_name(step, ctx), attempt=ctx.attempt, epoch=ctx.epoch, program="rake",
        arguments=(task,), **where,
    )
