"""What happens to objects after a deletion: owners and dependents, namespaces, claims in use.

Event-driven: a write marks what has to be looked at, a task looks at it right after.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

from orchestrator.rehearsal.apierrors import ApiError
from orchestrator.rehearsal.defaults import PROTECTION
from orchestrator.rehearsal.history import Event
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.store import Store, key_of
from orchestrator.rehearsal.types import TYPES, ResourceType, resource_type

NAMESPACE = resource_type("Namespace")
CLAIM = resource_type("PersistentVolumeClaim")
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
log = logging.getLogger(__name__)

Place = tuple[ResourceType, str, str]


class Garbage:
    """Collects dependents of deleted owners, empties deleted namespaces, lets go of unused claims."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._uids: dict[str, Place] = {}
        self._dependents: dict[str, dict[str, Place]] = {}
        self._work: dict[tuple[Callable[..., None], tuple[object, ...]], None] = {}
        self._soon: asyncio.Handle | None = None

    def start(self) -> None:
        self._store.subscribe(self._see)

    def stop(self) -> None:
        self._store.unsubscribe(self._see)
        if self._soon is not None:
            self._soon.cancel()

    def _see(self, event: Event) -> None:
        metadata = event.object["metadata"]
        uid, place = metadata["uid"], (event.rt, *key_of(event.object))
        self._index(event, uid, place)
        if event.type == "DELETED":
            for dependent in list(self._dependents.pop(uid, {}).values()):
                self._later(self._collect, *dependent)
            for owner in metadata.get("ownerReferences") or []:
                self._later(self._finish_owner, owner["uid"])
            self._later(self._empty_namespace, metadata.get("namespace", ""))
            if event.rt.kind == "Pod":
                self._later(self._release_claims, metadata["namespace"])
            return
        if metadata.get("ownerReferences"):
            self._later(self._collect, *place)
        if "deletionTimestamp" in metadata:
            self._see_deletion(event, uid)

    def _see_deletion(self, event: Event, uid: str) -> None:
        if event.rt.kind == "Namespace":
            self._later(self._empty_namespace, event.object["metadata"]["name"])
        elif event.rt.kind == "PersistentVolumeClaim":
            self._later(self._release_claims, event.object["metadata"]["namespace"])
        self._later(self._finish_owner, uid)

    def _index(self, event: Event, uid: str, place: Place) -> None:
        for owner in ((event.old or {}).get("metadata") or {}).get("ownerReferences") or []:
            self._dependents.get(owner["uid"], {}).pop(uid, None)
        if event.type == "DELETED":
            self._uids.pop(uid, None)
            return
        self._uids[uid] = place
        for owner in event.object["metadata"].get("ownerReferences") or []:
            self._dependents.setdefault(owner["uid"], {})[uid] = place

    def _later(self, job: Callable[..., None], *arguments: object) -> None:
        self._work[job, arguments] = None
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self._soon = None
        work, self._work = self._work, {}
        for job, arguments in work:
            try:
                job(*arguments)
            except ApiError as error:
                log.info("collecting garbage: %s", error)

    # Owners

    def _collect(self, rt: ResourceType, namespace: str, name: str) -> None:
        """Deletes an object all of whose owners are gone, or forgets those that are."""
        obj = self._store.find(rt, namespace, name)
        owners = (obj or {"metadata": {}})["metadata"].get("ownerReferences") or []
        alive = [owner for owner in owners if owner["uid"] in self._uids]
        if obj is None or alive == owners or "deletionTimestamp" in obj["metadata"]:
            return
        if alive:
            self._set_owners(rt, namespace, name, alive)
        else:
            self._store.delete(rt, namespace, name, propagation="Background")

    def _set_owners(self, rt: ResourceType, namespace: str, name: str, owners: list[Object]) -> None:
        self._store.change(rt, namespace, name, lambda obj: obj["metadata"].update(ownerReferences=owners))

    def _finish_owner(self, uid: str) -> None:
        """Carries out what the finalizers of a deleted owner ask for, then takes them away."""
        place = self._uids.get(uid)
        owner = None if place is None else self._store.find(*place)
        if place is None or owner is None or "deletionTimestamp" not in owner["metadata"]:
            return
        finalizers = owner["metadata"].get("finalizers") or []
        if ORPHAN in finalizers:
            self._orphan(uid)
            self._take_finalizer(place, ORPHAN)
        elif FOREGROUND in finalizers and not self._delete_dependents(uid):
            self._take_finalizer(place, FOREGROUND)

    def _orphan(self, uid: str) -> None:
        for place in list(self._dependents.get(uid, {}).values()):
            obj = self._store.find(*place)
            if obj is not None:
                owners = [
                    owner for owner in obj["metadata"].get("ownerReferences") or [] if owner["uid"] != uid
                ]
                self._set_owners(*place, owners)

    def _delete_dependents(self, uid: str) -> bool:
        """Deletes them in the foreground too; whether any are left."""
        places = list(self._dependents.get(uid, {}).values())
        for place in places:
            obj = self._store.find(*place)
            if obj is not None and "deletionTimestamp" not in obj["metadata"]:
                self._store.delete(*place, propagation="Foreground")
        return any(self._store.find(*place) is not None for place in places)

    def _take_finalizer(self, place: Place, finalizer: str) -> None:
        def take(obj: Object) -> None:
            held = obj["metadata"].get("finalizers") or []
            obj["metadata"]["finalizers"] = [item for item in held if item != finalizer]

        self._store.change(*place, take)

    # Namespaces and claims

    def _empty_namespace(self, name: str) -> None:
        namespace = self._store.find(NAMESPACE, None, name)
        if namespace is None or "deletionTimestamp" not in namespace["metadata"]:
            return
        left = list(_everything_in(self._store, name))
        for rt, obj in left:
            if "deletionTimestamp" not in obj["metadata"]:
                self._store.delete(rt, name, obj["metadata"]["name"], propagation="Background")
        if not left:
            self._store.purge(NAMESPACE, None, name)

    def _release_claims(self, namespace: str) -> None:
        for claim in self._store.list(CLAIM, namespace):
            name = claim["metadata"]["name"]
            if "deletionTimestamp" in claim["metadata"] and not _in_use(self._store, namespace, name):
                self._take_finalizer((CLAIM, namespace, name), PROTECTION)


def _everything_in(store: Store, namespace: str) -> Iterator[tuple[ResourceType, Object]]:
    for rt in TYPES:
        if rt.namespaced:
            for obj in store.scan(rt, namespace):
                yield rt, obj


def _in_use(store: Store, namespace: str, claim: str) -> bool:
    for pod in store.scan(resource_type("Pod"), namespace):
        for volume in pod["spec"].get("volumes") or []:
            if (volume.get("persistentVolumeClaim") or {}).get("claimName") == claim:
                return True
    return False
