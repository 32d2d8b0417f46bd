"""A tiny 3scale operator: installs what an APIManager stands for, and reverts what the real one reverts.

What it does and leaves alone is that of the 3scale operator 0.10 (for 3scale 2.13) and 0.12 (2.15), for the two Redis
databases. Whatever is missing is made again with its default. Labels and annotations are merged, so
foreign ones survive. An edit of `redis-config` survives too; in 2.15 it also restarts both databases, as
the ConfigMap's resourceVersion is an annotation of both pod templates. Replicas are left alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from aiohttp import web

from orchestrator.rehearsal.apierrors import ApiError
from orchestrator.rehearsal.controllers.base import owner_reference
from orchestrator.rehearsal.history import Event
from orchestrator.rehearsal.installation import (
    APIMANAGER,
    CONFIG_MAP,
    REDIS_WORKLOADS,
    RENAMED_COMMANDS,
    Installation,
)
from orchestrator.rehearsal.objects import Object, timestamp
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type

WATCHED = ("APIManager", "ConfigMap", "PersistentVolumeClaim", "Service", "ServiceAccount", "Deployment", "DeploymentConfig")

log = logging.getLogger(__name__)


class Operator:
    """Extension of the API server. It looks `delay_seconds` after a change, as a busy operator would."""

    def __init__(self, installation: Installation, *, delay_seconds: float = 0.2) -> None:
        self.ready = asyncio.Event()
        """Set once every workload has been ready."""
        self._installation = installation
        self._delay_seconds = delay_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._store = Store()

    async def start(self, store: Store, root: Path) -> None:
        """Makes the namespace, the Secrets and the APIManager, then installs what is missing."""
        self._store = store
        namespace, ours = self._installation.namespace, self._installation
        if store.find(resource_type("Namespace"), None, namespace) is None:
            store.create(resource_type("Namespace"), None, {"metadata": {"name": namespace}})
        for obj in (ours.apimanager(), *ours.secrets()):
            self._create_if_missing(obj)
        store.subscribe(self._notice)
        self._reconcile()

    async def stop(self) -> None:
        self._store.unsubscribe(self._notice)
        if self._timer:
            self._timer.cancel()

    def routes(self) -> Mapping[str, Callable[[web.Request, str, str], Awaitable[web.StreamResponse]]]:
        return {}

    def _notice(self, event: Event) -> None:
        namespace = event.object["metadata"].get("namespace")
        if event.rt.kind in WATCHED and namespace == self._installation.namespace:
            self._note_readiness()
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(self._delay_seconds, self._reconcile)

    def _reconcile(self) -> None:
        self._timer = None
        try:
            self._bring_about()
        except ApiError as error:
            log.warning("the operator was refused: %s", error)

    def _bring_about(self) -> None:
        apimanager = self._find("APIManager", APIMANAGER)
        if apimanager is None or "deletionTimestamp" in apimanager["metadata"]:
            return
        owner = [owner_reference(apimanager)]
        config_map = self._ensure(owned(self._installation.config_map(), owner))
        if self._installation.release != "2.13":
            config_map = self._change("ConfigMap", CONFIG_MAP, forbid_replication) or config_map
        for obj in self._installation.belongings(config_map["metadata"]["resourceVersion"]):
            self._ensure(owned(obj, owner))
        status = self._status()
        self._store.change(
            resource_type("APIManager"),
            self._installation.namespace,
            APIMANAGER,
            lambda stored: write_status(stored, status),
            subresource="status",
        )

    # The objects

    def _ensure(self, wanted: Object) -> Object:
        kind, name = wanted["kind"], wanted["metadata"]["name"]
        created = self._create_if_missing(wanted)
        return created or self._change(kind, name, lambda stored: merge(stored, wanted)) or wanted

    def _create_if_missing(self, wanted: Object) -> Object | None:
        if self._find(wanted["kind"], wanted["metadata"]["name"]):
            return None
        return self._store.create(resource_type(wanted["kind"]), self._installation.namespace, wanted)

    def _find(self, kind: str, name: str) -> Object | None:
        return self._store.find(resource_type(kind), self._installation.namespace, name)

    def _change(self, kind: str, name: str, change: Callable[[Object], None]) -> Object | None:
        return self._store.change(resource_type(kind), self._installation.namespace, name, change)

    # What it says

    def _note_readiness(self) -> None:
        if not self.ready.is_set() and self._status()["ready"] == list(REDIS_WORKLOADS):
            self.ready.set()

    def _status(self) -> dict[str, list[str]]:
        """Names of workloads by how they are: ready, starting, stopped."""
        found: dict[str, list[str]] = {"ready": [], "starting": [], "stopped": []}
        for name in REDIS_WORKLOADS:
            found[state_of(self._find(self._installation.workload_kind, name))].append(name)
        return found


def state_of(workload: Object | None) -> str:
    if workload is None:
        return "starting"
    wanted, status = workload["spec"].get("replicas", 1), workload.get("status") or {}
    if wanted == 0:
        return "stopped"
    is_seen = status.get("observedGeneration", 0) >= workload["metadata"].get("generation", 0)
    return "ready" if is_seen and status.get("readyReplicas", 0) >= wanted else "starting"


def owned(obj: Object, owner: list[Object]) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "ownerReferences": owner}}


def merge(stored: Object, wanted: Object) -> None:
    """The operator's labels and annotations into what is there, also of a pod template; nothing else."""
    merge_metadata(stored["metadata"], wanted["metadata"])
    template = (wanted.get("spec") or {}).get("template")
    if template:
        merge_metadata(stored["spec"]["template"].setdefault("metadata", {}), template["metadata"])


def merge_metadata(stored: Object, wanted: Object) -> None:
    for field in ("labels", "annotations"):
        if wanted.get(field):
            stored[field] = {**(stored.get(field) or {}), **wanted[field]}


def forbid_replication(config_map: Object) -> None:
    """2.15 appends two lines where they are missing, and keeps the rest of the text as it was edited."""
    data = config_map.setdefault("data", {})
    text = data.get("redis.conf", "")
    missing = [line for line in RENAMED_COMMANDS if line not in text]
    if missing:
        data["redis.conf"] = "\n".join([text, *missing]) + "\n"


def write_status(apimanager: Object, deployments: dict[str, list[str]]) -> None:
    """A workload without replicas doesn't count as missing: Available stays true."""
    status = apimanager.setdefault("status", {})
    available = "False" if deployments["starting"] else "True"
    before = next((one for one in status.get("conditions") or [] if one["type"] == "Available"), None)
    if before is None or before["status"] != available:
        before = {"type": "Available", "status": available, "lastTransitionTime": timestamp()}
    status["conditions"] = [before]
    status["deployments"] = {state: names for state, names in deployments.items() if names}
