"""Secrets, ConfigMaps and the APIManager from their files in the bundle: compared, applied, brought back.

A file is what `oc get -o json` printed. What belongs to the cluster it was taken from is left out: uid,
resourceVersion and the like, ownerReferences above all, as a cluster deletes what names an owner that it
doesn't know. An object that is there keeps what only the cluster has: values are merged by key.

What it held before goes into a Secret of this namespace, the stash, before anything is changed, and leaves
the cluster nowhere else; beside it what this change is about to leave, so that what others change afterwards
shows. Brought back are the keys that were changed: what others have added stays. Values never stand in an error or a fact.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.manager import manager_path
from orchestrator.cluster.pods import At
from orchestrator.cluster.rest import MERGE_PATCH, Conflict, Object, Rest
from orchestrator.errors import BundleInvalid, ClusterRefused, PlanChanged
from orchestrator.objects import sanitised
from orchestrator.port import ObjectSeen

STASH_LABEL: Final = "restore.run/stash"
STASH_KEY, LEFT_KEY = "object.json", "left.json"
CONTENT: Final = {"Secret": ("data",), "ConfigMap": ("data", "binaryData"), "APIManager": ("spec",)}


class Objects:
    def __init__(self, rest: Rest, bundle: Path | None) -> None:
        self._rest, self._bundle = rest, bundle
        self._namespace = rest.connection.namespace

    def seen(self, kind: str, name: str, source: str, stash: str) -> ObjectSeen:
        file = self._file_if_there(kind, name, source)
        wanted = leaves(kind, file[0]) if file else {}
        found = self._rest.find(self._path(kind, name))
        kept = self._rest.find(self._path("Secret", stash)) if stash else None
        if found is None:
            return ObjectSeen(
                is_there=False, missing=tuple(sorted(wanted)), stash=stash if kept else "", has_source=file is not None
            )
        there = leaves(kind, found)
        left = leaves(kind, stashed(kept, LEFT_KEY)) if kept else {}
        return ObjectSeen(
            is_there=True,
            uid=found["metadata"]["uid"],
            missing=tuple(sorted(wanted.keys() - there.keys())),
            differing=tuple(sorted(key for key in wanted.keys() & there.keys() if wanted[key] != there[key])),
            extra=tuple(sorted(there.keys() - wanted.keys())),
            stash=stash if kept else "",
            changed=tuple(sorted(key for key, value in left.items() if there.get(key) != value)),
            has_source=file is not None,
        )

    def apply(self, effect: fx.ApplyObject, at: At) -> Iterator[ev.EffectFact]:
        wanted, digest = self._file(effect.kind, effect.name, effect.source)
        if digest != effect.sha256:
            raise PlanChanged(f"{effect.source} of the bundle is not the file that the plan was made for")
        if not effect.uid:
            with Discreet(effect.kind, effect.name):
                self._rest.post(self._path(effect.kind), sanitised(wanted)[0])
        else:
            found = self._same(effect.kind, effect.name, effect.uid)
            content = {field: wanted[field] for field in CONTENT[effect.kind] if field in wanted}
            self._keep(effect, found, content)
            guard = {key: found["metadata"][key] for key in ("uid", "resourceVersion")}
            with Discreet(effect.kind, effect.name):
                self._rest.patch(self._path(effect.kind, effect.name), {"metadata": guard, **content}, MERGE_PATCH)
        yield applied(effect, at)

    def put_back(self, effect: fx.PutObjectBack, at: At) -> Iterator[ev.EffectFact]:
        path = self._path(effect.kind, effect.name)
        if not effect.stash:
            self._rest.delete(path, effect.uid)
            yield ev.ObjectDeleted(**at, kind=effect.kind, object=effect.name)
            return
        stash = self._rest.find(self._path("Secret", effect.stash))
        if stash is None:
            raise ClusterRefused(f"Secret {effect.stash}, which keeps what {effect.name} held before, is not there")
        before, left = stashed(stash, STASH_KEY), stashed(stash, LEFT_KEY)
        found = self._same(effect.kind, effect.name, effect.uid)
        patch = [
            {"op": "test", "path": f"/metadata/{key}", "value": found["metadata"][key]}
            for key in ("uid", "resourceVersion")
        ]
        for field in CONTENT[effect.kind]:
            value = brought_back(field, before, left, found)
            if value is not None:
                patch.append({"op": "add", "path": f"/{field}", "value": value})
            elif field in found:
                patch.append({"op": "remove", "path": f"/{field}"})
        with Discreet(effect.kind, effect.name):
            self._rest.guarded_patch(path, patch, f"{effect.kind} {effect.name}")
        self._rest.delete(self._path("Secret", effect.stash), stash["metadata"]["uid"])
        yield ev.ObjectPutBack(**at, kind=effect.kind, object=effect.name)

    def stash(self, name: str) -> str:
        found = self._rest.find(self._path("Secret", name))
        return str(found["metadata"]["uid"]) if found else ""

    def remove_stash(self, effect: fx.RemoveStash, at: At) -> Iterator[ev.EffectFact]:
        self._rest.delete(self._path("Secret", effect.stash), effect.uid)
        yield ev.StashRemoved(**at, stash=effect.stash)

    def _keep(self, effect: fx.ApplyObject, found: Object, left: Object) -> None:
        """Write the stash, unless it is there: the first picture wins."""
        if self._rest.find(self._path("Secret", effect.stash)) is not None:
            return
        before = {field: found[field] for field in CONTENT[effect.kind] if field in found}
        data = {
            key: base64.b64encode(json.dumps(value).encode()).decode()
            for key, value in ((STASH_KEY, before), (LEFT_KEY, left))
        }  # fmt: skip
        metadata = {"name": effect.stash, "labels": {STASH_LABEL: "true"}}
        body = {
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata,
            "data": data,
        }  # fmt: skip
        with Discreet("Secret", effect.stash):
            self._rest.post(self._path("Secret"), body)

    def _same(self, kind: str, name: str, uid: str) -> Object:
        found = self._rest.find(self._path(kind, name))
        if found is None or found["metadata"]["uid"] != uid:
            raise Conflict(f"{kind} {name} is not the one that was seen")
        return found

    def _path(self, kind: str, name: str = "") -> str:
        if kind == "APIManager":
            return manager_path(self._namespace, name)
        return f"/api/v1/namespaces/{self._namespace}/{kind.lower()}s" + (f"/{name}" if name else "")

    def _file_if_there(self, kind: str, name: str, source: str) -> tuple[Object, str] | None:
        if self._bundle is not None and not (self._bundle / source).exists():
            return None
        return self._file(kind, name, source)

    def _file(self, kind: str, name: str, source: str) -> tuple[Object, str]:
        """The object in a file of the bundle, and the file's digest."""
        if self._bundle is None:
            raise ClusterRefused("this run has no bundle to take objects from")
        try:
            content = (self._bundle / source).read_bytes()
            found = json.loads(content)
        except OSError as error:
            raise PlanChanged(f"{source} of the bundle cannot be read any more: {error.strerror}") from error
        except ValueError as error:
            raise BundleInvalid(f"{source} of the bundle is not JSON") from error
        is_it = isinstance(found, dict) and found.get("kind") == kind
        if not is_it or (found.get("metadata") or {}).get("name") != name:
            raise BundleInvalid(f"{source} of the bundle does not hold {kind} {name}")
        return found, hashlib.sha256(content).hexdigest()


