"""3scale's own programs on top of the two Redis: the APIManager, its operator, rollouts and hook Jobs.

Time passes by looks: with each one pods start and stop, Jobs run, and the operator acts on what it has not
seen yet. What a release does differently is in `flavour`, as its operator's source says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.rest import Conflict
from orchestrator.drills.model.redis import Impossible, ModelCluster
from orchestrator.errors import ClusterUnreachable
from orchestrator.installation import AppWorkload, Manager
from orchestrator.port import FieldSeen, JobSeen, WorkloadSeen

MANAGER: Final = "apimanager"
DOMAIN: Final = "apps.example"
PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "system-app": ("spec", "system", "appSpec", "replicas"),
    "system-sidekiq": ("spec", "system", "sidekiqSpec", "replicas"),
    "system-sphinx": (), "system-searchd": (), "system-memcache": (),
    "backend-listener": ("spec", "backend", "listenerSpec", "replicas"),
    "backend-worker": ("spec", "backend", "workerSpec", "replicas"),
    "backend-cron": ("spec", "backend", "cronSpec", "replicas"),
    "zync": ("spec", "zync", "appSpec", "replicas"),
    "zync-que": ("spec", "zync", "queSpec", "replicas"),
    "apicast-production": ("spec", "apicast", "productionSpec", "replicas"),
}  # fmt: skip
NEED_SYSTEM_APP: Final = ("system-sidekiq", "system-sphinx", "apicast-production")  # their init containers wait (T11)
HOOKS: Final = ("system-app-pre", "system-app-post")
SETTLING, STOPPING, HOOK_LOOKS = 2, 2, 2  # looks that something takes


@dataclass(frozen=True)
class App:
    """One workload that is no Redis. container: counts the pods that have served."""

    name: str
    replicas: int = 1
    generation: int = 1
    revision: int = 1
    restarted_at: str | None = None
    container: int = 1
    settles_in: int = 0
    stopping: int = 0
    stops_in: int = 0
    has_failed: bool = False  # the newest rollout was given up

    @property
    def is_complete(self) -> bool:
        return bool(self.replicas) and not (self.settles_in or self.stopping or self.has_failed)


@dataclass(frozen=True)
class Hook:
    uid: str
    generation: int
    state: str = "running"
    ends_in: int = HOOK_LOOKS


@dataclass
class AppsCluster(ModelCluster):
    """original: what the APIManager says of every program's replicas, None for nothing."""

    original: int | None = None
    running: int = 2  # replicas of each program at the beginning
    is_fresh: bool = False
    apps: dict[str, App] = field(default_factory=dict)
    spec: dict[str, Any] | None = None  # of the APIManager
    hooks: dict[str, Hook] = field(default_factory=dict)
    hooks_made: int = 0
    rests_for: int = 0  # looks before the operator acts on what there is to do
    doomed_hooks: int = 0  # so many of the next ones fail
    doomed_rollouts: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.flavour in ("2.11", "2.12") and self.original is None:
            self.original = self.running  # these operators write a number where there is none
        self.running = self.original or self.running
        self.spec = None if self.is_fresh else self.first_spec()
        self.apps = {} if self.is_fresh else {name: App(name, self.number_of(name)) for name in self.names()}
        if self.has_hooks and not self.is_fresh:
            self.hooks = {name: Hook(f"{name}-0", 1, "complete", 0) for name in HOOKS}

    def copy(self) -> Self:
        other = super().copy()
        other.apps, other.hooks = dict(self.apps), dict(self.hooks)
        return other

    def names(self) -> list[str]:
        left_out = "system-sphinx" if self.flavour in ("2.14", "2.15") else "system-searchd"
        return [name for name in PATHS if name != left_out]

    def number_of(self, name: str) -> int:
        return self.running if PATHS[name] else 1

    def first_spec(self) -> dict[str, Any] | None:
        """After the operator's first look every object around a number is there, at least empty."""
        if self.flavour == "plain":
            return None
        spec: dict[str, Any] = {"spec": {"wildcardDomain": DOMAIN}}
        for path in PATHS.values():
            if path:
                spec = put(spec, path[:-1], {})
                spec = spec if self.original is None else put(spec, path, self.original)
        return spec

    @property
    def has_hooks(self) -> bool:
        return self.flavour == "2.15"

    # ---- time ------------------------------------------------------------------------------------

    def operate(self) -> None:
        super().operate()
        for name in list(self.hooks):
            self.run_hook(name)
        self.operate_manager()
        for app in list(self.apps.values()):  # last: a pod that was started just now is not ready yet
            self.settle(app)

    def settle(self, app: App) -> None:
        if not (app.stopping or app.settles_in):
            return
        if app.stopping:
            gone = app.stops_in <= 1
            app = replace(app, stopping=0 if gone else app.stopping, stops_in=app.stops_in - 1)
        waits = app.name in NEED_SYSTEM_APP and not self.apps["system-app"].is_complete
        if app.settles_in and not (waits and app.settles_in == 1):
            app = replace(app, settles_in=app.settles_in - 1)
            if not app.settles_in and app.name == "system-app" and not self.has_hooks and app.revision > 1:
                self.rewrite_backend()  # the post hook of a DeploymentConfig's rollout
        self.apps[app.name] = app

    def run_hook(self, name: str) -> None:
        hook = self.hooks[name]
        if hook.state != "running":
            return
        if hook.ends_in > 1:
            self.hooks[name] = replace(hook, ends_in=hook.ends_in - 1)
            return
        fails = self.doomed_hooks > 0 or not self.can_boot()
        self.doomed_hooks = max(0, self.doomed_hooks - 1)
        self.hooks[name] = replace(hook, state="failed" if fails else "complete")
        if not fails and name == "system-app-pre":
            self.migrate()
        elif not fails:
            self.rewrite_backend()

    def can_boot(self) -> bool:
        """`rake boot` asks the database, both Redis and the backend (trap T6)."""
        return self.apps["backend-listener"].is_complete

    def migrate(self) -> None:
        """What the pre hook does to the database; there is none in this part of the model."""

    def rewrite_backend(self) -> None:
        """What the post hook does: write into backend-redis what is missing there."""

    # ---- the operator ------------------------------------------------------------------------------

    def operate_manager(self) -> None:
        act = self.next_act()
        if act is None:
            self.rests_for = self.operator_looks
        elif self.rests_for > 1:
            self.rests_for -= 1
        else:
            self.rests_for = self.operator_looks
            act()

    def next_act(self) -> Callable[[], None] | None:
        """One strict sequence; what is in the way in one stage keeps the later ones waiting."""
        if self.spec is None or not self.apps:
            return None
        if self.has_hooks and self.hooks_are_due():
            return self.run_hooks_again if all(h.state == "complete" for h in self.hooks.values()) else None
        if self.has_hooks and self.hooks.get(HOOKS[0], Hook("", 0)).state != "complete":
            return None
        for name, app in self.apps.items():
            wanted = self.wanted(name)
            if wanted is not None and wanted != app.replicas:
                return lambda name=name, wanted=wanted: self.scale(name, wanted)  # type: ignore[misc]
        if self.has_hooks and HOOKS[1] not in self.hooks:
            return lambda: self.make_hook(HOOKS[1])
        return None

    def hooks_are_due(self) -> bool:
        first = self.hooks.get(HOOKS[0])
        return first is None or first.generation != self.apps["system-app"].generation

    def run_hooks_again(self) -> None:
        self.hooks.clear()
        self.make_hook(HOOKS[0])

    def make_hook(self, name: str) -> None:
        self.hooks_made += 1
        self.hooks[name] = Hook(f"{name}-{self.hooks_made}", self.apps["system-app"].generation)

    def wanted(self, name: str) -> int | None:
        """The number in the APIManager, where there is one (T7)."""
        found = at_path(self.spec, PATHS.get(name, ()))
        return found.value if found.is_there else None

    def scale(self, name: str, replicas: int) -> None:
        app = self.apps[name]
        fewer, more = max(0, app.replicas - replicas), max(0, replicas - app.replicas)
        self.apps[name] = replace(
            app, replicas=replicas, generation=app.generation + 1, stopping=app.stopping + fewer,
            stops_in=STOPPING if fewer else app.stops_in, settles_in=SETTLING if more else app.settles_in,
            container=app.container + (more > 0 and app.replicas == 0),
        )

    # ---- Reader ------------------------------------------------------------------------------------

    def workload(self, kind: str, name: str) -> WorkloadSeen | None:
        if name in self.servers:
            return super().workload(kind, name)
        self.operate()
        app = self.apps.get(name)
        if app is None or kind != self.kind:
            return None
        pod = self.pod_name(name, app.container) if app.is_complete else ""
        return WorkloadSeen(
            kind=kind, replicas=app.replicas, is_complete=app.is_complete, revision=str(app.revision),
            waiting_for="" if app.is_complete else f"{name}: {self.waits_for(app)}", restarted_at=app.restarted_at, pod=pod,
            container=str(app.container) if pod else "", generation=str(app.generation), pods=app.replicas + app.stopping,
        )

    def waits_for(self, app: App) -> str:
        if app.has_failed:
            return f"rollout {app.revision} is Failed"
        return "it is scaled to 0" if not app.replicas else "its pods are not ready"

    def field(self, manager: str, path: Sequence[str]) -> FieldSeen | None:
        self.operate()
        return None if self.spec is None else at_path(self.spec, path)

    def stage(self, manager: str) -> str:
        failed = [name for name, hook in self.hooks.items() if hook.state == "failed"]
        return f"Job {failed[0]} failed" if failed else ""

    def job(self, name: str) -> JobSeen | None:
        self.operate()
        hook = self.hooks.get(name)
        return None if hook is None else JobSeen(uid=hook.uid, state=hook.state, generation=str(hook.generation))

    # ---- Cluster -----------------------------------------------------------------------------------

    def perform(self, effect: fx.Effect, *, step: str, attempt: int) -> Iterator[ev.EffectFact]:
        at: dict[str, Any] = {"step": step, "attempt": attempt}
        match effect:
            case fx.RollOut() if effect.workload in self.apps:
                yield self.roll_out(effect, at)
            case fx.SetField():
                yield self.set_field(effect, at)
            case fx.ScaleWorkload():
                if self.apps[effect.workload].replicas != effect.expected:
                    raise Conflict("scaled meanwhile")
                self.scale(effect.workload, effect.replicas)
                yield ev.WorkloadScaled(**at, workload=effect.workload, replicas=effect.replicas)
            case fx.DeleteJob():
                if effect.job not in self.hooks or self.hooks[effect.job].uid != effect.uid:
                    raise Conflict("another Job has its name")
                if self.hooks.pop(effect.job).state != "failed":
                    raise Impossible(f"Job {effect.job} was deleted and had not failed")
                yield ev.JobDeleted(**at, job=effect.job)
            case _:
                yield from super().perform(effect, step=step, attempt=attempt)

    def roll_out(self, effect: fx.RollOut, at: dict[str, Any]) -> ev.EffectFact:
        app = self.apps[effect.workload]
        if app.name in NEED_SYSTEM_APP and not self.apps["system-app"].is_complete:
            raise Impossible(f"{app.name} is restarted while system-app is not ready: it hangs (T11)")
        if self.kind == "DeploymentConfig" or app.restarted_at != effect.restarted_at:
            fails = self.doomed_rollouts > 0 and self.kind == "DeploymentConfig"
            self.doomed_rollouts = max(0, self.doomed_rollouts - 1)
            is_config = self.kind == "DeploymentConfig"
            self.apps[app.name] = replace(
                app, revision=app.revision + 1, generation=app.generation + (not is_config), container=app.container + 1,
                settles_in=SETTLING, has_failed=fails, restarted_at=app.restarted_at if is_config else effect.restarted_at,
            )
            self.replaced(app.name)
        return ev.RolloutStarted(**at, workload=app.name, revision=str(app.revision + 1))

    def replace_pod(self, name: str) -> None:
        """A pod that goes and comes again by itself, such as one that was evicted."""
        app = self.apps[name]
        self.apps[name] = replace(app, container=app.container + 1, settles_in=SETTLING)
        self.replaced(name)

    def replaced(self, name: str) -> None:
        """What a new pod no longer has; nothing in this part of the model."""

    def set_field(self, effect: fx.SetField, at: dict[str, Any]) -> ev.EffectFact:
        found = at_path(self.spec, effect.path)
        if (found.is_there, found.value) != (effect.expected_is_there, effect.expected):
            raise Conflict("changed meanwhile")
        assert self.spec is not None
        if effect.is_there:
            self.spec = put(self.spec, effect.path, effect.value)
        else:
            self.spec = without(self.spec, effect.path, effect.parents)
        return ev.ManagerFieldSet(
            **at, manager=MANAGER, path=".".join(effect.path), is_there=effect.is_there, value=effect.value
        )

    def app_at(self, effect: fx.InPod) -> App:
        """The program whose pod an effect goes to. Another pod than the one seen refuses it."""
        return self.app_in(effect.pod, effect.container)

    def app_in(self, pod: str, container: str) -> App:
        app = self.apps[pod.rpartition("-")[0]]
        if str(app.container) != container or not app.is_complete:
            raise ClusterUnreachable(f"pod {pod} was replaced meanwhile")
        return app

    # ---- what there is to plan from, and to compare --------------------------------------------------

    def app_workloads(self) -> tuple[AppWorkload, ...]:
        return tuple(
            AppWorkload(
                name=app.name, kind=self.kind, replicas=app.replicas, path=PATHS[app.name],
                field=at_path(self.spec, PATHS[app.name]) if self.spec and PATHS[app.name] else None,
            )
            for app in self.apps.values() if app.name in PATHS
        )  # fmt: skip

    def manager(self, external: tuple[str, ...], *, is_s3: bool) -> Manager | None:
        if self.spec is None:
            return None
        return Manager(name=MANAGER, wildcard_domain=DOMAIN, tenant="3scale", external=external, is_s3=is_s3)

    def digest(self) -> dict[str, Any]:
        return super().digest() | {
            "spec": self.spec, "replicas": {app.name: app.replicas for app in self.apps.values()},
            "hooks": {name: hook.state for name, hook in self.hooks.items()},
        }  # fmt: skip

    def template_marks(self) -> dict[str, str | None]:
        return super().template_marks() | {app.name: app.restarted_at for app in self.apps.values()}


def at_path(spec: Any, path: Sequence[str]) -> FieldSeen:
    """Absent, null and a value told apart, and how many parents there are."""
    here = spec
    for depth, name in enumerate(path):
        if not isinstance(here, dict) or name not in here:
            return FieldSeen(is_there=False, parents=depth)
        here = here[name]
    return FieldSeen(is_there=bool(path), value=here, parents=max(0, len(path) - 1))


def put(spec: dict[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """The object with one field set, its parents made where they are missing."""
    name, rest = path[0], path[1:]
    return {**spec, name: put(spec.get(name) or {}, rest, value) if rest else value}


def without(spec: dict[str, Any], path: Sequence[str], parents: int) -> dict[str, Any]:
    """The object without one field, and without those of its parents that are empty then, but for the first ones."""
    name, rest = path[0], path[1:]
    if not rest:
        return {key: value for key, value in spec.items() if key != name}
    inner = without(spec.get(name) or {}, rest, max(0, parents - 1))
    if not inner and parents < 1:
        return {key: value for key, value in spec.items() if key != name}
    return {**spec, name: inner}
