"""Guide 9.5.2, 9.5.3 and 9.5.4: the system database, the stored files, and zync's database. Pure.

The copies into the pods wait for nobody: they change nothing that 3scale sees, so they are made while it still
runs. Before each load the database is saved, whole, by its engine's own dump, unless it was accepted that it is not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final, NamedTuple

from orchestrator.findings import BundleFile, BundleReport
from orchestrator.installation import AppWorkload, Installation, SqlWorkload, StorageMount
from orchestrator.runbooks.apps import saved_spec, scale_down, scale_up
from orchestrator.runbooks.options import Options
from orchestrator.sizes import in_words
from orchestrator.steps import AnyStep
from orchestrator.steps.accept_irreversible import AcceptIrreversible
from orchestrator.steps.base import Gate
from orchestrator.steps.check_directory import CheckDirectory
from orchestrator.steps.check_rows import CheckRows
from orchestrator.steps.copy_into_pod import CopyIntoPod
from orchestrator.steps.load_dump import LoadDump
from orchestrator.steps.remove_helper import RemoveHelper
from orchestrator.steps.save_database import SaveDatabase
from orchestrator.steps.sync_directory import SyncDirectory

LOAD_BUDGET_SECONDS: Final = 7 * 24 * 3600  # a job that still runs is never given up: its size decides
STORAGE_LEFT: Final = "remove-system-storage-helper"
ZYNC_APPS: Final = ("zync", "zync-que")
CITES: Final = {
    "system-database": {"copy": ("9.5.2-1",), "load": ("9.5.2-2", "9.5.2-3")},
    "zync": {"copy": ("9.5.4-3",), "load": ("9.5.4-4", "9.5.4-5")},
}
# Whatever 3scale does goes through these. system-sidekiq runs while the dump is loaded, so there may be more rows than in
# it; once all of 3scale runs they are emptied and filled again, and not compared any more.
GROWING: Final = ("event_store_events", "sessions", "message_recipients", "messages", "notifications")
# And these are written without anybody's wanting to change something: by a look at the portal, by a migration.
PASSING: Final = ("user_sessions", "schema_migrations")


def dump_steps(
    database: SqlWorkload, file: BundleFile, after: tuple[str, ...], gates: tuple[Gate, ...], options: Options
) -> Iterator[AnyStep]:
    """From the copy to the proof that every row is there. after: what has to have ended before it is saved."""
    assert file.sql is not None
    place = None if database.part in options.no_safety_copy else place_of_copy(database, file)
    part, sql = database.part, file.sql
    where = {"workload_kind": database.kind, "workload": database.name, "lane": part}
    here = {"engine": database.engine, "database": database.database}
    yield CopyIntoPod(
        id=f"copy-{part}-dump", title=f"copy {file.name} into the pod", cites=CITES[part]["copy"], source=file.name,
        path=f"{database.directory}/{file.name}", size_bytes=file.size_bytes, sha256=file.sha256,
        budget_seconds=LOAD_BUDGET_SECONDS, **where,
    )
    if place is not None:
        saved = f"save-{part}"
        yield SaveDatabase(
            id=saved, title=f"save database {database.database} as it is", needs=after, directory=place.directory,
            is_copied_out=place.is_copied_out, gates=gates, copy_bytes=database.size_bytes, is_lost_with_pod=is_lost_with_pod(database, place),
            budget_seconds=LOAD_BUDGET_SECONDS, **where, **here,
        )
    else:
        saved = f"accept-no-copy-of-{part}"
        yield AcceptIrreversible(
            id=saved, title=f"go without a safety copy of {database.database}", needs=after, lane=part, part=part,
            by=options.accepted_by or "nobody", reason=options.accepted_reason or "no reason given",
        )
    yield LoadDump(
        id=f"load-{part}", title=f"load {file.name} into {database.database}",
        needs=(f"copy-{part}-dump", saved), has_safety_copy=place is not None, saved_by=saved if place else "", gates=gates,
        **counts(database, sql.rows),
        saved_in=place.directory if place and place.directory != database.directory else "",
        is_saved_here=place is not None and place.is_copied_out,
        copy_bytes=database.size_bytes if place else 0, cites=CITES[part]["load"], flavour=sql.flavour,
        owner=database.owner, directory=database.directory, source=file.name, size_bytes=file.size_bytes,
        sha256=file.sha256, is_repeatable=database.engine == "postgresql" or sql.has_drop_table,
        budget_seconds=LOAD_BUDGET_SECONDS, **where, **here,
    )
    yield check_rows(database, file, "loaded", f"load-{part}", is_exact=True, gates=gates)


def counts(database: SqlWorkload, rows: Iterable[str]) -> dict[str, Any]:
    """What tells that somebody has worked with a restored database. All of zync's is written by zync itself."""
    if database.part == "zync":
        return {}
    found = tuple(table for table in rows if table not in (*GROWING, *PASSING))
    return {"counted": found, "counted_by": tuple(f"check-{database.part}-{when}" for when in ("restored", "loaded"))}


class Place(NamedTuple):
    """Where a safety copy is made, and whether it stays there or is copied out to this machine."""

    directory: str
    is_copied_out: bool = False


