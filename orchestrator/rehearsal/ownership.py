"""Who set which field: metadata.managedFields, as FieldsV1.

A field set is a set of paths; a path is a tuple of FieldsV1 keys, ending in "." where an owner holds a map
or a list item itself. Tracked are the writes of clients; those of the cluster's own controllers are not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.rehearsal.objects import Object, timestamp
from orchestrator.rehearsal.patches import MERGE_KEYS, MERGED_PRIMITIVES
from orchestrator.rehearsal.types import ResourceType

UPDATE, APPLY = "Update", "Apply"
BEFORE_FIRST_APPLY = "before-first-apply"
NOBODYS = ("apiVersion", "kind", "status")
NOBODYS_METADATA = frozenset((
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "managedFields", "selfLink", "generateName",
))  # fmt: skip
ATOMIC_MAPS = frozenset((
    "selector", "nodeSelector", "roleRef", "fieldRef", "configMapKeyRef", "secretKeyRef", "resourceFieldRef",
))  # fmt: skip

Path = tuple[str, ...]
Fields = frozenset[Path]


@dataclass(frozen=True)
class Shape:
    """How the lists of a kind are owned: item by item (`keys` by field name), or as a whole."""

    keys: Mapping[str, str]
    sets: tuple[str, ...]
    atomic: frozenset[str]


def shape_of(rt: ResourceType, *, schema: bool) -> Shape:
    """Without a schema only maps have parts; the metadata has its schema always."""
    if not schema:
        return Shape({"ownerReferences": "uid"}, MERGED_PRIMITIVES, frozenset())
    ports = {"ports": "port" if rt.kind == "Service" else "containerPort"}
    return Shape({**MERGE_KEYS, **ports}, MERGED_PRIMITIVES, ATOMIC_MAPS)


@dataclass(frozen=True)
class Entry:
    """One manager's part of an object."""

    manager: str
    operation: str
    api_version: str
    time: str
    subresource: str = ""
    fields: Fields = field(default=frozenset())

    def is_same(self, other: Entry) -> bool:
        def identity(entry: Entry) -> tuple[str, ...]:
            return entry.manager, entry.operation, entry.api_version, entry.subresource

        return identity(self) == identity(other)

    def with_fields(self, fields: Fields) -> Entry:
        """The same entry owning `fields`; its time moves only when they differ."""
        if fields == self.fields:
            return self
        return Entry(self.manager, self.operation, self.api_version, timestamp(), self.subresource, fields)


def values(obj: Object, shape: Shape) -> dict[Path, Any]:
    """Every path of an object that somebody can own, with its value; None for a map or an item itself."""
    found: dict[Path, Any] = {}
    for key, value in obj.items():
        if key == "metadata":
            owned = {name: item for name, item in value.items() if name not in NOBODYS_METADATA}
            found.update(
                (("f:metadata", *path), item) for path, item in _inside(owned, shape) if path != (".",)
            )
        elif key not in NOBODYS:
            found.update(((f"f:{key}", *path), item) for path, item in _parts(key, value, shape))
    return found


def _parts(key: str, value: Any, shape: Shape) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value and key not in shape.atomic:
        yield from _inside(value, shape)
    elif isinstance(value, list) and value and (key in shape.keys or key in shape.sets):
        yield (".",), None
        for item in value:
            yield from _item(item, shape.keys.get(key), shape)
    else:
        yield (), value


def _inside(value: Object, shape: Shape) -> Iterator[tuple[Path, Any]]:
    yield (".",), None
    for key, item in value.items():
        for path, part in _parts(key, item, shape):
            yield (f"f:{key}", *path), part


def _item(item: Any, by: str | None, shape: Shape) -> Iterator[tuple[Path, Any]]:
    element = item_key(item, by)
    if element.startswith("v:"):
        yield (element,), item
        return
    for path, part in _inside(item, shape):
        yield (element, *path), part


def item_key(item: Any, by: str | None) -> str:
    """`k:{"name":"main"}` for an item with a key, `v:"x"` for a plain value."""
    if by is not None and isinstance(item, dict) and by in item:
        return "k:" + json.dumps({by: item[by]}, separators=(",", ":"))
    return "v:" + json.dumps(item, separators=(",", ":"))


def encode_fields(fields: Iterable[Path]) -> Object:
    tree: Object = {}
    for path in sorted(fields):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
    return tree


def decode_fields(tree: Mapping[str, Any], before: Path = ()) -> Iterator[Path]:
    for element, inside in tree.items():
        if inside:
            yield from decode_fields(inside, (*before, element))
        else:
            yield (*before, element)


def entries_of(obj: Object) -> list[Entry]:
    return [
        Entry(
            item.get("manager", ""),
            item.get("operation", UPDATE),
            item.get("apiVersion", ""),
            item.get("time", ""),
            item.get("subresource", ""),
            frozenset(decode_fields(item.get("fieldsV1") or {})),
        )
        for item in obj["metadata"].get("managedFields") or []
    ]


def write_entries(obj: Object, entries: Iterable[Entry]) -> None:
    """Puts the entries that own something into the object, appliers first."""
    kept = sorted((entry for entry in entries if entry.fields), key=lambda entry: entry.operation)
    if kept:
        obj["metadata"]["managedFields"] = [_encode(entry) for entry in kept]
    else:
        obj["metadata"].pop("managedFields", None)


def _encode(entry: Entry) -> Object:
    encoded = {
        "manager": entry.manager,
        "operation": entry.operation,
        "apiVersion": entry.api_version,
        "time": entry.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": encode_fields(entry.fields),
    }
    return encoded | ({"subresource": entry.subresource} if entry.subresource else {})


@dataclass(frozen=True)
class Updating:
    """Stamps a write that is no apply: what it changes becomes the writer's, and nobody else's."""

    manager: str
    rt: ResourceType
    shape: Shape
    subresource: str = ""

    def __call__(self, new: Object, old: Object | None) -> None:
        now, before = values(new, self.shape), values(old or {"metadata": {}}, self.shape)
        changed = frozenset(
            path for path, value in now.items() if path not in before or before[path] != value
        )
        gone = before.keys() - now.keys()
        mine = Entry(self.manager, UPDATE, self.rt.api_version, timestamp(), self.subresource)
        entries, found = [], False
        for entry in entries_of(old or {"metadata": {}}):
            if entry.is_same(mine):
                found = True
                entries.append(entry.with_fields((entry.fields | changed) - gone))
            else:
                entries.append(entry.with_fields(entry.fields - changed - gone))
        write_entries(new, entries if found else [*entries, mine.with_fields(changed)])
