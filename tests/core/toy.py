"""Random plans: files set aside and files copied in on several servers, in any order that a plan allows.

Real step kinds through the real plan and engine; only the world is smaller than model.py's: servers are
maps from path to content. What cannot happen on a cluster raises Impossible.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.drills.histories import History
from orchestrator.drills.model import Impossible
from orchestrator.errors import ClusterUnreachable
from orchestrator.plan import Plan
from orchestrator.port import ConfigMapSeen, FileSeen, RedisSeen, WorkloadSeen
from orchestrator.steps import AnyStep
from orchestrator.steps.copy_into_pod import CopyIntoPod
from orchestrator.steps.save_replica_spec import SaveReplicaSpec
from orchestrator.steps.set_aside_file import SetAsideFile

SERVERS = ("a", "b", "c")
CHUNKS = 3


@dataclass
class ToyCluster:
    """Implements Reader and Cluster for three servers with files."""

    files_of: dict[str, dict[str, str]] = field(
        default_factory=lambda: {name: {f"/data/{n}": f"old {n}" for n in range(4)} for name in SERVERS}
    )
    containers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SERVERS, 1))

    def copy(self) -> ToyCluster:
        return ToyCluster({name: dict(files) for name, files in self.files_of.items()}, dict(self.containers))

    def replace_pod(self, name: str) -> None:
        self.containers[name] += 1

    def configmap(self, name: str, key: str) -> ConfigMapSeen | None:
        return None

    def redis(self, workload: WorkloadSeen) -> RedisSeen | None:
        return None

    def workload(self, kind: str, name: str) -> WorkloadSeen | None:
        container = str(self.containers[name])
        return WorkloadSeen(kind=kind, replicas=1, is_complete=True, pod=name, container=container)

    def files(
        self, workload: WorkloadSeen, paths: Sequence[str], *, digests: bool = False
    ) -> Mapping[str, FileSeen | None]:
        files = self.at(workload.pod, workload.container)
        return {path: seen(files.get(path)) for path in paths}

    def at(self, pod: str, container: str) -> dict[str, str]:
        if str(self.containers[pod]) != container:
            raise ClusterUnreachable(f"pod {pod} was replaced meanwhile")
        return self.files_of[pod]

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        at: dict[str, Any] = {"step": step, "attempt": attempt}
        assert isinstance(effect, fx.InPod)
        files, at["pod"] = self.at(effect.pod, effect.container), effect.pod
        match effect:
            case fx.SetAside():
                move(files, effect.path, effect.aside)
                yield ev.FileSetAside(**at, path=effect.path, aside=effect.aside)
            case fx.PutBack():
                move(files, effect.aside, effect.path)
                yield ev.FilePutBack(**at, path=effect.path, aside=effect.aside)
            case fx.RemovePath():
                files.pop(effect.path, None)
                yield ev.FileRemoved(**at, path=effect.path)
            case fx.CopyIn():
                for offset in range(len(files.get(effect.part, "")), CHUNKS):
                    files[effect.part] = "x" * (offset + 1)
                    yield ev.FileChunkCopied(**at, path=effect.path, offset_bytes=offset, size_bytes=1, sha256="")
                move(files, effect.part, effect.path)
                files[effect.path] = effect.sha256
                yield ev.FileCopied(**at, path=effect.path, size_bytes=CHUNKS, sha256=effect.sha256)
            case _:
                raise Impossible(f"{effect}")


def seen(content: str | None) -> FileSeen | None:
    return None if content is None else FileSeen(size_bytes=len(content), sha256=content)


def move(files: dict[str, str], path: str, to: str) -> None:
    if to in files:
        raise Impossible(f"{to} would be overwritten")
    files[to] = files.pop(path)


def random_plan(seed: int) -> Plan:
    """Up to a dozen steps; a file is copied only to a place that was set aside, or was free."""
    chance = random.Random(seed)
    steps: list[AnyStep] = []
    for n in range(chance.randint(1, 5)):
        server, path = SERVERS[n % 3], f"/data/{chance.choice([n, 9 - n])}"
        where: dict[str, Any] = {"workload_kind": "Deployment", "workload": server}
        kinds = chance.choice([(SetAsideFile,), (SetAsideFile, CopyIntoPod), (SaveReplicaSpec, SetAsideFile)])
        for kind in kinds:
            needs = {s.id for s in steps if chance.random() < 0.25} | {s.id for s in steps if s.id.startswith(f"s{n}.")}
            fields: dict[str, Any] = {"id": f"s{n}.{kind.__name__}", "title": "toy", "needs": tuple(sorted(needs)), **where}
            fields |= {"path": path} if kind is not SaveReplicaSpec else {}
            fields |= {"source": f"new {n}", "size_bytes": CHUNKS, "sha256": f"new {n}"} if kind is CopyIntoPod else {}
            steps.append(kind(**fields))
    return Plan(runbook="toy", release="", namespace="toy", parts=(), steps=tuple(steps))


def toy(seed: int) -> History:
    return History(ToyCluster(), random_plan(seed))
