"""The cluster's start and end: store, API, certificate, kubeconfig, and whatever is plugged in.

Pods, controllers and operators come as extensions; this module knows none of them.

DeploymentConfig and Route are served as OpenShift serves them: with strategic merge patches, defaults and
/instantiate. With `--kubernetes` they are plain custom resources, as on a Kubernetes where their CRDs are
installed.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from aiohttp import web

from orchestrator.rehearsal.api import Api, Handler
from orchestrator.rehearsal.auth import Tokens
from orchestrator.rehearsal.bodies import LIMIT_BYTES
from orchestrator.rehearsal.certificates import make_certificates, write_kubeconfig
from orchestrator.rehearsal.foundation import Foundation
from orchestrator.rehearsal.garbage import Garbage
from orchestrator.rehearsal.store import Store

__all__ = ["Extension", "Handler", "RunningServer", "serve"]


class Extension(Protocol):
    """Something that lives in the cluster: a kubelet, controllers, an operator."""

    async def start(self, store: Store, root: Path) -> None: ...

    async def stop(self) -> None: ...

    def routes(self) -> Mapping[str, Handler]:
        """Handlers of subresources by `resource/subresource`: `pods/exec`, `deploymentconfigs/instantiate`.

        They are called after authentication and authorization, with namespace and name.
        """
        ...


class RunningServer:
    """A server that listens. `stop()` ends it and its extensions."""

    def __init__(self, root: Path, api: Api, extensions: Sequence[Extension], namespace: str) -> None:
        self.root = root
        self.namespace = namespace
        self.api = api
        self.port = 0
        self._extensions = extensions
        self._garbage = Garbage(api.store)
        self._foundation = Foundation(api.store)
        self._started: list[Extension] = []
        self._runner: web.AppRunner | None = None
        self._noticing: asyncio.Task[None] | None = None

    @property
    def store(self) -> Store:
        return self.api.store

    @property
    def tokens(self) -> Tokens:
        return self.api.tokens

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    async def start(self, port: int) -> None:
        """Listens last, when everything is in place. What was started is stopped again if something fails."""
        try:
            await self._start(port)
        except BaseException:
            await self.stop()
            raise

    async def _start(self, port: int) -> None:
        self._garbage.start()
        self._foundation.start()
        for extension in self._extensions:
            self._started.append(extension)
            await extension.start(self.store, self.root)
            self.api.handlers.update(extension.routes())
        self._noticing = asyncio.create_task(self.api.notice_open_requests())
        certificates = make_certificates()
        self.port = await self._listen(port, certificates.server)
        url = f"https://127.0.0.1:{self.port}"
        write_kubeconfig(
            self.kubeconfig, url, certificates.authority_pem, self.tokens.administrator, self.namespace
        )

    async def _listen(self, port: int, context: ssl.SSLContext) -> int:
        app = web.Application(client_max_size=LIMIT_BYTES)
        app.router.add_route("*", "/{path:.*}", self.api.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=context)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Ends connections first, then the extensions. A second call does nothing."""
        runner, self._runner = self._runner, None
        self.kubeconfig.unlink(missing_ok=True)
        if self._noticing is not None:
            self._noticing.cancel()
        if runner is not None:
            await runner.cleanup()
        while self._started:
            await self._started.pop().stop()
        self._garbage.stop()


async def serve(
    root: Path,
    *,
    port: int = 0,
    extensions: Sequence[Extension] = (),
    kubernetes: bool = False,
    namespace: str = "default",
    on_request: Callable[[], None] = lambda: None,
) -> RunningServer:
    """Starts a cluster in `root` and returns once it listens and `root/kubeconfig` is written.

    `port` 0 takes any free one, on 127.0.0.1 only. `namespace` is the one that the kubeconfig's context names. `on_request` is called for every request, and every
    few seconds while one is open.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    root.chmod(0o700)
    store = Store(openshift=not kubernetes)
    api = Api(store, Tokens(store), openshift=not kubernetes, on_request=on_request)
    running = RunningServer(root, api, extensions, namespace)
    await running.start(port)
    return running


async def _run(root: Path, *, port: int, kubernetes: bool) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    running = await serve(root, port=port, kubernetes=kubernetes)
    await stopped.wait()
    await running.stop()


def main() -> None:
    """The bare API server as a process, without pods: for tests of the API itself."""
    parser = argparse.ArgumentParser(prog="orchestrator.rehearsal.server")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--kubernetes", action="store_true", help="DeploymentConfig and Route as custom resources"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    asyncio.run(_run(arguments.root, port=arguments.port, kubernetes=arguments.kubernetes))


if __name__ == "__main__":
    main()