class Discreet:
    """Takes the server's words out of an error about a Secret: they may quote a value."""

    def __init__(self, kind: str, name: str) -> None:
        self._kind, self._name = kind, name

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._kind == "Secret" and isinstance(error, ClusterRefused) and (code := re.search(r"\((4\d\d)", error.message)):
            raise ClusterRefused(f"the cluster refused Secret {self._name} ({code[1]})") from None


def applied(effect: fx.ApplyObject, at: At) -> ev.EffectFact:
    is_new = not effect.uid
    if effect.kind == "Secret":
        return ev.SecretApplied(**at, secret=effect.name, is_new=is_new)
    if effect.kind == "ConfigMap":
        return ev.ConfigMapApplied(**at, configmap=effect.name, is_new=is_new)
    if is_new:
        return ev.ManagerCreated(**at, manager=effect.name)
    return ev.ManagerFieldSet(
        **at, manager=effect.name, path="spec", is_there=True, value=f"what {effect.source} holds"
    )


def stashed(stash: Object, key: str) -> Object:
    """What a stash keeps under one of its keys."""
    found: Object = json.loads(base64.b64decode(stash["data"].get(key, "e30=")))
    return found


def brought_back(field: str, before: Object, left: Object, found: Object) -> Object | None:
    """A field of the object with the keys that were changed as they were before; None for one that was not there.

    The spec of an APIManager, and what a stash without our own part keeps, come back whole.
    """
    if field == "spec" or not left:
        return before.get(field)
    then, ours = before.get(field) or {}, left.get(field) or {}
    kept = {key: value for key, value in (found.get(field) or {}).items() if key not in ours}
    value = kept | {key: then[key] for key in ours if key in then}
    return value if value or field in before else None


def leaves(kind: str, found: Object) -> dict[str, Any]:
    """Values by the names of their keys; of an APIManager by dotted path, where an empty object is no value."""
    if kind == "APIManager":
        return dict(dotted(found.get("spec") or {}, "spec"))
    data = dict(found.get("data") or {})
    if kind == "Secret":
        data = {key: decoded(value) for key, value in data.items()}
        return data | {key: value.encode() for key, value in (found.get("stringData") or {}).items()}
    return data | {key: decoded(value) for key, value in (found.get("binaryData") or {}).items()}


def dotted(value: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from dotted(inner, f"{above}.{key}")
        else:
            yield f"{above}.{key}", inner


def decoded(value: object) -> bytes:
    try:
        return base64.b64decode(str(value or ""), validate=True)
    except (binascii.Error, ValueError):
        return str(value).encode()  # it is compared only; the server refuses it when it is applied
