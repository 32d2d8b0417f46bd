"""What OpenShift writes on a ReplicationController to make it a rollout of a DeploymentConfig. Pure."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.rehearsal.controllers.base import owner_reference
from orchestrator.rehearsal.objects import Object, copy_json

CONFIG = "openshift.io/deployment-config.name"
VERSION = "openshift.io/deployment-config.latest-version"
PHASE = "openshift.io/deployment.phase"
REASON = "openshift.io/deployment.status-reason"
CANCELLED = "openshift.io/deployment.cancelled"
ENCODED = "openshift.io/encoded-deployment-config"
ROLLOUT = "openshift.io/deployment.name"
DESIRED = "kubectl.kubernetes.io/desired-replicas"
CONFIG_LABEL, ROLLOUT_LABEL = "deploymentconfig", "deployment"
SUPERSEDED = "newer deployment was found running"


def rollout_name(config: Object) -> str:
    return f"{config['metadata']['name']}-{latest_version(config)}"


def latest_version(config: Object) -> int:
    return int((config.get("status") or {}).get("latestVersion", 0))


def desired_replicas(config: Object) -> int:
    return int(config["spec"].get("replicas", 1))


def version_of(controller: Object) -> int:
    return int(annotation(controller, VERSION, "0"))


def phase_of_rollout(controller: Object) -> str:
    """New, Pending, Running, Complete or Failed."""
    return annotation(controller, PHASE, "New")


def is_under_way(controller: Object) -> bool:
    return phase_of_rollout(controller) not in ("Complete", "Failed")


def template_of_rollout(controller: Object) -> Any:
    """The pod template the rollout was made from, before labels were added."""
    encoded = annotation(controller, ENCODED, "{}")
    return json.loads(encoded).get("spec", {}).get("template")


def annotation(obj: Object, key: str, default: str = "") -> str:
    return str((obj["metadata"].get("annotations") or {}).get(key, default))


def new_rollout(config: Object) -> Object:
    """The ReplicationController of the latest version, without pods yet."""
    metadata, name = config["metadata"], rollout_name(config)
    template = copy_json(config["spec"]["template"])
    inner = template.setdefault("metadata", {})
    own = {CONFIG_LABEL: metadata["name"], ROLLOUT_LABEL: name}
    selector = {**(config["spec"].get("selector") or inner.get("labels") or {}), **own}
    inner["labels"] = {**(inner.get("labels") or {}), **own}
    version = str(latest_version(config))
    known = {CONFIG: metadata["name"], VERSION: version}
    inner["annotations"] = {**(inner.get("annotations") or {}), **known, ROLLOUT: name}
    details = (config.get("status") or {}).get("details") or {}
    annotations = {
        **known,
        PHASE: "New",
        REASON: details.get("message", ""),
        ENCODED: json.dumps(config, separators=(",", ":")),
        DESIRED: str(desired_replicas(config)),
    }
    spec = {"replicas": 0, "selector": selector, "template": template}
    return {
        "metadata": {
            "name": name,
            "labels": {**(metadata.get("labels") or {}), CONFIG: metadata["name"]},
            "annotations": annotations,
            "ownerReferences": [owner_reference(config)],
        },
        "spec": {**spec, "minReadySeconds": config["spec"].get("minReadySeconds", 0)},
    }


def is_triggered(config: Object, latest: Object | None) -> bool:
    """Whether a change of the template asks for a new rollout by itself."""
    spec = config["spec"]
    triggers = spec.get("triggers")
    automatic = triggers is None or any(trigger.get("type") == "ConfigChange" for trigger in triggers)
    if not automatic or spec.get("paused") or not spec.get("template"):
        return False
    if latest_version(config) == 0:
        return True
    return latest is not None and template_of_rollout(latest) != spec["template"]


def trigger(config: Object, cause: str, message: str) -> None:
    """Asks for the next rollout, by way of the status."""
    status = config.setdefault("status", {})
    status["latestVersion"] = latest_version(config) + 1
    status["details"] = {"message": message, "causes": [{"type": cause}]}
