"""The restore of 3scale, as data: (installation, bundle, options) -> plan. Pure.

Section 9.5 of the 3scale operations guide, 2.13 edition, for releases 2.11 to 2.15, in an order that reads like
the guide: what 3scale's programs need (apps), the objects (objects), the SQL databases and files (databases),
both Redis (redis). Between the stop of system-app and its start the databases, the files, zync and the Redis
pair are restored side by side.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, Literal

from orchestrator.findings import BundleReport
from orchestrator.installation import AppWorkload, Installation
from orchestrator.parts import PARTS
from orchestrator.plan import Plan
from orchestrator.runbooks import apps, databases, objects, redis
from orchestrator.runbooks.options import QUEUES_DEFAULT, Options, in_order
from orchestrator.runbooks.preflight import preflight
from orchestrator.steps import AnyStep
from orchestrator.steps.decide_queues import CONSEQUENCES, DecideQueues

DECIDED: Final = "decide-queues"
# With one of these 3scale's own programs are stopped and started again; a Redis alone is restored under them.
NAMING_HOSTS: Final = frozenset({"system-database", "zync"})  # what routes are made from
STOPPING: Final = frozenset({"system-database", "system-storage"})
# What the guide tells a person to do and no step does, with the reason.
LEFT_OUT: Final = {
    "9.5.1-1": "the operator is looked for before anything starts, and never installed: `restore plan` refuses without it",
}


def restore_plan(found: Installation, bundle: BundleReport, options: Options = Options()) -> Plan:  # noqa: B008
    """Every step of this restore, in an order that reads like the guide."""
    if found.is_fresh:
        return plan_of(found, ("objects",), list(objects.fresh_steps(bundle)), [FRESH_NOTE])
    parts = in_order(restorable(found, bundle, options))
    steps = list(steps_of(found, bundle, parts, options))
    return plan_of(found, parts, steps, list(notes(found, bundle, parts, options)))


FRESH_NOTE: Final = (
    "there is no APIManager here yet: this plan creates the objects and waits for the operator. "
    "The databases are restored by a second `restore run` of the same bundle"
)


def plan_of(found: Installation, parts: tuple[str, ...], steps: list[AnyStep], said: list[str]) -> Plan:
    return Plan(
        runbook="threescale", release=found.release, namespace=found.namespace, parts=parts, steps=tuple(steps),
        notes=tuple(said),
    )


def restorable(found: Installation, bundle: BundleReport, options: Options) -> Iterator[str]:
    """The parts that are asked for, in the bundle, and in this namespace."""
    there = {database.part for database in found.databases} | {redis.name for redis in found.workloads}
    there |= {"system-storage"} if found.storage else set()
    for part in options.named:
        if bundle.files_of(part) and (part == "objects" or part in there):
            yield part


# ---- the steps, in the order of the guide --------------------------------------------------------


def steps_of(found: Installation, bundle: BundleReport, parts: tuple[str, ...], options: Options) -> Iterator[AnyStep]:
    stops = bool(STOPPING & set(parts)) and found.app("system-app") is not None
    yield from apps.save_specs(found, saved_apps(found, parts, stops=stops), saved_paths(found, parts, stops=stops))
    gate: tuple[str, ...] = ()
    if stops:
        app = found.app("system-app")
        assert app is not None
        yield apps.scale_down(found, app, cites=("9.5-2",), lane="apimanager", after=(apps.saved_spec(app.name),))
        gate = (apps.GATE,)
    applying = list(objects.in_place_steps(bundle, gate)) if "objects" in parts else []
    applied = tuple(step.id for step in applying)
    yield from applying
    yield from data_steps(found, bundle, parts, options, gate, applied)
    if "backend-redis" in parts:
        yield from apps.backend_steps(found, ("check-backend-redis-restored", *applied))
    if stops:
        yield from ending(found, bundle, parts, applied)


def data_steps(
    found: Installation, bundle: BundleReport, parts: tuple[str, ...], options: Options, gate: tuple[str, ...],
    applied: tuple[str, ...],
) -> Iterator[AnyStep]:
    """What is restored side by side while system-app is down."""
    app = found.app("system-app")
    gates = databases.gates_of([app]) if gate and app is not None else ()
    for database in found.databases:
        file = bundle.file_of(database.part)
        if database.part not in parts or file is None:
            continue
        if database.part == "zync":
            yield from databases.zync_steps(found, database, file, gate, applied, options)
        else:
            yield from databases.dump_steps(database, file, gate, gates, options)
    storage = bundle.file_of("system-storage")
    if "system-storage" in parts and found.storage and storage:
        yield from databases.storage_steps(found.storage, storage, gate, gates, is_deleting=options.is_deleting)
    if "backend-redis" in parts:
        yield decide_queues(options)
    decided = (DECIDED,) if "backend-redis" in parts else ()
    yield from redis.redis_steps(
        found, bundle, parts, (*gate, *decided), drops_queues=verdict_of(options) == "drop"
    )


def decide_queues(options: Options) -> AnyStep:
    by = options.queues_by if options.queues else "the default"
    reason = options.queues_reason or CONSEQUENCES[verdict_of(options)]
    return DecideQueues(
        id=DECIDED, title=f"{verdict_of(options)} the job queues of backend-redis", cites=("9.5.4.2",),
        lane="backend-redis", verdict=verdict_of(options), by=by, reason=reason,
    )


def verdict_of(options: Options) -> Literal["restore", "drop"]:
    return options.queues or QUEUES_DEFAULT


def ending(
    found: Installation, bundle: BundleReport, parts: tuple[str, ...], applied: tuple[str, ...]
) -> Iterator[AnyStep]:
    """3scale's programs again, when all of the data and of the objects is there; and the last looks."""
    after = (*ends_of_data(found, parts), *applied)
    last = after[0]
    loaded = ("load-system-database",) if "system-database" in parts else ()
    elsewhere = found.manager.external if found.manager else ()  # restored there, by somebody else
    for step in apps.system_steps(found, after, loaded):
        if step.kind == "resync_routes" and not NAMING_HOSTS & {*parts, *elsewhere}:
            continue  # what zync still makes for hosts that nobody has looked up would not be taken back
        yield step
        last = step.id
    database, file = found.database("system-database"), bundle.file_of("system-database")
    if "system-database" in parts and database and file:
        yield databases.check_rows(database, file, "restored", last, is_exact=False)
    storage = bundle.file_of("system-storage")
    if "system-storage" in parts and found.storage and storage:
        yield databases.check_storage(found.storage, storage, "restored", last)
    yield from apps.check_backend(found, last)
    yield from apps.check_workloads(found, last)


