"""Small helpers on API objects: copies, times, and the metadata a server sets itself.

Objects are plain JSON values. Nothing here stores or sends one.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from orchestrator.rehearsal.types import ResourceType

Object = dict[str, Any]

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
SERVER_SET = ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
KEPT = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
    "generateName",
    "namespace",
    "name",
)


def copy_json(value: Any) -> Any:
    """A deep copy of a JSON value; several times quicker than `copy.deepcopy`."""
    if isinstance(value, dict):
        return {key: copy_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy_json(item) for item in value]
    return value


def timestamp() -> str:
    """Now, as metadata carries it: RFC 3339, whole seconds, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def random_suffix() -> str:
    return "".join(secrets.choice(SUFFIX_ALPHABET) for _ in range(5))


def has_labels(obj: Object, wanted: Mapping[str, str]) -> bool:
    labels = obj["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in wanted.items())


def born(rt: ResourceType, namespace: str, obj: Object) -> Object:
    """A copy of `obj` as it is stored first: identity set by the server, no status of the client's making."""
    new: Object = {"kind": rt.kind, "apiVersion": rt.api_version}
    new.update((key, copy_json(value)) for key, value in obj.items() if key not in new)
    metadata = {key: value for key, value in (new.get("metadata") or {}).items() if key not in SERVER_SET}
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"] + random_suffix()
    if rt.namespaced:
        metadata["namespace"] = namespace
    metadata.update(uid=str(uuid.uuid4()), creationTimestamp=timestamp())
    if rt.generation:
        metadata["generation"] = 1
    new["metadata"] = without_empty(metadata)
    if rt.has_status():
        new.pop("status", None)
    return new


def updated(rt: ResourceType, old: Object, wanted: Object, subresource: str) -> Object:
    """What a write of `wanted` makes of `old`: identity stays, and the status has an entrance of its own."""
    if subresource == "status":
        status = {"status": copy_json(wanted["status"])} if "status" in wanted else {}
        return {key: copy_json(value) for key, value in old.items() if key != "status"} | status
    new: Object = {"kind": rt.kind, "apiVersion": rt.api_version}
    new.update((key, copy_json(value)) for key, value in wanted.items() if key not in new)
    metadata = {key: value for key, value in (new.get("metadata") or {}).items() if key not in SERVER_SET}
    metadata.update((key, old["metadata"][key]) for key in KEPT if key in old["metadata"])
    new["metadata"] = without_empty(metadata)
    if rt.has_status():
        new.pop("status", None)
        if "status" in old:
            new["status"] = copy_json(old["status"])
    return new


def without_empty(metadata: Object) -> Object:
    """Labels, annotations and the like are left out when they are empty or null."""
    return {key: value for key, value in metadata.items() if value not in (None, {}, [], "")}


def spec_differs(rt: ResourceType, old: Object, new: Object) -> bool:
    """Whether metadata.generation counts the change: of the spec, in custom kinds of all but the status."""
    if not rt.custom:
        return bool(old.get("spec") != new.get("spec"))
    ignored = {"metadata", "status"} if rt.has_status() else {"metadata"}
    return {key: value for key, value in old.items() if key not in ignored} != {
        key: value for key, value in new.items() if key not in ignored
    }
