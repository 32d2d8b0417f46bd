"""Files on system-storage, the routes that zync makes, and the objects of guide 9.5.1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.rest import Conflict
from orchestrator.drills.model.apps import HOOKS, PATHS, SETTLING, App, Hook, at_path, put
from orchestrator.drills.model.contents import DEFAULT_HOSTS
from orchestrator.drills.model.redis import Impossible
from orchestrator.drills.model.sql import SqlCluster
from orchestrator.errors import ClusterUnreachable
from orchestrator.port import HELPER, FileSeen, ObjectSeen, RouteSeen, TreeSeen, WorkloadSeen
from orchestrator.steps.serving import HELPERS

STORAGE_PATH: Final = "/opt/system/public/system"
TREE: Final = {"logo.png": "new logo", "kept.txt": "kept", "über/mail 1.txt": "new mail"}  # the bundle's
ZYNC_LOOKS: Final = 2  # for each thing that zync does
MADE: Final = 2  # looks until the operator has deployed a new installation

OBJECTS: Final = {  # of the bundle: kind/name -> values by key
    "Secret/system-smtp": {"address": "value-of-new", "port": "25"},
    "Secret/system-seed": {"MASTER_USER": "value-of-user"},
    "ConfigMap/system-environment": {"RAILS_ENV": "value-of-env"},
    "ConfigMap/redis-config": {"redis.conf": "value-of-conf"},
    "APIManager/apimanager": {"wildcardDomain": "apps.example"},
}


@dataclass(frozen=True)
class Route:
    name: str
    uid: str
    is_admitted: bool = True


@dataclass(frozen=True)
class Helper:
    """A pod of ours that has the claim of system-storage."""

    container: str
    settles_in: int = SETTLING
    is_over: bool = False


@dataclass
class StorageCluster(SqlCluster):
    is_s3: bool = False
    tree_files: dict[str, str] = field(default_factory=dict)
    stashes: dict[str, dict[str, str | None]] = field(default_factory=dict)  # stash -> what was there, None for nothing
    routes_of: dict[str, Route] = field(default_factory=dict)  # by host
    routes_made: int = 0
    zync_rests_for: int = ZYNC_LOOKS
    objects: dict[str, dict[str, str]] = field(default_factory=dict)
    uids: dict[str, str] = field(default_factory=dict)
    kept: dict[str, dict[str, str]] = field(default_factory=dict)  # Secrets of ours: what an object held before
    deploys_in: int = MADE
    helpers: dict[str, Helper] = field(default_factory=dict)
    helpers_made: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.is_fresh:
            return
        self.tree_files = {"logo.png": "old logo", "kept.txt": "kept", "only-here.txt": "stays"}
        self.routes_of = {host: Route(f"zync-{host}", f"old-{host}") for host in DEFAULT_HOSTS}
        self.objects = {
            "Secret/system-smtp": {"address": "value-of-old", "port": "25", "extra": "stays"},
            "ConfigMap/system-environment": {"RAILS_ENV": "value-of-env"},
        }
        self.uids = {what: f"old-{what}" for what in self.objects}

    def copy(self) -> Self:
        other = super().copy()
        other.tree_files, other.routes_of = dict(self.tree_files), dict(self.routes_of)
        other.stashes = {stash: dict(held) for stash, held in self.stashes.items()}
        other.helpers = dict(self.helpers)
        other.objects, other.uids, other.kept = dict(self.objects), dict(self.uids), dict(self.kept)
        return other

    # ---- time ------------------------------------------------------------------------------------

    def operate(self) -> None:
        super().operate()
        self.make_routes()
        self.settle_helpers()
        self.deploy()

    def settle_helpers(self) -> None:
        for name, helper in self.helpers.items():
            self.helpers[name] = replace(helper, settles_in=max(0, helper.settles_in - 1))

    def lose_helper(self, name: str, *, is_evicted: bool) -> None:
        """Deleted by somebody; or ended by its node, where it stays to be seen."""
        if is_evicted:
            self.helpers[name] = replace(self.helpers[name], is_over=True)
        else:
            del self.helpers[name]

    def make_routes(self) -> None:
        """sidekiq tells zync, zync-que makes the Route, the router admits it: one a while, while all three run."""
        waiting = [host for host, route in self.routes_of.items() if not route.is_admitted]
        due = [host for host in self.hosts_due if host not in self.routes_of]
        names = ("system-sidekiq", "zync", "zync-que")
        if not (waiting or due) or not all(self.apps[name].is_complete for name in names):
            return
        self.zync_rests_for -= 1
        if self.zync_rests_for:
            return
        self.zync_rests_for = ZYNC_LOOKS
        for host in waiting:
            self.routes_of[host] = replace(self.routes_of[host], is_admitted=True)
        for host in due[:1]:
            self.routes_made += 1
            self.routes_of[host] = Route(f"zync-{host}", f"new-{self.routes_made}", is_admitted=False)
            self.hosts_due = tuple(h for h in self.hosts_due if h != host)
        self.hosts_due = tuple(h for h in self.hosts_due if h not in self.routes_of)

    def deploy(self) -> None:
        """A new APIManager: the operator writes its defaults at the first look, and then makes the programs."""
        if not self.is_fresh or self.spec is None:
            return
        self.deploys_in -= 1
        if self.deploys_in == 0:
            for path in (path[:-1] for path in PATHS.values() if path):
                self.spec = self.spec if at_path(self.spec, path).is_there else put(self.spec, path, {})
        if self.deploys_in == -MADE:
            self.apps = {name: App(name, settles_in=2) for name in self.names()}
            self.hooks = {name: Hook(f"{name}-0", 1, "complete", 0) for name in HOOKS} if self.has_hooks else {}

    def stage(self, manager: str) -> str:
        found = super().stage(manager)
        if found or not self.is_fresh:
            return found
        return "" if self.apps and all(a.is_complete for a in self.apps.values()) else "system-app is not there"

    # ---- Reader ------------------------------------------------------------------------------------

    def workload(self, kind: str, name: str) -> WorkloadSeen | None:
        if kind != HELPER:
            return super().workload(kind, name)
        self.operate()
        helper = self.helpers.get(name)
        if helper is None:
            return None
        serves = not (helper.settles_in or helper.is_over)
        return WorkloadSeen(
            kind=HELPER, replicas=1, pods=int(not helper.is_over), is_complete=serves, pod=name if serves else "",
            waiting_for="" if serves else f"pod {name}: it has not started yet", container=helper.container if serves else "",
        )

    def app_in(self, pod: str, container: str) -> App:
        """The program that a pod belongs to; a helper stands for sidekiq."""
        helper = self.helpers.get(pod)
        if helper is None:
            if pod.startswith(HELPERS):
                raise ClusterUnreachable(f"there is no pod {pod} any more")
            return super().app_in(pod, container)
        if helper.container != container or helper.settles_in or helper.is_over:
            raise ClusterUnreachable(f"pod {pod} was replaced meanwhile")
        return self.apps["system-sidekiq"]

    def tree(self, workload: WorkloadSeen, source: str, path: str, stash: str) -> TreeSeen:
        self.app_in(workload.pod, workload.container)
        same = [name for name, content in TREE.items() if self.tree_files.get(name) == content]
        differing = [name for name in TREE if name in self.tree_files and name not in same]
        held = self.stashes.get(stash, {})
        return TreeSeen(
            same=len(same), missing=len(TREE) - len(same) - len(differing), differing=len(differing),
            extra=len(self.tree_files.keys() - TREE.keys()), created=list(held.values()).count(None),
            replaced=len(held) - list(held.values()).count(None), has_stash=stash in self.stashes,
        )

    def routes(self) -> tuple[RouteSeen, ...]:
        self.operate()
        return tuple(
            RouteSeen(name=route.name, host=host, uid=route.uid, is_admitted=route.is_admitted)
            for host, route in sorted(self.routes_of.items())
        )

    def object(self, kind: str, name: str, source: str, stash: str) -> ObjectSeen:
        """Every value of the file has to be there; what only the cluster has is extra."""
        what = f"{kind}/{name}"
        wanted, found = OBJECTS[what], self.held(what)
        if found is None:
            return ObjectSeen(is_there=False, missing=tuple(wanted), stash=stash if stash in self.kept else "")
        return ObjectSeen(
            is_there=True, uid=self.uids[what], missing=tuple(k for k in wanted if k not in found),
            differing=tuple(k for k in wanted if k in found and found[k] != wanted[k]),
            extra=tuple(k for k in found if k not in wanted), stash=stash if stash in self.kept else "",
        )

    def stash(self, name: str) -> str:
        return f"uid of {name}" if name in self.kept else ""

    def files(
        self, workload: WorkloadSeen, paths: Sequence[str], *, digests: bool = False
    ) -> Mapping[str, FileSeen | None]:
        if workload.pod.rpartition("-")[0] != "system-sidekiq":
            return super().files(workload, paths, digests=digests)
        return {path: FileSeen(size_bytes=0, is_directory=True) if path in self.stashes else None for path in paths}

    def held(self, what: str) -> dict[str, str] | None:
        if what == "APIManager/apimanager":
            return None if self.spec is None else dict(self.spec["spec"])
        return self.objects.get(what)

    # ---- Cluster -----------------------------------------------------------------------------------

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        at: dict[str, Any] = {"step": step, "attempt": attempt}
        match effect:
            case fx.ApplyObject():
                yield from self.apply(effect, at)
            case fx.PutObjectBack():
                yield self.put_object_back(effect, at)
            case fx.StartHelper():
                if effect.helper in self.helpers:
                    raise Conflict("there is such a pod already")
                self.helpers_made += 1
                self.helpers[effect.helper] = Helper(f"helper-{self.helpers_made}")
                yield ev.HelperStarted(**at, pod=effect.helper, workload=effect.workload, path=effect.path)
            case fx.RemoveHelper():
                self.helpers.pop(effect.helper, None)
                yield ev.HelperRemoved(**at, pod=effect.helper)
            case fx.RemoveStash():
                del self.kept[effect.stash]
                yield ev.StashRemoved(**at, stash=effect.stash)
            case fx.DeleteRoute():
                if effect.host not in self.routes_of or self.routes_of[effect.host].uid != effect.uid:
                    raise Conflict("another Route has its name")
                del self.routes_of[effect.host]
                yield ev.RouteDeleted(**at, route=effect.route, host=effect.host)
            case _:
                yield from super().perform(effect, step=step, attempt=attempt)

    def in_pod(self, effect: fx.InPod, at: dict[str, Any]) -> Iterator[ev.EffectFact]:
        match effect:
            case fx.SyncTree():
                yield from self.sync(effect, at)
            case fx.PutTreeBack():
                yield from self.put_tree_back(effect, at)
            case fx.RemovePath() if effect.path in self.stashes:
                del self.stashes[effect.path]
                yield ev.FileRemoved(**at, pod=effect.pod, path=effect.path)
            case _:
                yield from super().in_pod(effect, at)

    def sync(self, effect: fx.SyncTree, at: dict[str, Any]) -> Iterator[ev.EffectFact]:
        """One file after the other: set aside, or noted as created, before the new one appears."""
        self.app_at(effect)
        held = self.stashes.setdefault(effect.stash, {})
        for name, content in TREE.items():
            if self.tree_files.get(name) != content:
                held.setdefault(name, self.tree_files.get(name))
                self.tree_files[name] = content
                yield ev.FileChunkCopied(**at, pod=effect.pod, path=name, offset_bytes=0, size_bytes=1, sha256="")
        if effect.workload == "system-app":
            raise Impossible("system-app is stopped: it has no pod to copy to (T3)")
        yield ev.DirectorySynced(**at, pod=effect.pod, path=effect.path, files=1, size_bytes=1, replaced=len(held))

    def put_tree_back(self, effect: fx.PutTreeBack, at: dict[str, Any]) -> Iterator[ev.EffectFact]:
        self.app_at(effect)
        held = self.stashes.get(effect.stash, {})
        for name in list(held):
            before = held.pop(name)
            if before is None:
                self.tree_files.pop(name, None)
            else:
                self.tree_files[name] = before
            yield ev.FileRemoved(**at, pod=effect.pod, path=name)
        self.stashes.pop(effect.stash, None)
        yield ev.DirectoryPutBack(**at, pod=effect.pod, path=effect.path)

    def apply(self, effect: fx.ApplyObject, at: dict[str, Any]) -> Iterator[ev.EffectFact]:
        what = f"{effect.kind}/{effect.name}"
        if self.uids.get(what, "") != effect.uid:
            raise Conflict("another object has its name")
        found = self.held(what)
        if found is not None and effect.stash not in self.kept:
            self.kept[effect.stash] = dict(found)
        new = {**(found or {}), **OBJECTS[what]}
        if effect.kind == "APIManager":
            self.spec = {"spec": new}
        else:
            self.objects[what] = new
        self.uids.setdefault(what, f"new-{what}")
        is_new = found is None
        match effect.kind:
            case "Secret":
                yield ev.SecretApplied(**at, secret=effect.name, is_new=is_new)
            case "ConfigMap":
                yield ev.ConfigMapApplied(**at, configmap=effect.name, is_new=is_new)
            case _:
                yield ev.ManagerCreated(**at, manager=effect.name)

    def put_object_back(self, effect: fx.PutObjectBack, at: dict[str, Any]) -> ev.EffectFact:
        what = f"{effect.kind}/{effect.name}"
        if effect.uid != self.uids.get(what, ""):
            raise Conflict("another object has its name")
        if effect.stash:
            if effect.stash not in self.kept:
                raise ClusterUnreachable("the stash is not there")
            self.objects[what] = self.kept.pop(effect.stash)
            return ev.ObjectPutBack(**at, kind=effect.kind, object=effect.name)
        if effect.kind == "APIManager":
            self.spec, self.apps, self.hooks, self.deploys_in = None, {}, {}, MADE
        self.objects.pop(what, None)
        self.uids.pop(what, None)
        return ev.ObjectDeleted(**at, kind=effect.kind, object=effect.name)

    def digest(self) -> dict[str, Any]:
        return super().digest() | {
            "tree": self.tree_files, "helpers": sorted(self.helpers), "stashes": sorted(self.stashes), "objects": self.objects, "kept": sorted(self.kept),
            "routes": sorted((host, route.is_admitted) for host, route in self.routes_of.items()),
        }  # fmt: skip
