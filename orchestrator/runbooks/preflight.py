"""What speaks against a restore before anything is changed: errors refuse it, warnings are listed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from orchestrator.findings import BundleFile, BundleReport, Finding
from orchestrator.installation import Installation, RedisWorkload, SqlWorkload
from orchestrator.rdb_summary import RdbSummary, rdb_version_of_redis
from orchestrator.runbooks.databases import place_of_copy
from orchestrator.runbooks.options import Options, in_order
from orchestrator.summaries import SqlSummary

RELEASES: Final = ("2.11", "2.12", "2.13", "2.14", "2.15")
ROUTE_MAKERS: Final = ("system-sidekiq", "zync", "zync-que")
DATABASE_SECRETS: Final = {
    "system-database": frozenset({"URL", "DB_PASSWORD"}), "zync": frozenset({"DATABASE_URL", "ZYNC_DATABASE_PASSWORD"}),
}  # fmt: skip
STOPPING: Final = frozenset({"system-database", "system-storage", "zync"})  # these go through the operator


def preflight(
    found: Installation, bundle: BundleReport, options: Options = Options(), forbidden: Iterable[str] = ()  # noqa: B008
) -> list[Finding]:
    """Everything that stands in the way, in the order of the parts. forbidden: what this user may not do."""
    findings = [
        error("rights", f"this user may not {action} in namespace {found.namespace}") for action in forbidden
    ]
    if found.holder:
        findings.append(error("lease", f"this installation is being worked on: {found.holder}"))
    if found.is_fresh:
        return [*findings, *fresh(found, bundle, options)]
    findings += whole(found, bundle, options)
    for part in in_order(options.named - {"objects"}):
        findings += of_part(found, bundle, options, part)
    return findings


def fresh(found: Installation, bundle: BundleReport, options: Options) -> Iterator[Finding]:
    """Guide 9.5.1-1: without the operator nothing can be deployed."""
    if options.only and "objects" not in options.only:
        yield error("namespace", f"namespace {found.namespace} has no 3scale: there is nothing to restore to")
        return
    if not found.serves_managers:
        yield error("operator", "the 3scale operator is not installed: this cluster serves no APIManager")
    elif found.operator:
        yield error("operator", f"the 3scale operator does not run: {found.operator}")
    managers = [f for f in bundle.files if f.object and f.object.kind == "APIManager"]
    if not managers:
        yield error("objects", f"namespace {found.namespace} has no APIManager, and the bundle has none to create")


def whole(found: Installation, bundle: BundleReport, options: Options) -> Iterator[Finding]:
    manager = found.manager
    if found.release and found.release not in RELEASES:
        yield warning("release", f"3scale {found.release} is none of {', '.join(RELEASES)}, which this was made for")
    if "objects" in options.named:
        yield from passwords(found)
    if not STOPPING & options.named:
        return
    if manager is None:
        if found.apps:
            yield warning("operator", "no APIManager is to be seen: where there is one, its operator reverts what is scaled")
        return
    if manager.preflights:
        yield error("operator", f"the operator does nothing as long as its own preflights fail: {manager.preflights}")
    if found.operator:
        yield error("operator", f"the 3scale operator does not run, and nobody else starts 3scale again: {found.operator}")
    yield from domains(found, bundle)
    for app in found.apps:
        if app.name == "system-app" and app.replicas == 0:
            yield warning(app.name, "it has 0 replicas now, and is left at 0 in the end: scale it up first if that is not how it was")
        if app.name in ROUTE_MAKERS and app.replicas == 0 and STOPPING - {"zync"} & options.named:
            yield warning(app.name, "it has 0 replicas now: routes that are missing are not made, and the run waits for them in vain: scale it up first")


def passwords(found: Installation) -> Iterator[Finding]:
    """Right where a Secret was lost and made anew; elsewhere it locks 3scale out of its own databases."""
    for name, keys in DATABASE_SECRETS.items():
        seen = found.objects.get(f"Secret {name}")
        if differing := sorted(keys & set(seen.differing if seen else ())):
            yield warning(
                name, f"its {' and '.join(differing)} would be replaced, and a database keeps the password that it was made "
                "with: if that is not the bundle's, what needs it does not start again"
            )


def domains(found: Installation, bundle: BundleReport) -> Iterator[Finding]:
    """A dump keeps the host names of the installation that it was made from."""
    assert found.manager is not None
    domain, file = found.manager.wildcard_domain, bundle.file_of("system-database")
    if found.superdomain and domain and found.superdomain != domain:
        yield warning(
            "domain", f"ConfigMap system-environment has {found.superdomain}, the APIManager has {domain}"
        )
    hosts = file.sql.hosts if file and file.sql else ()
    if hosts and not any(host.endswith(f".{domain}") for host in hosts):
        yield warning(
            file.name if file else "", f"its hosts are not below {domain} (such as {hosts[0]}): the tenants' addresses have to "
            "be changed in the restored database"
        )


def of_part(found: Installation, bundle: BundleReport, options: Options, part: str) -> Iterator[Finding]:
    file = bundle.file_of(part)
    if file is None:
        return  # the bundle's own findings have said so
    if is_elsewhere(found, part):
        if part in options.only:
            yield error(part, f"it is not in namespace {found.namespace}, by the APIManager's own words: it cannot be restored here")
        return
    database, redis = found.database(part), found.workload(part)
    if part == "system-storage":
        yield from storage(found, file)
    elif database is not None and file.sql is not None:
        yield from takes(database, file, file.sql, is_saved=part not in options.no_safety_copy)
    elif redis is not None and file.rdb is not None:
        yield from fits(redis, file.name, file.rdb)
    elif database is None and redis is None:
        yield error(part, f"{part} is not in namespace {found.namespace}")


def is_elsewhere(found: Installation, part: str) -> bool:
    if found.manager is None:
        return False
    return part in found.manager.external or (part == "system-storage" and found.manager.is_s3)


def storage(found: Installation, file: BundleFile) -> Iterator[Finding]:
    mount = found.storage
    if mount is None:
        yield error("system-storage", "no running pod has it mounted: start system-sidekiq or system-app")
        return
    if mount.missing_tools:
        yield error("system-storage", f"the pod of {mount.workload} lacks {', '.join(mount.missing_tools)}")
    size_bytes = file.tree.size_bytes if file.tree else file.size_bytes
    if mount.free_bytes < size_bytes:  # what is replaced is only set aside, so all of it may be needed
        yield error("system-storage", f"{mount.path} has {mount.free_bytes} bytes free, {size_bytes} may be needed")


def takes(database: SqlWorkload, file: BundleFile, dump: SqlSummary, *, is_saved: bool) -> Iterator[Finding]:
    """Whether this dump can be loaded by this server."""
    if dump.engine != database.engine:
        yield error(database.name, f"{file.name} is a dump of {dump.engine}; this is {database.engine}")
        return
    if dump.databases and database.database not in dump.databases:
        yield error(
            database.name, f"{file.name} has no database {database.database}, only {', '.join(dump.databases)}"
        )
    newer = major_of(dump.server_version) > major_of(database.version) > 0
    if newer and database.engine == "postgresql":
        yield error(
            database.name, f"{file.name} is of PostgreSQL {dump.server_version}; a server of version {database.version} "
            "does not know all of its statements"
        )
    elif newer and is_mariadb(dump.server_version) == is_mariadb(database.version):
        yield warning(
            database.name, f"{file.name} is of {dump.server_version}; the server is older: {database.version}"
        )
    if database.missing_tools:
        yield error(database.name, f"its pod lacks {', '.join(database.missing_tools)}")
    yield from has_room(database, file, dump, is_saved=is_saved)
    if database.part == "zync":
        yield Finding(
            severity="note", subject=database.name, message=f"its data is on {database.volume}; it is not restarted by this plan"
        )
    elif database.volume != "persistentVolumeClaim":
        yield warning(database.name, f"its data is on no volume that survives a restart ({database.volume})")


def has_room(database: SqlWorkload, file: BundleFile, dump: SqlSummary, *, is_saved: bool) -> Iterator[Finding]:
    """On the volume for the dump and the rows; there or in HOME for the safety copy."""
    needed = file.size_bytes + dump.uncompressed_bytes
    free = f"{database.directory} has {database.free_bytes} bytes free"
    if database.free_bytes < needed:
        yield error(database.name, f"{free}, {needed} are needed: the dump, and what is loaded")
    elif is_saved and place_of_copy(database, file) is None:
        home = f", nor is there room in HOME {database.home} ({database.home_free_bytes} free)" if database.home else ""
        yield error(
            database.name, f"{free}, {needed + database.size_bytes} are needed with the safety copy of what is there{home}. "
            f"Without a copy the load cannot be taken back: --no-safety-copy {database.part} --accept-irreversible {database.part}"
        )


def major_of(version: str) -> int:
    match = re.search(r"\d+", version)
    return int(match[0]) if match else 0


def is_mariadb(version: str) -> bool:
    return "mariadb" in version.lower()


def fits(redis: RedisWorkload, name: str, rdb: RdbSummary) -> Iterator[Finding]:
    """Whether this file can be loaded by this server."""
    newest = rdb_version_of_redis(redis.redis_version)
    if rdb.version > newest:
        yield error(
            redis.name,
            f"{name} has RDB version {rdb.version}; Redis {redis.redis_version} loads versions up to {newest}",
        )
    highest = max(rdb.databases, default=0)
    if highest >= redis.databases:
        yield error(
            redis.name, f"{name} has keys in database {highest}; this Redis has {redis.databases} databases"
        )
    if redis.volume in ("emptyDir", "container"):
        yield error(
            redis.name, f"{redis.data_dir} is on no volume that survives a restart ({redis.volume})"
        )
    if redis.replicas != 1:
        yield error(redis.name, f"it has {redis.replicas} replicas; one is needed")
    if redis.missing_tools:
        yield error(redis.name, f"its pod lacks {', '.join(redis.missing_tools)}")
    needed = 3 * rdb.size_bytes  # the copy, the AOF, and the temporary file of the rewrite
    if redis.free_bytes < needed:
        yield error(redis.name, f"{redis.data_dir} has {redis.free_bytes} bytes free, {needed} are needed")
    if redis.strategy != "Recreate":
        yield Finding(
            severity="warning", subject=redis.name,
            message=f"its strategy is {redis.strategy or 'not set'}, not Recreate: during a rollout two "
            "servers share one directory",
        )


def error(subject: str, message: str) -> Finding:
    return Finding(severity="error", subject=subject, message=message)


def warning(subject: str, message: str) -> Finding:
    return Finding(severity="warning", subject=subject, message=message)
