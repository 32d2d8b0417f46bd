"""Load a database dump by a job of its own in the pod, and believe only the mark that its last statement leaves.

Guide 9.5.2-2, 9.5.2-3, 9.5.4-4 and 9.5.4-5. The dump stays compressed and is decompressed in the pipe. The job
first writes `RUN/STEP loading SHA256` into the database server, and the same with `loaded` as the last
statement of the very stream that is loaded: that mark is there only when the whole dump went through without an
error, whatever any exit code said. MySQL: every table of the dump is dropped before it is made, so a torn
load is loaded again from its start, also one whose server went away under it. PostgreSQL: the database is made anew and the dump is one transaction,
so an existing schema is no obstacle (T4) and a torn load has left nothing.

On the way back the safety copy is loaded in the same manner, between `returning` and `returned`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar, Literal, cast

from orchestrator.effects import CopyIn, Effect, Engine, ForgetMark, Program, RemovePath, StartJob, StopJob
from orchestrator.errors import ClusterUnreachable
from orchestrator.events import Confirmation, DumpLoaded, Json, SafetyCopyLost
from orchestrator.port import DatabaseSeen, FileSeen, PodJobSeen, Reader, Seen, WorkloadSeen
from orchestrator.steps.base import (
    CLEAR,
    DONE,
    Context,
    Gate,
    KnownBy,
    Standing,
    Step,
    WayBack,
    address,
    at_rest,
    busy,
    clear,
    exited,
    gone,
    job_name,
    left_files,
    left_jobs,
    lost,
    opened,
    running,
    settled,
    torn,
)
from orchestrator.steps.save_database import copied_in, copy_of, name_of

LOADS: dict[Engine, Program] = {"mysql": "load-mysql", "postgresql": "load-postgresql"}
RETURNS: dict[Engine, Program] = {"mysql": "return-mysql", "postgresql": "return-postgresql"}
LOADS_MAX, RETURNS_MAX = 3, 3  # after so many that failed a person is asked
NAMED_MAX = 5  # tables that a sentence names
ATTEMPTS_MAX = 8  # and after so many of which nothing is left, such as in a pod that is replaced each time


class LoadPicture(Seen):
    workload: WorkloadSeen | None
    database: DatabaseSeen | None = None
    job: PodJobSeen | None = None
    staged: FileSeen | None = None
    saved: FileSeen | None = None  # the safety copy
    brought: FileSeen | None = None  # that copy in the pod, where it is kept on this machine
    running: Mapping[str, int] = {}  # gates that are open
    rows: Mapping[str, int | None] | None = None  # before a load, and before one is taken back


class LoadDump(Step):
    Picture = LoadPicture
    known_by = KnownBy(
        "person",
        "the mark that the dump's last statement leaves; "
        "a torn load of a dump that does not drop its tables, or one that the server refused, is asked about",
    )
    is_asked_early: ClassVar[bool] = True
    kind: Literal["load_dump"] = "load_dump"
    workload_kind: str
    workload: str
    engine: Engine
    flavour: Literal["mysqldump", "pg_dump", "pg_dumpall"]
    database: str
    owner: str = ""  # PostgreSQL: the role that owns the database
    directory: str
    source: str  # the dump's name in the bundle, and of its copy in the directory
    size_bytes: int
    sha256: str
    is_repeatable: bool  # a torn load may be loaded again from its start
    has_safety_copy: bool = True  # False: it was accepted that nothing brings back what is loaded over
    gates: tuple[Gate, ...] = ()  # what writes to the database, stopped before
    saved_by: str = ""  # the step that has made the safety copy
    saved_in: str = ""  # the directory of the safety copy; "" is that of the dump
    is_saved_here: bool = False  # the safety copy was copied out to this machine
    copy_bytes: int = 0  # of the safety copy, at most
    counted: tuple[str, ...] = ()  # tables that only people write to: rows that were added or removed since are asked about
    counted_by: tuple[str, ...] = ()  # the checks that have counted them, the latest first

    @property
    def way_back(self) -> WayBack:
        return "safety copy" if self.has_safety_copy else "irreversible"

    @property
    def undo_note(self) -> str:
        if not self.has_safety_copy:
            return f"what {self.database} holds now is lost: it was accepted that no safety copy is made"
        return f"load the copy of {self.database} that was saved before"

    @property
    def copy_note(self) -> str:
        return copied_in(self.copy_bytes, self.saved_directory, is_copied_out=self.is_saved_here) if self.has_safety_copy else ""

    @property
    def saved_directory(self) -> str:
        return self.saved_in or self.directory

    @property
    def staged(self) -> str:
        return f"{self.directory}/{self.source}"

    def probe(self, reader: Reader, ctx: Context) -> LoadPicture:
        workload = reader.workload(self.workload_kind, self.workload)
        if workload is None or not workload.is_complete:
            return LoadPicture(workload=workload)
        job = reader.pod_job(workload, "", job_name(self, ctx))  # before the mark: its end is what that shows
        saved = copy_of(self.saved_directory, self.database, ctx.run)
        files = reader.files(workload, [self.staged, saved])
        is_counted = bool(self.counted) and (ctx.before is None or bool(self.left_rows(ctx) and not ctx.undo_attempt))
        rows = reader.row_counts(workload, self.engine, self.database, self.counted) if is_counted else None
        return LoadPicture(
            workload=workload, job=job, staged=files[self.staged], brought=files[saved] if self.is_saved_here else None,
            saved=reader.copied_out(name_of(self.database, ctx.run)) if self.is_saved_here else files[saved],
            database=reader.database(workload, self.engine, self.database), rows=rows,
            running={} if ctx.is_early else running(reader, self.gates),
        )

    # ---- out -----------------------------------------------------------------------------------

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(LoadPicture, seen)
        if waiting := self.unsettled(picture):
            return waiting
        assert picture.job and picture.database
        mark = picture.database.mark
        if mark == f"{self.owner_of_mark(ctx)} loaded {self.sha256}":
            return DONE
        if picture.job.state == "exited" and picture.job.code:
            why = f"loading {self.source} ended with {picture.job.code}: {picture.job.complaint}"
            if picture.job.is_cut_off and self.is_repeatable and ctx.attempt < LOADS_MAX:
                return clear(f"{why}; it is loaded again from its start")
            return torn(why)
        if mark.startswith(f"{self.owner_of_mark(ctx)} loading"):
            why = f"the load of {self.source} was torn off"
            if self.is_repeatable:
                return clear(f"{why}; it is loaded again from its start")
            return torn(f"{why}, and it cannot be told that loading it again is safe: it does not drop its tables")
        return self.free_to_load(picture, ctx)

    def free_to_load(self, picture: LoadPicture, ctx: Context) -> Standing:
        """Nothing of it is loaded: whether it may be."""
        assert picture.database
        if is_open := opened(picture.running):
            return torn(is_open)
        if ctx.attempt >= ATTEMPTS_MAX:
            return torn(f"{self.source} was begun to be loaded {ctx.attempt} times, and each time it was gone again")
        is_unsaved = bool(self.saved_by) and self.has_safety_copy and picture.saved is None
        if is_unsaved and not ctx.attempt and picture.database.tables:
            return gone(self.saved_by, f"the safety copy of {self.database} is not there")
        return CLEAR

    def unsettled(self, picture: LoadPicture) -> Standing | None:
        if waiting := settled(picture.workload, self.workload):
            return waiting
        if picture.job is not None and picture.job.state == "running":
            meanwhile = f"; {is_open}" if (is_open := opened(picture.running)) else ""
            return busy(f"{self.source} is being loaded into {self.database}{meanwhile}")
        if picture.database is None:
            return busy(f"the database server of {self.workload} does not answer yet")
        return None

    def owner_of_mark(self, ctx: Context) -> str:
        return f"{ctx.run}/{self.id}"

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        """The staged dump is copied again where its pod was replaced meanwhile."""
        picture, where = cast(LoadPicture, seen), self.address(seen)
        if picture.staged is None:
            yield CopyIn(
                source=self.source, path=self.staged, part=f"{self.staged}.part-{ctx.run}",
                size_bytes=self.size_bytes, sha256=self.sha256, **where,
            )
        more = (self.owner, self.flavour) if self.engine == "postgresql" else ()
        yield self.job(
            LOADS[self.engine], (self.staged, self.database, *more, self.owner_of_mark(ctx), self.sha256),
            where, ctx, ctx.attempt,
        )

    def job(
        self, program: Program, arguments: tuple[str, ...], where: dict[str, str], ctx: Context, attempt: int
    ) -> StartJob:
        return StartJob(
            directory="", job=job_name(self, ctx), attempt=attempt, epoch=ctx.epoch, program=program,
            arguments=arguments, **where,
        )

    def progress(self, seen: Seen) -> int:
        job = cast(LoadPicture, seen).job
        return job.done_bytes if job and job.state == "running" else 0

    def confirm(self, seen: Seen, standing: Standing, ctx: Context) -> Iterator[Confirmation]:
        picture = cast(LoadPicture, seen)
        if picture.job is not None:
            yield from exited(self, picture.job, picture.workload, ctx)
        if self.has_lost_its_copy(picture, ctx) and standing.name in ("clear", "done"):
            here = name_of(self.database, ctx.run)
            path = here if self.is_saved_here else copy_of(self.saved_directory, self.database, ctx.run)
            yield SafetyCopyLost(step=self.id, attempt=ctx.attempt, database=self.database, path=path)
        if standing is DONE and picture.workload:
            yield DumpLoaded(
                step=self.id, attempt=ctx.attempt, pod=picture.workload.pod, database=self.database,
                source=self.source,
            )

    def has_lost_its_copy(self, picture: LoadPicture, ctx: Context) -> bool:
        """Such as with a pod that had its data on no volume: found once, and told once."""
        return bool(self.saved_by) and self.has_safety_copy and picture.saved is None and not ctx.is_copy_lost

    # ---- and back ------------------------------------------------------------------------------

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(LoadPicture, seen)
        if waiting := settled(picture.workload, self.workload):
            return waiting
        if picture.database is None:
            return busy(f"the database server of {self.workload} does not answer yet")
        assert picture.job is not None
        state = self.state_of_mark(picture.database, ctx)
        if picture.job.state == "running":
            is_loading = state == "loading" or not ctx.undo_attempt
            return CLEAR if is_loading else busy(f"{self.database} is being brought back")
        if state == "returned":
            return DONE
        if not state and not ctx.undo_attempt and (found := self.unmarked(picture.database, ctx)):
            return found
        if not self.has_safety_copy:
            return lost(f"there is no safety copy of {self.database}, and it was accepted that none is made")
        if not ctx.undo_attempt and (written := self.written_since(picture, ctx)):
            return torn(f"rows of {', '.join(written)} in {self.database} were added or removed since, which the safety copy does not know")
        if picture.saved is None:
            return torn(f"the safety copy of {self.database} is not {'on this machine' if self.is_saved_here else 'there any more'}")
        if picture.job.state == "exited" and picture.job.code and ctx.undo_attempt >= RETURNS_MAX:
            return torn(f"bringing {self.database} back ended with {picture.job.code}: {picture.job.complaint}")
        if not ctx.undo_attempt and (is_open := opened(picture.running)):
            return torn(is_open)
        return CLEAR

    def left_rows(self, ctx: Context) -> dict[str, int]:
        """The rows as this run last counted them; none where it never came to that."""
        counts = (ctx.lefts[name].get("rows") for name in self.counted_by if name in ctx.lefts)
        rows: dict[str, int] = next((rows for rows in counts if rows), {})
        return {table: rows[table] for table in self.counted if table in rows}

    def written_since(self, picture: LoadPicture, ctx: Context) -> list[str]:
        found = picture.rows
        return [] if found is None else [table for table, rows in self.left_rows(ctx).items() if found.get(table) != rows][:NAMED_MAX]

    def as_left(self, ctx: Context) -> Json:
        rows = self.left_rows(ctx)
        return super().as_left(ctx) | ({"rows": rows} if rows else {})

    def confirm_back(self, seen: Seen, ctx: Context) -> Iterator[Confirmation]:
        """The job has one name on both ways: by the mark it is told which of them it went."""
        picture = cast(LoadPicture, seen)
        is_returning = picture.database is not None and self.state_of_mark(picture.database, ctx).startswith("return")
        if picture.job is not None and ctx.undo_attempt and is_returning:
            yield from exited(self, picture.job, picture.workload, replace(ctx, attempt=ctx.undo_attempt))

    def state_of_mark(self, database: DatabaseSeen, ctx: Context) -> str:
        """loading, loaded, returning, returned; "" where the mark is not this step's."""
        owner, _, rest = database.mark.partition(" ")
        return rest.split(" ")[0] if owner == self.owner_of_mark(ctx) else ""

    def unmarked(self, database: DatabaseSeen, ctx: Context) -> Standing | None:
        """No mark of ours, and nothing brought back yet. None: there is something to bring back.

        A job begins with its mark; but a PostgreSQL database that is dropped and made anew has none for a moment.
        """
        before = cast("LoadPicture | None", self.picture(ctx.before))
        then = before.database if before else None
        if not database.is_there or (then and then.tables and not database.tables):
            return None
        return DONE if ctx.after is None else torn(f"another load has been over {self.database} since")

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        """A load that still runs is stopped first."""
        picture, where = cast(LoadPicture, seen), self.address(seen)
        if picture.job is not None and picture.job.state == "running":
            yield StopJob(directory="", job=job_name(self, ctx), epoch=ctx.epoch, **where)
        if not self.has_safety_copy:
            return
        saved = copy_of(self.saved_directory, self.database, ctx.run)
        if self.is_saved_here and picture.saved is not None and picture.brought is None:
            yield CopyIn(
                source=name_of(self.database, ctx.run), path=saved, part=f"{saved}.part", origin="copies",
                size_bytes=picture.saved.size_bytes, sha256=picture.saved.sha256, **where,
            )
        attempt = ctx.attempt + ctx.undo_attempt
        yield self.job(RETURNS[self.engine], (saved, self.database, self.owner_of_mark(ctx)), where, ctx, attempt)

    def leftovers(self, reader: Reader, ctx: Context) -> Iterator[Effect]:
        """The mark, and the staged dump where a load was left out."""
        workload = at_rest(reader, self.workload_kind, self.workload)
        staged = reader.files(workload, [self.staged], digests=True)[self.staged]
        if staged is not None and staged.sha256 == self.sha256:
            yield RemovePath(path=self.staged, **address(self.workload_kind, self.workload, workload))
        yield from left_files(reader, workload, self.workload, f"{self.staged}.part-{ctx.run}")
        database = reader.database(workload, self.engine, self.database)
        if database is None:
            raise ClusterUnreachable(f"the database server of {self.workload} does not answer")
        if database.mark.startswith(f"{ctx.run}/"):
            yield ForgetMark(engine=self.engine, database=self.database, **address(self.workload_kind, self.workload, workload))
        yield from left_jobs(reader, workload, self.workload, ctx)

    def address(self, seen: Seen) -> dict[str, str]:
        return address(self.workload_kind, self.workload, cast(LoadPicture, seen).workload)

    def shell(self, tool: str) -> tuple[str, ...]:
        where = f"{self.workload_kind.lower()}/{self.workload}"
        if self.engine == "mysql":
            load = f"MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql -uroot {self.database}"
            return (f"{tool} exec {where} -- sh -c 'gzip -dc {self.staged} | {load}'",)
        owner = f" -O {self.owner}" if self.owner else ""
        return (
            f"{tool} exec {where} -- dropdb --if-exists {self.database}",
            f"{tool} exec {where} -- createdb -T template0{owner} {self.database}",
            f"{tool} exec {where} -- sh -c 'gzip -dc {self.staged} | psql -v ON_ERROR_STOP=1 -1 {self.database}'",
        )
