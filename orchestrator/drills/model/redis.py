"""Two Redis on a cluster, behind the same port as the live one.

Files, processes and the ConfigMap behave as the real ones do where a restore depends on it (a stopping server writes its RDB, `appendonly yes` without an AOF starts empty, a 2.15
operator restarts both for an edit). What cannot happen on a cluster raises Impossible: that fails the test.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator import redis_conf
from orchestrator.cluster.rest import Conflict
from orchestrator.errors import ClusterRefused, ClusterUnreachable
from orchestrator.findings import BundleFile, BundleReport
from orchestrator.installation import Installation, RedisWorkload
from orchestrator.port import ConfigMapSeen, FileSeen, RedisSeen, WorkloadSeen
from orchestrator.rdb_summary import DatabaseSummary, RdbSummary

CONFIG = "port 6379\nsave 900 1\nsave 300 10\nsave 60 10000\nappendonly yes\nstop-writes-on-bgsave-error yes\n"
NAMES = ("backend-redis", "system-redis")
DIRECTORY = "/data"
QUEUE = "queue:"  # keys of database 1 begin so, in this model
RDB, AOF, PROOF = f"{DIRECTORY}/dump.rdb", f"{DIRECTORY}/appendonlydir", f"{DIRECTORY}/appendonlydir/manifest"


class Impossible(AssertionError):
    """Something that must never be done to an installation."""


@dataclass
class Server:
    """One Redis: its volume, and the process that runs on it."""

    name: str
    data: dict[str, str]
    rdb: tuple[dict[str, str], int] | None  # content, and which writing of it this is
    aof: dict[str, str] | None
    aside: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    save: str = ""
    appendonly: str = "yes"
    container: int = 1
    restarted_at: str | None = None
    config_version: str | None = None
    rewriting: dict[str, str] | None = None  # what a rewrite that has not ended will leave as the AOF
    last_rewrite_ok: bool = True
    writings: int = 1

    def copy(self) -> Server:
        """Content is never changed in place, so only the two maps are copied."""
        return replace(self, aside=dict(self.aside), parts=dict(self.parts))


@dataclass
class ModelCluster:
    """Implements what of Reader and Cluster two Redis need. flavour: a release, or "plain" (Deployments, no operator)."""

    flavour: str = "2.13"
    text: str = CONFIG
    version: int = 1
    operator_looks: int = 1  # how often it is looked at before the operator acts
    operator_is_due_in: int | None = None
    do_pod_names_stay: bool = False  # a new pod has the name of the old one, as a StatefulSet's has: its uid tells
    servers: dict[str, Server] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.servers = {name: self.server(name) for name in NAMES}
        self.new = {name: {f"{name}:new:{i}": "x" for i in range(5)} for name in NAMES}

    def copy(self) -> Self:
        """The world as it is now; what happens to one of the two does not happen to the other."""
        other = copy.copy(self)
        other.servers = {name: server.copy() for name, server in self.servers.items()}
        return other

    def server(self, name: str) -> Server:
        old = {f"{name}:old:{i}": "y" for i in range(3)}
        mark = "1" if self.flavour == "2.15" else None
        save = redis_conf.save_of(CONFIG, "7.0.15")
        return Server(name, dict(old), (dict(old), 0), dict(old), save=save, config_version=mark)

    @property
    def kind(self) -> str:
        return "Deployment" if self.flavour in ("2.15", "plain") else "DeploymentConfig"

    # ---- what there is to plan from ------------------------------------------------------------

    def installation(self) -> Installation:
        return Installation(
            release="" if self.flavour == "plain" else self.flavour, server="model", namespace="model",
            namespace_uid="uid", configmap="redis-config", key="redis.conf", config_text=self.text,
            is_restarted_by_operator=self.flavour == "2.15",
            workloads=tuple(
                RedisWorkload(
                    name=name, kind=self.kind, replicas=1, strategy="Recreate", pod=f"{name}-1",
                    redis_version="7.0.15", rdb_path=RDB, aof_path=AOF, aof_proof=PROOF, data_dir=DIRECTORY,
                    volume="persistentVolumeClaim", free_bytes=1 << 40,
                )
                for name in NAMES
            ),
        )

    def bundle(self) -> BundleReport:
        files = tuple(
            BundleFile(
                name=f"{name}-dump.rdb", part=name, size_bytes=2, sha256=sha_of(self.new[name], -1),
                rdb=RdbSummary(
                    version=10, size_bytes=2, sha256=sha_of(self.new[name], -1), checksum="good",
                    databases={n: DatabaseSummary(keys=k, expires=0) for n, k in counted(self.new[name]).items()},
                ),
            )
            for name in NAMES
        )
        return BundleReport(path="/bundle", files=files, findings=(), digest="bundle")

    # ---- the world ------------------------------------------------------------------------------

    def operate(self) -> None:
        """What the operator does a while after an edit: restart both for what it has not seen yet."""
        behind = [s for s in self.servers.values() if s.config_version != str(self.version)]
        if self.flavour != "2.15" or not behind:
            return
        if self.operator_is_due_in is None:
            self.operator_is_due_in = self.operator_looks
        elif self.operator_is_due_in > 1:
            self.operator_is_due_in -= 1
        else:
            self.operator_is_due_in = None
            for server in behind:
                server.config_version = str(self.version)
                self.restart(server)

    def restart(self, server: Server) -> None:
        if server.save:
            server.rdb, server.writings = (dict(server.data), server.writings), server.writings + 1
        server.save = redis_conf.save_of(self.text, "7.0.15")
        server.appendonly = redis_conf.appendonly_of(self.text)
        server.container += 1
        server.rewriting = None
        if server.appendonly == "yes":
            if server.aof is None:
                raise Impossible(f"{server.name} was started with appendonly yes and no AOF: it is empty now")
            server.data = dict(server.aof)
        else:
            server.data = dict(server.rdb[0]) if server.rdb else {}

    def digest(self) -> dict[str, Any]:
        """Everything that a restore may touch; run ids in names left out."""
        return copy.deepcopy(
            {
                "text": self.text,
                **{
                    s.name: (s.data, s.rdb and s.rdb[0], s.aof, sorted(plain(n) for n in s.aside), s.parts,
                             s.save, s.appendonly)
                    for s in self.servers.values()
                },
            }
        )

    def owned(self, parts: Sequence[str]) -> dict[str, Any]:
        """What has to be as it was after these parts were restored and taken back: the marks of restarts too.

        Where backend-redis is not restored, what system-app's post hook has written into it stays: the plan says so.
        """
        found = self.digest() | {"marks": self.template_marks()}
        return found if "backend-redis" in parts else found | {"backend-redis": None}

    def template_marks(self) -> dict[str, str | None]:
        """When each program's template says that it was restarted."""
        return {server.name: server.restarted_at for server in self.servers.values()}

    # ---- Reader --------------------------------------------------------------------------------

    def configmap(self, name: str, key: str) -> ConfigMapSeen | None:
        return ConfigMapSeen(resource_version=str(self.version), text=self.text)

    def workload(self, kind: str, name: str) -> WorkloadSeen | None:
        self.operate()
        server = self.servers[name]
        return WorkloadSeen(
            kind=kind, replicas=1, is_complete=True, revision=str(server.container),
            restarted_at=server.restarted_at, config_version=server.config_version,
            pod=self.pod_name(name, server.container), container=str(server.container),
        )

    def pod_name(self, name: str, container: int) -> str:
        return f"{name}-0" if self.do_pod_names_stay else f"{name}-{container}"

    def redis(self, workload: WorkloadSeen) -> RedisSeen | None:
        server = self.at(workload.pod, workload.container)
        is_rewriting = server.rewriting is not None
        if server.rewriting is not None:  # it ends as soon as somebody has seen it in progress
            server.aof, server.rewriting, server.last_rewrite_ok = server.rewriting, None, True
        return RedisSeen(
            version="7.0.15", now_ms=0, is_loading=False, save=server.save, appendonly=server.appendonly,
            keys=counted(server.data), aof_rewrite_in_progress=is_rewriting, aof_rewrite_scheduled=False,
            bgsave_in_progress=False, aof_last_bgrewrite_ok=server.last_rewrite_ok, aof_last_write_ok=True,
        )

    def files(
        self, workload: WorkloadSeen, paths: Sequence[str], *, digests: bool = False
    ) -> Mapping[str, FileSeen | None]:
        server = self.at(workload.pod, workload.container)
        return {path: self.file(server, path) for path in paths}

    def file(self, server: Server, path: str) -> FileSeen | None:
        if path == RDB and server.rdb is not None:
            return FileSeen(size_bytes=1, sha256=sha_of(*server.rdb))
        if path == AOF and server.aof is not None:
            return FileSeen(size_bytes=0, is_directory=True)
        if path == PROOF and server.aof is not None:
            return FileSeen(size_bytes=1)
        if path in server.aside or path in server.parts:
            return FileSeen(size_bytes=1, sha256="part")
        return None

    def at(self, pod: str, container: str) -> Server:
        name = pod.rsplit("-", 1)[0]
        if self.servers[name].container != int(container):
            raise ClusterUnreachable(f"pod {pod} was replaced meanwhile")
        return self.servers[name]

    # ---- Cluster -------------------------------------------------------------------------------

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        at: dict[str, Any] = {"step": step, "attempt": attempt}
        match effect:
            case fx.EditConfigMap():
                if self.text != effect.expected:
                    raise Conflict("changed meanwhile")
                self.text, self.version = effect.text, self.version + 1
                yield ev.ConfigMapEdited(
                    **at, configmap="redis-config", key="redis.conf", resource_version=str(self.version)
                )
            case fx.RollOut():
                server = self.servers[effect.workload]
                if self.kind == "DeploymentConfig" or server.restarted_at != effect.restarted_at:
                    self.restart(server)
                if self.kind == "Deployment":
                    server.restarted_at = effect.restarted_at
                yield ev.RolloutStarted(**at, workload=effect.workload, revision=str(server.container))
            case fx.InPod():
                yield from self.in_pod(effect, at)
            case _:
                raise Impossible(f"{effect}")

    def in_pod(self, effect: fx.InPod, at: dict[str, Any]) -> Iterator[ev.EffectFact]:
        server = self.at(effect.pod, effect.container)
        match effect:
            case fx.SetAside():
                self.rename(server, effect.path, effect.aside)
                yield ev.FileSetAside(**at, pod=effect.pod, path=effect.path, aside=effect.aside)
            case fx.PutBack():
                self.put_back(server, effect.path, effect.aside)
                yield ev.FilePutBack(**at, pod=effect.pod, path=effect.path, aside=effect.aside)
            case fx.RemovePath():
                self.remove(server, effect.path)
                yield ev.FileRemoved(**at, pod=effect.pod, path=effect.path)
            case fx.CopyIn():
                yield from self.copy_in(server, effect, at)
            case fx.RewriteAof():
                server.rewriting = dict(server.data)
                yield ev.AofRewriteRequested(**at, pod=effect.pod, answer="started")
            case fx.SwitchAppendingOn():
                server.appendonly, server.rewriting = "yes", dict(server.data)
                yield ev.AppendingSwitchedOn(**at, pod=effect.pod)
            case fx.SwitchSavingOn():
                server.save, is_on = effect.save, server.appendonly == effect.appendonly
                server.appendonly, server.rewriting = effect.appendonly, server.rewriting if is_on else dict(server.data)
                yield ev.SavingSwitchedOn(**at, pod=effect.pod, save=effect.save, appendonly=effect.appendonly)
            case fx.FlushRedis():
                server.data = {k: v for k, v in server.data.items() if not k.startswith(QUEUE)}
                yield ev.RedisDatabaseFlushed(**at, pod=effect.pod, database=effect.database)
            case _:
                raise Impossible(f"{effect}")

    def copy_in(self, server: Server, effect: fx.CopyIn, at: dict[str, Any]) -> Iterator[ev.EffectFact]:
        place = {**at, "pod": effect.pod, "path": effect.path}
        for offset in range(server.parts.get(effect.part, 0), 2):
            server.parts[effect.part] = offset + 1
            yield ev.FileChunkCopied(**place, offset_bytes=offset, size_bytes=1, sha256="")
        if server.rdb is not None:
            raise ClusterRefused(f"{effect.path} exists already")
        server.parts.pop(effect.part, None)
        server.rdb = (dict(self.new[server.name]), -1)
        yield ev.FileCopied(**place, size_bytes=2, sha256=effect.sha256)

    def rename(self, server: Server, path: str, aside: str) -> None:
        if aside in server.aside:
            raise Impossible(f"{aside} would be overwritten")
        slot = "rdb" if path == RDB else "aof"
        server.aside[aside] = getattr(server, slot)
        if server.aside[aside] is None:
            raise Impossible(f"{path} is not there")
        setattr(server, slot, None)

    def put_back(self, server: Server, path: str, aside: str) -> None:
        slot = "rdb" if path == RDB else "aof"
        if getattr(server, slot) is not None:
            raise Impossible(f"{path} would be overwritten")
        setattr(server, slot, server.aside.pop(aside))

    def remove(self, server: Server, path: str) -> None:
        if path == RDB:
            server.rdb = None
        elif path == AOF:
            if server.appendonly == "yes":
                raise Impossible("the AOF was removed below a server that appends to it")
            server.aof = None
        server.parts.pop(path, None)
        server.aside.pop(path, None)


def counted(data: Mapping[str, str]) -> dict[int, int]:
    """Keys by database, as INFO keyspace says: one that is empty is not in it."""
    queues = sum(key.startswith(QUEUE) for key in data)
    return {n: keys for n, keys in ((0, len(data) - queues), (1, queues)) if keys or n == 0}


def sha_of(content: Mapping[str, str], writing: int) -> str:
    """Two writings of the same data are different bytes, as with a real RDB."""
    return hashlib.sha256(json.dumps([dict(content), writing], sort_keys=True).encode()).hexdigest()


def plain(name: str) -> str:
    return name.split("-before-")[0]
