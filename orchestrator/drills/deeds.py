"""What was done, as the world itself counts it; and what of it was done twice although twice is not once.

A journal cannot tell all of it: a process that dies between an effect and its fact leaves no fact. So the model's
effects are counted beside the model, where a death does not reach; of real processes the facts are all there is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from orchestrator import effects as fx
from orchestrator import events as ev

Deed = tuple[str, ...]  # direction, step, fact, and what it was done to

# Not here: what comes to the same when it is done again, such as writing an AOF anew, or removing what is gone already.
ONCE = frozenset(
    fact.name
    for fact in (
        ev.AppendingSwitchedOn, ev.ConfigMapApplied, ev.ConfigMapEdited, ev.DirectoryPutBack,
        ev.DirectorySynced, ev.DumpLoaded, ev.FileChunkCopied, ev.FileCopied, ev.FilePutBack, ev.FileSetAside, ev.JobDeleted,
        ev.ManagerCreated, ev.ManagerFieldSet, ev.ObjectDeleted, ev.ObjectPutBack, ev.RedisDatabaseFlushed,
        ev.RemoteJobStarted, ev.RolloutStarted, ev.RouteDeleted, ev.SecretApplied, ev.WorkloadScaled,
    )
)  # fmt: skip
OBJECTS = ("workload", "path", "aside", "offset_bytes", "host", "kind", "object", "secret", "configmap", "manager", "program")


def deed(direction: str, fact: ev.StepFact) -> Deed:
    return (direction, fact.step, fact.name, *(str(getattr(fact, name)) for name in OBJECTS if hasattr(fact, name)))


def doubled(counts: Counter[Deed]) -> tuple[str, ...]:
    """Each deed that was done more often than once, in words."""
    return tuple(sorted(f"{' '.join(d)}: {n} times" for d, n in counts.items() if n > 1 and d[2] in ONCE))


def journalled(entries: Iterable[ev.Entry]) -> Counter[Deed]:
    """The deeds that a journal tells of. Not the chunks: each life tells those too that it finds in the pod."""
    counts: Counter[Deed] = Counter()
    direction = "forward"
    for entry in entries:
        if isinstance(entry.fact, ev.RollbackOpened):
            direction = "backward"
        elif isinstance(entry.fact, ev.StepFact) and not isinstance(entry.fact, ev.FileChunkCopied):
            counts[deed(direction, entry.fact)] += 1
    return counts


class WitnessedCluster:
    """A model that is watched: each deed is counted as soon as it is done."""

    def __init__(self, cluster: Any, counts: Counter[Deed], direction: Callable[[], str]) -> None:
        self.cluster, self.counts, self.direction = cluster, counts, direction

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cluster, name)

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        for fact in self.cluster.perform(effect, step=step, attempt=attempt):
            self.counts[deed(self.direction(), fact)] += 1
            yield fact
