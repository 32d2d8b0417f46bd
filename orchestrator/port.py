"""The core's only words for the world outside: what can be seen, and what can be done.

A probe gets a Reader, which has no verb that writes; only the engine holds a Cluster. Both are
implemented by cluster/live.py for any cluster with a kubeconfig, and by a model in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from orchestrator.effects import Effect, Engine
from orchestrator.events import EffectFact, Json

HELPER: Final = "Pod"  # the kind of a pod of ours that stands for one of a workload's: it is a workload of its own


class Seen(BaseModel):
    """What a probe brought back. Journalled, so it never holds a secret."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class FileSeen(Seen):
    """A file or directory in a pod. sha256 only where it was asked for, and only of files."""

    size_bytes: int
    is_directory: bool = False
    sha256: str = ""


class WorkloadSeen(Seen):
    """A Deployment or DeploymentConfig with the pod that serves it now.

    Of a HELPER: replicas is 0 once it is being deleted, pods is 0 when it has ended and serves no more.
    """

    kind: str
    replicas: int | None
    is_complete: bool
    waiting_for: str = ""  # why it isn't complete, in words
    revision: str = ""
    restarted_at: str | None = None  # kubectl.kubernetes.io/restartedAt of the pod template
    config_version: str | None = None  # redisConfigMapResourceVersion of the pod template, where it has one
    pod: str = ""
    container: str = ""  # pod uid and container id: another one is another process
    generation: str = ""
    pods: int = 0  # that are not over: those that are still stopping too


class FieldSeen(Seen):
    """One field of an object. Absent, null and a value are three different things.

    parents: how many of the objects around it are there; a path has one element more than it has parents.
    """

    is_there: bool
    value: Any = None
    parents: int = 0


class JobSeen(Seen):
    """A Kubernetes Job. generation: of the Deployment that an operator ran it for, "" where it says none."""

    uid: str
    state: str  # running, complete or failed
    generation: str = ""


class PodJobSeen(Seen):
    """A command that was started detached in a pod, as its own directory tells it.

    never: not begun in this container. running. exited: with `code`. lost: begun, and its end is not known.
    """

    state: Literal["never", "running", "exited", "lost"]
    code: int | None = None
    done_bytes: int = 0  # how much of its input it has read
    complaint: str = ""  # the last line that it wrote to stderr, values taken out
    log: str = ""  # sha256 of the end of its log, values taken out, among the journal's blobs; "" where it is not kept
    is_cut_off: bool = False  # that line says that its server went away, or was not there


class DatabaseSeen(Seen):
    """One SQL database. mark: what a load of ours wrote into it, "" where none did."""

    is_there: bool
    mark: str = ""
    tables: int = 0
    connections: int = 0  # of others than the one that asks


class TreeSeen(Seen):
    """A directory of the bundle compared with one in a pod: files and links, counted.

    extra: in the pod alone. created, replaced: what a sync of ours has added, and set aside, as its stash tells.
    changed: what it brought and is not so any more, counted; changed_names: some of it. has_source: False where the
    bundle's directory is not there any more: then nothing is compared with it.
    """

    same: int
    missing: int
    differing: int
    extra: int = 0
    size_bytes: int = 0  # of the bundle's directory
    left_bytes: int = 0  # of what is missing or differs
    created: int = 0
    replaced: int = 0
    has_stash: bool = False
    changed: int = 0
    changed_names: tuple[str, ...] = ()
    has_source: bool = True


class ObjectSeen(Seen):
    """An object of the cluster compared with its file in the bundle. Names of keys, never values.

    stash: where the value of before a change of ours is kept in the cluster, "" where it is not. changed: keys that
    are not any more as that change left them. has_source: False where the file is not there any more.
    """

    is_there: bool
    uid: str = ""
    missing: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    stash: str = ""
    changed: tuple[str, ...] = ()
    has_source: bool = True


class RouteSeen(Seen):
    name: str
    host: str
    uid: str = ""
    is_admitted: bool = False
    reason: str = ""  # why it isn't


class RedisSeen(Seen):
    """One running Redis: INFO and the settings that matter here."""

    version: str
    now_ms: int
    is_loading: bool
    save: str
    appendonly: str
    keys: Mapping[int, int]  # database -> keys, as INFO keyspace says
    aof_rewrite_in_progress: bool
    aof_rewrite_scheduled: bool
    bgsave_in_progress: bool
    aof_last_bgrewrite_ok: bool
    aof_last_write_ok: bool


