"""The environment of a container, from its spec and from the Secrets and ConfigMaps it names.

Nothing of the cluster process's own environment gets in but PATH and LANG.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type
from orchestrator.rehearsal.volumes import data_of

POD_ADDRESS = "127.0.0.1"
NODE_NAME = "rehearsal"
REFERENCE = re.compile(r"\$(?:(\$)|\(([^)]+)\))")


class ConfigError(Exception):
    """A value that cannot be had now; the container waits with CreateContainerConfigError."""


def container_environment(store: Store, pod: Object, container: Object) -> dict[str, str]:
    """Names and values, later definitions winning; `$(NAME)` refers to earlier ones."""
    namespace = pod["metadata"]["namespace"]
    found = _basics(pod)
    for source in container.get("envFrom") or []:
        found.update(_all_of(store, namespace, source))
    for entry in container.get("env") or []:
        value = _value_of(store, pod, entry)
        if value is not None:
            found[entry["name"]] = expand(value, found)
    return found


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replaces `$(NAME)` where NAME is known, leaves it where not; `$$` stands for one dollar sign."""

    def replaced(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        return values.get(match[2], match[0])

    return REFERENCE.sub(replaced, text)


def _basics(pod: Object) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "HOSTNAME": pod["metadata"]["name"],
        "KUBERNETES_SERVICE_HOST": POD_ADDRESS,
    }


def _all_of(store: Store, namespace: str, source: Object) -> dict[str, str]:
    prefix = source.get("prefix", "")
    for kind, field in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
        if field in source:
            data = _data(store, kind, namespace, source[field]) or {}
            return {prefix + key: value.decode() for key, value in data.items()}
    return {}


def _value_of(store: Store, pod: Object, entry: Object) -> str | None:
    source = entry.get("valueFrom")
    if not source:
        return str(entry.get("value", ""))
    for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
        if field in source:
            return _entry_of(store, kind, pod["metadata"]["namespace"], source[field])
    return field_of(pod, source.get("fieldRef", {}).get("fieldPath", ""))


def _entry_of(store: Store, kind: str, namespace: str, reference: Object) -> str | None:
    data = _data(store, kind, namespace, reference)
    if data is None or reference["key"] not in data:
        if reference.get("optional"):
            return None
        where = f"{kind} {namespace}/{reference.get('name')}"
        raise ConfigError(f"couldn't find key {reference['key']} in {where}")
    return data[reference["key"]].decode()


def _data(store: Store, kind: str, namespace: str, reference: Object) -> dict[str, bytes] | None:
    name = reference.get("name", "")
    found = store.find(resource_type(kind), namespace, name)
    if found is not None:
        return data_of(found)
    if reference.get("optional"):
        return None
    raise ConfigError(f'{kind.lower()} "{name}" not found')


def field_of(pod: Object, path: str) -> str:
    """The downward API: the fields of a pod that its containers may ask for."""
    metadata, spec = pod["metadata"], pod["spec"]
    key = re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path)
    if key:
        return str((metadata.get(key[1]) or {}).get(key[2], ""))
    known = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": NODE_NAME,
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": POD_ADDRESS,
        "status.hostIP": POD_ADDRESS,
    }
    return str(known.get(path, ""))
