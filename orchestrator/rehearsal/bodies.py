"""Request bodies: from bytes to the object the request is about, refused as the server refuses them.

JSON and YAML are read, and protobuf for the few kinds that `protobuf` knows.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

import yaml

from orchestrator.rehearsal import protobuf
from orchestrator.rehearsal.apierrors import ApiError, bad_request, unsupported_media_type
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.schemas import WrongType, has_schema, prune
from orchestrator.rehearsal.types import ResourceType

LIMIT_BYTES = 3 * 1024 * 1024
ACCEPTED = ("application/json", "application/yaml")
TOP_FIELDS = frozenset(("apiVersion", "kind", "metadata", "spec", "status"))


@dataclass
class Decoded:
    """A body, and what a lenient reading passed over."""

    value: Any
    complaints: list[str] = field(default_factory=list)


def too_large() -> ApiError:
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {LIMIT_BYTES}")


def decode(raw: bytes, content_type: str) -> Decoded:
    """Reads JSON or YAML. ApiError 400 for a broken body, 415 for another media type."""
    media_type = content_type.partition(";")[0].strip() or "application/json"
    if media_type == protobuf.MEDIA_TYPE and (value := protobuf.parse(raw)) is not None:
        return Decoded(value)
    if media_type not in ACCEPTED:
        raise unsupported_media_type(ACCEPTED)
    if media_type == "application/yaml":
        return Decoded(parse_yaml(raw))
    return parse_json(raw)


def parse_json(raw: bytes) -> Decoded:
    decoded = Decoded(None)
    try:
        decoded.value = json.loads(raw, object_pairs_hook=_Pairs)
    except ValueError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from None
    decoded.value = _unpaired(decoded.value, "", decoded.complaints)
    return decoded


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object in order, duplicates kept until their paths are known."""


def _unpaired(value: Any, path: str, complaints: list[str]) -> Any:
    if isinstance(value, _Pairs):
        result: dict[str, Any] = {}
        for key, item in value:
            here = f"{path}.{key}" if path else key
            if key in result:
                complaints.append(f'duplicate field "{here}"')
            result[key] = _unpaired(item, here, complaints)
        return result
    if isinstance(value, list):
        return [_unpaired(item, f"{path}[{index}]", complaints) for index, item in enumerate(value)]
    return value


def parse_yaml(raw: bytes) -> Any:
    """YAML as the API reads it: by way of JSON, where a boolean stays a boolean and cannot be a name."""
    try:
        return json.loads(json.dumps(yaml.load(raw, Loader=_Loader)))
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise bad_request(f"error parsing YAML: {error}") from None


class _Loader(yaml.SafeLoader):
    """Safe, with `y` and `n` read as booleans, as YAML 1.1 has it, and times left as text."""

    bool_values: ClassVar[dict[str, bool]] = {**yaml.SafeLoader.bool_values, "y": True, "n": False}


_Loader.yaml_implicit_resolvers = {
    first: [(tag, expression) for tag, expression in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^[yYnN]$"), list("yYnN"))


def read_object(
    rt: ResourceType, decoded: Decoded, validation: str, *, schema: bool
) -> tuple[Object, list[str]]:
    """The object in a body, checked against the kind; and the warnings that go with a lenient reading.

    `validation` is fieldValidation: Strict refuses what Warn (the default) mentions and Ignore hides.
    Without `schema` only the metadata and the names of the outermost fields are known.
    """
    obj = decoded.value
    if not isinstance(obj, dict):
        raise bad_request("couldn't get version/kind; json parse error: the body is not an object")
    _check_kind(rt, obj)
    obj.setdefault("metadata", {})
    complaints = decoded.complaints + _drop_unknown(rt, obj, schema=schema)
    _check_fields(rt, obj)
    if complaints and validation == "Strict":
        listed = ", ".join(complaints)
        raise bad_request(f"{_handled(rt, rt.kind, rt.version)}: strict decoding error: {listed}")
    return obj, [] if validation == "Ignore" else complaints


def _handled(rt: ResourceType, kind: str, version: str) -> str:
    return f'{kind} in version "{version}" cannot be handled as a {rt.kind}'


def _check_kind(rt: ResourceType, obj: Object) -> None:
    api_version, kind = obj.get("apiVersion") or rt.api_version, obj.get("kind") or rt.kind
    group, _, version = str(api_version).rpartition("/")
    if group != rt.group:
        raise bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version ({rt.api_version})"
        )
    if kind != rt.kind:
        known = f"converting ({version}.{kind}) to ({rt.group or 'core'}.{rt.kind}): unknown conversion"
        raise bad_request(f"{_handled(rt, kind, version)}: {known}")
    if version != rt.version:
        scheme = 'in scheme "pkg/runtime/scheme.go:111"'
        raise bad_request(
            f'{_handled(rt, kind, version)}: no kind "{kind}" is registered for version "{version}" {scheme}'
        )


def _drop_unknown(rt: ResourceType, obj: Object, *, schema: bool) -> list[str]:
    """Removes what the kind's schema does not know, and refuses what has not the type of its field."""
    unknown: list[str] = []
    try:
        if schema and has_schema(rt.kind):
            unknown = prune(obj, rt.kind)
        else:
            unknown = [key for key in obj if rt.custom and key not in TOP_FIELDS]
            for key in unknown:
                del obj[key]
            unknown += prune(obj["metadata"], "ObjectMeta", "metadata")
    except WrongType as error:
        raise bad_request(f"{_handled(rt, rt.kind, rt.version)}: {error}") from None
    if obj["metadata"] is None:
        obj["metadata"] = {}
    return [f'unknown field "{key}"' for key in unknown]


def _check_fields(rt: ResourceType, obj: Object) -> None:
    """Refuses text that is not in the format of its field."""
    for key in {"Secret": ("data",), "ConfigMap": ("binaryData",)}.get(rt.kind, ()):
        for value in (obj.get(key) or {}).values():
            _check_base64(rt, value)
    if rt.kind == "Lease":
        for key in ("acquireTime", "renewTime"):
            _check_micro_time(rt, (obj.get("spec") or {}).get(key))


def _check_base64(rt: ResourceType, value: Any) -> None:
    try:
        base64.b64decode(value or "", validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise bad_request(
            f"{_handled(rt, rt.kind, rt.version)}: illegal base64 data at input byte 0"
        ) from None


def _check_micro_time(rt: ResourceType, value: Any) -> None:
    if value is None:
        return
    try:
        datetime.fromisoformat(value)
        if "." in value:
            return
        problem = (
            f'parsing time "{value}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"'
        )
    except (TypeError, ValueError):
        problem = (
            f'parsing time "{value}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "{value}" as "2006"'
        )
    raise bad_request(f"{_handled(rt, rt.kind, rt.version)}: {problem}")
