"""The files of a pod: its volumes on this machine, and the paths under which it expects them.

A claim lives at `<root>/volumes/<namespace>/<claim>` and survives its pods; everything else is in the
pod's directory and goes with it. There is no mount: a mount path under `<root>` is made true by a symlink,
any other is known to the recipe alone. ConfigMaps and Secrets are read once, when the pod starts.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type

SERVED = ("emptyDir", "configMap", "secret", "persistentVolumeClaim", "projected")


class MountError(Exception):
    """A volume that cannot be had now; the pod waits, and the message says for what."""


def claim_directory(root: Path, namespace: str, claim: str) -> Path:
    return root / "volumes" / namespace / claim


def prepare_volumes(store: Store, root: Path, pod: Object, directory: Path) -> dict[str, Path]:
    """Volume name -> directory, all of them there afterwards. MountError when something is missing."""
    volumes = pod["spec"].get("volumes") or []
    return {volume["name"]: _prepare(store, root, pod, directory, volume) for volume in volumes}


def container_mounts(container: Object, volumes: Mapping[str, Path]) -> dict[str, Path]:
    """Mount path -> directory or file. A subPath that does not exist becomes a directory."""
    mounts = {}
    for mount in container.get("volumeMounts") or []:
        target = volumes[mount["name"]]
        if mount.get("subPath"):
            target = target / mount["subPath"]
            if not target.exists():
                make_directory(target)
        mounts[str(mount["mountPath"])] = target
    return mounts


class Links:
    """The symlinks that make mount paths true. Pods that follow one another share them: the newest counts."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._targets: dict[Path, dict[str, Path]] = {}

    def add(self, pod_uid: str, mounts: Mapping[str, Path]) -> None:
        """Points the mount paths under the root at their volumes."""
        for mount_path, target in mounts.items():
            link = Path(os.path.normpath(mount_path))
            if link.is_relative_to(self._root) and link != target:
                self._targets.setdefault(link, {})[pod_uid] = target
                _point(link, target)

    def remove(self, pod_uid: str) -> None:
        """Takes the links of a pod away, or gives them back to a pod that still needs them."""
        for link, targets in list(self._targets.items()):
            if targets.pop(pod_uid, None) is None:
                continue
            if targets:
                _point(link, list(targets.values())[-1])
            else:
                del self._targets[link]
                link.unlink(missing_ok=True)


def make_directory(path: Path) -> Path:
    """The directory, made with its parents where they are missing: for the owner alone, every one."""
    if not path.is_dir():
        make_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def write_file(path: Path, content: bytes) -> None:
    """Writes a file that its owner alone may read, and the directories to it."""
    make_directory(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _prepare(store: Store, root: Path, pod: Object, directory: Path, volume: Object) -> Path:
    kind = next((kind for kind in volume if kind in SERVED), "emptyDir" if len(volume) == 1 else "")
    if not kind:
        raise MountError(f'volume "{volume["name"]}" is of a type that a rehearsal does not serve')
    namespace, source = pod["metadata"]["namespace"], volume.get(kind) or {}
    if kind == "persistentVolumeClaim":
        return make_directory(claim_directory(root, namespace, source["claimName"]))
    place = make_directory(directory / "volumes" / volume["name"])
    for name, content in _contents(store, namespace, kind, source).items():
        write_file(place / name, content)
    return place


def _contents(store: Store, namespace: str, kind: str, source: Object) -> dict[str, bytes]:
    if kind == "configMap":
        return _chosen(_data(store, "ConfigMap", namespace, source, source.get("name")), source)
    if kind == "secret":
        return _chosen(_data(store, "Secret", namespace, source, source.get("secretName")), source)
    files: dict[str, bytes] = {}
    for part in source.get("sources") or []:
        for kind_of_part in ("configMap", "secret"):
            if kind_of_part in part:
                inner = {"secretName": part[kind_of_part].get("name"), **part[kind_of_part]}
                files.update(_contents(store, namespace, kind_of_part, inner))
    return files


def _data(store: Store, kind: str, namespace: str, source: Object, name: str | None) -> dict[str, bytes]:
    found = store.find(resource_type(kind), namespace, name or "")
    if found is not None:
        return data_of(found)
    if source.get("optional"):
        return {}
    raise MountError(f'{kind.lower()} "{name}" not found')


def data_of(obj: Object) -> dict[str, bytes]:
    """The entries of a ConfigMap or Secret as bytes."""
    if obj["kind"] == "Secret":
        return {key: base64.b64decode(value) for key, value in (obj.get("data") or {}).items()}
    plain = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
    binary = {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}
    return plain | binary


def _chosen(data: Mapping[str, bytes], source: Object) -> dict[str, bytes]:
    """`items` picks keys and names their files; without it every key is a file."""
    items = source.get("items")
    if not items:
        return dict(data)
    missing = [item["key"] for item in items if item["key"] not in data]
    if missing and not source.get("optional"):
        raise MountError(f"references non-existent config key: {missing[0]}")
    return {item["path"]: data[item["key"]] for item in items if item["key"] in data}


def _point(link: Path, target: Path) -> None:
    """Replaces the link in one step, so that a reader always finds one or the other."""
    make_directory(link.parent)
    if link.is_dir() and not link.is_symlink():
        link.rmdir()  # an empty directory may stand in the way; anything else is an error worth seeing
    fresh = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
    fresh.symlink_to(target)
    fresh.replace(link)


def remove_directory(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
