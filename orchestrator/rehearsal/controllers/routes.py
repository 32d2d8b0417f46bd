"""Routes, OpenShift's way in from outside: a router admits each, the oldest one where several claim a host."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.rehearsal.controllers.base import Name, is_deleting, names_of
from orchestrator.rehearsal.history import Event
from orchestrator.rehearsal.objects import Object, timestamp
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type

ROUTER = "default"


class Routes:
    """The router. It writes who is admitted; nothing is served."""

    rt = resource_type("Route")

    def __init__(self, store: Store) -> None:
        self._store = store

    def concerned(self, event: Event) -> Iterable[Name]:
        """A route, and those that may take over its host when it goes."""
        if event.rt != self.rt:
            return
        yield from names_of(event, self.rt)
        if event.type == "DELETED":
            for other in self._rivals(event.object):
                yield other["metadata"]["namespace"], other["metadata"]["name"]

    def reconcile(self, namespace: str, name: str) -> float | None:
        route = self._store.find(self.rt, namespace, name)
        if route is None or is_deleting(route) or not (route.get("spec") or {}).get("host"):
            return None
        claimed_by = next((other for other in self._rivals(route) if _admitted(other, route["spec"]["host"])), None)

        def write(stored: Object) -> None:
            stored["status"] = {"ingress": [_ingress(stored, claimed_by)]}

        self._store.change(self.rt, namespace, name, write, subresource="status")
        return None

    def _rivals(self, route: Object) -> list[Object]:
        host, uid = route["spec"].get("host"), route["metadata"]["uid"]
        found = self._store.scan(self.rt, None)
        return [one for one in found if one["spec"].get("host") == host and one["metadata"]["uid"] != uid]


def _admitted(route: Object, host: str) -> bool:
    entries = (route.get("status") or {}).get("ingress") or []
    return any(entry["host"] == host and entry["conditions"][0]["status"] == "True" for entry in entries)


def _ingress(route: Object, claimed_by: Object | None) -> Object:
    condition: Object = {"type": "Admitted", "status": "True"}
    if claimed_by is not None:
        name = claimed_by["metadata"]["name"]
        condition = {
            "type": "Admitted",
            "status": "False",
            "reason": "HostAlreadyClaimed",
            "message": f"route {name} already exposes {route['spec']['host']} and is older",
        }
    entries = (route.get("status") or {}).get("ingress") or [{}]
    before = (entries[0].get("conditions") or [{}])[0]
    same = {key: before.get(key) for key in ("status", "reason")} == {key: condition.get(key) for key in ("status", "reason")}
    since = before["lastTransitionTime"] if same and entries[0].get("host") == route["spec"]["host"] else timestamp()
    return {
        "host": route["spec"]["host"],
        "routerName": ROUTER,
        "routerCanonicalHostname": "router-default.apps.rehearsal.example",
        "wildcardPolicy": "None",
        "conditions": [condition | {"lastTransitionTime": since}],
    }
