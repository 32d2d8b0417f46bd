"""What the operator says of its installation: the status of the APIManager. Pure but for the time of day.

Available asks for every workload and for the six default routes; a workload that is scaled to 0 doesn't count as
missing. Preflights (2.15) say whether the operator acts at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orchestrator.rehearsal.objects import Object, timestamp

PREFLIGHTS_FAIL = "rehearsal/preflights-fail"
"""Annotation of an APIManager: makes its preflights fail, with the text as the reason. A switch for tests."""
PREFLIGHTS_PASS = "All requirements for the current version are met"


def state_of(workload: Object | None) -> str:
    """`ready`, `starting` or `stopped`."""
    if workload is None:
        return "starting"
    wanted, status = workload["spec"].get("replicas", 1), workload.get("status") or {}
    if wanted == 0:
        return "stopped"
    is_seen = status.get("observedGeneration", 0) >= workload["metadata"].get("generation", 0)
    return "ready" if is_seen and status.get("readyReplicas", 0) >= wanted else "starting"


def are_admitted(routes: Iterable[Object], hosts: Sequence[str]) -> bool:
    """Whether a router serves all of the hosts."""
    admitted = {route["spec"].get("host") for route in routes if is_admitted(route)}
    return admitted.issuperset(hosts)


def is_admitted(route: Object) -> bool:
    ingress = (route.get("status") or {}).get("ingress") or []
    conditions = [condition for entry in ingress for condition in entry.get("conditions") or []]
    return any(one["type"] == "Admitted" and one["status"] == "True" for one in conditions)


def preflight_failure(apimanager: Object) -> str:
    return str((apimanager["metadata"].get("annotations") or {}).get(PREFLIGHTS_FAIL, ""))


def write_status(apimanager: Object, deployments: Mapping[str, list[str]], *, available: bool, preflights: bool) -> None:
    """`preflights` is whether this release has them."""
    status = apimanager.setdefault("status", {})
    old = status.get("conditions") or []
    conditions = [_condition(old, "Available", is_true=available)]
    if preflights:
        failure = preflight_failure(apimanager)
        text = f"Preflights failed - {failure} - re-running preflights in 10 minutes" if failure else PREFLIGHTS_PASS
        more = {"reason": "PreflightsPass", "message": text}
        conditions.append(_condition(old, "Preflights", is_true=not failure) | more)
    status["conditions"] = conditions
    status["deployments"] = {state: names for state, names in deployments.items() if names}


def _condition(old: Sequence[Object], kind: str, *, is_true: bool) -> Object:
    said = "True" if is_true else "False"
    before = next((one for one in old if one["type"] == kind and one["status"] == said), None)
    return {"type": kind, "status": said, "lastTransitionTime": before["lastTransitionTime"] if before else timestamp()}