class ConfigMapSeen(Seen):
    """One key of one ConfigMap; text is None when the key is absent."""

    resource_version: str
    text: str | None


class Reader(Protocol):
    """Looks, and cannot write. Raises ClusterUnreachable (temporary) or ClusterRefused (permanent)."""

    def configmap(self, name: str, key: str) -> ConfigMapSeen | None: ...

    def workload(self, kind: str, name: str) -> WorkloadSeen | None: ...

    def redis(self, workload: WorkloadSeen) -> RedisSeen | None:
        """None while the server does not accept connections."""
        ...

    def files(
        self, workload: WorkloadSeen, paths: Sequence[str], *, digests: bool = False
    ) -> Mapping[str, FileSeen | None]: ...

    def copied_out(self, target: str) -> FileSeen | None:
        """A file of the directory of copies on this machine, with its digest; what is not whole is not there."""
        ...

    def field(self, manager: str, path: Sequence[str]) -> FieldSeen | None:
        """A field of the APIManager of that name; None where there is no such APIManager."""
        ...

    def stage(self, manager: str) -> str:
        """What keeps the operator from acting, in words; "" where nothing shows."""
        ...

    def job(self, name: str) -> JobSeen | None: ...

    def pod_job(self, workload: WorkloadSeen, directory: str, job: str) -> PodJobSeen:
        """directory: where jobs of ours keep their own directories, in the pod."""
        ...

    def database(self, workload: WorkloadSeen, engine: Engine, database: str) -> DatabaseSeen | None:
        """None while the server does not accept connections."""
        ...

    def row_counts(
        self, workload: WorkloadSeen, engine: Engine, database: str, tables: Sequence[str]
    ) -> Mapping[str, int | None] | None:
        """Rows by table, None for one that is not there; None while the server does not accept connections."""
        ...

    def tree(self, workload: WorkloadSeen, source: str, path: str, stash: str) -> TreeSeen:
        """source: a directory of the bundle."""
        ...

    def object(self, kind: str, name: str, source: str, stash: str) -> ObjectSeen:
        """source: a file of the bundle. stash: the name of the Secret that would keep the value of before."""
        ...

    def stash(self, name: str) -> str:
        """The uid of the Secret that keeps what an object held before; "" where there is none."""
        ...

    def jobs_of(self, workload: WorkloadSeen, run: str) -> tuple[str, ...]:
        """The directories that jobs of this run have left in the pod."""
        ...

    def routes(self) -> tuple[RouteSeen, ...]: ...

    def hosts(self, workload: WorkloadSeen, engine: Engine, database: str) -> tuple[str, ...] | None:
        """Every host that 3scale's database names for its tenants and their APIs, sorted."""
        ...

    def services_in_sql(
        self, workload: WorkloadSeen, engine: Engine, database: str
    ) -> Mapping[str, int] | None:
        """Service id -> its applications, of tenants that are not suspended or deleted."""
        ...

    def services_in_redis(self, workload: WorkloadSeen) -> Mapping[str, int] | None:
        """Service id of services_set -> its applications (apisonator: docs/redis_keys.md)."""
        ...


class Cluster(Reader, Protocol):
    """Performs one effect, and yields a fact for everything it did, as it does it."""

    def perform(self, effect: Effect, *, step: str, attempt: int) -> Iterator[EffectFact]: ...


class Guard(Protocol):
    """Keeps others off the installation while a run is carried out. `head` is the journal's."""

    def take(self, run: str, holder: str, epoch: int, head: str, is_ours: Callable[[str], bool]) -> None:
        """`head` is SEQ:DIGEST of the journal; is_ours tells whether a head noted before is in its chain."""
        ...

    def confirm(self) -> None:
        """Raises RunHeldElsewhere when it is not ours any more; ClusterUnreachable when that cannot be seen."""
        ...

    def renew(self, head: str) -> None: ...

    def release(self, head: str, *, is_open: bool, is_standing: bool) -> None:
        """is_open: it can be gone on with. is_standing: what the run did is still in place; False once it was taken back."""
        ...


__all__ = [
    "HELPER",
    "Cluster",
    "ConfigMapSeen",
    "DatabaseSeen",
    "Engine",
    "FieldSeen",
    "FileSeen",
    "Guard",
    "JobSeen",
    "Json",
    "ObjectSeen",
    "PodJobSeen",
    "Reader",
    "RedisSeen",
    "RouteSeen",
    "Seen",
    "TreeSeen",
    "WorkloadSeen",
]
