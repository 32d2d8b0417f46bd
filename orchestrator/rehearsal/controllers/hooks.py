"""Lifecycle hooks of a DeploymentConfig: a pod before, amid or after a rollout.

The pod is a copy of one of the template's containers with another command, as OpenShift makes it. Tag
images, the other kind of hook, are taken as done: there are no image streams here.
"""

from __future__ import annotations

from enum import Enum

from orchestrator.rehearsal.controllers.base import POD, owner_reference, phase
from orchestrator.rehearsal.controllers.rolloutrecords import CONFIG, ROLLOUT
from orchestrator.rehearsal.objects import Object, copy_json
from orchestrator.rehearsal.store import Store

TYPE_LABEL = "openshift.io/deployer-pod.type"
FOR_LABEL = "openshift.io/deployer-pod-for.name"


class HookState(Enum):
    """How a step of a rollout stands."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class Hooks:
    """Runs them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def run(self, config: Object, rollout: Object, moment: str) -> HookState:
        """Starts the hook of that moment (`pre`, `mid`, `post`) when there is one, or tells how it stands."""
        hook = _hook(config, moment)
        if not hook or "execNewPod" not in hook:
            return HookState.DONE
        namespace, name = rollout["metadata"]["namespace"], f"{rollout['metadata']['name']}-hook-{moment}"
        pod = self._store.find(POD, namespace, name)
        if pod is None:
            self._store.create(POD, namespace, hook_pod(config, rollout, moment, hook["execNewPod"]))
            return HookState.WAITING
        if phase(pod) == "Succeeded":
            return HookState.DONE
        return self._failed(pod, hook.get("failurePolicy")) if phase(pod) == "Failed" else HookState.WAITING

    def _failed(self, pod: Object, policy: str | None) -> HookState:
        if policy == "Ignore":
            return HookState.DONE
        if policy != "Retry":
            return HookState.FAILED
        self._store.delete(POD, pod["metadata"]["namespace"], pod["metadata"]["name"])
        return HookState.WAITING


def hook_pod(config: Object, rollout: Object, moment: str, execution: Object) -> Object:
    """The pod of a hook: command and environment of the hook, image and resources of its container."""
    template = rollout["spec"]["template"]["spec"]
    base = next(found for found in template["containers"] if found["name"] == execution["containerName"])
    kept = {
        key: copy_json(base[key])
        for key in ("image", "imagePullPolicy", "resources", "workingDir")
        if key in base
    }
    overridden = {entry["name"]: entry for entry in (*base.get("env", []), *execution.get("env", []))}
    mounted = execution.get("volumes") or []
    container = {
        "name": "lifecycle",
        **kept,
        "command": execution["command"],
        "env": [*overridden.values()],
        "envFrom": base.get("envFrom", []),
        "volumeMounts": [mount for mount in base.get("volumeMounts", []) if mount["name"] in mounted],
    }
    name = rollout["metadata"]["name"]
    return {
        "metadata": {
            "name": f"{name}-hook-{moment}",
            "labels": {TYPE_LABEL: f"hook-{moment}", FOR_LABEL: name},
            "annotations": {CONFIG: config["metadata"]["name"], ROLLOUT: name},
            # Not as its controller: the ReplicationController would count the pod among its replicas.
            "ownerReferences": [{**owner_reference(rollout), "controller": False}],
        },
        "spec": {
            "restartPolicy": "Never",
            "containers": [container],
            "volumes": [volume for volume in template.get("volumes", []) if volume["name"] in mounted],
            "serviceAccountName": template.get("serviceAccountName", "default"),
        },
    }


def _hook(config: Object, moment: str) -> Object | None:
    strategy = config["spec"].get("strategy") or {}
    parameters = (
        strategy.get("recreateParams" if strategy.get("type") == "Recreate" else "rollingParams") or {}
    )
    hook: Object | None = parameters.get(moment)
    return hook
