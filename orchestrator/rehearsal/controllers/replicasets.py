"""ReplicaSets: as many pods of one template as the spec says, no more and no fewer.

ReplicationControllers are the same with another name, and share this code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from orchestrator.rehearsal.controllers.base import (
    POD,
    Name,
    controller_of,
    earliest,
    is_active,
    is_deleting,
    names_of,
    owned_by,
    phase,
    pod_from_template,
    ready_since,
    seconds_to_available,
    without_zeros,
)
from orchestrator.rehearsal.history import Event
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.recorder import Recorder
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type


class ReplicaSets:
    """The controller of ReplicaSets."""

    rt = resource_type("ReplicaSet")
    component = "replicaset-controller"

    def __init__(self, store: Store) -> None:
        self._store = store
        self._recorder = Recorder(store, self.component)

    def concerned(self, event: Event) -> Iterable[Name]:
        return names_of(event, self.rt) if event.rt in (self.rt, POD) else ()

    def reconcile(self, namespace: str, name: str) -> float | None:
        owner = self._store.find(self.rt, namespace, name)
        if owner is None:
            return None
        pods = self._pods(owner)
        if not is_deleting(owner):
            self._adjust(owner, pods)
            pods = self._pods(owner)
        return self._report(owner, pods)

    def _pods(self, owner: Object) -> list[Object]:
        return [pod for pod in owned_by(self._store, POD, owner) if is_active(pod)]

    def _adjust(self, owner: Object, pods: Sequence[Object]) -> None:
        difference = owner["spec"].get("replicas", 1) - len(pods)
        for _ in range(difference):
            self._create_pod(owner)
        for pod in sorted(pods, key=_dispensable)[: max(0, -difference)]:
            self._delete_pod(owner, pod)

    def _create_pod(self, owner: Object) -> None:
        metadata = owner["metadata"]
        pod = pod_from_template(owner["spec"]["template"], owner, metadata["name"])
        created = self._store.create(POD, metadata["namespace"], pod)
        self._recorder.normal(owner, "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")

    def _delete_pod(self, owner: Object, pod: Object) -> None:
        name = pod["metadata"]["name"]
        self._store.delete(POD, owner["metadata"]["namespace"], name)
        self._recorder.normal(owner, "SuccessfulDelete", f"Deleted pod: {name}")

    def _report(self, owner: Object, pods: Sequence[Object]) -> float | None:
        """Writes the status; returns the seconds until a ready pod becomes available."""
        waits = [seconds_to_available(pod, owner["spec"].get("minReadySeconds", 0)) for pod in pods]
        counters = {
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": sum(ready_since(pod) is not None for pod in pods),
            "availableReplicas": sum(wait == 0 for wait in waits),
        }

        def write(stored: Object) -> None:
            generation = stored["metadata"].get("generation", 1)
            stored["status"] = {
                "replicas": len(pods),
                **without_zeros(counters),
                "observedGeneration": generation,
            }

        metadata = owner["metadata"]
        self._store.change(self.rt, metadata["namespace"], metadata["name"], write, subresource="status")
        return earliest(*[wait for wait in waits if wait])


def _dispensable(pod: Object) -> tuple[Any, ...]:
    """Sorts first what is missed least: not on a node, not running, not ready, youngest."""
    return (
        bool(pod["spec"].get("nodeName")),
        phase(pod) == "Running",
        ready_since(pod) is not None,
        -int(pod["metadata"]["resourceVersion"]),
    )


def pods_of(store: Store, owners: Sequence[Object]) -> list[Object]:
    """All pods of these owners that still exist, also those on their way out."""
    uids = {owner["metadata"]["uid"] for owner in owners}
    namespace = owners[0]["metadata"]["namespace"] if owners else ""
    return [pod for pod in store.scan(POD, namespace) if (controller_of(pod) or {}).get("uid") in uids]
