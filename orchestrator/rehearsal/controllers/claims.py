"""PersistentVolumeClaims: bound when the first pod needs them, to a directory that goes when they go."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable
from pathlib import Path

from orchestrator.rehearsal.controllers.base import POD, Name, names_of
from orchestrator.rehearsal.history import Event
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type
from orchestrator.rehearsal.volumes import claim_directory, make_directory, remove_directory


class Claims:
    """The controller of PersistentVolumeClaims."""

    rt = resource_type("PersistentVolumeClaim")

    def __init__(self, store: Store, root: Path) -> None:
        self._store = store
        self._root = root

    def concerned(self, event: Event) -> Iterable[Name]:
        if event.rt == self.rt:
            yield from names_of(event, self.rt)
        if event.rt == POD and event.type != "DELETED" and event.object["spec"].get("nodeName"):
            for claim in claims_of(event.object):
                yield event.object["metadata"]["namespace"], claim

    def reconcile(self, namespace: str, name: str) -> float | None:
        directory = claim_directory(self._root, namespace, name)
        claim = self._store.find(self.rt, namespace, name)
        if claim is None:
            _discard(directory)
        elif (claim.get("status") or {}).get("phase") != "Bound" and self._is_needed(namespace, name):
            make_directory(directory)
            self._store.change(self.rt, namespace, name, _bind)
            self._store.change(self.rt, namespace, name, _bound, subresource="status")
        return None

    def _is_needed(self, namespace: str, name: str) -> bool:
        pods = self._store.scan(POD, namespace)
        return any(name in claims_of(pod) for pod in pods if pod["spec"].get("nodeName"))


def claims_of(pod: Object) -> list[str]:
    """The claims a pod mounts."""
    volumes = pod["spec"].get("volumes") or []
    return [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in volumes
        if volume.get("persistentVolumeClaim")
    ]


def _discard(directory: Path) -> None:
    """Out of the way at once, for a claim of the same name may follow; removed in a thread, as it may be large."""
    if directory.exists():
        doomed = directory.rename(directory.with_name(f".{directory.name}.{secrets.token_hex(4)}"))
        threading.Thread(target=remove_directory, args=(doomed,)).start()


def _bind(claim: Object) -> None:
    claim["spec"].setdefault("volumeName", f"pvc-{claim['metadata']['uid']}")


def _bound(claim: Object) -> None:
    spec = claim["spec"]
    claim["status"] = {
        "phase": "Bound",
        "accessModes": spec.get("accessModes") or [],
        "capacity": {"storage": ((spec.get("resources") or {}).get("requests") or {}).get("storage", "1Gi")},
    }
