"""Fields of the APIManager, replicas, hooks and Routes: changed only while they are as they were seen."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.hooks import route_seen
from orchestrator.cluster.manager import manager_path
from orchestrator.cluster.rest import Conflict
from orchestrator.errors import ClusterRefused
from orchestrator.port import FieldSeen
from tests.cluster.pods import NAMESPACE, Live, until

NUMBERS = count(1)
BATCH = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
ROUTES = f"/apis/route.openshift.io/v1/namespaces/{NAMESPACE}/routes"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
PATH = ("spec", "system", "appSpec", "replicas")


def manager(live: Live, spec: Mapping[str, Any]) -> str:
    name = f"apimanager-{next(NUMBERS)}"
    body = {
        "apiVersion": "apps.3scale.net/v1alpha1", "kind": "APIManager", "metadata": {"name": name},
        "spec": {"wildcardDomain": "example.com", **spec},
    }  # fmt: skip
    live.rest.post(manager_path(NAMESPACE), body)
    return name


def spec_of(live: Live, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = live.rest.get(manager_path(NAMESPACE, name))["spec"]
    return {key: value for key, value in spec.items() if key != "wildcardDomain"}


@pytest.mark.parametrize(
    ("spec", "seen"),
    [
        pytest.param({}, FieldSeen(is_there=False, parents=1), id="no object around it"),
        pytest.param({"system": {}}, FieldSeen(is_there=False, parents=2), id="one of two"),
        pytest.param({"system": {"appSpec": {}}}, FieldSeen(is_there=False, parents=3), id="absent"),
        pytest.param({"system": {"appSpec": {"replicas": 2}}}, FieldSeen(is_there=True, value=2, parents=3), id="a value"),
    ],
)
def test_a_field_is_set_and_comes_back_as_it_was(live: Live, spec: Mapping[str, Any], seen: FieldSeen) -> None:
    name = manager(live, spec)
    assert live.cluster.field(name, PATH) == seen
    there = {"expected_is_there": seen.is_there, "expected": seen.value}
    facts = live.perform(fx.SetField(manager=name, path=PATH, **there, is_there=True, value=0))
    assert facts == [
        ev.ManagerFieldSet(step="s", attempt=1, manager=name, path="spec.system.appSpec.replicas", is_there=True, value=0)
    ]
    assert live.cluster.field(name, PATH) == FieldSeen(is_there=True, value=0, parents=3)
    back = fx.SetField(
        manager=name, path=PATH, expected_is_there=True, expected=0, is_there=seen.is_there, value=seen.value,
        parents=seen.parents,
    )
    live.perform(back)
    assert spec_of(live, name) == spec


def test_parents_that_hold_something_else_stay_when_a_field_is_removed(live: Live) -> None:
    name = manager(live, {"system": {"appSpec": {"replicas": 1}, "sidekiqSpec": {}}})
    live.perform(fx.SetField(manager=name, path=PATH, expected_is_there=True, expected=1, is_there=False, parents=1))
    assert spec_of(live, name) == {"system": {"sidekiqSpec": {}}}


@pytest.mark.parametrize("expected_is_there", [True, False])
def test_a_field_that_somebody_else_has_set_is_left_alone(live: Live, expected_is_there: bool) -> None:
    name = manager(live, {"system": {"appSpec": {"replicas": 3}}})
    effect = fx.SetField(
        manager=name, path=PATH, expected_is_there=expected_is_there, expected=1, is_there=True, value=0
    )
    with pytest.raises(Conflict, match="changed meanwhile"):
        live.perform(effect)
    assert spec_of(live, name) == {"system": {"appSpec": {"replicas": 3}}}


def test_there_is_no_field_without_a_manager(live: Live) -> None:
    assert live.cluster.field("nobody", PATH) is None
    effect = fx.SetField(manager="nobody", path=PATH, expected_is_there=False, is_there=True, value=0)
    with pytest.raises(ClusterRefused, match="no APIManager nobody"):
        live.perform(effect)


def test_a_workload_is_scaled_from_what_was_seen_only(live: Live) -> None:
    live.pod("scaled")
    with pytest.raises(Conflict):
        live.perform(fx.ScaleWorkload(kind="Deployment", workload="scaled", expected=3, replicas=0))
    live.perform(fx.ScaleWorkload(kind="Deployment", workload="scaled", expected=1, replicas=0))
    seen = until(lambda: w if (w := live.cluster.workload("Deployment", "scaled")) and w.pods == 0 else None)
    assert (seen.replicas, seen.generation) == (0, "2")


def test_a_job_is_told_and_deleted_by_its_uid(live: Live) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "any", "command": ["false"]}]}}
    body = {
        "apiVersion": "batch/v1", "kind": "Job", "spec": {"backoffLimit": 0, "template": template},
        "metadata": {"name": "system-app-pre", "annotations": {"system-app-deployment-generation": "4"}},
    }  # fmt: skip
    live.rest.post(BATCH, body)
    seen = until(lambda: j if (j := live.cluster.job("system-app-pre")) and j.state != "running" else None)
    assert (seen.state, seen.generation) == ("failed", "4")
    name = manager(live, {})
    assert live.cluster.stage(name) == "system-app-pre failed: kubectl logs job/system-app-pre"
    with pytest.raises(Conflict):
        live.perform(fx.DeleteJob(job="system-app-pre", uid="another"))
    live.perform(fx.DeleteJob(job="system-app-pre", uid=seen.uid))
    assert until(lambda: live.cluster.job("system-app-pre") is None)
    assert live.perform(fx.DeleteJob(job="system-app-pre", uid=seen.uid))  # it is gone: nothing is left to do


def test_the_first_workload_that_is_not_ready_is_named(live: Live) -> None:
    name = manager(live, {})
    assert live.cluster.stage(name) == "backend-listener does not exist yet"
    assert live.cluster.stage("nobody") == "there is no APIManager nobody"
    for workload in ("backend-listener", "system-app", "system-sidekiq"):
        live.pod(workload)
    assert live.cluster.stage(name) == "zync does not exist yet"
    live.pod("zync")
    assert live.cluster.stage(name) == ""
    for workload in ("zync-que", "system-searchd"):
        labels = {"app": workload}
        spec = {"containers": [{"name": "c", "image": "any", "command": ["false"]}]}
        body = {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": workload},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
        }  # fmt: skip
        live.rest.post(DEPLOYMENTS, body)
    assert live.cluster.stage(name).startswith("system-searchd is not ready (0 of 1)")
    preflights = [{"type": "Preflights", "status": "False", "message": "mysql is too old"}]
    live.rest.patch(
        manager_path(NAMESPACE, name) + "/status", {"status": {"conditions": preflights, "deployments": {}}}, "application/merge-patch+json"
    )
    assert live.cluster.stage(name) == "the operator's preflights do not pass: mysql is too old"
    for workload in ("zync", "zync-que", "system-searchd", "backend-listener", "system-app", "system-sidekiq"):
        live.rest.send("DELETE", f"{DEPLOYMENTS}/{workload}")


@pytest.mark.parametrize(
    ("conditions", "seen"),
    [
        pytest.param([{"type": "Admitted", "status": "True"}], (True, ""), id="admitted"),
        pytest.param(
            [{"type": "Admitted", "status": "False", "reason": "HostAlreadyClaimed"}], (False, "HostAlreadyClaimed"), id="refused"
        ),
        pytest.param([], (False, "no router has looked at it yet"), id="not looked at"),
    ],
)
def test_a_route_is_told_with_what_its_router_says(conditions: list[Any], seen: tuple[bool, str]) -> None:
    route = {
        "metadata": {"name": "a", "uid": "u"}, "spec": {"host": "a.example.com"},
        "status": {"ingress": [{"host": "a.example.com", "conditions": conditions}]},
    }  # fmt: skip
    assert (route_seen(route).is_admitted, route_seen(route).reason) == seen


def test_routes_are_listed_by_host_and_deleted_by_uid(live: Live) -> None:
    for name in ("b", "a"):
        body = {
            "apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": {"name": name},
            "spec": {"host": f"{name}.example.com", "to": {"kind": "Service", "name": "x"}},
        }  # fmt: skip
        live.rest.post(ROUTES, body)
    routes = live.cluster.routes()
    assert [route.host for route in routes] == ["a.example.com", "b.example.com"]
    with pytest.raises(Conflict):
        live.perform(fx.DeleteRoute(route="a", host="a.example.com", uid=routes[1].uid))
    live.perform(fx.DeleteRoute(route="a", host="a.example.com", uid=routes[0].uid))
    assert [route.name for route in live.cluster.routes()] == ["b"]
