"""Whether the data of a bundle really is in a running installation: every key, value and expiry.

The RDB files are loaded by a throw-away redis-server, so what is expected comes from the file through the
real loader, and not from what the restore believes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.rehearsal.digest import differing, keys_of, keys_of_database
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.places import redis_port
from orchestrator.rehearsal.resp import RedisClient, RedisError
from orchestrator.rehearsal.throwaway import redis_server

LOADING_SECONDS = 60.0


@dataclass(frozen=True)
class Compared:
    """One database of one Redis: the file's keys beside the server's."""

    workload: str
    database: str
    expected: int
    found: int
    different: int

    @property
    def is_equal(self) -> bool:
        return self.different == 0


def compare(cluster: Rehearsed, bundle: Path, workloads: tuple[str, ...]) -> list[Compared]:
    """The bundle against the running installation, database by database."""
    return [row for workload in workloads for row in compare_one(cluster, bundle, workload)]


def compare_one(cluster: Rehearsed, bundle: Path, workload: str) -> Iterator[Compared]:
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
    while b"loading:0" not in redis.call("INFO", "persistence"):
        if time.monotonic() > deadline:
            raise RedisError("a redis-server did not load the bundle's file in time")
        time.sleep(0.05)
