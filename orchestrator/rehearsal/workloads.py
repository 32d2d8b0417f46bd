"""Pods and controllers as one extension of the API server.

await serve(root, extensions=[Workloads(recipes=[("*/redis-*", RedisRecipe())])])
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from aiohttp import web

from orchestrator.rehearsal.controllers.base import Controller, WorkQueue
from orchestrator.rehearsal.controllers.claims import Claims
from orchestrator.rehearsal.controllers.deploymentconfigs import DeploymentConfigs
from orchestrator.rehearsal.controllers.deployments import Deployments
from orchestrator.rehearsal.controllers.jobs import Jobs
from orchestrator.rehearsal.controllers.replicasets import ReplicaSets
from orchestrator.rehearsal.controllers.replicationcontrollers import ReplicationControllers
from orchestrator.rehearsal.controllers.routes import Routes
from orchestrator.rehearsal.environments import NODE_NAME, POD_ADDRESS
from orchestrator.rehearsal.execs import serve_exec
from orchestrator.rehearsal.images import Recipe
from orchestrator.rehearsal.instantiate import serve_instantiate
from orchestrator.rehearsal.kubelet import NODE_LABELS, Kubelet
from orchestrator.rehearsal.logs import serve_log
from orchestrator.rehearsal.objects import Object, timestamp
from orchestrator.rehearsal.podrunner import POD
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type

Handler = Callable[[web.Request, str, str], Awaitable[web.StreamResponse]]
NODE = resource_type("Node")


class Workloads:
    """A node with its kubelet, and the controllers of the workload kinds.

    `recipes` say what runs behind which image. Without `openshift` there is nobody to care for
    DeploymentConfigs and Routes, as on a Kubernetes where they are a mere custom resource.
    """

    def __init__(self, recipes: Sequence[tuple[str, Recipe]] = (), *, openshift: bool = True) -> None:
        self._recipes = recipes
        self._openshift = openshift
        self._routes: dict[str, Handler] = {}
        self._kubelet: Kubelet | None = None
        self._queue: WorkQueue | None = None

    async def start(self, store: Store, root: Path) -> None:
        """Starts everything on the objects of `store`; `root` is where pods and claims live."""
        root = root.resolve()
        _register_node(store)
        self._kubelet = Kubelet(store, root, self._recipes)
        self._queue = WorkQueue(store, self._controllers(store, root))
        self._routes |= {
            "pods/exec": partial(serve_exec, store, self._kubelet),
            "pods/log": partial(serve_log, store, self._kubelet),
            "pods/eviction": partial(_evict, store),
        }
        if self._openshift:
            self._routes["deploymentconfigs/instantiate"] = partial(serve_instantiate, store)
        self._kubelet.start()
        self._queue.start()

    async def stop(self) -> None:
        """Ends the controllers first, so that nothing is started again, then every process."""
        if self._queue:
            self._queue.stop()
        if self._kubelet:
            await self._kubelet.stop()

    def routes(self) -> Mapping[str, Handler]:
        """The subresources served here, by `resource/subresource`."""
        return self._routes

    def _controllers(self, store: Store, root: Path) -> list[Controller]:
        controllers: list[Controller] = [
            Claims(store, root),
            ReplicaSets(store),
            ReplicationControllers(store),
            Deployments(store),
            Jobs(store),
        ]
        return [*controllers, DeploymentConfigs(store), Routes(store)] if self._openshift else controllers


def _register_node(store: Store) -> None:
    if store.find(NODE, None, NODE_NAME):
        return
    store.create(NODE, None, {"metadata": {"name": NODE_NAME, "labels": NODE_LABELS}})

    def write(node: Object) -> None:
        now = timestamp()
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "kubelet is posting ready status",
        }
        node["status"] = {
            "conditions": [{**ready, "lastHeartbeatTime": now, "lastTransitionTime": now}],
            "addresses": [
                {"type": "InternalIP", "address": POD_ADDRESS},
                {"type": "Hostname", "address": NODE_NAME},
            ],
        }

    store.change(NODE, None, NODE_NAME, write, subresource="status")


async def _evict(store: Store, request: web.Request, namespace: str, name: str) -> web.StreamResponse:
    """The handler of `pods/eviction`. There are no disruption budgets, so it is a delete."""
    await request.read()
    store.delete(POD, namespace, name)
    success = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    return web.Response(body=json.dumps(success).encode(), status=201, content_type="application/json")
