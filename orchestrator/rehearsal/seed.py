"""Puts sample data where a rehearsal needs it: into the running databases, and into a bundle.

The running installation gets "old" data; the bundle holds other data, written by a redis-server that is
started for that alone. A restore has to turn the one into the other.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.rehearsal.apiclient import ApiClient
from orchestrator.rehearsal.installation import REDIS_WORKLOADS, labels_of
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.programs import announced_port, found
from orchestrator.rehearsal.resp import RedisClient, RedisError
from orchestrator.rehearsal.samples import Size, sample

START_SECONDS = 20.0
OLD, BACKUP = "old", "backup"


def fill_installation(cluster: Rehearsed, size: Size = "small", *, mark: str = OLD) -> None:
    """Empties both databases of a running installation, fills them, and saves each to its dump.rdb."""
    for workload in REDIS_WORKLOADS:
        with RedisClient(redis_port(cluster, workload)) as redis:
            redis.call("FLUSHALL")
            redis.load(sample(workload, mark, size))
            redis.call("SAVE")


def make_bundle(directory: Path, size: Size = "small", *, mark: str = BACKUP) -> Path:
    """A bundle with a dump of each database, named as in the guide; returns `directory`."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for workload in REDIS_WORKLOADS:
        with throw_away_server() as (redis, data):
            redis.load(sample(workload, mark, size))
            redis.call("SAVE")
            target = directory / f"{workload}-dump.rdb"
            target.write_bytes((data / "dump.rdb").read_bytes())
            target.chmod(0o600)
    return directory


def redis_port(cluster: Rehearsed, workload: str) -> int:
    """The port of the ready pod of a Redis workload. LookupError when there is none."""
    ApiClient(cluster.kubeconfig).ready_pod(cluster.namespace, labels_of(workload))
    return announced_port(cluster.root, workload)


@contextmanager
def throw_away_server(rdb: Path | None = None) -> Iterator[tuple[RedisClient, Path]]:
    """A redis-server without a port, in a directory that goes with it; it has loaded `rdb`, if one is given."""
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as name:
        directory = Path(name)
        if rdb is not None:
            shutil.copyfile(rdb, directory / "dump.rdb")
        argv = [
            found("redis-server", "redis-server"), "--port", "0", "--unixsocket", str(directory / "s"),
            "--unixsocketperm", "600", "--save", "", "--dir", name,
        ]  # fmt: skip
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            with connected(directory / "s", process) as redis:
                yield redis, directory
        finally:
            process.kill()
            process.wait()


def connected(path: Path, process: subprocess.Popen[bytes]) -> RedisClient:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return RedisClient(path)
        except OSError:
            time.sleep(0.01)
    raise RedisError("a redis-server for sample data did not start")