def ends_of_data(found: Installation, parts: Collection[str]) -> Iterator[str]:
    """The last step of each part that is restored while system-app is down."""
    if "system-database" in parts:
        yield "check-system-database-loaded"
    if "system-storage" in parts:
        yield databases.STORAGE_LEFT
    if "zync" in parts:
        yield from [f"scale-up-{app.name}" for app in databases.zync_apps(found)] or ["check-zync-loaded"]
    for name in redis.REDISES:
        if name in parts:
            yield f"check-{name}-restored"
    if "backend-redis" in parts:
        running = [app for name in apps.BACKEND_APPS if (app := found.app(name)) and apps.replicas_of(app)]
        yield from (f"restart-{app.name}" for app in running)


def saved_apps(found: Installation, parts: Collection[str], *, stops: bool) -> list[AppWorkload]:
    """Whatever this plan scales or restarts."""
    names = [*databases.ZYNC_APPS] if "zync" in parts else []
    names += apps.BACKEND_APPS if "backend-redis" in parts else ()
    if stops:
        names = ["system-app", "system-sidekiq", "system-sphinx", "system-searchd", "system-memcache", *names]
    return [app for name in names if (app := found.app(name))]


def saved_paths(found: Installation, parts: Collection[str], *, stops: bool) -> list[tuple[str, ...]]:
    paths: list[tuple[str, ...]] = [("spec", "system", "appSpec")] if stops else []
    return paths + ([("spec", "zync")] if "zync" in parts else [])


# ---- what a person should know -------------------------------------------------------------------


def notes(found: Installation, bundle: BundleReport, parts: tuple[str, ...], options: Options) -> Iterator[str]:
    for part in in_order(options.named - set(parts)):
        if found.manager is not None and part in found.manager.external:
            yield f"{part} is not in this namespace (externalComponents): it is left out, restore it where it is"
        elif part == "system-storage" and found.manager is not None and found.manager.is_s3:
            yield "system-storage is in an object store (simpleStorageService): it is left out"
    if "backend-redis" in parts:
        kept, lost = CONSEQUENCES["restore"], CONSEQUENCES["drop"]
        yield f"job queues of backend-redis: {verdict_of(options)}. Restored: {kept}. Dropped (--queues drop): {lost}"
    if STOPPING & set(parts) and found.app("system-app"):
        yield "system-sidekiq, backend-worker, backend-cron and apicast keep running, as in the guide, and may write meanwhile"
        yield "dumps are copied into the pods before system-app is stopped"
        if "backend-redis" not in parts and found.workload("backend-redis"):
            yield "what system-app's post hook writes into backend-redis, which is not restored, is not taken back by a rollback"
        if "zync" not in parts and databases.zync_apps(found):
            yield "what zync notes in its own database, which is not restored, is not taken back by a rollback"
    if "system-storage" in parts and found.storage:
        yield (
            f"system-storage is reached through a pod of {found.storage.workload}; where none is ready while system-app is "
            "stopped, a helper pod is started that has the same claim, and is deleted when all of it is there"
        )
    yield from databases.copy_notes(found, bundle, parts, options)
    for app in found.apps:
        if app.is_autoscaled:
            yield f"{app.name} is scaled by a HorizontalPodAutoscaler, which may change its replicas meanwhile"
    yield from objects.object_notes(found, are_applied="objects" in parts)
    yield from redis.redis_notes(found, parts)


__all__ = ["LEFT_OUT", "PARTS", "preflight", "restore_plan"]
