"""The APIManager: one field of it looked at, set or removed, and what keeps its operator from acting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.hooks import HOOKS, state_of
from orchestrator.cluster.pods import At
from orchestrator.cluster.rest import Conflict, Object, Rest
from orchestrator.cluster.workloads import GROUPS, path_of
from orchestrator.errors import ClusterRefused
from orchestrator.port import FieldSeen

OPERATOR: Final = "threescale-operator-controller-manager-v2"

# As one reconcile goes through them; what is not ready keeps those behind it waiting.
ORDER: Final = (
    "system-mysql", "system-postgresql", "backend-redis", "system-redis", "backend-listener", "backend-worker",
    "backend-cron", "system-memcache", "system-searchd", "system-sphinx", "system-app", "system-sidekiq",
    "zync-database", "zync", "zync-que", "apicast-staging", "apicast-production",
)  # fmt: skip
ALWAYS: Final = ("backend-listener", "system-app", "system-sidekiq", "zync")  # in every installation


def manager_path(namespace: str, name: str = "") -> str:
    return f"/apis/apps.3scale.net/v1alpha1/namespaces/{namespace}/apimanagers" + (f"/{name}" if name else "")


class Manager:
    def __init__(self, rest: Rest) -> None:
        self._rest, self._namespace = rest, rest.connection.namespace

    def field(self, manager: str, path: Sequence[str]) -> FieldSeen | None:
        found = self._rest.find(manager_path(self._namespace, manager))
        return None if found is None else field_of(found, path)

    def set_field(self, effect: fx.SetField, at: At) -> Iterator[ev.EffectFact]:
        def patch(found: Object) -> list[Object]:
            if not is_expected(field_of(found, effect.path), effect):
                raise Conflict(f"{'.'.join(effect.path)} of APIManager {effect.manager} changed meanwhile")
            return field_patch(found, effect)

        self._rest.change(manager_path(self._namespace, effect.manager), patch, f"APIManager {effect.manager}")
        yield ev.ManagerFieldSet(
            **at, manager=effect.manager, path=".".join(effect.path), is_there=effect.is_there, value=effect.value
        )

    def stage(self, manager: str) -> str:
        found = self._rest.find(manager_path(self._namespace, manager))
        if found is None:
            return f"there is no APIManager {manager}"
        return self._operator() or preflights(found) or self._hooks() or self._workloads()

    def _operator(self) -> str:
        """Only where it lives in this namespace: rights elsewhere are not assumed."""
        operator = self._looked_for(path_of(self._namespace, "Deployment", OPERATOR))
        if operator is None:
            return ""
        if operator["spec"].get("replicas", 1) == 0:
            return f"the operator is scaled to 0: kubectl scale deployment/{OPERATOR} --replicas 1"
        if not (operator.get("status") or {}).get("availableReplicas"):
            return f"the operator itself is not ready: kubectl describe deployment/{OPERATOR}"
        return ""

    def _hooks(self) -> str:
        for name in HOOKS:
            job = self._looked_for(f"/apis/batch/v1/namespaces/{self._namespace}/jobs/{name}")
            if job and state_of(job) == "failed":
                return f"{name} failed: kubectl logs job/{name}"
        return ""

    def _workloads(self) -> str:
        waiting, present = {}, set()
        for kind, group in GROUPS.items():
            found = self._looked_for(f"/apis/{group}/namespaces/{self._namespace}/{kind.lower()}s") or {}
            for item in found.get("items") or []:
                present.add(item["metadata"]["name"])
                ready, wanted = (item.get("status") or {}).get("availableReplicas", 0), item["spec"].get("replicas", 1)
                if ready < wanted:
                    waiting[item["metadata"]["name"]] = f"{ready} of {wanted}"
        for name in ORDER:
            if name in ALWAYS and name not in present:
                return f"{name} does not exist yet"
            if name in waiting:
                return f"{name} is not ready ({waiting[name]}), and the operator comes to what follows it only then"
        return ""

    def _looked_for(self, path: str) -> Object | None:
        """None too where this user may not look: what cannot be seen is not named as a reason."""
        try:
            return self._rest.find(path)
        except ClusterRefused:
            return None


def preflights(manager: Mapping[str, Any]) -> str:
    for condition in (manager.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Preflights" and condition.get("status") != "True":
            return f"the operator's preflights do not pass: {condition.get('message') or condition.get('reason')}"
    return ""


def field_of(manager: Object, path: Sequence[str]) -> FieldSeen:
    around: Any = manager
    for parents, key in enumerate(path[:-1]):
        around = around.get(key)
        if not isinstance(around, dict):
            return FieldSeen(is_there=False, parents=parents)
    is_there = path[-1] in around
    return FieldSeen(is_there=is_there, value=around.get(path[-1]), parents=len(path) - 1)


def is_expected(seen: FieldSeen, effect: fx.SetField) -> bool:
    return seen.is_there == effect.expected_is_there and (not seen.is_there or seen.value == effect.expected)


def field_patch(manager: Object, effect: fx.SetField) -> list[Object]:
    """A JSON patch that tests what was seen. What is absent cannot be tested: the object around it is."""
    seen = field_of(manager, effect.path)
    if not effect.is_there:
        return removal(manager, effect) if seen.is_there else []
    if seen.is_there:
        return [
            {"op": "test", "path": pointer(effect.path), "value": seen.value},
            {"op": "replace", "path": pointer(effect.path), "value": effect.value},
        ]
    around = effect.path[: seen.parents]
    missing = range(seen.parents + 1, len(effect.path))
    return [
        {"op": "test", "path": pointer(around), "value": value_at(manager, around)},
        *({"op": "add", "path": pointer(effect.path[:depth]), "value": {}} for depth in missing),
        {"op": "add", "path": pointer(effect.path), "value": effect.value},
    ]


def removal(manager: Object, effect: fx.SetField) -> list[Object]:
    """The field, or the outermost of its parents that holds nothing else and was not there before us."""
    depth = len(effect.path)
    while depth - 1 > effect.parents and len(value_at(manager, effect.path[: depth - 1])) == 1:
        depth -= 1
    gone = effect.path[:depth]
    return [
        {"op": "test", "path": pointer(gone), "value": value_at(manager, gone)},
        {"op": "remove", "path": pointer(gone)},
    ]


def value_at(manager: Object, path: Sequence[str]) -> Any:
    value: Any = manager
    for key in path:
        value = value[key]
    return value


def pointer(path: Sequence[str]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path)
