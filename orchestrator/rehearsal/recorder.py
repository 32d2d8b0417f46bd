"""Events: what kubelet and controllers tell whoever runs `kubectl describe`.

The same message about the same object is counted, not repeated. An event that cannot be stored (its
namespace is going away) is dropped: events are talk, nothing depends on them.
"""

from __future__ import annotations

import contextlib
import secrets

from orchestrator.rehearsal.apierrors import ApiError
from orchestrator.rehearsal.objects import Object, timestamp
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type

EVENT = resource_type("Event")
REMEMBERED = 1000


class Recorder:
    """Writes the events of one component (`kubelet`, `deployment-controller`, …)."""

    def __init__(self, store: Store, component: str) -> None:
        self._store = store
        self._component = component
        self._known: dict[tuple[str, str, str], str] = {}

    def normal(self, about: Object, reason: str, message: str, field_path: str = "") -> None:
        self._record("Normal", about, reason, message, field_path)

    def warning(self, about: Object, reason: str, message: str, field_path: str = "") -> None:
        self._record("Warning", about, reason, message, field_path)

    def _record(self, severity: str, about: Object, reason: str, message: str, field_path: str) -> None:
        namespace = about["metadata"]["namespace"]
        key = (about["metadata"]["uid"], reason, message)
        known = self._known.get(key)
        if known and self._store.change(EVENT, namespace, known, _counted):
            return
        with contextlib.suppress(ApiError):
            event = self._event(severity, about, reason, message, field_path)
            self._store.create(EVENT, namespace, event)
            self._remember(key, event["metadata"]["name"])

    def _remember(self, key: tuple[str, str, str], name: str) -> None:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[key] = name

    def _event(self, severity: str, about: Object, reason: str, message: str, field_path: str) -> Object:
        metadata, now = about["metadata"], timestamp()
        involved = {
            "kind": about["kind"],
            "apiVersion": about["apiVersion"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        }
        if field_path:
            involved["fieldPath"] = field_path
        return {
            "metadata": {"name": f"{metadata['name']}.{secrets.token_hex(8)}"},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "type": severity,
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "eventTime": None,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": "",
        }


def _counted(event: Object) -> None:
    event["count"] = event.get("count", 1) + 1
    event["lastTimestamp"] = timestamp()
