"""`POST deploymentconfigs/NAME/instantiate`: what `oc rollout latest` asks for.

As OpenShift has it: a paused config is refused, a rollout under way is not a reason to refuse (the new one
cancels it), and without `force` something must have changed.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from orchestrator.rehearsal.apierrors import Cause, bad_request, invalid_kind
from orchestrator.rehearsal.controllers.rolloutrecords import (
    is_triggered,
    latest_version,
    rollout_name,
    trigger,
)
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type

CONFIG = resource_type("DeploymentConfig")
CONTROLLER = resource_type("ReplicationController")
GROUP, KIND = "apps.openshift.io", "DeploymentRequest"


async def serve_instantiate(
    store: Store, request: web.Request, namespace: str, name: str
) -> web.StreamResponse:
    """The handler: answers with the config, its latestVersion one higher. ApiError 400, 404 or 422."""
    wanted = await _request(request)
    config = store.get(CONFIG, namespace, name)
    _check(wanted, config)
    if latest_version(config):
        latest: Object | None = store.get(CONTROLLER, namespace, rollout_name(config))
    else:
        latest = None
    if wanted.get("force"):
        cause, message = "Manual", "manual change"
    elif is_triggered(config, latest):
        cause, message = "ConfigChange", "config change"
    else:
        return _unchanged(name)

    def write(stored: Object) -> None:
        trigger(stored, cause, message)

    answer = store.change(CONFIG, namespace, name, write, subresource="status")
    return _json(answer, 201)


async def _request(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except ValueError as error:
        raise bad_request(f"the object provided is unrecognized (must be of type {KIND}): {error}") from error
    if not isinstance(body, dict) or body.get("kind", KIND) != KIND:
        raise bad_request(f"the object provided is unrecognized (must be of type {KIND})")
    return body


def _check(wanted: dict[str, Any], config: Object) -> None:
    name = config["metadata"]["name"]
    if wanted.get("name") != name:
        raise bad_request(
            f"the name of the request ({wanted.get('name')}) is not that of the config ({name})"
        )
    if config["spec"].get("paused"):
        text = f'deployment config "{name}" is paused - unpause to request a new deployment'
        cause = Cause("FieldValueInvalid", f"Invalid value: true: {text}", "spec.paused")
        raise invalid_kind(GROUP, KIND, name, [cause])


def _unchanged(name: str) -> web.Response:
    """OpenShift says 201 and means 204; its clients look at the body."""
    message = f'deployment config "{name}" cannot be instantiated'
    return _json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "message": message, "code": 204}, 201)


def _json(body: object, status: int) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")
