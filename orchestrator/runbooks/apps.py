"""Guide 9.5, 9.5.6, 9.5.7 and 9.5.8: 3scale's own programs, stopped before the restore and brought back after it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.installation import AppWorkload, Installation
from orchestrator.steps import AnyStep
from orchestrator.steps.check_backend import CheckBackend
from orchestrator.steps.check_workloads import CheckWorkloads, Original, digest_of
from orchestrator.steps.restart_workload import RestartWorkload
from orchestrator.steps.resync_routes import ResyncRoutes
from orchestrator.steps.run_rake import RunRake
from orchestrator.steps.save_manager_spec import SaveManagerSpec
from orchestrator.steps.save_replica_spec import SaveReplicaSpec
from orchestrator.steps.scale_workload import ScaleWorkload

GATE: Final = "scale-down-system-app"
SCALE_BUDGET_SECONDS: Final = 1800  # a hook of system-app may take 1200 s (3scale operator, strategy timeout)
ROUTES_BUDGET_SECONDS: Final = 3600
INDEX_BUDGET_SECONDS: Final = 6 * 3600
SAVED_MANAGER: Final = "save-apimanager-spec"
BACKEND_APPS: Final = ("backend-worker", "backend-listener", "backend-cron")
SEARCH_TASK: Final = "searchd:optimal_index"
ROUTES_TASK: Final = "zync:resync:domains"


# ---- before ------------------------------------------------------------------------------------


def save_specs(found: Installation, apps: list[AppWorkload], paths: list[tuple[str, ...]]) -> Iterator[AnyStep]:
    """The first thing of all: what is about to be changed, as it is (guide 9.5-1, 9.5.4-1; T8)."""
    if found.manager is not None and paths:
        cites = tuple(cite for path, cite in ((("spec", "system", "appSpec"), "9.5-1"), (("spec", "zync"), "9.5.4-1")) if path in paths)
        yield SaveManagerSpec(
            id=SAVED_MANAGER, title=f"save what APIManager {found.manager.name} says of the replicas", cites=cites,
            lane="apimanager", manager=found.manager.name, paths=tuple(paths),
        )
    for app in apps:
        yield SaveReplicaSpec(
            id=saved_spec(app.name), title=f"save the spec of {app.name}", lane="apimanager",
            workload_kind=app.kind, workload=app.name,
            needs=(SAVED_MANAGER,) if found.manager is not None and paths else (),
        )


def saved_spec(name: str) -> str:
    return f"save-{name}-spec"


def scale_down(
    found: Installation, app: AppWorkload, *, cites: tuple[str, ...], lane: str, after: tuple[str, ...]
) -> AnyStep:
    """To 0 by the APIManager, where it has a field for it; else by the workload itself."""
    return ScaleWorkload(
        id=f"scale-down-{app.name}", title=f"stop {app.name}", needs=after, cites=cites, lane=lane,
        workload_kind=app.kind, workload=app.name, replicas=0, field_is_there=bool(path_of(found, app)),
        field_value=0 if path_of(found, app) else None, budget_seconds=SCALE_BUDGET_SECONDS,
        jobs=hook_jobs(found, app), **managed(found, app),
    )


def scale_up(
    found: Installation, app: AppWorkload, *, cites: tuple[str, ...], lane: str, after: tuple[str, ...]
) -> AnyStep:
    """To what it was when the plan was made: the field first, then, where that holds no number, the workload."""
    original, is_known = app.field, bool(path_of(found, app)) and app.field is not None
    return ScaleWorkload(
        id=f"scale-up-{app.name}", title=f"start {app.name} again, {replicas_of(app)} replicas", needs=after,
        cites=cites, lane=lane, workload_kind=app.kind, workload=app.name, replicas=replicas_of(app),
        field_is_there=bool(is_known and original and original.is_there),
        field_value=original.value if is_known and original and original.is_there else None,
        budget_seconds=SCALE_BUDGET_SECONDS, jobs=hook_jobs(found, app), **managed(found, app),
    )


def managed(found: Installation, app: AppWorkload) -> dict[str, object]:
    path = path_of(found, app)
    return {"manager": found.manager.name, "path": path} if found.manager is not None and path else {}


def path_of(found: Installation, app: AppWorkload) -> tuple[str, ...]:
    return app.path if found.manager is not None and app.field is not None else ()


def replicas_of(app: AppWorkload) -> int:
    """The APIManager's number, where it has one: the operator brings the workload to it. Else the workload's own."""
    number = app.field.value if app.path and app.field else None
    own = 1 if app.replicas is None else app.replicas
    return number if isinstance(number, int) and not app.is_autoscaled else own


def hook_jobs(found: Installation, app: AppWorkload) -> tuple[str, ...]:
    return found.hook_jobs if app.name == "system-app" else ()


# ---- after -------------------------------------------------------------------------------------


def backend_steps(found: Installation, after: tuple[str, ...]) -> Iterator[AnyStep]:
    """Guide 9.5.6, and the two others that hold connections to the old server."""
    for name in BACKEND_APPS:
        app = found.app(name)
        if app is not None and replicas_of(app):
            yield restart(found, app, "backend", ("9.5.6-1",) if name == "backend-worker" else (), after)


def system_steps(found: Installation, after: tuple[str, ...], applied: tuple[str, ...]) -> Iterator[AnyStep]:
    """Guide 9.5.7 to 9.5.8.2, strictly one after the other: each waits for the one before to be ready (T11).

    applied: the load that memcache has to forget the values of before for, on the way back too.
    """
    memcache, last = found.app("system-memcache"), after
    if memcache is not None and replicas_of(memcache):
        yield restart(found, memcache, "system", (), applied or after, applies="".join(applied))
        last = (*after, f"restart-{memcache.name}")
    yield from bring_back(found, last)


def bring_back(found: Installation, after: tuple[str, ...]) -> Iterator[AnyStep]:
    app, sidekiq = found.app("system-app"), found.app("system-sidekiq")
    if app is None:
        return
    yield scale_up(found, app, cites=("9.5.7-1", "9.5.7-2"), lane="system", after=after)
    if not replicas_of(app):  # it was stopped before this restore: whoever waits for it cannot be restarted (T11)
        return
    yield restart(found, app, "system", ("9.5.7-3",), (f"scale-up-{app.name}",))
    if sidekiq is None or not replicas_of(sidekiq):
        return
    yield restart(found, sidekiq, "system", ("9.5.8-1",), (f"restart-{app.name}",))
    last = f"restart-{sidekiq.name}"
    for step in search_steps(found, sidekiq, last):
        yield step
        last = step.id
    yield resync_routes(found, sidekiq, (last,))


def restart(
    found: Installation, app: AppWorkload, lane: str, cites: tuple[str, ...], after: tuple[str, ...], applies: str = ""
) -> AnyStep:
    return RestartWorkload(
        id=f"restart-{app.name}", title=f"restart {app.name}", needs=(saved_spec(app.name), *after), cites=cites, lane=lane,
        workload_kind=app.kind, workload=app.name, manager=found.manager.name if found.manager else "",
        jobs=hook_jobs(found, app), applies=applies, budget_seconds=SCALE_BUDGET_SECONDS,
    )


def search_steps(found: Installation, sidekiq: AppWorkload, after: str) -> Iterator[AnyStep]:
    """Guide 9.5.8.1: system-sphinx indexes as it starts; system-searchd, from 2.14 on, has to be told (T12).

    On the way back both index once more, from the old database, when system-app is up again with it.
    """
    sphinx, searchd = found.app("system-sphinx"), found.app("system-searchd")
    if sphinx is not None and replicas_of(sphinx):
        yield restart(found, sphinx, "system", ("9.5.8.1-1",), (after, GATE), applies=GATE)
    elif searchd is not None and replicas_of(searchd):
        yield restart(found, searchd, "system", ("9.5.8.1-1",), (after, GATE), applies=GATE)
        yield RunRake(
            id="index-system-searchd", title="index the search anew", needs=("restart-system-searchd", GATE),
            applies=GATE, lane="system", workload_kind=sidekiq.kind, workload=sidekiq.name, task=SEARCH_TASK,
            budget_seconds=INDEX_BUDGET_SECONDS,
        )


def resync_routes(found: Installation, sidekiq: AppWorkload, after: tuple[str, ...]) -> AnyStep:
    database = found.database("system-database")
    where = {} if database is None else {
        "database_kind": database.kind, "database_workload": database.name, "engine": database.engine,
        "database": database.database,
    }
    return ResyncRoutes(
        id="resync-routes", title="have zync make the missing routes", needs=after, cites=("9.5.8.2-1",),
        lane="system", workload_kind=sidekiq.kind, workload=sidekiq.name, task=ROUTES_TASK,
        hosts=default_hosts(found), domain=found.manager.wildcard_domain if found.manager else "",
        budget_seconds=ROUTES_BUDGET_SECONDS, **where,
    )


def default_hosts(found: Installation) -> tuple[str, ...]:
    """Those that the operator's condition Available waits for (3scale operator 0.12, status reconciler)."""
    if found.manager is None:
        return ()
    tenant, domain = found.manager.tenant, found.manager.wildcard_domain
    names = (
        f"backend-{tenant}", f"api-{tenant}-apicast-production", f"api-{tenant}-apicast-staging", "master", tenant,
        f"{tenant}-admin",
    )
    return tuple(f"{name}.{domain}" for name in names)


