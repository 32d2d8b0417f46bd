"""The SQL databases of the installation, and the jobs that run in their pods and in sidekiq's.

A job takes a few looks and shows what a real one shows in between: MySQL is torn while it loads, PostgreSQL
is gone for a moment, and then empty, until all of it is there at once. A database that somebody could
still write to is never saved or loaded: that is what the gate of the plan is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.drills.model.apps import DOMAIN, HOOKS, App, AppsCluster
from orchestrator.drills.model.contents import (
    CHUNKS,
    CONTENTS,
    DEFAULT_HOSTS,
    EMPTY,
    QUIET,
    TORN,
    Database,
    PodJob,
    digest_of,
    directory_of,
)
from orchestrator.drills.model.redis import Impossible, plain
from orchestrator.effects import Engine
from orchestrator.errors import ClusterRefused, PodChanged
from orchestrator.installation import SqlWorkload
from orchestrator.port import DatabaseSeen, FileSeen, PodJobSeen, WorkloadSeen


@dataclass
class SqlCluster(AppsCluster):
    engine: Engine = "mysql"  # of the system database
    external: tuple[str, ...] = ()
    databases: dict[str, Database] = field(default_factory=dict)  # by name
    volumes: dict[str, dict[str, Any]] = field(default_factory=dict)  # of the database pods: path -> content
    jobs: dict[str, PodJob] = field(default_factory=dict)
    doomed_jobs: int = 0  # so many of the next loads end with an error
    newest_epoch: int = 0
    cached: str = ""  # of which content memcache holds values, once system-app has filled it
    index: str = ""  # what the search was indexed from
    copies: dict[str, Any] = field(default_factory=dict)  # of files, on the machine that restores: it loses none of them
    copy_parts: dict[str, int] = field(default_factory=dict)
    hosts_due: tuple[str, ...] = ()  # what zync has been told to make routes for

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.is_fresh:
            return
        system = f"system-{self.engine}"
        for part, workload, engine, name in (
            ("system-database", system, self.engine, "system"), ("zync", "zync-database", "postgresql", "zync_production")
        ):  # fmt: skip
            if part not in self.external:
                self.databases[name] = Database(workload, engine, name, CONTENTS[name, "old"])
                self.apps[workload] = App(workload)
                self.volumes[workload] = {}
        self.cached = "old system" if "system" in self.databases else ""

        if "system-searchd" in self.names():
            self.index = "old system" if "system" in self.databases else "elsewhere"

    def copy(self) -> Self:
        other = super().copy()
        other.databases, other.jobs = dict(self.databases), dict(self.jobs)
        other.volumes = {name: dict(files) for name, files in self.volumes.items()}
        other.copies, other.copy_parts = dict(self.copies), dict(self.copy_parts)
        return other

    def sql_workloads(self) -> tuple[SqlWorkload, ...]:
        parts: dict[str, Any] = {"system": "system-database", "zync_production": "zync"}
        return tuple(
            SqlWorkload(
                part=parts[d.name], name=d.workload, kind=self.kind, engine=d.engine, pod=f"{d.workload}-1",
                version="10.5.9-MariaDB" if d.engine == "mysql" else "10.23", database=d.name,
                owner="" if d.engine == "mysql" else "owner", directory=directory_of(d.engine),
                volume="emptyDir" if d.name == "zync_production" else "persistentVolumeClaim", free_bytes=1 << 40, size_bytes=9,
            )
            for d in self.databases.values()
        )  # fmt: skip

    # ---- time ------------------------------------------------------------------------------------

    def operate(self) -> None:
        super().operate()
        for name, job in list(self.jobs.items()):
            if job.state == "running":
                self.run(name, replace(job, looks=job.looks + 1))
        system, names = self.databases.get("system"), ("system-app", "system-memcache")
        if system and not self.cached and all(self.apps[name].is_complete for name in names):
            self.cached = system.content.label

    def run(self, name: str, job: PodJob) -> None:
        self.jobs[name] = job
        match job.program:
            case "load-mysql" | "return-mysql":
                self.pour(name, job)
            case "load-postgresql" | "return-postgresql":
                self.remake(name, job)
            case "dump-mysql" | "dump-postgresql":
                self.dump(name, job)
            case _:
                self.rake(name, job)

    def exit(self, name: str, job: PodJob, code: int) -> None:
        self.jobs[name] = replace(job, state="exited", code=code)

    def pour(self, name: str, job: PodJob) -> None:
        """MySQL: the mark first, then table after table, then the mark again as the last statement."""
        files, is_load = self.volumes[job.workload], job.program == "load-mysql"
        source, database, mark, *digest = job.arguments
        words = (f"loading {digest[0]}", f"loaded {digest[0]}") if is_load else ("returning -", "returned -")
        if source not in files:
            return self.exit(name, job, 2)
        self.must_be_quiet(database)
        found = self.databases[database]
        if job.looks == 1:
            self.databases[database] = found.marked(f"{mark} {words[0]}")
        elif self.is_doomed(is_load=is_load):
            self.exit(name, job, 1)
        elif job.looks == 2:
            self.databases[database] = replace(found, content=TORN)
        else:
            self.databases[database] = replace(found, content=files[source]).marked(f"{mark} {words[1]}")
            self.finished(name, job, source if is_load else "")
        return None

    def remake(self, name: str, job: PodJob) -> None:
        """PostgreSQL: dropped, made anew without a mark, marked, and then all of it in one transaction."""
        files, is_load = self.volumes[job.workload], job.program == "load-postgresql"
        source, database = job.arguments[:2]
        mark, digest = job.arguments[4:] if is_load else (job.arguments[2], "-")
        words = (f"loading {digest}", f"loaded {digest}") if is_load else ("returning -", "returned -")
        if source not in files:
            return self.exit(name, job, 2)
        self.must_be_quiet(database)
        found = self.databases[database]
        below = found.mark if not found.mark.startswith(f"{mark} ") else "\t".join(found.mark.split("\t")[1:])
        old = files.setdefault(f"{name}.below", below) if found.is_there else files.get(f"{name}.below", "")
        if job.looks == 1:
            self.databases[database] = replace(found, is_there=False, content=EMPTY, mark="")
        elif job.looks == 2:
            self.databases[database] = replace(found, is_there=True, content=EMPTY, mark="")
        elif self.is_doomed(is_load=is_load):
            self.exit(name, job, 3)
        elif job.looks == 3:
            self.databases[database] = replace(found, mark=old).marked(f"{mark} {words[0]}")
        else:
            self.databases[database] = replace(found, content=files[source]).marked(f"{mark} {words[1]}")
            files.pop(f"{name}.below", None)
            self.finished(name, job, source if is_load else "")
        return None

    def finished(self, name: str, job: PodJob, staged: str) -> None:
        self.volumes[job.workload].pop(staged, None)
        self.exit(name, job, 0)

    def is_doomed(self, *, is_load: bool) -> bool:
        if is_load and self.doomed_jobs:
            self.doomed_jobs -= 1
            return True
        return False

    def dump(self, name: str, job: PodJob) -> None:
        database, target = job.arguments
        files = self.volumes[job.workload]
        self.must_be_quiet(database)
        if target in files:
            return self.exit(name, job, 17)
        if self.databases[database].content in (EMPTY, TORN):
            raise Impossible(f"a safety copy is made of {database}, which is {self.databases[database].content.label}")
        if job.looks < 3:
            files[f"{target}.part"] = "part"
        else:
            files.pop(f"{target}.part")
            files[target] = self.databases[database].content
            self.exit(name, job, 0)
        return None

    def rake(self, name: str, job: PodJob) -> None:
        if job.looks < 2:
            return
        (task,) = job.arguments
        system = self.databases.get("system")
        if task == "searchd:optimal_index":
            self.index = system.content.label if system else "elsewhere"
        else:
            hosts = system.content.hosts if system else ()
            self.hosts_due = tuple(sorted({*DEFAULT_HOSTS, *(h for h in hosts if h.endswith(f".{DOMAIN}"))}))
        self.exit(name, job, 0)

    def must_be_quiet(self, database: str) -> None:
        """Nobody writes to it: neither the programs that own it nor a hook that migrates it (T6)."""
        for name in QUIET[database]:
            if self.apps[name].replicas or self.apps[name].stopping:
                raise Impossible(f"database {database} is saved or loaded while {name} runs")
        if database == "system" and any(hook.state == "running" for hook in self.hooks.values()):
            raise Impossible(f"database {database} is saved or loaded while a hook of system-app runs")

    def lose_jobs(self) -> None:
        """Whatever runs in a pod is killed, and its pod stays."""
        for name, job in self.jobs.items():
            if job.state == "running":
                self.jobs[name] = replace(job, state="lost")

    def can_boot(self) -> bool:
        system = self.databases.get("system")
        return super().can_boot() and (system is None or self.apps[system.workload].is_complete)

    def migrate(self) -> None:
        super().migrate()
        system = self.databases.get("system")
        if system and system.content in (EMPTY, TORN):
            raise Impossible(f"{HOOKS[0]} migrates a database that is {system.content.label}")

    def roll_out(self, effect: fx.RollOut, at: dict[str, Any]) -> ev.EffectFact:
        if effect.workload == "zync-database":
            raise Impossible("zync-database is restarted: its data goes with its pod (T5)")
        return super().roll_out(effect, at)

    def replaced(self, name: str) -> None:
        """A system database keeps what is in its data directory; zync-database has no volume, and is empty then (T5)."""
        super().replaced(name)
        if name == "system-memcache":
            self.cached = ""
        if name == "zync-database":
            self.volumes[name] = {}
            self.databases["zync_production"] = replace(self.databases["zync_production"], content=EMPTY, mark="")

    def rewrite_backend(self) -> None:
        super().rewrite_backend()
        system, server = self.databases.get("system"), self.servers.get("backend-redis")
        if system and server:
            known = services_of(server.data)
            lacking = {s: n for s, n in system.content.services.items() if known.get(s, -1) < n}
            server.data = {**server.data, **{f"service:{s}": str(n) for s, n in lacking.items()}}
            server.aof = dict(server.data) if server.appendonly == "yes" else server.aof

    # ---- Reader ------------------------------------------------------------------------------------

    def pod_job(self, workload: WorkloadSeen, directory: str, job: str) -> PodJobSeen:
        self.operate()
        app, found = self.app_in(workload.pod, workload.container), self.jobs.get(job)
        if found is None or (found.workload, found.container) != (app.name, app.container):
            return PodJobSeen(state="never")
        complaint = "ERROR 1064 at line 7" if found.code else ""
        return PodJobSeen(state=found.state, code=found.code, complaint=complaint)

    def jobs_of(self, workload: WorkloadSeen, run: str) -> tuple[str, ...]:
        if workload.pod.rpartition("-")[0] in self.servers:  # a Redis runs no jobs, and no epoch is kept here
            return ()
        app = self.app_in(workload.pod, workload.container)
        return tuple(name for name, job in self.jobs.items() if job.workload == app.name and name.startswith(f"{run}."))

    def database(self, workload: WorkloadSeen, engine: Engine, database: str) -> DatabaseSeen | None:
        app = self.app_in(workload.pod, workload.container)
        found = self.databases[database]
        assert (found.workload, found.engine) == (app.name, engine)
        return DatabaseSeen(is_there=found.is_there, mark=found.top, tables=len(found.content.rows))

    def row_counts(
        self, workload: WorkloadSeen, engine: Engine, database: str, tables: Sequence[str]
    ) -> Mapping[str, int | None] | None:
        self.app_in(workload.pod, workload.container)
        return {table: self.databases[database].content.rows.get(table) for table in tables}

    def hosts(self, workload: WorkloadSeen, engine: Engine, database: str) -> tuple[str, ...] | None:
        self.app_in(workload.pod, workload.container)
        return self.databases[database].content.hosts

    def services_in_sql(self, workload: WorkloadSeen, engine: Engine, database: str) -> Mapping[str, int] | None:
        self.app_in(workload.pod, workload.container)
        return self.databases[database].content.services

    def services_in_redis(self, workload: WorkloadSeen) -> Mapping[str, int] | None:
        return services_of(self.at(workload.pod, workload.container).data)

    def files(
        self, workload: WorkloadSeen, paths: Sequence[str], *, digests: bool = False
    ) -> Mapping[str, FileSeen | None]:
        if workload.pod.rpartition("-")[0] in self.servers:
            return super().files(workload, paths, digests=digests)
        volume = self.volumes[self.app_in(workload.pod, workload.container).name]
        return {path: FileSeen(size_bytes=1, sha256=digest_of(volume[path])) if path in volume else None for path in paths}

    def copied_out(self, target: str) -> FileSeen | None:
        found = self.copies.get(target)
        return None if found is None else FileSeen(size_bytes=1, sha256=digest_of(found))

    # ---- Cluster -----------------------------------------------------------------------------------

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        if not isinstance(effect, fx.RemoveCopy):
            yield from super().perform(effect, step=step, attempt=attempt)
            return
        self.copies.pop(effect.target, None)
        self.copy_parts.pop(effect.target, None)
        yield ev.CopyRemoved(step=step, attempt=attempt, target=effect.target)

    def in_pod(self, effect: fx.InPod, at: dict[str, Any]) -> Iterator[ev.EffectFact]:
        if effect.workload in self.servers:
            yield from super().in_pod(effect, at)
            return
        app = self.app_at(effect)
        match effect:
            case fx.CopyIn():
                yield from self.stage_dump(self.volumes[app.name], effect, at)
            case fx.CopyOut():
                yield from self.copy_out(self.volumes[app.name], effect, at)
            case fx.RemovePath():
                self.volumes[app.name].pop(effect.path, None)
                yield ev.FileRemoved(**at, pod=effect.pod, path=effect.path)
            case fx.StartJob():
                self.start(effect, app)
                yield ev.RemoteJobStarted(**at, pod=effect.pod, job=effect.job, program=effect.program)
            case fx.StopJob():
                job = self.jobs[effect.job]
                if job.state == "running":
                    self.jobs[effect.job] = replace(job, state="exited", code=143)
                yield ev.RemoteJobStopped(**at, pod=effect.pod, job=effect.job)
            case fx.RemoveJobs():
                self.jobs = {n: j for n, j in self.jobs.items() if j.workload != app.name or not n.startswith(f"{effect.run}.")}
                yield ev.JobsRemoved(**at, pod=effect.pod)
            case fx.ForgetMark():
                self.databases[effect.database] = self.databases[effect.database].unmarked()
                yield ev.MarkRemoved(**at, pod=effect.pod, database=effect.database)
            case _:
                yield from super().in_pod(effect, at)

    def stage_dump(self, volume: dict[str, Any], effect: fx.CopyIn, at: dict[str, Any]) -> Iterator[ev.EffectFact]:
        place = {**at, "pod": effect.pod, "path": effect.path}
        for offset in range(int(volume.get(effect.part, 0)), CHUNKS):
            volume[effect.part] = offset + 1
            yield ev.FileChunkCopied(**place, offset_bytes=offset, size_bytes=1, sha256="")
        if effect.path in volume:
            raise ClusterRefused(f"{effect.path} exists already")
        volume.pop(effect.part, None)
        database = next(d.name for d in self.databases.values() if d.workload == effect.workload)
        is_copy = effect.origin == "copies"
        volume[effect.path] = self.copies[effect.source] if is_copy else CONTENTS[database, "new"]
        yield ev.FileCopied(**place, size_bytes=CHUNKS, sha256=effect.sha256)

    def copy_out(self, volume: dict[str, Any], effect: fx.CopyOut, at: dict[str, Any]) -> Iterator[ev.EffectFact]:
        place = {**at, "pod": effect.pod, "path": effect.path}
        for offset in range(self.copy_parts.get(effect.target, 0), CHUNKS):
            self.copy_parts[effect.target] = offset + 1
            yield ev.FileChunkCopiedOut(**place, offset_bytes=offset, size_bytes=1, sha256="")
        if effect.path not in volume or digest_of(volume[effect.path]) != effect.sha256:
            raise PodChanged(f"{effect.path} is not what was seen there")
        del self.copy_parts[effect.target]
        self.copies[effect.target] = volume[effect.path]
        yield ev.FileCopiedOut(**place, target=effect.target, size_bytes=effect.size_bytes, sha256=effect.sha256)

    def start(self, effect: fx.StartJob, app: App) -> None:
        """Fenced by the epoch; one of that name that runs is not started again."""
        if effect.epoch < self.newest_epoch:
            raise ClusterRefused(f"an older epoch: {effect.epoch}")
        self.newest_epoch = effect.epoch
        job = self.jobs.get(effect.job)
        if job and job.container == app.container and job.state == "running":
            if job.attempt != effect.attempt:
                raise ClusterRefused(f"{effect.job} is running already")
            return
        self.jobs[effect.job] = PodJob(app.name, app.container, effect.attempt, effect.program, effect.arguments)

    def digest(self) -> dict[str, Any]:
        return super().digest() | {
            "index": self.index,
            "databases": {d.name: (d.is_there, d.content.label, d.mark) for d in self.databases.values()},
            "cached": self.cached,
            "copies": (sorted(map(plain, self.copies)), sorted(map(plain, self.copy_parts))),
            "volumes": {name: sorted(plain(f) for f in files if not f.endswith(".below")) for name, files in self.volumes.items()},
        }  # fmt: skip


def services_of(data: Mapping[str, str]) -> dict[str, int]:
    return {key.partition(":")[2]: int(value) for key, value in data.items() if key.startswith("service:")}
