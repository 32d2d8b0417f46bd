"""PersistentVolumeClaims: bound as soon as they are asked for, to a directory that goes when they go."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from orchestrator.rehearsal.controllers.base import Name, names_of
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
        return names_of(event, self.rt) if event.rt == self.rt else ()

    def reconcile(self, namespace: str, name: str) -> float | None:
        directory = claim_directory(self._root, namespace, name)
        claim = self._store.find(self.rt, namespace, name)
        if claim is None:
            # In a thread, as a claim may hold gigabytes.
            threading.Thread(target=remove_directory, args=(directory,)).start()
        elif (claim.get("status") or {}).get("phase") != "Bound":
            make_directory(directory)
            self._store.change(self.rt, namespace, name, _bind)
            self._store.change(self.rt, namespace, name, _bound, subresource="status")
        return None


def _bind(claim: Object) -> None:
    claim["spec"].setdefault("volumeName", f"pvc-{claim['metadata']['uid']}")


def _bound(claim: Object) -> None:
    spec = claim["spec"]
    claim["status"] = {
        "phase": "Bound",
        "accessModes": spec.get("accessModes") or [],
        "capacity": {"storage": ((spec.get("resources") or {}).get("requests") or {}).get("storage", "1Gi")},
    }
