"""A bad line, a slow operator, pods that restart by themselves: the model behind a door that fails by a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.rest import Conflict
from orchestrator.drills.model import ModelCluster, WholeCluster
from orchestrator.errors import ClusterRefused, ClusterUnreachable, OutcomeUnknown
from orchestrator.port import ConfigMapSeen, FileSeen, RedisSeen, WorkloadSeen


class FaultyCluster:
    """Passes everything on, or fails as a cluster fails. rate: how often, from 0 (never) to 1."""

    def __init__(self, cluster: ModelCluster, seed: int, rate: float) -> None:
        self.cluster = cluster
        self.chance = random.Random(seed)
        self.rate = rate
        self.faults: list[str] = []
        cluster.operator_looks = self.chance.randint(1, 6)

    def copy(self) -> Self:
        raise NotImplementedError("a sequence of faults cannot be branched")

    def mend(self) -> None:
        """From now on nothing fails."""
        self.rate = 0.0

    def fails(self, fault: str, share: float = 1.0) -> bool:
        if self.chance.random() >= self.rate * share:
            return False
        self.faults.append(fault)
        return True

    # ---- Reader ------------------------------------------------------------------------------------

    def look(self) -> None:
        if self.cluster.servers and self.fails("restart", 0.1):
            self.cluster.restart(self.cluster.servers[self.chance.choice(sorted(self.cluster.servers))])
        if self.fails("unreachable"):
            raise ClusterUnreachable("the connection was reset")
        if self.fails("refused", 0.02):
            raise ClusterRefused("the token has expired")

    def configmap(self, name: str, key: str) -> ConfigMapSeen | None:
        self.look()
        return self.cluster.configmap(name, key)

    def workload(self, kind: str, name: str) -> WorkloadSeen | None:
        self.look()
        seen = self.cluster.workload(kind, name)
        if seen is not None and self.fails("not ready", 0.3):
            return seen.model_copy(update={"is_complete": False, "waiting_for": "a pod is not ready"})
        return seen

    def redis(self, workload: WorkloadSeen) -> RedisSeen | None:
        self.look()
        server = self.cluster.at(workload.pod, workload.container)
        if server.rewriting is not None and self.fails("rewrite"):
            server.rewriting, server.last_rewrite_ok = None, False
        seen = self.cluster.redis(workload)
        return None if self.fails("no answer", 0.3) else seen

    def files(
        self, workload: WorkloadSeen, paths: Sequence[str], *, digests: bool = False
    ) -> Mapping[str, FileSeen | None]:
        self.look()
        return self.cluster.files(workload, paths, digests=digests)

    # ---- Cluster -----------------------------------------------------------------------------------

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        self.look()
        if isinstance(effect, fx.EditConfigMap) and self.fails("conflict"):
            raise Conflict("the object changed meanwhile")
        yield from self.performed(effect, step, attempt)

    def performed(self, effect: fx.Effect, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        """What the cluster was asked for and has begun; the line may fail in the midst of it."""
        facts = self.cluster.perform(effect, step=step, attempt=attempt)
        if self.fails("answer lost"):
            list(facts)  # it really happens, to its end
            raise OutcomeUnknown("the answer never came")
        for fact in facts:
            yield fact
            if self.fails("cut"):
                raise ClusterUnreachable("the connection was cut in the middle")
            self.part_way(facts)

    def part_way(self, facts: Iterator[ev.EffectFact]) -> None:
        """What else may fail between two parts of an effect."""


EDITS = (fx.SetField, fx.ScaleWorkload, fx.DeleteJob, fx.ApplyObject, fx.PutObjectBack, fx.DeleteRoute)


class WholeFaults(FaultyCluster):
    """The same over a whole installation; there pods are evicted, jobs killed, hooks and rollouts fail too."""

    cluster: WholeCluster

    def mend(self) -> None:
        super().mend()
        self.cluster.doomed_hooks = self.cluster.doomed_rollouts = 0

    def look(self) -> None:
        cluster = self.cluster
        if self.fails("job lost", 0.2):
            cluster.lose_jobs()
        if self.fails("hook failed", 0.1):
            cluster.doomed_hooks = 1
        if self.fails("rollout failed", 0.1):
            cluster.doomed_rollouts = 1
        if self.fails("pod replaced", 0.1):
            self.replace_a_pod()
        super().look()

    def replace_a_pod(self) -> None:
        """Not zync-database's: its data would be gone (T5). sidekiq's does not come back without system-app (T11)."""
        names = [f"system-{self.cluster.engine}", "backend-worker", "zync", "system-sidekiq"]
        there = [name for name in names if name in self.cluster.apps and self.cluster.apps[name].replicas]
        chosen = self.chance.choice([*there, *self.cluster.helpers]) if there else ""
        if chosen in self.cluster.helpers:
            self.cluster.lose_helper(chosen, is_evicted=self.chance.random() < 0.5)
        elif chosen:
            self.cluster.replace_pod(chosen)

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        if isinstance(effect, EDITS) and self.fails("conflict"):
            raise Conflict("the object changed meanwhile")
        yield from super().perform(effect, step=step, attempt=attempt)

    def __getattr__(self, name: str) -> Any:
        """The other verbs of a Reader: a look like any."""
        verb = getattr(self.cluster, name)

        def looked(*args: Any, **options: Any) -> Any:
            self.look()
            return verb(*args, **options)

        return looked
