"""Stands for `rake` in the image of system (porta): the tasks that a restore and the hooks need."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from orchestrator.rehearsal.standins import backend_storage, schema, zync_events
from orchestrator.rehearsal.standins.raking import Task, TaskFailed, run, say
from orchestrator.rehearsal.standins.services import Unreachable, redis, request
from orchestrator.rehearsal.standins.sql import Database

PATIENCE_SECONDS = 1.0
"""How long `boot` looks before it gives up: rake itself takes longer than that to start."""
INDEXED = ("accounts", "services", "cinstances", "plans", "metrics", "proxies")


def main(arguments: Sequence[str]) -> int:
    return run(tasks(os.environ["REHEARSAL_RELEASE"]), arguments)


def tasks(release: str) -> dict[str, Task]:
    """By name; search differs between the releases."""
    found: dict[str, Task] = {
        "boot": boot, "boot:all": boot, "boot:backend": boot_backend, "boot:database": boot_database, "boot:redis": boot_redis,
        "openshift:deploy": deploy, "openshift:post_deploy": rewrite, "openshift:check_writable": check_writable,
        "backend:storage:rewrite": rewrite, "backend:storage:enqueue_rewrite": rewrite,
        "zync:resync:domains": resync, "db:procedures": procedures, "multitenant:triggers": triggers,
        "db:migrate:status": migrations,
    }  # fmt: skip
    if release in ("2.11", "2.12", "2.13"):
        return found | {"openshift:thinking_sphinx:start": start_sphinx}
    return found | {"searchd:optimal_index": index}


def database() -> Database:
    return Database(os.environ["DATABASE_URL"])


# Boot


def boot(_: str = "") -> None:
    boot_backend()
    boot_database()
    boot_redis()


def boot_backend(_: str = "") -> None:
    def is_up() -> bool:
        return request("GET", "backend-listener", "/internal/status")[0] == 200

    _wait("backend-listener", is_up)


def boot_database(_: str = "") -> None:
    found = database()
    _wait("the database", found.is_ready)


def boot_redis(_: str = "") -> None:
    for key in ("REDIS_URL", "BACKEND_REDIS_URL"):
        url = os.environ[key]
        _wait(url.rpartition("@")[2].removeprefix("redis://"), partial(_pings, url))


def _pings(url: str) -> bool:
    with redis(url) as client:
        return bool(client.call("PING") == b"PONG")


def _wait(name: str, is_up: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if is_up():
                say(f"Connected to {name}")
                return
            why = "it is not ready"
        except Unreachable as error:
            why = str(error)
        if time.monotonic() > deadline:
            raise TaskFailed(f"cannot connect to {name}: {why}")
        time.sleep(0.1)


# The database


def deploy(_: str = "") -> None:
    """A schema that is not there is made and seeded, and zync told; one of an older program is migrated."""
    check_writable()
    found = database()
    if "schema_migrations" not in found.tables():
        schema.make_system(found, os.environ)
        say("Created and seeded the database")
        zync_events.push(found)
        return
    newest = found.run("SELECT MAX(version) FROM schema_migrations;")[0][0]
    if newest < schema.NEWEST:
        found.run(f"INSERT INTO schema_migrations (version) VALUES ('{schema.NEWEST}');")
        say(f"Migrated the database from {newest} to {schema.NEWEST}")


def migrations(_: str = "") -> None:
    for row in database().run("SELECT version FROM schema_migrations ORDER BY version;"):
        say(f"   up     {row[0]}")


def procedures(_: str = "") -> None:
    found = database()
    found.run(schema.procedure_script(schema.dialect_of(found)))


def triggers(_: str = "") -> None:
    found = database()
    found.run(schema.trigger_script(schema.dialect_of(found)))


def check_writable(_: str = "") -> None:
    path = Path(os.environ["HOME"]) / "public" / "system"
    if path.is_dir() and not os.access(path, os.W_OK):
        raise TaskFailed(f"{path} is not writable")


# What follows from the database


def rewrite(_: str = "") -> None:
    count = backend_storage.rewrite(database(), os.environ["BACKEND_REDIS_URL"], os.environ.get("PROVIDER_ID", ""))
    say(f"Rewrote {count} keys of backend's storage")


def resync(_: str = "") -> None:
    """Returns at once: others take the jobs."""
    say(f"Enqueued {zync_events.push(database())} jobs for zync")


def index(_: str = "") -> None:
    status, text = request("PUT", "system-searchd", "/index", json.dumps(counts()))
    if status != 200:
        raise TaskFailed(f"searchd: {text}")
    say("Indexed")


def counts() -> dict[str, int]:
    """Rows of each indexed table; a table that is not there has none."""
    found = database()
    there = [name for name in INDEXED if name in found.tables()]
    if not there:
        return {}
    rows = found.run(" UNION ALL ".join(f"SELECT '{name}', COUNT(*) FROM {name}" for name in there) + ";")
    return {name: int(count) for name, count in rows}


def start_sphinx(_: str = "") -> None:
    """Indexes anew and then serves, as system-sphinx does at each start."""
    from orchestrator.rehearsal.standins import searchd

    searchd.write(os.environ["REHEARSAL_DATA"], counts())
    searchd.serve_index("system-sphinx", os.environ["REHEARSAL_DATA"])
