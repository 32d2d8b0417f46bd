"""What the controllers share: a work queue, ownership, and what counts of a pod.

Controllers are level-driven: `reconcile` looks at what is there and does the next step, however often it is
called. They are woken by writes to the store, and by the clock only where time itself matters.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from orchestrator.rehearsal.apierrors import ApiError
from orchestrator.rehearsal.history import Event
from orchestrator.rehearsal.objects import Object, copy_json
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import ResourceType, resource_type

POD = resource_type("Pod")
AT_ONCE = 200
"""Reconciliations in one turn of the loop; then others get theirs."""
RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)

Name = tuple[str, str]
"""Namespace and name."""


class Controller(Protocol):
    """Brings the objects of one kind about."""

    rt: ResourceType

    def concerned(self, event: Event) -> Iterable[Name]:
        """The objects of this kind that a change has to do with."""

    def reconcile(self, namespace: str, name: str) -> float | None:
        """Does what there is to do now; returns after how many seconds to look again without a change."""


class WorkQueue:
    """Wakes controllers after the writes that concern them; an object waits in it once, however many writes."""

    def __init__(self, store: Store, controllers: Sequence[Controller]) -> None:
        self._store = store
        self._controllers = controllers
        self._waiting: dict[tuple[Controller, Name], None] = {}
        self._timers: dict[tuple[Controller, Name], asyncio.TimerHandle] = {}
        self._awake = False

    def start(self) -> None:
        self._store.subscribe(self._notice)
        for controller in self._controllers:
            for obj in self._store.scan(controller.rt, None):
                self._add(controller, (obj["metadata"].get("namespace", ""), obj["metadata"]["name"]))

    def stop(self) -> None:
        self._store.unsubscribe(self._notice)
        self._waiting.clear()
        for timer in self._timers.values():
            timer.cancel()

    def _notice(self, event: Event) -> None:
        for controller in self._controllers:
            for name in controller.concerned(event):
                self._add(controller, name)

    def _add(self, controller: Controller, name: Name) -> None:
        self._waiting[controller, name] = None
        if not self._awake:
            self._awake = True
            asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        """Works until nothing waits: a chain of reactions settles before any process gets its turn."""
        for _ in range(AT_ONCE):
            if not self._waiting:
                self._awake = False
                return
            controller, name = next(iter(self._waiting))
            del self._waiting[controller, name]
            self._look_again(controller, name, _reconciled(controller, name))
        asyncio.get_running_loop().call_soon(self._work)

    def _look_again(self, controller: Controller, name: Name, seconds: float | None) -> None:
        timer = self._timers.pop((controller, name), None)
        if timer:
            timer.cancel()
        if seconds is not None:
            later = asyncio.get_running_loop().call_later(max(seconds, 0.01), self._add, controller, name)
            self._timers[controller, name] = later


def _reconciled(controller: Controller, name: Name) -> float | None:
    try:
        return controller.reconcile(*name)
    except ApiError as error:
        log.info("%s %s: %s", controller.rt.kind, name, error)
    except Exception:
        log.exception("%s %s", controller.rt.kind, name)
    return RETRY_SECONDS


# Ownership


def controller_of(obj: Object) -> dict[str, Any] | None:
    """The owner reference of the controller, if there is one."""
    references = obj["metadata"].get("ownerReferences") or []
    return next((reference for reference in references if reference.get("controller")), None)


def owner_reference(owner: Object) -> dict[str, Any]:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owned_by(store: Store, rt: ResourceType, owner: Object) -> list[Object]:
    """Copies of the objects of kind `rt` that `owner` controls."""
    uid = owner["metadata"]["uid"]
    scanned = store.scan(rt, owner["metadata"]["namespace"])
    return [copy_json(obj) for obj in scanned if (controller_of(obj) or {}).get("uid") == uid]


def names_of(event: Event, rt: ResourceType) -> Iterator[Name]:
    """The object itself when it is of kind `rt`, or the owner of that kind."""
    metadata = event.object["metadata"]
    if event.rt == rt:
        yield metadata["namespace"], metadata["name"]
        return
    for obj in (event.object, event.old):
        reference = controller_of(obj) if obj else None
        if reference and reference["kind"] == rt.kind:
            yield metadata["namespace"], reference["name"]


def is_deleting(obj: Object) -> bool:
    return "deletionTimestamp" in obj["metadata"]


# Pods


def pod_from_template(template: Object, owner: Object, prefix: str) -> Object:
    """A pod to create: the template's metadata and spec, a generated name, and its owner."""
    metadata = copy_json(template.get("metadata") or {})
    kept = {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}
    references = [owner_reference(owner)]
    return {
        "metadata": {**kept, "generateName": f"{prefix}-", "ownerReferences": references},
        "spec": copy_json(template["spec"]),
    }


def phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase", "Pending"))


def is_active(pod: Object) -> bool:
    """Neither finished nor on its way out."""
    return phase(pod) not in ("Succeeded", "Failed") and not is_deleting(pod)


def ready_since(pod: Object) -> str | None:
    """When the pod became ready; None while it is not."""
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition["type"] == "Ready" and condition["status"] == "True":
            return str(condition["lastTransitionTime"])
    return None


def seconds_to_available(pod: Object, min_ready_seconds: float) -> float | None:
    """0 when it is available, else how long it has to stay ready; None while it is not ready."""
    since = ready_since(pod)
    if since is None:
        return None
    return max(0.0, min_ready_seconds - seconds_since(since)) if min_ready_seconds else 0.0


def seconds_since(moment: str) -> float:
    then = datetime.fromisoformat(moment)
    return (datetime.now(UTC) - then).total_seconds()


def without_zeros(status: dict[str, Any]) -> dict[str, Any]:
    """Counters of zero are left out of most statuses."""
    return {key: value for key, value in status.items() if value != 0}


def earliest(*seconds: float | None) -> float | None:
    known = [value for value in seconds if value is not None]
    return min(known, default=None)
