"""Reads the JSON files of a bundle: Secrets, ConfigMaps, the APIManager. Values are compared, and never shown."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from orchestrator.findings import BundleFile, Finding
from orchestrator.objects import EXPECTED, OF_MYSQL_ONLY, Json, sanitised
from orchestrator.parts import APIMANAGER_FILE
from orchestrator.summaries import ObjectSummary

SIZE_BYTES_MAX: Final = 16 * 1024 * 1024  # a cluster keeps no object of more than about 1 MiB
KINDS: Final = ("Secret", "ConfigMap", "APIManager")


@dataclass(frozen=True)
class Manifest:
    """A JSON file. `values` are those of a Secret or ConfigMap, decoded; `spec` that of the APIManager: both secret."""

    file: BundleFile
    findings: tuple[Finding, ...] = ()
    values: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    spec: Json = field(default_factory=dict, repr=False)


def read_manifest(path: Path, name: str) -> Manifest:
    """Reads one file; `name` is how it is shown. OSError when it cannot be read."""
    with path.open("rb") as opened:
        content = opened.read(SIZE_BYTES_MAX + 1)
    file = BundleFile(
        name=name, part="objects", size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest()
    )
    if len(content) > SIZE_BYTES_MAX:
        return Manifest(file, (error(name, "is larger than any object of a cluster"),))
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return Manifest(file, (error(name, "is not JSON" if content else "is empty"),))
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind == "List":
        return Manifest(file, (error(name, "is a List: a bundle has one file for each object"),))
    if kind not in KINDS:
        message = f"is a {kind}, which is not restored" if isinstance(kind, str) else "is JSON, and no object of a cluster"
        return Manifest(file, (Finding(severity="warning", subject=name, message=message),))
    return manifest_of(file, document)


def manifest_of(file: BundleFile, document: Json) -> Manifest:
    findings: list[Finding] = []
    kind: str = document["kind"]
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        return Manifest(file, (error(file.name, f"is a {kind} without a name"),))
    values: dict[str, bytes] = {}
    spec: Json = {}
    if kind == "APIManager":
        spec = document["spec"] if isinstance(document.get("spec"), dict) else {}
        if file.name != APIMANAGER_FILE:
            findings.append(error(file.name, f"is an APIManager: its file is to be named {APIMANAGER_FILE}"))
    else:
        values, wrong = values_of(document)
        findings += [error(file.name, message) for message in wrong]
        findings += misnamed(file.name, kind, name)
        findings += lacking(file.name, EXPECTED[name].keys if name in EXPECTED else (), values)
    keys = tuple(sorted(spec if kind == "APIManager" else values))
    stale = sanitised(document)[1]
    if stale:
        message = f"has fields of the cluster it was taken from, which are left out: {', '.join(stale)}"
        findings.append(Finding(severity="note", subject=file.name, message=message))
    summary = ObjectSummary(kind=kind, name=name, keys=keys, sanitised=stale)
    return Manifest(file.model_copy(update={"object": summary}), tuple(findings), values, spec)


def values_of(document: Json) -> tuple[dict[str, bytes], list[str]]:
    """Every value of a Secret's or ConfigMap's data, and what is wrong with them: the key is named, no value is."""
    values: dict[str, bytes] = {}
    wrong: list[str] = []
    is_secret = document["kind"] == "Secret"
    for section, is_encoded in (("data", is_secret), ("binaryData", True), ("stringData", False)):
        given = document.get(section) or {}
        if not isinstance(given, dict):
            wrong.append(f"its {section} is no object")
            continue
        for key, value in given.items():
            decoded = decode(value, is_encoded=is_encoded)
            if decoded is None:
                wrong.append(f"the value of {key} is not {'base64' if is_encoded else 'text'}")
            else:
                values[key] = decoded
    return values, wrong


def decode(value: Any, *, is_encoded: bool) -> bytes | None:
    if not isinstance(value, str):
        return None
    if not is_encoded:
        return value.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        return None


def misnamed(file: str, kind: str, name: str) -> Iterator[Finding]:
    wanted = file.removesuffix(".json")
    if name != wanted:
        yield error(file, f"is the {kind} {name}: its name and that of its file differ")
    elif name not in EXPECTED:
        yield Finding(severity="note", subject=file, message=f"is a {kind} that 3scale's operator does not make")
    elif EXPECTED[name].kind != kind:
        yield error(file, f"is a {kind}: {name} is a {EXPECTED[name].kind} of 3scale")


def lacking(file: str, keys: tuple[str, ...], values: Mapping[str, bytes]) -> Iterator[Finding]:
    if missing := [key for key in keys if key not in values]:
        message = f"lacks {', '.join(missing)}: the operator would make up new values"
        yield Finding(severity="warning", subject=file, message=message)


def absent(names: frozenset[str], *, is_mysql: bool) -> Iterator[Finding]:
    """What the guide restores and is not there, and what the guide forgets and is not there. `names` without .json."""
    if not names:
        message = "no Secret, no ConfigMap and no APIManager is there: only an installation that still stands can be restored"
        yield Finding(severity="warning", subject="objects", message=message)
        return
    for name, expected in EXPECTED.items():
        if name in names or (name in OF_MYSQL_ONLY and not is_mysql):
            continue
        if expected.is_of_guide:
            message = f"is missing: the operator would make a new {expected.kind}"
            yield Finding(severity="warning", subject=f"{name}.json", message=message)
        else:
            message = f"is missing; the guide forgets this {expected.kind}, and the operator makes a new one"
            yield Finding(severity="note", subject=f"{name}.json", message=message)
    if APIMANAGER_FILE.removesuffix(".json") not in names:
        message = "is missing: only an installation that still stands can be restored"
        yield Finding(severity="warning", subject=APIMANAGER_FILE, message=message)


def error(subject: str, message: str) -> Finding:
    return Finding(severity="error", subject=subject, message=message)
