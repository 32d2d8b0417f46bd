"""The three patch formats, as pure functions from (object, patch) to a new object.

Errors are those of the API server. Which kinds accept which format is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.rehearsal.apierrors import ApiError, bad_request
from orchestrator.rehearsal.objects import copy_json

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"

REJECTED = "the server rejected our request due to an error in our request"
MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "imagePullSecrets": "name",
    "secrets": "name",
    "hostAliases": "ip",
    "conditions": "type",
    "ownerReferences": "uid",
    "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name",
    "addresses": "type",
}
MERGED_PRIMITIVES = ("finalizers",)
ORDER = "$setElementOrder/"
DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"
RETAIN = "$retainKeys"


def apply_patch(media_type: str, target: Any, patch: Any, kind: str) -> Any:
    """The patched copy of `target`. ApiError 400 for a patch of the wrong shape, 422 if it does not apply."""
    if media_type == JSON_PATCH:
        return json_patch(target, patch)
    if not isinstance(patch, dict):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}"
        )
    return merge_patch(target, patch) if media_type == MERGE_PATCH else strategic_patch(target, patch, kind)


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return copy_json(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


# JSON patch, RFC 6902, with the leniencies of the server's library: `replace` may add a key to a map.


def json_patch(target: Any, operations: Any) -> Any:
    if not isinstance(operations, list):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch"
        )
    document = copy_json(target)
    for operation in operations:
        document = _operate(document, operation)
    return document


def _operate(document: Any, operation: Any) -> Any:
    if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
        raise _rejected()
    op, path = operation.get("op"), _pointer(operation["path"])
    if op == "test":
        if _look(document, path) != operation.get("value"):
            raise _rejected()
        return document
    if op == "remove":
        return _removed(document, path)
    if op in ("copy", "move"):
        return _transferred(document, op, _pointer(operation.get("from")), path)
    if op not in ("add", "replace") or "value" not in operation:
        raise _rejected()
    return _put(document, path, copy_json(operation["value"]), insert=op == "add")


def _transferred(document: Any, op: str, source: list[str], path: list[str]) -> Any:
    parent = _parent(document, source)
    value = copy_json(parent[_existing(parent, source[-1])])
    if op == "move":
        document = _removed(document, source)
    return _put(document, path, value, insert=True)


def _pointer(path: Any) -> list[str]:
    if path == "":
        return []
    if not isinstance(path, str) or not path.startswith("/"):
        raise _rejected()
    return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]


def _look(document: Any, path: list[str]) -> Any:
    """The value at `path`; a missing last key counts as null."""
    if not path:
        return document
    parent = _parent(document, path)
    if isinstance(parent, dict):
        return parent.get(path[-1])
    return parent[_existing(parent, path[-1])]


def _parent(document: Any, path: list[str]) -> Any:
    if not path:
        raise _rejected()
    for part in path[:-1]:
        document = document[_existing(document, part)]
    return document


def _existing(parent: Any, part: str) -> Any:
    if isinstance(parent, dict) and part in parent:
        return part
    if isinstance(parent, list) and part.isdigit() and int(part) < len(parent):
        return int(part)
    raise _rejected()


def _removed(document: Any, path: list[str]) -> Any:
    parent = _parent(document, path)
    del parent[_existing(parent, path[-1])]
    return document


def _put(document: Any, path: list[str], value: Any, *, insert: bool) -> Any:
    if not path:
        return value
    parent, last = _parent(document, path), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list) and insert:
        index = len(parent) if last == "-" else int(last) if last.isdigit() else -1
        if not 0 <= index <= len(parent):
            raise _rejected()
        parent.insert(index, value)
    else:
        parent[_existing(parent, last)] = value
    return document


def _rejected() -> ApiError:
    return ApiError(422, "Invalid", REJECTED, {})


# Strategic merge patch: lists of objects merge by a key that the field's name gives.


def strategic_patch(target: Any, patch: Mapping[str, Any], kind: str) -> Any:
    """`kind` tells what `ports` means: a Service's are keyed by port, a container's by containerPort."""
    keys = MERGE_KEYS | {"ports": "port" if kind == "Service" else "containerPort"}
    return _merge_map(target if isinstance(target, dict) else {}, patch, keys)


def _merge_map(target: Mapping[str, Any], patch: Mapping[str, Any], keys: Mapping[str, str]) -> Any:
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: copy_json(value) for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    merged = dict(target)
    if RETAIN in patch:
        merged = {key: value for key, value in merged.items() if key in patch[RETAIN]}
    for key, value in patch.items():
        if not key.startswith("$"):
            _merge_field(merged, key, value, patch.get(ORDER + key), keys)
    for key, gone in patch.items():
        if key.startswith(DELETE_PRIMITIVES):
            field = key.removeprefix(DELETE_PRIMITIVES)
            merged[field] = [item for item in merged.get(field) or [] if item not in gone]
        elif key.startswith(ORDER) and key.removeprefix(ORDER) not in patch:
            _merge_field(merged, key.removeprefix(ORDER), [], gone, keys)
    return merged


def _merge_field(merged: dict[str, Any], key: str, value: Any, order: Any, keys: Mapping[str, str]) -> None:
    if value is None:
        merged.pop(key, None)
    elif isinstance(value, dict):
        old = merged.get(key)
        merged[key] = _merge_map(old if isinstance(old, dict) else {}, value, keys)
    elif isinstance(value, list) and (key in keys or key in MERGED_PRIMITIVES):
        merged[key] = _merge_list(merged.get(key) or [], value, order, keys.get(key), keys)
    else:
        merged[key] = copy_json(value)


def _merge_list(
    old: list[Any], patch: list[Any], order: Any, by: str | None, keys: Mapping[str, str]
) -> list[Any]:
    if any(isinstance(item, dict) and item.get("$patch") == "replace" and by not in item for item in patch):
        return [copy_json(item) for item in patch if "$patch" not in item]
    items = {_identity(item, by): item for item in old}
    for item in patch:
        identity = _identity(item, by)
        if isinstance(item, dict) and item.get("$patch") == "delete":
            items.pop(identity, None)
        elif isinstance(item, dict):
            items[identity] = _merge_map(items.get(identity) or {}, item, keys)
        else:
            items[identity] = item
    wanted = [_identity(item, by) for item in (patch if order is None else order)]
    return _ordered(items, wanted, [_identity(item, by) for item in old])


def _identity(item: Any, by: str | None) -> Any:
    if by is None or not isinstance(item, dict):
        return item
    if by not in item:
        raise bad_request(f"map: {item} does not contain declared merge key: {by}")
    return item[by]


def _ordered(items: Mapping[Any, Any], wanted: list[Any], before: list[Any]) -> list[Any]:
    """The patch's own items in the order it gives, the others woven in where they stood before."""
    mine = [key for key in wanted if key in items]
    others = [key for key in items if key not in wanted]
    result = []
    while mine or others:
        both_known = mine and others and mine[0] in before
        if others and (not mine or (both_known and before.index(others[0]) < before.index(mine[0]))):
            result.append(items[others.pop(0)])
        else:
            result.append(items[mine.pop(0)])
    return result
