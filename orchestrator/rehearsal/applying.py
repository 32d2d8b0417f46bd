"""Server-side apply: what a manager says an object should be, merged with what others say.

Fields of others are left alone, fields the manager said earlier and says no more are removed, and a field
that another manager holds with another value is a conflict. Pure: from (live object, applied) to the merged
object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.rehearsal.apierrors import ApiError, Cause, bad_request, invalid_kind
from orchestrator.rehearsal.objects import Object, copy_json, timestamp
from orchestrator.rehearsal.ownership import (
    APPLY,
    BEFORE_FIRST_APPLY,
    UPDATE,
    Entry,
    Fields,
    Path,
    Shape,
    entries_of,
    item_key,
    values,
    write_entries,
)
from orchestrator.rehearsal.types import ResourceType

APPLY_PATCH = "application/apply-patch+yaml"


def check_applied(applied: Any) -> Object:
    """The body of an apply, refused where it leaves the kind open or brings managedFields of its own."""
    if not isinstance(applied, dict) or not applied.get("kind") or not applied.get("apiVersion"):
        raise bad_request("invalid object type: an applied object has to name its apiVersion and kind")
    if (applied.get("metadata") or {}).get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    return applied


def require_manager(manager: str) -> None:
    if not manager:
        cause = Cause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")
        raise invalid_kind("meta.k8s.io", "PatchOptions", "", [cause])


def apply(
    rt: ResourceType, shape: Shape, live: Object | None, applied: Object, manager: str, *, force: bool
) -> Object:
    """The object to store, its managedFields included. ApiError 409 with one cause for each conflict."""
    said = {path: value for path, value in values(applied, shape).items() if _is_said(path)}
    mine = Entry(manager, APPLY, rt.api_version, timestamp())
    entries = _entries(rt, shape, live)
    conflicts = _conflicts(
        values(live, shape) if live else {}, said, [e for e in entries if not e.is_same(mine)]
    )
    if conflicts and not force:
        raise _refused(conflicts)
    earlier = next((entry for entry in entries if entry.is_same(mine)), mine)
    lost = frozenset(path for _, path in conflicts)
    others = [entry.with_fields(entry.fields - lost) for entry in entries if not entry.is_same(mine)]
    merged = _merge_map(live or {}, applied, shape)
    fields = frozenset(said)
    _remove(merged, earlier.fields - fields, [fields, *(entry.fields for entry in others)], shape)
    write_entries(merged, [earlier.with_fields(fields), *others])
    return merged


def _is_said(path: Path) -> bool:
    """Applying fields of a map does not claim the map; applying a list item claims the item."""
    return path[-1] != "." or (len(path) > 1 and path[-2].startswith("k:"))


def _entries(rt: ResourceType, shape: Shape, live: Object | None) -> list[Entry]:
    """Those of the live object; where nobody was tracked, all of it belongs to whoever came before."""
    if live is None:
        return []
    nobody = Entry(BEFORE_FIRST_APPLY, UPDATE, rt.api_version, timestamp())
    return entries_of(live) or [nobody.with_fields(frozenset(values(live, shape)))]


def _conflicts(
    live: Mapping[Path, Any], said: Mapping[Path, Any], others: Sequence[Entry]
) -> list[tuple[Entry, Path]]:
    differing = [path for path, value in said.items() if path in live and live[path] != value]
    found = [(entry, path) for entry in others for path in differing if path in entry.fields]
    return sorted(found, key=lambda conflict: (conflict[0].manager, conflict[1]))


def _refused(conflicts: Sequence[tuple[Entry, Path]]) -> ApiError:
    causes = [
        Cause("FieldManagerConflict", f"conflict with {_who(entry)}", _shown(path))
        for entry, path in conflicts
    ]
    details = {"causes": [cause.as_dict() for cause in causes]}
    if len(causes) == 1:
        return ApiError(
            409, "Conflict", f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}", details
        )
    lines: list[str] = []
    for who in dict.fromkeys(cause.message for cause in causes):
        lines.append(who.replace("conflict", "conflicts", 1) + ":")
        lines += [f"- {cause.field}" for cause in causes if cause.message == who]
    text = "\n".join(lines)
    return ApiError(409, "Conflict", f"Apply failed with {len(causes)} conflicts: {text}", details)


def _who(entry: Entry) -> str:
    if entry.operation == APPLY:
        return f'"{entry.manager}"'
    through = f' with subresource "{entry.subresource}"' if entry.subresource else ""
    return f'"{entry.manager}"{through} using {entry.api_version} at {entry.time}'


def _shown(path: Path) -> str:
    """`.spec.containers[name="main"].image`."""
    shown = ""
    for element in path:
        if element.startswith("f:"):
            shown += f".{element[2:]}"
        elif element != ".":
            shown += f"[{element[3:-1].replace(chr(34), '', 2).replace(':', '=', 1)}]"
    return shown


def _merge_map(live: Object, applied: Object, shape: Shape) -> Object:
    merged: Object = copy_json(live)
    for key, value in applied.items():
        old = merged.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and key not in shape.atomic:
            merged[key] = _merge_map(old, value, shape)
        elif isinstance(value, list) and isinstance(old, list) and (key in shape.keys or key in shape.sets):
            merged[key] = _merge_list(old, value, shape.keys.get(key), shape)
        else:
            merged[key] = copy_json(value)
    return merged


def _merge_list(live: list[Any], applied: list[Any], by: str | None, shape: Shape) -> list[Any]:
    items = {item_key(item, by): item for item in live}
    for item in applied:
        key = item_key(item, by)
        both = isinstance(item, dict) and isinstance(items.get(key), dict)
        items[key] = _merge_map(items[key], item, shape) if both else copy_json(item)
    return list(items.values())


def _remove(merged: Object, gone: Fields, held: Sequence[Fields], shape: Shape) -> None:
    """Takes out what the manager says no more, except what somebody says still. Whole items go first."""
    items = {path[:-1] for path in gone if path[-1] == "."} | {
        path for path in gone if path[-1].startswith("v:")
    }
    for path in [*sorted(items, key=len), *sorted(gone - items)]:
        if path[-1] != "." and not any(_holds(fields, path) for fields in held):
            _cut(merged, path, shape)


def _holds(fields: Fields, path: Path) -> bool:
    return any(other[: len(path)] == path for other in fields)


def _cut(node: Any, path: Path, shape: Shape, name: str = "") -> None:
    """Removes the part at `path`, if it is still there."""
    head, rest = path[0], path[1:]
    if head.startswith("f:") and isinstance(node, dict):
        key = head[2:]
        if not rest:
            node.pop(key, None)
        elif key in node:
            _cut(node[key], rest, shape, key)
    elif isinstance(node, list):
        for index, item in enumerate(node):
            if item_key(item, shape.keys.get(name)) == head:
                if rest:
                    _cut(item, rest, shape)
                else:
                    del node[index]
                return
