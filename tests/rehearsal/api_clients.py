"""What the tests of the API server share: a server in this process, and a client that trusts it."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from hypothesis import HealthCheck, settings

from orchestrator.rehearsal.server import RunningServer, serve

ADMINISTRATOR = "administrator"
# A busy machine is no reason for a property not to hold.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any


class Client:
    """Sends requests with the administrator's token, another one, or none."""

    def __init__(self, kubeconfig: Path, session: aiohttp.ClientSession) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self.url: str = cluster["server"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.context = ssl.create_default_context(cadata=authority)
        self.session = session
        self._token: str = config["users"][0]["user"]["token"]

    async def send(
        self, method: str, path: str, body: Any = None, *, token: str | None = ADMINISTRATOR, **headers: str
    ) -> Answer:
        """`content_type="…"` becomes the header Content-Type."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = "Bearer " + (self._token if token == ADMINISTRATOR else token)
        async with self.session.request(
            method, self.url + path, json=body, headers=sent, ssl=self.context
        ) as response:
            is_json = response.content_type == "application/json"
            return Answer(
                response.status, response.headers, await (response.json() if is_json else response.text())
            )


Body = Callable[[RunningServer, Client], Awaitable[None]]


def on_cluster(root: Path, body: Body, **options: Any) -> None:
    """Runs `body` on a cluster started in `root` with the given options of `serve`."""

    async def run() -> None:
        running = await serve(root, **options)
        try:
            async with aiohttp.ClientSession() as session:
                await body(running, Client(running.kubeconfig, session))
        finally:
            await running.stop()

    asyncio.run(run())
