"""Workloads that are rolled out or scaled."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.pods import At
from orchestrator.cluster.rest import Conflict, Object, Rest
from orchestrator.cluster.workloads import RESTARTED_AT, path_of
from orchestrator.errors import ClusterRefused


class Rollouts:
    def __init__(self, rest: Rest) -> None:
        self._rest, self._namespace = rest, rest.connection.namespace

    def roll_out(self, effect: fx.RollOut, at: At) -> Iterator[ev.EffectFact]:
        path = path_of(self._namespace, effect.kind, effect.workload)
        if effect.kind == "DeploymentConfig":
            request = {
                "apiVersion": "apps.openshift.io/v1", "kind": "DeploymentRequest",
                "name": effect.workload, "latest": True, "force": True,
            }
            after = self._instantiate(f"{path}/instantiate", request)
            revision = after.get("status", {}).get("latestVersion", "")
        else:
            after = self._rest.change(path, lambda found: restart_mark(found, effect.restarted_at), f"Deployment {effect.workload}")
            revision = after["metadata"].get("generation", "")
        yield ev.RolloutStarted(**at, workload=effect.workload, revision=str(revision))

    def scale(self, effect: fx.ScaleWorkload, at: At) -> Iterator[ev.EffectFact]:
        path = path_of(self._namespace, effect.kind, effect.workload)
        what = f"{effect.kind} {effect.workload}"

        def patch(found: Object) -> list[Object]:
            if found["spec"].get("replicas") != effect.expected:
                raise Conflict(f"{what} changed meanwhile")
            return [{"op": "add", "path": "/spec/replicas", "value": effect.replicas}]

        self._rest.change(path, patch, what)
        yield ev.WorkloadScaled(**at, workload=effect.workload, replicas=effect.replicas)

    def _instantiate(self, path: str, request: Object) -> Object:
        try:
            return self._rest.post(path, request)
        except ClusterRefused as error:
            if "already in progress" in error.message:
                raise Conflict("a rollout is in progress already") from error
            raise


def restart_mark(found: Object, restarted_at: str | None) -> list[Object]:
    """Sets the annotation of the pod template, or removes it. Nothing to do where it is so."""
    annotations = (found["spec"]["template"].get("metadata") or {}).get("annotations") or {}
    wanted = {key: value for key, value in annotations.items() if key != RESTARTED_AT}
    if restarted_at is not None:
        wanted[RESTARTED_AT] = restarted_at
    if wanted == annotations:
        return []
    path = "/spec/template/metadata/annotations"
    return [{"op": "add", "path": path, "value": wanted}] if wanted else [{"op": "remove", "path": path}]
