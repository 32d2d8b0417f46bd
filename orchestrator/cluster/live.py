"""Reader and Cluster for any cluster that a kubeconfig names. It doesn't know whether it is embedded.

Each concern has a module of its own; here they are put together under the words of orchestrator.port.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster import scripts
from orchestrator.cluster.connection import Connection
from orchestrator.cluster.copies import Copies
from orchestrator.cluster.databases import Databases
from orchestrator.cluster.directories import Directories
from orchestrator.cluster.execs import Execs, Ran, Stdin
from orchestrator.cluster.files import Files
from orchestrator.cluster.helpers import Helpers
from orchestrator.cluster.hooks import Hooks, Routes
from orchestrator.cluster.jobs import Jobs
from orchestrator.cluster.manager import Manager
from orchestrator.cluster.objects import Objects
from orchestrator.cluster.pods import At, Pods, whole
from orchestrator.cluster.redis_answers import configured, redis_seen
from orchestrator.cluster.rest import Conflict, Object, Rest
from orchestrator.cluster.rollouts import Rollouts
from orchestrator.cluster.workloads import path_of, workload_seen
from orchestrator.errors import ClusterUnreachable
from orchestrator.fencing import Fence
from orchestrator.port import (
    HELPER,
    ConfigMapSeen,
    DatabaseSeen,
    FieldSeen,
    FileSeen,
    JobSeen,
    ObjectSeen,
    PodJobSeen,
    RedisSeen,
    RouteSeen,
    TreeSeen,
    WorkloadSeen,
)

RESYNC_TASK = "zync:resync:domains"

Performer = Callable[[Any, At], Iterator[ev.EffectFact]]


class LiveCluster:
    """One namespace of one cluster."""

    def __init__(self, connection: Connection, bundle: Path | None = None) -> None:
        self.connection = connection
        self.fence = Fence()
        self.rest = Rest(connection, self.fence)
        self.execs = Execs(connection)
        self.pods = Pods(self.rest, self.execs, self.fence)
        self.bundle = bundle
        self.core = f"/api/v1/namespaces/{connection.namespace}"
        self.copies = Copies(self.pods)
        self.in_files = Files(self.pods, bundle, self.copies)
        self.directories = Directories(self.pods, bundle)
        self.jobs = Jobs(self.pods)
        self.databases = Databases(self.pods)
        self.rollouts = Rollouts(self.rest)
        self.manager = Manager(self.rest)
        self.helpers = Helpers(self.rest)
        self.objects = Objects(self.rest, bundle)
        self.hooks = Hooks(self.rest)
        self.in_routes = Routes(self.rest)
        self.performers: Mapping[type[fx.EffectBase], Performer] = {
            fx.EditConfigMap: self.edit,
            fx.RollOut: self.rollouts.roll_out,
            fx.SetAside: self.in_files.set_aside,
            fx.PutBack: self.in_files.put_back,
            fx.RemovePath: self.in_files.remove,
            fx.CopyIn: self.in_files.copy_in,
            fx.CopyOut: self.copies.copy_out,
            fx.RemoveCopy: self.copies.remove,
            fx.RewriteAof: self.rewrite_aof,
            fx.SwitchAppendingOn: self.switch_appending_on,
            fx.SwitchSavingOn: self.switch_saving_on,
            fx.FlushRedis: self.flush_redis,
            fx.SetField: self.manager.set_field,
            fx.ScaleWorkload: self.rollouts.scale,
            fx.DeleteJob: self.hooks.delete,
            fx.StartJob: self.start_job,
            fx.StopJob: self.stop_job,
            fx.ForgetMark: self.forget_mark,
            fx.SyncTree: self.directories.sync,
            fx.PutTreeBack: self.directories.put_back,
            fx.StartHelper: self.helpers.start,
            fx.RemoveHelper: self.helpers.remove,
            fx.ApplyObject: self.objects.apply,
            fx.PutObjectBack: self.objects.put_back,
            fx.DeleteRoute: self.in_routes.delete,
            fx.RemoveStash: self.objects.remove_stash,
            fx.RemoveJobs: self.remove_jobs,
        }

    def __enter__(self) -> LiveCluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.execs.close()

    # ---- Reader --------------------------------------------------------------------------------

    def configmap(self, name: str, key: str) -> ConfigMapSeen | None:
        found = self.rest.find(f"{self.core}/configmaps/{name}")
        if found is None:
            return None
        text = (found.get("data") or {}).get(key)
        return ConfigMapSeen(resource_version=found["metadata"]["resourceVersion"], text=text)

    def workload(self, kind: str, name: str) -> WorkloadSeen | None:
        if kind == HELPER:
            return self.helpers.seen(name)
        found = self.rest.find(path_of(self.connection.namespace, kind, name))
        return None if found is None else workload_seen(self.rest, self.connection.namespace, kind, found)

    def redis(self, workload: WorkloadSeen) -> RedisSeen | None:
        command = scripts.argv(scripts.REDIS, "save", "appendonly")
        ran = self.in_pod(workload.pod, workload.container, command)
        return None if ran.code else redis_seen(whole(ran))

    def redis_settings(self, workload: WorkloadSeen, names: Sequence[str]) -> dict[str, str]:
        """CONFIG GET of each name, and `version`."""
        ran = self.in_pod(workload.pod, workload.container, scripts.argv(scripts.REDIS, *names))
        if ran.code:
            raise ClusterUnreachable(f"redis-cli in pod {workload.pod} does not work: {ran.complaint}")
        return configured(whole(ran))

    def files(
        self, workload: WorkloadSeen, paths: Sequence[str], *, digests: bool = False
    ) -> Mapping[str, FileSeen | None]:
        return self.in_files.seen(workload, paths, digests=digests)

    def copied_out(self, target: str) -> FileSeen | None:
        return self.copies.seen(target)

    def field(self, manager: str, path: Sequence[str]) -> FieldSeen | None:
        return self.manager.field(manager, path)

    def stage(self, manager: str) -> str:
        return self.manager.stage(manager)

    def job(self, name: str) -> JobSeen | None:
        return self.hooks.job(name)

    def tree(self, workload: WorkloadSeen, source: str, path: str, stash: str) -> TreeSeen:
        return self.directories.seen(workload, source, path, stash)

    def object(self, kind: str, name: str, source: str, stash: str) -> ObjectSeen:
        return self.objects.seen(kind, name, source, stash)

    def stash(self, name: str) -> str:
        return self.objects.stash(name)

    def jobs_of(self, workload: WorkloadSeen, run: str) -> tuple[str, ...]:
        return self.jobs.of_run(workload, run)

    def routes(self) -> tuple[RouteSeen, ...]:
        return self.in_routes.seen()

    def pod_job(self, workload: WorkloadSeen, directory: str, job: str) -> PodJobSeen:
        return self.jobs.seen(workload, directory, job)

    def database(self, workload: WorkloadSeen, engine: fx.Engine, database: str) -> DatabaseSeen | None:
        return self.databases.seen(workload, engine, database)

    def row_counts(
        self, workload: WorkloadSeen, engine: fx.Engine, database: str, tables: Sequence[str]
    ) -> Mapping[str, int | None] | None:
        return self.databases.row_counts(workload, engine, database, tables)

    def hosts(self, workload: WorkloadSeen, engine: fx.Engine, database: str) -> tuple[str, ...] | None:
        return self.databases.hosts(workload, engine, database)

    def services_in_sql(
        self, workload: WorkloadSeen, engine: fx.Engine, database: str
    ) -> Mapping[str, int] | None:
        return self.databases.services_in_sql(workload, engine, database)

    def services_in_redis(self, workload: WorkloadSeen) -> Mapping[str, int] | None:
        return self.databases.services_in_redis(workload)

    # ---- Cluster -------------------------------------------------------------------------------

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        """Each effect leaves its fact once it is performed; a copy leaves one a chunk as well."""
        yield from self.performers[type(effect)](effect, {"step": step, "attempt": attempt})

    def edit(self, effect: fx.EditConfigMap, at: At) -> Iterator[ev.EffectFact]:
        pointer = "/data/" + effect.key.replace("~", "~0").replace("/", "~1")
        what = f"ConfigMap {effect.configmap}"

        def patch(found: Object) -> list[Object]:
            if (found.get("data") or {}).get(effect.key) != effect.expected:
                raise Conflict(f"{what} changed meanwhile")
            return [{"op": "replace", "path": pointer, "value": effect.text}]

        after = self.rest.change(f"{self.core}/configmaps/{effect.configmap}", patch, what)
        version = after["metadata"]["resourceVersion"]
        yield ev.ConfigMapEdited(**at, configmap=effect.configmap, key=effect.key, resource_version=version)

    def rewrite_aof(self, effect: fx.RewriteAof, at: At) -> Iterator[ev.EffectFact]:
        answer = self.pods.command(effect, scripts.BGREWRITEAOF)
        yield ev.AofRewriteRequested(**at, pod=effect.pod, answer=answer)

    def switch_appending_on(self, effect: fx.SwitchAppendingOn, at: At) -> Iterator[ev.EffectFact]:
        self.pods.command(effect, scripts.APPEND)
        yield ev.AppendingSwitchedOn(**at, pod=effect.pod)

    def switch_saving_on(self, effect: fx.SwitchSavingOn, at: At) -> Iterator[ev.EffectFact]:
        self.pods.command(effect, scripts.SAVE, effect.save, effect.appendonly)
        yield ev.SavingSwitchedOn(**at, pod=effect.pod, save=effect.save, appendonly=effect.appendonly)

    def flush_redis(self, effect: fx.FlushRedis, at: At) -> Iterator[ev.EffectFact]:
        self.databases.flush(effect)
        yield ev.RedisDatabaseFlushed(**at, pod=effect.pod, database=effect.database)

    def start_job(self, effect: fx.StartJob, at: At) -> Iterator[ev.EffectFact]:
        self.jobs.start(effect)
        yield ev.RemoteJobStarted(**at, pod=effect.pod, job=effect.job, program=effect.program)
        if effect.program == "rake" and RESYNC_TASK in effect.arguments:
            yield ev.RoutesRequested(**at, pod=effect.pod, task=RESYNC_TASK)

    def stop_job(self, effect: fx.StopJob, at: At) -> Iterator[ev.EffectFact]:
        self.jobs.stop(effect)
        yield ev.RemoteJobStopped(**at, pod=effect.pod, job=effect.job)

    def remove_jobs(self, effect: fx.RemoveJobs, at: At) -> Iterator[ev.EffectFact]:
        self.jobs.remove(effect)
        yield ev.JobsRemoved(**at, pod=effect.pod)

    def forget_mark(self, effect: fx.ForgetMark, at: At) -> Iterator[ev.EffectFact]:
        self.databases.forget(effect)
        yield ev.MarkRemoved(**at, pod=effect.pod, database=effect.database)

    def in_pod(self, pod: str, identity: str, command: list[str], stdin: Stdin = b"") -> Ran:
        """Exec in the very container that was seen; another one under its name is refused."""
        return self.pods.run(pod, identity, command, stdin)


__all__ = ["LiveCluster", "whole"]
