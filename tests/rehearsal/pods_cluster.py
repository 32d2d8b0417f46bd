"""A cluster inside the test's own process, with real pods: what the tests of pods and rollouts start from."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from orchestrator.rehearsal.history import Event
from orchestrator.rehearsal.images import Recipe
from orchestrator.rehearsal.server import RunningServer, serve
from orchestrator.rehearsal.types import resource_type
from orchestrator.rehearsal.workloads import Workloads

NAMESPACE = "t"
LIMIT_SECONDS = 30
WAITING = ["/bin/bash", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"]

Object = dict[str, Any]


class Cluster:
    """A running server, and shorthand for its namespace `t`."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.store = server.store
        self.root = server.root
        self.events: list[Event] = []
        self.store.subscribe(self.events.append)

    def create(self, kind: str, name: str, **fields: Any) -> Object:
        metadata = {"name": name, **fields.pop("metadata", {})}
        return self.store.create(resource_type(kind), NAMESPACE, {"metadata": metadata, **fields})

    def find(self, kind: str, name: str) -> Object | None:
        return self.store.find(resource_type(kind), NAMESPACE, name)

    def get(self, kind: str, name: str) -> Object:
        return self.store.get(resource_type(kind), NAMESPACE, name)

    def list(self, kind: str) -> list[Object]:
        return self.store.list(resource_type(kind), NAMESPACE)

    def change(self, kind: str, name: str, fn: Callable[[Object], None]) -> None:
        self.store.change(resource_type(kind), NAMESPACE, name, fn)

    def delete(self, kind: str, name: str, grace_seconds: int | None = None) -> None:
        self.store.delete(resource_type(kind), NAMESPACE, name, grace_seconds=grace_seconds)

    def pod(self, name: str, *command: str, **spec: Any) -> Object:
        """Creates a pod of one container `main`; `container` in `spec` adds to it."""
        argv = list(command) or WAITING
        container = {"name": "main", "image": "any", "command": argv, **spec.pop("container", {})}
        return self.create(
            "Pod", name, spec={"terminationGracePeriodSeconds": 5, "containers": [container], **spec}
        )

    async def until(self, kind: str, name: str, holds: Callable[[Object], bool]) -> Object:
        """Waits for a state of one object; the wait is woken by writes, and gives up after LIMIT_SECONDS."""
        await self.settled(lambda: (found := self.find(kind, name)) is not None and holds(found))
        return self.get(kind, name)

    async def gone(self, kind: str, name: str) -> None:
        await self.settled(lambda: self.find(kind, name) is None)

    async def running(self, name: str) -> Object:
        return await self.until("Pod", name, is_ready)

    async def settled(self, holds: Callable[[], bool]) -> None:
        woken = asyncio.Event()

        def wake(_: Event) -> None:
            woken.set()

        self.store.subscribe(wake)
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                while not holds():
                    woken.clear()
                    await woken.wait()
        finally:
            self.store.unsubscribe(wake)

    async def file(self, path: Path) -> str:
        """The content of a file, once it is there and not empty."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while not path.exists() or not path.read_text():
                await asyncio.sleep(0.01)
        return path.read_text()

    def directory(self, pod: Object, container: str = "main") -> Path:
        return self.root / "pods" / str(pod["metadata"]["uid"]) / "containers" / container

    @asynccontextmanager
    async def http(self) -> AsyncIterator[aiohttp.ClientSession]:
        """A session with the administrator's token, for the namespace's pods: relative paths."""
        config = yaml.safe_load(self.server.kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=authority))
        headers = {"Authorization": f"Bearer {user['token']}"}
        async with aiohttp.ClientSession(cluster["server"], headers=headers, connector=connector) as session:
            yield session


@asynccontextmanager
async def cluster(root: Path, recipes: Sequence[tuple[str, Recipe]] = ()) -> AsyncIterator[Cluster]:
    server = await serve(root, extensions=[Workloads(recipes)])
    server.store.create(resource_type("Namespace"), None, {"metadata": {"name": NAMESPACE}})
    try:
        yield Cluster(server)
    finally:
        await server.stop()


def on_cluster(
    path: Path, scenario: Callable[[Cluster], Awaitable[None]], recipes: Sequence[tuple[str, Recipe]] = ()
) -> None:
    """Runs a scenario on a fresh cluster."""

    async def run() -> None:
        async with cluster(path / "cluster", recipes) as running:
            await scenario(running)

    asyncio.run(run())


def is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)


def container_status(pod: Object, index: int = 0) -> Object:
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
    found: Object = statuses[index]
    return found


def is_alive(pid: int) -> bool:
    """Whether the process still runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
