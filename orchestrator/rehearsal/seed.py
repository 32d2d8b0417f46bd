"""Puts sample data where a rehearsal needs it: into the running databases, and into a bundle.

The running installation gets "old" data; the bundle holds other data, dumped by the real tools from servers
that are started for that alone. A restore has to turn the one into the other.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from orchestrator.rehearsal.databases import output
from orchestrator.rehearsal.dialects import DIALECTS
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.places import REDIS, SQL, homes, present, redis_port, sql_place, storage
from orchestrator.rehearsal.postgresql_pod import program
from orchestrator.rehearsal.resp import RedisClient
from orchestrator.rehearsal.samples import Estate, Size
from orchestrator.rehearsal.samples_files import SampleFile
from orchestrator.rehearsal.samples_files import sample as sample_of_files
from orchestrator.rehearsal.samples_porta import sample as sample_of_porta
from orchestrator.rehearsal.samples_redis import sample as sample_of_redis
from orchestrator.rehearsal.samples_zync import sample as sample_of_zync
from orchestrator.rehearsal.throwaway import mysql_server, postgresql_server, redis_server

OLD, BACKUP = "old", "backup"
Database = Literal["mysql", "postgresql"]
ZyncFlavour = Literal["pg_dump", "pg_dumpall"]
SYSTEM, ZYNC, STORAGE = "system-database", "zync", "system-storage"
PARTS = (SYSTEM, STORAGE, ZYNC, *REDIS)
WORKLOAD_PARTS = {"system-mysql": SYSTEM, "system-postgresql": SYSTEM, "zync-database": ZYNC}
STORAGE_DIRECTORY = "system"
KEPT_BY_REDIS = ("dump.rdb", "appendonly", "temp-")


def fill_installation(
    cluster: Rehearsed, size: Size = "small", *, mark: str = OLD, parts: Collection[str] = PARTS
) -> None:
    """Empties and fills what a running installation has of `parts`; files of earlier restores go, too."""
    estate = Estate(mark, size)
    work: list[Callable[[], None]] = []
    for workload in present(cluster, REDIS):
        if workload in parts:
            work.append(lambda workload=workload: fill_redis(cluster, workload, mark, size))  # type: ignore[misc]
    for workload in present(cluster, SQL):
        if WORKLOAD_PARTS[workload] in parts:
            work.append(lambda workload=workload: fill_sql(cluster, workload, estate))  # type: ignore[misc]
    together(work)
    place = storage(cluster)
    if STORAGE in parts and place is not None:
        fill_directory(place, sample_of_files(estate))
    for home in homes(cluster):
        remove_files(home)


def make_bundle(
    directory: Path,
    size: Size = "small",
    *,
    mark: str = BACKUP,
    database: Database = "mysql",
    zync_flavour: ZyncFlavour = "pg_dump",
    parts: Collection[str] = PARTS,
) -> Path:
    """A bundle with these parts, its files named as in the guide; returns `directory`.

    The JSON files of the guide's objects are not made here.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    estate = Estate(mark, size)
    makers: Mapping[str, Callable[[], None]] = {
        SYSTEM: lambda: (dump_mysql if database == "mysql" else dump_postgresql)(directory, estate),
        ZYNC: lambda: dump_zync(directory, estate, zync_flavour),
        STORAGE: lambda: fill_directory(directory / STORAGE_DIRECTORY, sample_of_files(estate)),
        "backend-redis": lambda: dump_redis(directory, "backend-redis", mark, size),
        "system-redis": lambda: dump_redis(directory, "system-redis", mark, size),
    }
    together([makers[part] for part in PARTS if part in parts])
    return directory


def together(work: Iterable[Callable[[], None]]) -> None:
    """Side by side, as most of it waits for other processes; the first error is raised when all have ended."""
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(one) for one in work]:
            done.result()


# ---- a running installation ----------------------------------------------------------------------


def fill_redis(cluster: Rehearsed, workload: str, mark: str, size: Size) -> None:
    """Also saves it to its dump.rdb."""
    with RedisClient(redis_port(cluster, workload)) as redis:
        redis.call("FLUSHALL")
        redis.load(sample_of_redis(workload, mark, size))
        redis.call("SAVE")
    for path in (cluster.root / "mnt" / workload / "data").iterdir():
        if not path.name.startswith(KEPT_BY_REDIS) or path.name.endswith("-old"):
            remove(path)


def fill_sql(cluster: Rehearsed, workload: str, estate: Estate) -> None:
    place = sql_place(cluster, workload)
    place.server.recreate(place.database, place.owner, sample_of_sql(workload, estate))


def sample_of_sql(workload: str, estate: Estate) -> Iterator[str]:
    if workload == "zync-database":
        return sample_of_zync(estate)
    return sample_of_porta(DIALECTS[workload.removeprefix("system-")], estate)


def fill_directory(directory: Path, files: Iterable[SampleFile]) -> None:
    """Empties a directory, which is made when it is missing, and fills it."""
    directory.mkdir(mode=0o700, exist_ok=True)
    for path in directory.iterdir():
        remove(path)
    for file in files:
        target = directory / os.fsdecode(file.path)
        if file.link_target is not None:
            target.symlink_to(os.fsdecode(file.link_target))
        elif file.content is None:
            target.mkdir(0o700)
        else:
            target.touch(0o600, exist_ok=False)
            target.write_bytes(file.content)


def remove_files(home: Path) -> None:
    """Removes what is in a HOME but its mounts, which are links."""
    for path in home.iterdir():
        if not path.is_symlink() and not any(found.is_symlink() for found in path.rglob("*")):
            remove(path)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


# ---- a bundle ------------------------------------------------------------------------------------


def dump_redis(directory: Path, workload: str, mark: str, size: Size) -> None:
    with redis_server() as (redis, data):
        redis.load(sample_of_redis(workload, mark, size))
        redis.call("SAVE")
        target = directory / f"{workload}-dump.rdb"
        target.write_bytes((data / "dump.rdb").read_bytes())
        target.chmod(0o600)


def dump_mysql(directory: Path, estate: Estate) -> None:
    """With the options of the guide: triggers are in the dump, procedures are not."""
    with mysql_server("system") as server:
        server.run(sample_of_sql("system-mysql", estate), "system")
        argv = server.argv("mysqldump", "--single-transaction", "system")
        compressed(argv, server.environment, directory / "system-mysql-backup.gz")


def dump_postgresql(directory: Path, estate: Estate) -> None:
    with postgresql_server("system", "system") as server:
        server.recreate("system", "system", sample_of_sql("system-postgresql", estate))
        compressed([program("pg_dump"), "system"], server.environment, directory / "system-postgresql-backup.gz")


def dump_zync(directory: Path, estate: Estate, flavour: ZyncFlavour) -> None:
    argv = {
        "pg_dump": [program("pg_dump"), "zync_production"],
        "pg_dumpall": [program("pg_dumpall"), "-c", "--if-exists"],
    }[flavour]
    with postgresql_server("zync_production", "zync") as server:
        server.recreate("zync_production", "zync", sample_of_zync(estate))
        compressed(argv, server.environment, directory / "zync-database-backup.gz")


def compressed(argv: list[str], environment: Mapping[str, str], target: Path) -> None:
    """The output of a program through gzip, as the guide's pipes have it."""
    target.touch(0o600)
    with target.open("wb") as file, output(argv, environment) as dump:
        subprocess.run(["gzip", "-c"], stdin=dump, stdout=file, check=True)
