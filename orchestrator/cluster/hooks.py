"""Kubernetes Jobs that the operator runs as hooks (3scale 2.15 and later), and the Routes that zync makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.pods import At
from orchestrator.cluster.rest import Object, Rest
from orchestrator.port import JobSeen, RouteSeen

HOOKS: Final = ("system-app-pre", "system-app-post")
# The annotation that says for which system-app the operator ran the hook: 2.15, then 2.16.
GENERATIONS: Final = ("system-app-deployment-generation", "apimanager.apps.3scale.net/system-app-deployment-revision")


class Hooks:
    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._path = f"/apis/batch/v1/namespaces/{rest.connection.namespace}/jobs"

    def job(self, name: str) -> JobSeen | None:
        found = self._rest.find(f"{self._path}/{name}")
        if found is None:
            return None
        annotations = found["metadata"].get("annotations") or {}
        generation = next((str(annotations[key]) for key in GENERATIONS if key in annotations), "")
        return JobSeen(uid=found["metadata"]["uid"], state=state_of(found), generation=generation)

    def delete(self, effect: fx.DeleteJob, at: At) -> Iterator[ev.EffectFact]:
        self._rest.delete(f"{self._path}/{effect.job}", effect.uid)
        yield ev.JobDeleted(**at, job=effect.job)


class Routes:
    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._path = f"/apis/route.openshift.io/v1/namespaces/{rest.connection.namespace}/routes"

    def seen(self) -> tuple[RouteSeen, ...]:
        """Every Route; none where the cluster serves none."""
        found = self._rest.find(self._path) or {}
        return tuple(sorted(map(route_seen, found.get("items") or []), key=lambda route: (route.host, route.name)))

    def delete(self, effect: fx.DeleteRoute, at: At) -> Iterator[ev.EffectFact]:
        self._rest.delete(f"{self._path}/{effect.route}", effect.uid)
        yield ev.RouteDeleted(**at, route=effect.route, host=effect.host)


def state_of(job: Object) -> str:
    for condition in (job.get("status") or {}).get("conditions") or []:
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            return str(condition["type"]).lower()
    return "running"


def route_seen(route: Object) -> RouteSeen:
    """Admitted when one router has taken it; else the words of the first that has not."""
    ingresses = (route.get("status") or {}).get("ingress") or []
    conditions = [c for entry in ingresses for c in entry.get("conditions") or [] if c.get("type") == "Admitted"]
    is_admitted = any(condition.get("status") == "True" for condition in conditions)
    reason = ""
    if not is_admitted:
        reason = (conditions[0].get("reason") or "refused") if conditions else "no router has looked at it yet"
    return RouteSeen(
        name=route["metadata"]["name"], host=route["spec"].get("host", ""), uid=route["metadata"]["uid"],
        is_admitted=is_admitted, reason=reason,
    )  # fmt: skip
