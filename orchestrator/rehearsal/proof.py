"""Whether the data of a bundle really is in a running installation: keys, tables, files, and routes to them.

The dumps are loaded by throw-away servers, so what is expected comes from the files through the real
loaders, and not from what the restore believes.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.rehearsal.apiclient import ApiClient
from orchestrator.rehearsal.contents import Content, rows_in, sql_content, tree
from orchestrator.rehearsal.databases import SqlServer
from orchestrator.rehearsal.digest import JOBS, differing, keys_of, keys_of_database
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.places import SQL, objects, present, redis_port, sql_place, storage
from orchestrator.rehearsal.resp import RedisClient, RedisError
from orchestrator.rehearsal.seed import STORAGE, STORAGE_DIRECTORY, SYSTEM, WORKLOAD_PARTS, ZYNC
from orchestrator.rehearsal.throwaway import mysql_server, postgresql_server, redis_server

LOADING_SECONDS = 60.0
GROWING = ("entries", "audits", "event_store_events", "user_sessions", "schema_migrations")
"""Tables that grow as soon as 3scale runs: they have what the bundle has, and more."""
OTHERS = ("", "routines", "events")
"""What a dump with the guide's options says nothing of. Counters go on, and zync's jobs are taken."""
HOSTS = """\
SELECT domain FROM accounts WHERE provider OR master UNION SELECT self_domain FROM accounts WHERE provider OR master
UNION SELECT endpoint FROM proxies UNION SELECT sandbox_endpoint FROM proxies"""
DUMPS: Mapping[str, str] = {
    "system-mysql": "system-mysql-backup.gz", "system-postgresql": "system-postgresql-backup.gz",
    "zync-database": "zync-database-backup.gz",
}  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """What is expected beside what was found: keys, rows, files or hosts. `different`: keys, tables, files, hosts."""

    workload: str
    database: str
    expected: int
    found: int
    different: int

    @property
    def is_equal(self) -> bool:
        return self.different == 0


def compare(cluster: Rehearsed, bundle: Path, parts: tuple[str, ...]) -> list[Compared]:
    """The parts of the bundle against the running installation, one line for each database and kind of thing."""
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda part: list(compare_one(cluster, bundle, part)), parts)
        return [row for rows in found for row in rows]


def compare_one(cluster: Rehearsed, bundle: Path, part: str) -> Iterator[Compared]:
    if part in (SYSTEM, ZYNC):
        for workload in present(cluster, SQL):
            if WORKLOAD_PARTS[workload] == part:
                yield from compare_sql(cluster, bundle, workload)
        if part == SYSTEM:
            yield compare_routes(cluster)
    elif part == STORAGE:
        yield compare_storage(cluster, bundle)
    else:
        yield from compare_redis(cluster, bundle, part)


def compare_redis(cluster: Rehearsed, bundle: Path, workload: str) -> Iterator[Compared]:
    """Every key, value and expiry."""
    with redis_server(bundle / f"{workload}-dump.rdb") as (redis, _):
        wait_for_load(redis)
        count = int(redis.call("CONFIG", "GET", "databases")[1])
        expected = {str(n): dict(keys_of_database(redis, n)) for n in range(count)}
    found = keys_of(redis_port(cluster, workload))
    for number in sorted(key for key in expected if expected[key] or found.get(key)):
        there = found.get(number, {})
        different = len(list(differing(expected[number], there, "")))
        yield Compared(workload, f"db{number}", len(expected[number]), len(there), different)


def wait_for_load(redis: RedisClient) -> None:
    deadline = time.monotonic() + LOADING_SECONDS
    while b"\nloading:0" not in redis.call("INFO", "persistence"):
        if time.monotonic() > deadline:
            raise RedisError("a redis-server did not load the bundle's file in time")
        time.sleep(0.05)


# ---- SQL -----------------------------------------------------------------------------------------


def compare_sql(cluster: Rehearsed, bundle: Path, workload: str) -> Iterator[Compared]:
    """Every table of the dump: its definition, triggers and rows; and no table with rows besides."""
    place = sql_place(cluster, workload)
    expected = expected_content(bundle / DUMPS[workload], workload, place.database, place.owner)
    found = sql_content(place.server).get(place.database, {})
    different = [name for name in expected if not is_there(name, expected, found)]
    more = [name for name, section in found.items() if section["rows"] and name not in expected]
    yield Compared(workload, place.database, rows_in(expected), rows_in(found), len(different) + len(more))


def expected_content(dump: Path, workload: str, database: str, owner: str) -> Content:
    def loaded(server: SqlServer, target: str) -> Content:
        with gzip.open(dump) as file:
            server.load(file, target)
        return sql_content(server)[database]

    if workload == "system-mysql":
        with mysql_server(database) as mysql:
            return loaded(mysql, database)
    with postgresql_server(database, owner) as postgresql:
        return loaded(postgresql, "postgres" if is_of_whole_server(dump) else database)


def is_of_whole_server(dump: Path) -> bool:
    """Whether pg_dumpall made it, which connects to each database by itself."""
    with gzip.open(dump) as file:
        return any(b"PostgreSQL database cluster dump" in file.readline() for _ in range(5))


def is_there(name: str, expected: Content, found: Content) -> bool:
    table = name.rpartition(" ")[2]
    if name in (*JOBS, *OTHERS) or name.startswith("SEQUENCE SET"):
        return True
    if name not in found:
        return False
    if table in GROWING:
        return found[name]["rows"] >= expected[name]["rows"]
    return found[name] == expected[name]


# ---- storage and routes --------------------------------------------------------------------------


def compare_storage(cluster: Rehearsed, bundle: Path) -> Compared:
    """Every file of the bundle; what was there besides stays, as with the guide's rsync."""
    place = storage(cluster)
    expected = tree(bundle / STORAGE_DIRECTORY, modes=False)
    found = tree(place, modes=False) if place else {}
    different = [path for path in expected if found.get(path) != expected[path]]
    return Compared(STORAGE, "files", len(expected), len(found), len(different))


def compare_routes(cluster: Rehearsed) -> Compared:
    """A route that the router has taken for each host that the restored database names."""
    workload = next(name for name in present(cluster, SQL) if WORKLOAD_PARTS[name] == SYSTEM)
    place = sql_place(cluster, workload)
    named = place.server.column(HOSTS, place.database)
    expected = {urlsplit(name).hostname if "//" in name else name for name in named} - {"NULL", "", None}
    routes = objects(ApiClient(cluster.kubeconfig), cluster.namespace, "Route").values()
    found = {route["spec"]["host"] for route in routes if is_admitted(route)}
    return Compared("routes", "hosts", len(expected), len(found), len(expected - found))


def is_admitted(route: Mapping[str, object]) -> bool:
    status = route.get("status")
    ingress = status.get("ingress", []) if isinstance(status, dict) else []
    return any(
        condition["type"] == "Admitted" and condition["status"] == "True"
        for one in ingress
        for condition in one.get("conditions", [])
    )