def place_of_copy(database: SqlWorkload, file: BundleFile) -> Place | None:
    """On the volume of the data, else in HOME of the pod, else on the volume until it is copied out; None: there is no room.

    The dump and what is loaded from it need the volume in any case. What is loaded takes the place of what is there, so
    a copy that was made beside the dump can be brought back beside what was loaded.
    """
    loaded_bytes = file.size_bytes + (file.sql.uncompressed_bytes if file.sql else 0)
    if database.free_bytes >= loaded_bytes + database.size_bytes:
        return Place(database.directory)
    if database.free_bytes < loaded_bytes:
        return None
    if database.home and database.home_free_bytes >= database.size_bytes:
        return Place(database.home)
    return Place(database.directory, is_copied_out=True) if database.free_bytes >= file.size_bytes + database.size_bytes else None


def is_lost_with_pod(database: SqlWorkload, place: Place) -> bool:
    is_on_claim = place.directory == database.directory and database.volume == "persistentVolumeClaim"
    return not (is_on_claim or place.is_copied_out)


def copy_notes(found: Installation, bundle: BundleReport, parts: Collection[str], options: Options) -> Iterator[str]:
    """Where each safety copy goes, how large it is at most, and what becomes of it."""
    for database in found.databases:
        file = bundle.file_of(database.part)
        if database.part not in parts or file is None:
            continue
        if database.part in options.no_safety_copy:
            yield f"no safety copy of {database.database} is made: what it holds now cannot be brought back"
            continue
        place = place_of_copy(database, file)
        if place is None:
            continue
        if place.is_copied_out:
            yield (
                f"the safety copy of {database.database} is made in {place.directory} of {database.name} and copied out to this "
                f"machine, beside the journal, as there is no room for it meanwhile: at most {in_words(database.size_bytes)}"
            )
            continue
        free = database.free_bytes if place.directory == database.directory else database.home_free_bytes
        lost = ", and is lost with its pod" if is_lost_with_pod(database, place) else ""
        yield (
            f"the safety copy of {database.database} lies in {place.directory} of {database.name}{lost}: at most "
            f"{in_words(database.size_bytes)} of {in_words(free)} that are free"
        )


def check_rows(
    database: SqlWorkload, file: BundleFile, when: str, after: str, *, is_exact: bool, gates: tuple[Gate, ...] = ()
) -> AnyStep:
    assert file.sql is not None
    rows = {table: rows for table, rows in file.sql.rows.items() if is_exact or table not in GROWING}
    growing = tuple(table for table in GROWING if table in rows)
    return CheckRows(
        id=f"check-{database.part}-{when}", title=f"compare the rows of {database.database} with the dump",
        needs=(after,), lane=database.part, workload_kind=database.kind, workload=database.name,
        engine=database.engine, database=database.database, rows=rows, is_exact=is_exact, growing=growing,
        gates=gates, load=after if is_exact else "",
    )


def storage_steps(
    storage: StorageMount, file: BundleFile, after: tuple[str, ...], gates: tuple[Gate, ...], *, is_deleting: bool
) -> Iterator[AnyStep]:
    """Guide 9.5.3, through a pod that has the volume while system-app is down (T3).

    The helper pod goes before system-app comes back: a volume that one node has at a time is free again.
    """
    yield SyncDirectory(
        id="sync-system-storage", title=f"bring {file.name}/ to system-storage", needs=after, cites=("9.5.3-1",),
        lane="system-storage", workload_kind=storage.kind, workload=storage.workload, source=file.name,
        path=storage.path, digest=file.sha256, size_bytes=file.size_bytes,
        is_deleting=is_deleting, gates=gates,
    )
    yield check_storage(storage, file, "synced", "sync-system-storage", is_helped=True, gates=gates)
    yield RemoveHelper(
        id=STORAGE_LEFT, title="delete the helper pod of system-storage, where one was needed", lane="system-storage",
        needs=("sync-system-storage", "check-system-storage-synced"), applies="sync-system-storage",
    )


def check_storage(
    storage: StorageMount, file: BundleFile, when: str, after: str, *, is_helped: bool = False, gates: tuple[Gate, ...] = ()
) -> AnyStep:
    return CheckDirectory(
        id=f"check-system-storage-{when}", title=f"compare system-storage with {file.name}/", needs=(after,),
        lane="system-storage", workload_kind=storage.kind, workload=storage.workload, source=file.name,
        path=storage.path, is_helped=is_helped, gates=gates,
    )


def zync_steps(
    found: Installation, database: SqlWorkload, file: BundleFile, after: tuple[str, ...], applied: tuple[str, ...],
    options: Options,
) -> Iterator[AnyStep]:
    """Guide 9.5.4. Both zync and zync-que come back; zync-database is never restarted: it would be empty (T5).

    applied: the objects that both read when they start.
    """
    apps = zync_apps(found)
    for app in apps:
        yield scale_down(found, app, cites=("9.5.4-2",), lane="zync", after=(saved_spec(app.name), *after))
    stopped = tuple(f"scale-down-{app.name}" for app in apps) or after
    yield from dump_steps(database, file, stopped, gates_of(apps), options)
    for app in apps:
        cites = ("9.5.4-6", "9.5.4-7")
        yield scale_up(found, app, cites=cites, lane="zync", after=("check-zync-loaded", *applied))


def zync_apps(found: Installation) -> list[AppWorkload]:
    return [app for name in ZYNC_APPS if (app := found.app(name))]


def gates_of(apps: Iterable[AppWorkload]) -> tuple[Gate, ...]:
    """Workloads that are stopped by this plan: looked at again before what they write to is changed, and after."""
    return tuple(Gate(kind=app.kind, workload=app.name) for app in apps)
