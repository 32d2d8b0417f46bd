"""Kubernetes' protobuf bodies, for the few kinds that kubectl creates in no other format.

`kubectl create namespace|configmap|secret|serviceaccount|role|…` and `kubectl auth can-i` send protobuf
without falling back to JSON. The schemas below are those kinds' fields by number, from the published
generated.proto files. A kind that is not among them is refused by the caller.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.rehearsal.apierrors import bad_request
from orchestrator.rehearsal.objects import Object

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Schema = Mapping[int, tuple[str, Any]]
"""Field number to (name, type): a str for scalars and maps, a Schema for messages, a list if repeated."""

OWNER: Schema = {
    1: ("kind", "string"), 3: ("name", "string"), 4: ("uid", "string"), 5: ("apiVersion", "string"),
    6: ("controller", "bool"), 7: ("blockOwnerDeletion", "bool"),
}  # fmt: skip
METADATA: Schema = {
    1: ("name", "string"), 2: ("generateName", "string"), 3: ("namespace", "string"), 5: ("uid", "string"),
    6: ("resourceVersion", "string"), 11: ("labels", "strings"), 12: ("annotations", "strings"),
    13: ("ownerReferences", [OWNER]), 14: ("finalizers", ["string"]),
}  # fmt: skip
RULE: Schema = {
    1: ("verbs", ["string"]), 2: ("apiGroups", ["string"]), 3: ("resources", ["string"]),
    4: ("resourceNames", ["string"]), 5: ("nonResourceURLs", ["string"]),
}  # fmt: skip
SUBJECT: Schema = {
    1: ("kind", "string"), 2: ("apiGroup", "string"), 3: ("name", "string"), 4: ("namespace", "string"),
}  # fmt: skip
ROLE_REF: Schema = {1: ("apiGroup", "string"), 2: ("kind", "string"), 3: ("name", "string")}
ROLE: Schema = {1: ("metadata", METADATA), 2: ("rules", [RULE])}
BINDING: Schema = {1: ("metadata", METADATA), 2: ("subjects", [SUBJECT]), 3: ("roleRef", ROLE_REF)}
RESOURCE: Schema = {
    1: ("namespace", "string"), 2: ("verb", "string"), 3: ("group", "string"), 4: ("version", "string"),
    5: ("resource", "string"), 6: ("subresource", "string"), 7: ("name", "string"),
}  # fmt: skip
ACCESS: Schema = {
    1: ("resourceAttributes", RESOURCE),
    2: ("nonResourceAttributes", {1: ("path", "string"), 2: ("verb", "string")}),
}
SCHEMAS: Mapping[str, Schema] = {
    "Namespace": {1: ("metadata", METADATA)},
    "ConfigMap": {
        1: ("metadata", METADATA), 2: ("data", "strings"), 3: ("binaryData", "blobs"), 4: ("immutable", "bool"),
    },
    "Secret": {
        1: ("metadata", METADATA), 2: ("data", "blobs"), 3: ("type", "string"), 4: ("stringData", "strings"),
        5: ("immutable", "bool"),
    },
    "ServiceAccount": {1: ("metadata", METADATA)},
    "Role": ROLE,
    "ClusterRole": ROLE,
    "RoleBinding": BINDING,
    "ClusterRoleBinding": BINDING,
    "SelfSubjectAccessReview": {1: ("metadata", METADATA), 2: ("spec", ACCESS)},
    "SelfSubjectRulesReview": {1: ("metadata", METADATA), 2: ("spec", {1: ("namespace", "string")})},
    "SelfSubjectReview": {1: ("metadata", METADATA)},
    "TokenRequest": {
        1: ("metadata", METADATA), 2: ("spec", {1: ("audiences", ["string"]), 4: ("expirationSeconds", "int")}),
    },
}  # fmt: skip


def parse(raw: bytes) -> Object | None:
    """The object in a protobuf body; None for a kind without a schema. ApiError 400 for a broken body."""
    try:
        if not raw.startswith(MAGIC):
            raise ValueError("no magic number")
        envelope = dict(_fields(raw[len(MAGIC) :]))
        kind = _message(envelope[1], {1: ("apiVersion", "string"), 2: ("kind", "string")})
        schema = SCHEMAS.get(kind["kind"])
        return None if schema is None else kind | _message(envelope[2], schema)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise bad_request(f"error decoding protobuf: {error}") from None


def _message(raw: bytes, schema: Schema) -> Object:
    """Empty strings and empty messages are left out: the encoder writes them where nothing was set."""
    result: Object = {}
    for number, value in _fields(raw):
        if number not in schema:
            continue
        name, form = schema[number]
        if isinstance(form, list):
            result.setdefault(name, []).append(_value(value, form[0]))
        elif form in ("strings", "blobs"):
            result.setdefault(name, {}).update([_entry(value, form)])
        elif value != b"":
            result[name] = _value(value, form)
    return result


def _value(value: Any, form: Any) -> Any:
    if form == "string":
        return value.decode()
    if form == "bool":
        return bool(value)
    return value if form == "int" else _message(value, form)


def _entry(raw: bytes, form: str) -> tuple[str, str]:
    """An entry of a map: key in field 1, value in field 2."""
    fields = dict(_fields(raw))
    value = fields.get(2, b"")
    return fields[1].decode(), base64.b64encode(value).decode() if form == "blobs" else value.decode()


def _fields(raw: bytes) -> Iterator[tuple[int, Any]]:
    position = 0
    while position < len(raw):
        tag, position = _varint(raw, position)
        wire = tag & 7
        if wire == VARINT:
            value: Any
            value, position = _varint(raw, position)
        else:
            size, position = (
                _varint(raw, position) if wire == BYTES else ({FIXED64: 8, FIXED32: 4}[wire], position)
            )
            value, position = raw[position : position + size], position + size
            if position > len(raw):
                raise ValueError("unexpected end")
        yield tag >> 3, value


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = raw[position]
        result |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return result, position
