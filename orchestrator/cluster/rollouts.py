"""Workloads that are rolled out or scaled."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.pods import At
from orchestrator.cluster.rest import MERGE_PATCH, Conflict, Object, Rest
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
            mark = {"metadata": {"annotations": {RESTARTED_AT: effect.restarted_at}}}
            after = self._rest.patch(path, {"spec": {"template": mark}}, MERGE_PATCH)
            revision = after["metadata"].get("generation", "")
        yield ev.RolloutStarted(**at, workload=effect.workload, revision=str(revision))

    def scale(self, effect: fx.ScaleWorkload, at: At) -> Iterator[ev.EffectFact]:
        path = path_of(self._namespace, effect.kind, effect.workload)
        patch: list[Object] = [
            {"op": "test", "path": "/spec/replicas", "value": effect.expected},
            {"op": "replace", "path": "/spec/replicas", "value": effect.replicas},
        ]
        if effect.expected is None:  # a field that is not there cannot be tested; adding it is the same as setting it
            patch = [{"op": "add", "path": "/spec/replicas", "value": effect.replicas}]
        self._rest.guarded_patch(path, patch, f"{effect.kind} {effect.workload}")
        yield ev.WorkloadScaled(**at, workload=effect.workload, replicas=effect.replicas)

    def _instantiate(self, path: str, request: Object) -> Object:
        try:
            return self._rest.post(path, request)
        except ClusterRefused as error:
            if "already in progress" in error.message:
                raise Conflict("a rollout is in progress already") from error
            raise