# ---- the last look -------------------------------------------------------------------------------


def check_backend(found: Installation, after: str) -> Iterator[AnyStep]:
    database, redis = found.database("system-database"), found.workload("backend-redis")
    if database is not None and redis is not None:
        yield CheckBackend(
            id="check-backend", title="compare backend-redis with the system database", needs=(after,),
            lane="check", workload_kind=database.kind, database_workload=database.name, engine=database.engine,
            database=database.database, redis_workload=redis.name, budget_seconds=2 * 3600,
        )


def check_workloads(found: Installation, after: str) -> Iterator[AnyStep]:
    if found.manager is None:
        return
    yield CheckWorkloads(
        id="check-workloads", title="compare replicas and settings with what they were", needs=(after,),
        lane="check", manager=found.manager.name, spec_sha256=found.manager.spec_sha256, configmap=found.configmap,
        key=found.key, config_sha256=digest_of(found.config_text) if found.key else "",
        originals=tuple(original(found, app) for app in found.apps if not app.is_autoscaled),
    )


def original(found: Installation, app: AppWorkload) -> Original:
    path = path_of(found, app)
    is_there = bool(path and app.field and app.field.is_there)
    return Original(
        kind=app.kind, name=app.name, replicas=replicas_of(app), path=path, field_is_there=is_there,
        field_value=app.field.value if is_there and app.field else None,
    )


