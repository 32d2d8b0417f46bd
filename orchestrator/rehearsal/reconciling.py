"""One look of the operator at its installation: what it makes, what it puts back, and what it leaves alone.

The order is that of the 3scale operator (`apimanager_controller.go`): databases, backend, memcached, search,
system, zync, apicast; a part that is not as far as it should be stops the later ones. Whatever is missing is made
again with its default. Labels and annotations are merged, so foreign ones survive. Secrets get their missing
keys only, ConfigMaps none, but for apicast-environment, which follows the APIManager. Replicas are written
where the APIManager says some, never for databases.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from orchestrator.rehearsal.components import apimanager as resource
from orchestrator.rehearsal.components.apicast import apicast_objects
from orchestrator.rehearsal.components.backend import backend_objects
from orchestrator.rehearsal.components.configmaps import (
    apicast_environment,
    backend_configs,
    mysql_configs,
    system_configs,
)
from orchestrator.rehearsal.components.databases import database_objects
from orchestrator.rehearsal.components.search import SEARCHD, reindex_job, search_objects
from orchestrator.rehearsal.components.secrets import COMPONENTS, all_secrets
from orchestrator.rehearsal.components.system import (
    app_workload,
    memcache_objects,
    sidekiq_workload,
    system_services,
)
from orchestrator.rehearsal.components.zync import zync_objects
from orchestrator.rehearsal.controllers.base import is_deleting, owner_reference
from orchestrator.rehearsal.hookjobs import HookJobs, is_rolled_out
from orchestrator.rehearsal.installation import RENAMED_COMMANDS, Installation
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type
from orchestrator.rehearsal.volumes import data_of

WORKLOADS = ("Deployment", "DeploymentConfig")


class Blocked(Exception):
    """A part of the installation keeps the operator from the later ones. The message says why."""


class Reconciler:
    """Acts on the objects of one namespace for the APIManager it is given."""

    def __init__(self, store: Store, installation: Installation) -> None:
        self._store = store
        self._installation = installation

    def run(self, apimanager: Object) -> None:
        """Does what there is to do now. Blocked when a part has to get further before the next one's turn."""
        parts = _Parts(self._store, installation_of(self._installation, apimanager), apimanager)
        if self._installation.scope == "redis":
            parts.redis()
            return
        for part in (parts.secrets, parts.databases, parts.backend, parts.memcached, parts.search,
                     parts.system, parts.zync, parts.apicast):  # fmt: skip
            part()


