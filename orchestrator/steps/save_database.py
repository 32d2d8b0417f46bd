"""Save a database as it is before a dump is loaded over it: what cannot be undone from a picture.

The engine's own dump, compressed, made by a job of its own in the pod and checked there to its last line
before it gets its name. It lies on the database's own volume, or where that has no room in HOME of the pod,
under a name that carries the run's id. Where neither can hold it beside what is loaded, it is copied out to the
machine that this program runs on, and removed from the pod before the load.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, cast

from orchestrator.effects import (
    CopyOut,
    Effect,
    Engine,
    ForgetMark,
    Program,
    RemoveCopy,
    RemovePath,
    StartJob,
    StopJob,
)
from orchestrator.events import Confirmation, DatabaseSaved
from orchestrator.port import DatabaseSeen, FileSeen, PodJobSeen, Reader, Seen, WorkloadSeen
from orchestrator.sizes import in_words
from orchestrator.steps.base import (
    CLEAR,
    DONE,
    Context,
    Gate,
    KnownBy,
    Standing,
    Step,
    address,
    at_rest,
    busy,
    clear,
    exited,
    job_name,
    left_files,
    left_jobs,
    opened,
    running,
    settled,
    torn,
)

DUMPS: dict[Engine, Program] = {"mysql": "dump-mysql", "postgresql": "dump-postgresql"}
ATTEMPTS_MAX = 3


class SavedPicture(Seen):
    workload: WorkloadSeen | None
    database: DatabaseSeen | None = None
    job: PodJobSeen | None = None
    file: FileSeen | None = None
    part: FileSeen | None = None
    running: Mapping[str, int] = {}  # gates that are open
    kept: FileSeen | None = None  # on this machine


def copy_of(directory: str, database: str, run: str) -> str:
    """Where the safety copy of a database lies."""
    return f"{directory}/{database}-before-{run}.sql.gz"


def name_of(database: str, run: str) -> str:
    """What the copy is called where it is kept on this machine."""
    return copy_of("", database, run).removeprefix("/")


def copied_in(size_bytes: int, directory: str, *, is_copied_out: bool = False) -> str:
    """The words of a plan for a safety copy: compressed, it is smaller than the database."""
    return f"at most {in_words(size_bytes)} {'on this machine, beside the journal' if is_copied_out else f'in {directory}'}"


class SaveDatabase(Step):
    Picture = SavedPicture
    known_by = KnownBy("probe", "the copy on the disk; only a whole one has its final name")
    kind: Literal["save_database"] = "save_database"
    workload_kind: str
    workload: str
    engine: Engine
    database: str
    directory: str  # where the copy is put
    gates: tuple[Gate, ...] = ()  # what writes to the database, stopped before
    copy_bytes: int = 0  # its size, at most
    is_lost_with_pod: bool = False
    is_copied_out: bool = False  # to this machine, and removed from the pod

    @property
    def copy_note(self) -> str:
        return copied_in(self.copy_bytes, self.directory, is_copied_out=self.is_copied_out) + (", lost with the pod" if self.is_lost_with_pod else "")

    @property
    def undo_note(self) -> str:
        return f"remove the copy and the mark of this run from {self.directory} and {self.database}, once neither is needed"

    def path(self, ctx: Context) -> str:
        return copy_of(self.directory, self.database, ctx.run)

    def probe(self, reader: Reader, ctx: Context) -> SavedPicture:
        workload = reader.workload(self.workload_kind, self.workload)
        if workload is None or not workload.is_complete:
            return SavedPicture(workload=workload)
        path, part = self.path(ctx), f"{self.path(ctx)}.part"
        job = reader.pod_job(workload, "", job_name(self, ctx))  # before the files: its end is what they show
        files = reader.files(workload, [path, part], digests=job.state != "running")
        return SavedPicture(
            workload=workload, job=job, file=files[path], part=files[part],
            database=reader.database(workload, self.engine, self.database), running=running(reader, self.gates),
            kept=reader.copied_out(name_of(self.database, ctx.run)) if self.is_copied_out else None,
        )

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(SavedPicture, seen)
        if waiting := settled(picture.workload, self.workload):
            return waiting
        assert picture.job is not None
        if picture.job.state == "running":
            return busy(f"database {self.database} is being saved")
        if picture.file is not None:
            return CLEAR if self.is_copied_out else DONE  # it got its name after it was checked
        if picture.kept is not None:
            return DONE
        if picture.database is None:
            return busy(f"the database server of {self.workload} does not answer yet")
        if not picture.database.is_there:
            return torn(f"there is no database {self.database} in {self.workload}")
        if picture.job.state == "exited" and picture.job.code:
            reason = f"saving {self.database} ended with {picture.job.code}: {picture.job.complaint}"
            return clear(reason) if ctx.attempt < ATTEMPTS_MAX else torn(reason)
        is_open = opened(picture.running)
        return torn(is_open) if is_open else CLEAR

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        picture = cast(SavedPicture, seen)
        if picture.file is not None:  # it is to be copied out
            if picture.kept is None or picture.kept.sha256 != picture.file.sha256:
                yield CopyOut(
                    path=self.path(ctx), target=name_of(self.database, ctx.run), size_bytes=picture.file.size_bytes,
                    sha256=picture.file.sha256, **self.address(seen),
                )
            yield RemovePath(path=self.path(ctx), **self.address(seen))
            return
        yield StartJob(
            directory="", job=job_name(self, ctx), attempt=ctx.attempt, epoch=ctx.epoch,
            program=DUMPS[self.engine], arguments=(self.database, self.path(ctx)), **self.address(seen),
        )

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        picture = cast(SavedPicture, seen)
        if picture.job is not None:
            yield from exited(self, picture.job, picture.workload, ctx)
        if standing is DONE and picture.file and picture.workload:
            yield DatabaseSaved(
                step=self.id, attempt=ctx.attempt, pod=picture.workload.pod, database=self.database,
                path=self.path(ctx), size_bytes=picture.file.size_bytes, sha256=picture.file.sha256,
            )

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        """The last word of a way back: the database has been brought back, so neither copy nor mark is needed."""
        picture = cast(SavedPicture, seen)
        if waiting := settled(picture.workload, self.workload):
            return waiting
        if picture.database is None:
            return busy(f"the database server of {self.workload} does not answer yet")
        is_running = picture.job is not None and picture.job.state == "running"
        is_marked = picture.database.mark.startswith(f"{ctx.run}/")
        return CLEAR if is_running or is_marked or picture.file or picture.part or picture.kept else DONE

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        picture, where = cast(SavedPicture, seen), self.address(seen)
        if picture.job is not None and picture.job.state == "running":
            yield StopJob(directory="", job=job_name(self, ctx), epoch=ctx.epoch, **where)
        if picture.database is not None and picture.database.mark.startswith(f"{ctx.run}/"):
            yield ForgetMark(engine=self.engine, database=self.database, **where)
        if picture.part:
            yield RemovePath(path=f"{self.path(ctx)}.part", **where)
        yield RemovePath(path=self.path(ctx), **where)
        if self.is_copied_out:
            yield RemoveCopy(target=name_of(self.database, ctx.run))

    def leftovers(self, reader: Reader, ctx: Context) -> Iterator[Effect]:
        workload = at_rest(reader, self.workload_kind, self.workload)
        yield from left_files(reader, workload, self.workload, self.path(ctx), f"{self.path(ctx)}.part")
        yield from left_jobs(reader, workload, self.workload, ctx)
        if self.is_copied_out and reader.copied_out(name_of(self.database, ctx.run)) is not None:
            yield RemoveCopy(target=name_of(self.database, ctx.run))

    def address(self, seen: Seen) -> dict[str, str]:
        return address(self.workload_kind, self.workload, cast(SavedPicture, seen).workload)

    def shell(self, tool: str) -> tuple[str, ...]:
        dump = {
            "mysql": f"mysqldump --single-transaction --routines --triggers --events -uroot {self.database}",
            "postgresql": f"pg_dump --create --clean --if-exists {self.database}",
        }[self.engine]
        where = f"{self.workload_kind.lower()}/{self.workload}"
        secret = "export MYSQL_PWD=$MYSQL_ROOT_PASSWORD; " if self.engine == "mysql" else ""
        return (f"{tool} exec {where} -- sh -c '{secret}{dump} | gzip > {copy_of(self.directory, self.database, 'RUN')}'",)
