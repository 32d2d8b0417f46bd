"""What a cluster has before anybody asks: namespaces, cluster roles, CRDs, and what a new namespace has."""

from __future__ import annotations

from orchestrator.rehearsal.history import Event
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.rbac import CLUSTER_ROLES
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import TYPES, ResourceType, resource_type

NAMESPACES = ("default", "kube-system")


class Foundation:
    """Lays it, and goes on doing so for each new namespace."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def start(self) -> None:
        self._store.subscribe(self._see)
        for name in NAMESPACES:
            self._store.create(resource_type("Namespace"), None, {"metadata": {"name": name}})
        for name, rules in CLUSTER_ROLES.items():
            self._store.create(
                resource_type("ClusterRole"), None, {"metadata": {"name": name}, "rules": rules}
            )
        for rt in TYPES:
            if rt.custom:
                self._store.create(resource_type("CustomResourceDefinition"), None, definition(rt))

    def _see(self, event: Event) -> None:
        if event.type == "ADDED" and event.rt.kind == "Namespace":
            name = event.object["metadata"]["name"]
            self._store.create(resource_type("ServiceAccount"), name, {"metadata": {"name": "default"}})


def definition(rt: ResourceType) -> Object:
    """The CustomResourceDefinition of a custom kind, with an open schema."""
    subresources: Object = {name: {} for name in sorted(rt.subresources & {"status"})}
    if "scale" in rt.subresources:
        subresources["scale"] = {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
        }
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": rt.version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {
        "kind": rt.kind,
        "plural": rt.plural,
        "singular": rt.singular,
        "shortNames": list(rt.short_names),
    }
    spec = {
        "group": rt.group,
        "names": names,
        "scope": "Namespaced",
        "versions": [version | {"subresources": subresources}],
    }
    return {"metadata": {"name": rt.resource}, "spec": spec}
