"""One embedded cluster in one process: everything plugged together, kept until it is stopped or idle.

`cluster.json` in the root says that it is there, for whoever comes later: it is written once the API
listens, and again when the installation is ready.
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from orchestrator.rehearsal.images import Recipe
from orchestrator.rehearsal.installation import Database, Installation, Release, Scope
from orchestrator.rehearsal.lifecycle import CLUSTER_FILE, started_ticks
from orchestrator.rehearsal.mysql_pod import MysqlRecipe
from orchestrator.rehearsal.operator import Operator
from orchestrator.rehearsal.postgresql_pod import PostgresqlRecipe
from orchestrator.rehearsal.programs import write
from orchestrator.rehearsal.redis_pod import RedisRecipe
from orchestrator.rehearsal.server import RunningServer, serve
from orchestrator.rehearsal.standin_pods import Access, recipes
from orchestrator.rehearsal.workloads import Workloads

LOCK_FILE = "lock"
IDLE_CHECK_SECONDS = 1.0
POD_TOKEN_SECONDS = 30 * 24 * 3600


class RootTaken(Exception):
    """Two clusters in one directory would write over each other's data."""


class NotListening(Exception):
    """A pod asks for the API before there is one."""


@dataclass(frozen=True)
class Options:
    """How to run a cluster. `port` 0 is any free one; without a request for `idle_minutes` it ends.

    `scope` "redis" is the two Redis databases alone, "whole" all of 3scale. `fresh` is an operator that nobody
    has asked for an installation yet: its namespace holds neither an APIManager nor Secrets.
    """

    root: Path
    release: Release
    namespace: str = "threescale"
    scope: Scope = "redis"
    database: Database = "mysql"
    fresh: bool = False
    port: int = 0
    idle_minutes: float = 60.0
    operator_delay_seconds: float = 0.2


async def run(options: Options) -> None:
    """Runs until SIGTERM, SIGINT or idleness; then stops every pod as a node would.

    RootTaken when another cluster runs in the same place.
    """
    lock = taken(options.root)
    try:
        await run_alone(options)
    finally:
        os.close(lock)


def taken(root: Path) -> int:
    """The lock on a root, as a descriptor that no child inherits; it goes with the process, however that ends."""
    lock = os.open(root / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise RootTaken(f"another cluster runs in {root}") from None
    return lock


async def run_alone(options: Options) -> None:
    cluster = Cluster(options)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, cluster.ended.set)
    await cluster.run()


class Cluster:
    """`ended` is set to end it."""

    def __init__(self, options: Options) -> None:
        self.ended = asyncio.Event()
        self._options = options
        self._asked_at = time.monotonic()
        self._server: RunningServer | None = None

    async def run(self) -> None:
        options = self._options
        installation = Installation(
            options.release, options.namespace, options.root, options.database, scope=options.scope
        )
        operator = Operator(installation, delay_seconds=options.operator_delay_seconds, fresh=options.fresh)
        known: list[tuple[str, Recipe]] = [
            *recipes(self._give_access), ("*redis*", RedisRecipe()), ("*mysql*", MysqlRecipe()),
            ("*postgresql*", PostgresqlRecipe()),
        ]  # fmt: skip
        workloads = Workloads(known)
        server = await serve(
            options.root, port=options.port, extensions=[workloads, operator], namespace=options.namespace,
            on_request=self._note_request,
        )
        self._server = server
        watching = [asyncio.create_task(self._end_when_idle()), asyncio.create_task(self._announce(server, operator))]
        try:
            await self.ended.wait()
        finally:
            for task in watching:
                task.cancel()
            await server.stop()
            (options.root / CLUSTER_FILE).unlink(missing_ok=True)

    def _give_access(self, namespace: str, account: str) -> Access:
        """For a pod that speaks to the API; it is refused, and asks again, until the API listens."""
        if self._server is None:
            raise NotListening("the API does not listen yet")
        kubeconfig = yaml.safe_load(self._server.kubeconfig.read_text())
        authority = base64.b64decode(kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
        token = self._server.tokens.issue(namespace, account, POD_TOKEN_SECONDS)
        return Access(self._server.port, authority, token.text)

    def _note_request(self) -> None:
        self._asked_at = time.monotonic()

    async def _end_when_idle(self) -> None:
        allowed_seconds = self._options.idle_minutes * 60
        while time.monotonic() - self._asked_at < allowed_seconds:
            await asyncio.sleep(min(IDLE_CHECK_SECONDS, allowed_seconds))
        self.ended.set()

    async def _announce(self, server: RunningServer, operator: Operator) -> None:
        self._write_file(server.port, ready=False)
        await operator.ready.wait()
        self._write_file(server.port, ready=True)

    def _write_file(self, port: int, *, ready: bool) -> None:
        options = self._options
        content = {
            "pid": os.getpid(),
            "started_ticks": started_ticks(os.getpid()),
            "release": options.release,
            "namespace": options.namespace,
            "scope": options.scope,
            "database": options.database,
            "port": port,
            "ready": ready,
        }
        fresh = write(options.root / f".{CLUSTER_FILE}", json.dumps(content) + "\n", 0o600)
        fresh.replace(options.root / CLUSTER_FILE)