class _Parts:
    """The parts of one installation, each brought as far as it goes now."""

    def __init__(self, store: Store, installation: Installation, apimanager: Object) -> None:
        self._store = store
        self._site = installation
        self._spec: Object = apimanager["spec"]
        self._owner = [owner_reference(apimanager)]

    def secrets(self) -> None:
        namespace, rt = self._site.namespace, resource_type("Secret")
        there = {name: found for name in COMPONENTS if (found := self._store.find(rt, namespace, name))}
        texts = {name: {key: text.decode(errors="replace") for key, text in data_of(obj).items()} for name, obj in there.items()}
        for wanted in all_secrets(self._site, texts, lambda: secrets.token_hex(12)):
            name = wanted["metadata"]["name"]
            missing = wanted["stringData"].keys() - texts.get(name, {}).keys()
            if name not in there:
                self._store.create(rt, namespace, wanted)
            elif missing:
                self._change("Secret", name, partial(add, {key: wanted["stringData"][key] for key in missing}))
        if self._site.has_deployments:
            self._change("Secret", "system-redis", forget_namespace)

    def redis(self) -> None:
        """Both Redis databases. In 2.15 an edit of their ConfigMap restarts them."""
        config_map = self._ensure(self._site.config_map(), merged=True)
        if self._site.has_deployments:
            config_map = self._change("ConfigMap", config_map["metadata"]["name"], forbid_replication) or config_map
        for obj in self._site.belongings(config_map["metadata"]["resourceVersion"]):
            self._ensure(obj, merged=True)

    def databases(self) -> None:
        if self._site.database == "mysql":
            self._ensure_all(mysql_configs())
        secret = self._store.get(resource_type("Secret"), self._site.namespace, "system-database")
        self.redis()
        self._ensure_all(database_objects(self._site, data_of(secret)["URL"].decode()))

    def backend(self) -> None:
        self._ensure_all([*backend_configs(), *backend_objects(self._site)])

    def memcached(self) -> None:
        self._ensure_all(memcache_objects(self._site))

    def search(self) -> None:
        self._ensure_all(search_objects(self._site))
        if not self._site.has_deployments:
            return
        if not is_rolled_out(self._find("Deployment", SEARCHD)):
            raise Blocked(f"{SEARCHD} is not ready")
        self._ensure(reindex_job(self._site))

    def system(self) -> None:
        """In 2.15 a hook that is not through keeps system-app from being touched, but not what follows."""
        self._ensure_all([*system_configs(self._site), *system_services(self._site)])
        app, sidekiq = app_workload(self._site), sidekiq_workload(self._site)
        if self._site.has_deployments:
            hooks = HookJobs(self._store, self._site, self._ensure)
            why = hooks.make_way()
            if why:
                raise Blocked(why)
            if hooks.is_prepared():
                self._ensure(app)
            hooks.finish()
        else:
            self._ensure(app)
        self._ensure(sidekiq)

    def zync(self) -> None:
        self._ensure_all(zync_objects(self._site))

    def apicast(self) -> None:
        wanted = apicast_environment(self._spec.get("apicast") or {})
        self._ensure(wanted)
        self._change("ConfigMap", wanted["metadata"]["name"], lambda stored: _put_back(stored, wanted["data"]))
        self._ensure_all(apicast_objects(self._site, wanted["data"]))

    # The objects

    def _ensure_all(self, objects: list[Object]) -> None:
        for obj in objects:
            self._ensure(obj)

    def _ensure(self, wanted: Object, *, merged: bool = False) -> Object:
        """Makes what is missing, whole. Of what is there, a workload is looked after, and what is `merged`."""
        kind, name = wanted["kind"], wanted["metadata"]["name"]
        replicas = resource.wanted_replicas(self._spec, name) if kind in WORKLOADS else None
        found = self._find(kind, name)
        if found is None:
            owned = {**wanted, "metadata": {**wanted["metadata"], "ownerReferences": self._owner}}
            if replicas is not None:
                owned = {**owned, "spec": {**owned["spec"], "replicas": replicas}}
            return self._store.create(resource_type(kind), self._site.namespace, owned)
        if kind not in WORKLOADS and not merged:
            return found

        def write(stored: Object) -> None:
            merge(stored, wanted)
            if replicas is not None:
                stored["spec"]["replicas"] = replicas

        return self._change(kind, name, write) or found

    def _find(self, kind: str, name: str) -> Object | None:
        return self._store.find(resource_type(kind), self._site.namespace, name)

    def _change(self, kind: str, name: str, change: Callable[[Object], None]) -> Object | None:
        found = self._find(kind, name)
        if found is None or is_deleting(found):
            return found
        before = self._store.peek(resource_type(kind), self._site.namespace, name)
        change(found)
        if found == before:
            return found
        return self._store.change(resource_type(kind), self._site.namespace, name, change)


def installation_of(installation: Installation, apimanager: Object) -> Installation:
    """What the APIManager asks for: its domain and tenant, and the system database it names."""
    spec = apimanager["spec"]
    chosen = (spec.get("system") or {}).get("database") or {}
    return replace(
        installation,
        database="postgresql" if "postgresql" in chosen else "mysql",
        wildcard_domain=str(spec["wildcardDomain"]),
        tenant=str(spec.get("tenantName") or "3scale"),
    )



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


def add(missing: Mapping[str, str], secret: Object) -> None:
    secret["stringData"] = dict(missing)


def forget_namespace(secret: Object) -> None:
    """2.15 takes a key away that older releases had."""
    (secret.get("data") or {}).pop("NAMESPACE", None)


def _put_back(config_map: Object, data: Object) -> None:
    config_map["data"] = {**(config_map.get("data") or {}), **data}
