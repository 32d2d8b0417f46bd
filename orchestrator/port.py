"""The core's only words for the world outside: what can be seen, and what can be done.

A probe gets a Reader, which has no verb that writes; only the engine holds a Cluster. Both are
implemented by cluster/live.py for any cluster with a kubeconfig, and by a model in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from orchestrator.effects import Effect
from orchestrator.events import EffectFact, Json


class Seen(BaseModel):
    """What a probe brought back. Journalled, so it never holds a secret."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class FileSeen(Seen):
    """A file or directory in a pod. sha256 only where it was asked for, and only of files."""

    size_bytes: int
    is_directory: bool = False
    sha256: str = ""


class WorkloadSeen(Seen):
    """A Deployment or DeploymentConfig with the pod that serves it now."""

    kind: str
    replicas: int | None
    is_complete: bool
    waiting_for: str = ""  # why it isn't complete, in words
    revision: str = ""
    restarted_at: str | None = None  # kubectl.kubernetes.io/restartedAt of the pod template
    config_version: str | None = None  # redisConfigMapResourceVersion of the pod template, where it has one
    pod: str = ""
    container: str = ""  # pod uid and container id: another one is another process


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


class Cluster(Reader, Protocol):
    """Performs one effect, and yields a fact for everything it did, as it does it."""

    def perform(self, effect: Effect, *, step: str, attempt: int) -> Iterator[EffectFact]: ...


class Guard(Protocol):
    """Keeps others off the installation while a run is carried out. `head` is the journal's."""

    def take(self, run: str, holder: str, epoch: int, head: str, is_ours: Callable[[str], bool]) -> None:
        """`head` is SEQ:DIGEST of the journal; is_ours tells whether a head noted before is in its chain."""
        ...

    def renew(self, head: str) -> None: ...

    def release(self, head: str, *, is_open: bool, is_standing: bool) -> None:
        """is_open: it can be gone on with. is_standing: what the run did is still in place; False once it was taken back."""
        ...


__all__ = [
    "Cluster",
    "ConfigMapSeen",
    "FileSeen",
    "Guard",
    "Json",
    "Reader",
    "RedisSeen",
    "Seen",
    "WorkloadSeen",
]
