"""The objects of the cluster, in memory, with the semantics every writer meets.

Single-threaded: each method is synchronous and atomic, and hands out copies. Controllers and the HTTP
server write through the same methods, so nobody can store what a client could not. It knows no HTTP and
no tokens.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from orchestrator.rehearsal import apierrors
from orchestrator.rehearsal.defaults import apply_defaults
from orchestrator.rehearsal.deletions import (
    FINALIZERS,
    check_preconditions,
    mark_deleting,
    pod_waits,
    refuse_immortal,
    released,
)
from orchestrator.rehearsal.history import Event, History
from orchestrator.rehearsal.objects import (
    Object,
    born,
    copy_json,
    has_labels,
    spec_differs,
    updated,
)
from orchestrator.rehearsal.types import ResourceType, resource_type
from orchestrator.rehearsal.validation import findings

FIRST_VERSION = 1000

Key = tuple[str, str]
Stamp = Callable[[Object, Object | None], None]
"""Alters a new object (given the old one) right before it is compared and stored."""
log = logging.getLogger(__name__)


class Store:
    """Objects by kind, namespace and name; every write has a version and is told to the subscribers."""

    def __init__(self, *, openshift: bool = True) -> None:
        self._openshift = openshift
        self._objects: dict[str, dict[Key, Object]] = {}
        self._subscribers: list[Callable[[Event], None]] = []
        self._untold: deque[Event] = deque()
        self._telling = False
        self.history = History(FIRST_VERSION)
        self.version = FIRST_VERSION

    # Reading

    def get(self, rt: ResourceType, namespace: str | None, name: str) -> Object:
        """The object; ApiError 404 when there is none. `namespace` is ignored for cluster kinds."""
        found: Object = copy_json(self.peek(rt, namespace, name))
        return found

    def find(self, rt: ResourceType, namespace: str | None, name: str) -> Object | None:
        """The object, or None."""
        found = self._kind(rt).get(_key(rt, namespace, name))
        return None if found is None else copy_json(found)

    def list(
        self, rt: ResourceType, namespace: str | None, *, labels: Mapping[str, str] | None = None
    ) -> list[Object]:
        """The objects of one namespace (None: of all), ordered by namespace and name."""
        return [copy_json(obj) for obj in self.scan(rt, namespace) if has_labels(obj, labels or {})]

    def peek(self, rt: ResourceType, namespace: str | None, name: str) -> Object:
        """As `get`, without the copy: for readers that only serialize."""
        found = self._kind(rt).get(_key(rt, namespace, name))
        if found is None:
            raise apierrors.not_found(rt, name)
        return found

    def scan(self, rt: ResourceType, namespace: str | None) -> Iterator[Object]:
        """As `list`, without the copies."""
        return _ordered(self._kind(rt), namespace)

    def scan_at(self, rt: ResourceType, namespace: str | None, version: int) -> Iterator[Object]:
        """The objects as they were at `version`, which the history must still reach."""
        objects = dict(self._kind(rt))
        for event in self.history.undone(version):
            if event.rt.resource != rt.resource:
                continue
            key = key_of(event.object)
            if event.old is None:
                objects.pop(key, None)
            else:
                objects[key] = event.old
        return _ordered(objects, namespace)

    # Writing

    def create(
        self,
        rt: ResourceType,
        namespace: str | None,
        obj: Object,
        *,
        dry_run: bool = False,
        stamp: Stamp | None = None,
    ) -> Object:
        """Stores a new object and returns it complete. ApiError 404 (namespace), 403, 409 or 422."""
        self._admit(rt, namespace)
        new = born(rt, namespace or "", obj)
        self._complete(rt, new, None, stamp)
        name = new["metadata"]["name"]
        key = _key(rt, namespace, name)
        if new["metadata"].pop("resourceVersion", ""):
            raise apierrors.internal("resourceVersion should not be set on objects to be created")
        if key in self._kind(rt):
            raise apierrors.already_exists(rt, name)
        if not dry_run:
            self._commit("ADDED", rt, new, None)
        created: Object = copy_json(new)
        return created

    def replace(
        self,
        rt: ResourceType,
        namespace: str | None,
        name: str,
        obj: Object,
        *,
        subresource: str = "",
        dry_run: bool = False,
        stamp: Stamp | None = None,
    ) -> Object:
        """Writes the whole object, or its status alone (`subresource="status"`).

        Without a subresource the status of a kind that has /status stays as it is. A resourceVersion or
        uid in the metadata is a precondition (409). A write that changes nothing keeps the version.
        """
        old = self.peek(rt, namespace, name)
        metadata = obj.get("metadata") or {}
        if metadata.get("resourceVersion", "") not in ("", old["metadata"]["resourceVersion"]):
            raise apierrors.conflict(rt, name)
        if metadata.get("uid", "") not in ("", old["metadata"]["uid"]):
            why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: "
            raise apierrors.conflict(rt, name, why + str(old["metadata"]["uid"]))
        return self._update(rt, old, obj, subresource, dry_run=dry_run, stamp=stamp)

    def change(
        self,
        rt: ResourceType,
        namespace: str | None,
        name: str,
        fn: Callable[[Object], None],
        *,
        subresource: str = "",
    ) -> Object | None:
        """Lets `fn` alter a copy and writes that, as `replace` does; None when the object is gone."""
        old = self._kind(rt).get(_key(rt, namespace, name))
        if old is None:
            return None
        wanted = copy_json(old)
        fn(wanted)
        return self._update(rt, old, wanted, subresource)

    def delete(
        self,
        rt: ResourceType,
        namespace: str | None,
        name: str,
        *,
        grace_seconds: int | None = None,
        propagation: str | None = None,
        preconditions: Mapping[str, str] | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Deletes, or marks as deleting what has to wait; returns the object as it is or last was.

        A pod on a node waits for its kubelet (`purge`), a namespace for its controller, anything with
        finalizers for those who set them. `propagation` is Background, Foreground or Orphan.
        """
        old = self.peek(rt, namespace, name)
        refuse_immortal(rt, name)
        check_preconditions(rt, old, preconditions or {})
        new: Object = copy_json(old)
        if rt.kind == "Pod":
            wait, grace = pod_waits(new, grace_seconds)
        else:
            wait, grace = bool(rt.kind == "Namespace" and new["spec"].get("finalizers")), 0
        held = list(new["metadata"].get("finalizers") or [])
        added = FINALIZERS.get(propagation or "")
        if added and added not in held:
            new["metadata"]["finalizers"] = [*held, added]
        if not (wait or new["metadata"].get("finalizers")):
            return self._remove(rt, old, dry_run)
        mark_deleting(rt, new, grace if wait else 0)
        if new != old and not dry_run:
            self._commit("MODIFIED", rt, new, old)
        return _copy(new)

    def purge(self, rt: ResourceType, namespace: str | None, name: str) -> None:
        """Ends a deletion others waited for: removes the object, unless finalizers still hold it."""
        old = self._kind(rt).get(_key(rt, namespace, name))
        if old is None:
            return
        if not old["metadata"].get("finalizers"):
            self._remove(rt, old, dry_run=False)
            return
        new = copy_json(old)
        mark_deleting(rt, new, 0)
        if new != old:
            self._commit("MODIFIED", rt, new, old)

    def subscribe(self, callback: Callable[[Event], None]) -> None:
        """Calls `callback` after each write, in the order of the writes, also of those made by callbacks."""
        self._subscribers.append(callback)

    def unsubscribe(self, callback: Callable[[Event], None]) -> None:
        if callback in self._subscribers:
            self._subscribers.remove(callback)

    # Within

    def _kind(self, rt: ResourceType) -> dict[Key, Object]:
        return self._objects.setdefault(rt.resource, {})

    def _admit(self, rt: ResourceType, namespace: str | None) -> None:
        if not rt.namespaced:
            return
        home = self.peek(resource_type("Namespace"), None, namespace or "")
        if "deletionTimestamp" in home["metadata"]:
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise apierrors.forbidden(rt, "", why)

    def _complete(self, rt: ResourceType, new: Object, old: Object | None, stamp: Stamp | None) -> None:
        """Defaults, validation and stamp. What has not the shape they expect is refused as undecodable, 400."""
        try:
            apply_defaults(rt, new, openshift=self._openshift)
            causes = findings(rt, new, old)
            if stamp is not None and not causes:
                stamp(new, old)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            handled = f'{rt.kind} in version "{rt.version}" cannot be handled as a {rt.kind}'
            raise apierrors.bad_request(f"{handled}: json: cannot unmarshal: {error}") from error
        if causes:
            raise apierrors.invalid(rt, new["metadata"].get("name", ""), causes)

    def _update(
        self,
        rt: ResourceType,
        old: Object,
        wanted: Object,
        subresource: str,
        *,
        dry_run: bool = False,
        stamp: Stamp | None = None,
    ) -> Object:
        new = updated(rt, old, wanted, subresource)
        self._complete(rt, new, old, stamp)
        if new == old:
            return _copy(old)
        if rt.generation and spec_differs(rt, old, new):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if released(rt, old, new):
            return self._remove(rt, old, dry_run)
        if not dry_run:
            self._commit("MODIFIED", rt, new, old)
        return _copy(new)

    def _remove(self, rt: ResourceType, old: Object, dry_run: bool) -> Object:
        last = _copy(old)
        if rt.kind == "Pod":
            mark_deleting(rt, last, 0)
        if not dry_run:
            self._commit("DELETED", rt, last, old)
        return _copy(last)

    def _commit(self, kind_of_change: str, rt: ResourceType, obj: Object, old: Object | None) -> None:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        if kind_of_change == "DELETED":
            del self._kind(rt)[key_of(obj)]
        else:
            self._kind(rt)[key_of(obj)] = obj
        event = Event(kind_of_change, rt, obj, old, self.version)
        self.history.append(event)
        self._untold.append(event)
        self._tell()

    def _tell(self) -> None:
        """A write made by a callback is told after the one it reacts to, to all, in order."""
        if self._telling:
            return
        self._telling = True
        try:
            while self._untold:
                event = self._untold.popleft()
                for callback in tuple(self._subscribers):
                    _call(callback, event)
        finally:
            self._telling = False


def key_of(obj: Object) -> Key:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _call(callback: Callable[[Event], None], event: Event) -> None:
    try:
        callback(event)
    except Exception:
        log.exception("a subscriber failed on %s of %s", event.type, event.rt.resource)


def _key(rt: ResourceType, namespace: str | None, name: str) -> Key:
    return (namespace or "" if rt.namespaced else ""), name


def _copy(obj: Object) -> Object:
    copied: Object = copy_json(obj)
    return copied


def _ordered(objects: Mapping[Key, Object], namespace: str | None) -> Iterator[Object]:
    for key in sorted(objects):
        if namespace is None or key[0] == namespace:
            yield objects[key]
