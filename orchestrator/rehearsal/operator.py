"""A tiny 3scale operator: installs what an APIManager stands for, and reverts what the real one reverts.

What it does and leaves alone is that of the 3scale operator 0.8 to 0.12 (for 3scale 2.11 to 2.15); the order and the
rules are in `reconciling`. Of a whole installation its own Deployment is a part: without a ready pod of it
nothing is reconciled. A reconciliation that fails is tried again after a second, where the real one takes
five seconds and more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from aiohttp import web

from orchestrator.rehearsal.apierrors import ApiError
from orchestrator.rehearsal.apimanagerstatus import (
    are_admitted,
    preflight_failure,
    state_of,
    write_status,
)
from orchestrator.rehearsal.components.apimanager import default_hosts, set_defaults
from orchestrator.rehearsal.components.search import REINDEX_JOB
from orchestrator.rehearsal.components.system import POST_JOB, PRE_JOB
from orchestrator.rehearsal.controllers.base import is_deleting
from orchestrator.rehearsal.controllers.conditions import find_condition
from orchestrator.rehearsal.history import Event
from orchestrator.rehearsal.hookjobs import is_complete, is_rolled_out
from orchestrator.rehearsal.installation import OPERATOR, Installation
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.reconciling import Blocked, Reconciler, installation_of
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type

WATCHED = (
    "APIManager", "ConfigMap", "PersistentVolumeClaim", "Service", "ServiceAccount", "Deployment", "DeploymentConfig",
    "Route", "Job",
)  # fmt: skip
AGAIN_SECONDS = 1.0

log = logging.getLogger(__name__)


class Operator:
    """Extension of the API server. It looks `delay_seconds` after a change, as a busy operator would.

    `fresh` is a namespace in which the operator is installed, and nobody has asked it for anything yet.
    """

    def __init__(self, installation: Installation, *, delay_seconds: float = 0.2, fresh: bool = False) -> None:
        self.ready = asyncio.Event()
        """Set once all that there should be has been ready: every workload and route, or the operator alone."""
        self._installation = installation
        self._delay_seconds = delay_seconds
        self._fresh = fresh
        self._timer: asyncio.TimerHandle | None = None
        self._blocked_by = ""
        self._store = Store()

    async def start(self, store: Store, root: Path) -> None:
        """Makes the namespace and the operator's Deployment; unless `fresh`, also the APIManager and what it is for."""
        self._store = store
        namespace, ours = self._installation.namespace, self._installation
        if store.find(resource_type("Namespace"), None, namespace) is None:
            store.create(resource_type("Namespace"), None, {"metadata": {"name": namespace}})
        first = [ours.operator()] if ours.scope == "whole" else ours.secrets()
        for obj in first if self._fresh else [*first, ours.apimanager()]:
            if store.find(resource_type(obj["kind"]), namespace, obj["metadata"]["name"]) is None:
                store.create(resource_type(obj["kind"]), namespace, obj)
        store.subscribe(self._notice)
        self._reconcile()

    async def stop(self) -> None:
        self._store.unsubscribe(self._notice)
        if self._timer:
            self._timer.cancel()

    def routes(self) -> Mapping[str, Callable[[web.Request, str, str], Awaitable[web.StreamResponse]]]:
        return {}

    # When it looks

    def _notice(self, event: Event) -> None:
        namespace = event.object["metadata"].get("namespace")
        if event.rt.kind in WATCHED and namespace == self._installation.namespace:
            self._note_readiness()
            self._look_after(self._delay_seconds)

    def _look_after(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._reconcile)

    def _reconcile(self) -> None:
        self._timer = None
        apimanager = next(self._store.scan(resource_type("APIManager"), self._installation.namespace), None)
        if apimanager is None or is_deleting(apimanager) or not self._is_running():
            return
        try:
            self._bring_about(apimanager["metadata"]["name"])
        except ApiError as error:
            log.warning("the operator was refused: %s", error)
            self._look_after(AGAIN_SECONDS)

    def _is_running(self) -> bool:
        if self._installation.scope == "redis":
            return True
        deployment = self._store.find(resource_type("Deployment"), self._installation.namespace, OPERATOR)
        return bool(((deployment or {}).get("status") or {}).get("availableReplicas"))

    def _bring_about(self, name: str) -> None:
        rt, namespace = resource_type("APIManager"), self._installation.namespace
        apimanager = self._store.get(rt, namespace, name)
        if self._has_preflights and preflight_failure(apimanager):
            self._say(apimanager)
            return
        installation = installation_of(self._installation, apimanager)
        apimanager = self._store.change(rt, namespace, name, lambda obj: set_defaults(obj, installation)) or apimanager
        try:
            Reconciler(self._store, self._installation).run(apimanager)
            self._blocked_by = ""
        except Blocked as blocked:
            if str(blocked) != self._blocked_by:
                log.info("the operator goes no further: %s", blocked)
            self._blocked_by = str(blocked)
            self._look_after(AGAIN_SECONDS)
        self._say(apimanager)

    @property
    def _has_preflights(self) -> bool:
        return self._installation.scope == "whole" and self._installation.has_deployments

    # What it says

    def _say(self, apimanager: Object) -> None:
        installation = installation_of(self._installation, apimanager)
        deployments = self._states(installation)
        available = not deployments["starting"] and self._has_routes(installation)
        self._store.change(
            resource_type("APIManager"),
            installation.namespace,
            apimanager["metadata"]["name"],
            lambda stored: write_status(stored, deployments, available=available, preflights=self._has_preflights),
            subresource="status",
        )

    def _note_readiness(self) -> None:
        if self.ready.is_set():
            return
        if self._fresh:
            is_ready = self._is_running()
        else:
            states = self._states(self._installation)
            is_ready = not states["starting"] and not states["stopped"] and self._has_routes(self._installation)
            is_ready = is_ready and self._is_settled()
        if is_ready:
            self.ready.set()

    def _is_settled(self) -> bool:
        """Nothing is amid a rollout, and the Jobs are through: what comes next meets an installation at rest."""
        if self._installation.scope == "redis":
            return True
        there = self._named(self._installation.workload_kind)
        workloads = [there.get(name) for name in self._installation.workloads()]
        if not self._installation.has_deployments:
            return all(is_complete_rollout(workload) for workload in workloads)
        jobs = self._named("Job")
        through = all(is_complete(jobs.get(name)) for name in (PRE_JOB, POST_JOB, REINDEX_JOB))
        return through and all(is_rolled_out(workload) for workload in workloads)

    def _states(self, installation: Installation) -> dict[str, list[str]]:
        """Names of workloads by how they are: ready, starting, stopped."""
        found: dict[str, list[str]] = {"ready": [], "starting": [], "stopped": []}
        there = self._named(installation.workload_kind)
        for name in installation.workloads():
            found[state_of(there.get(name))].append(name)
        return found

    def _named(self, kind: str) -> dict[str, Object]:
        """The objects of a kind by name, to be looked at only: they are no copies."""
        return {obj["metadata"]["name"]: obj for obj in self._store.scan(resource_type(kind), self._installation.namespace)}

    def _has_routes(self, installation: Installation) -> bool:
        if installation.scope == "redis":
            return True
        routes = self._store.scan(resource_type("Route"), installation.namespace)
        return are_admitted(routes, default_hosts(installation))


def is_complete_rollout(config: Object | None) -> bool:
    """Whether the newest rollout of a DeploymentConfig has come to its end, with its hooks."""
    progressing = find_condition(((config or {}).get("status") or {}).get("conditions") or [], "Progressing")
    return progressing is not None and progressing.get("reason") == "NewReplicationControllerAvailable"
