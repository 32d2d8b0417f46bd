"""Exec: a command in a container, its streams over one WebSocket.

Speaks v5, v4 and v1 of the channel protocol: each frame is a channel byte and up to 64 KiB. The last frame
is the outcome on channel 3. Back-pressure goes both ways, so like a real server this one does not look at
the socket (and answers no ping) while the process does not read its stdin. A client that goes away ends the
stdin of the process, nothing more: the process runs on, and blocks once its output has filled the pipe.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import WSMsgType, web

from orchestrator.rehearsal.apierrors import bad_request
from orchestrator.rehearsal.containers import Container
from orchestrator.rehearsal.kubelet import Kubelet
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.podrunner import POD
from orchestrator.rehearsal.processes import Process
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.streams import Streams, read_some, write_all

V5, V4, V1 = "v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io"
PROTOCOLS = (V5, V4, V1)
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
LARGEST_FRAME_BYTES = 64 * 1024 * 1024
SUCCESS = {"metadata": {}, "status": "Success"}


@dataclass(frozen=True)
class ExecOptions:
    """The query of an exec request."""

    command: Sequence[str]
    container: str
    stdin: bool
    stdout: bool
    stderr: bool
    terminal: bool

    @classmethod
    def of(cls, request: web.Request) -> ExecOptions:
        query = request.query
        asked = {name: query.get(name, "") in ("true", "1") for name in ("stdin", "stdout", "stderr", "tty")}
        return cls(
            command=query.getall("command", []),
            container=query.get("container", ""),
            stdin=asked["stdin"],
            stdout=asked["stdout"],
            stderr=asked["stderr"] and not asked["tty"],
            terminal=asked["tty"],
        )


async def serve_exec(
    store: Store, kubelet: Kubelet, request: web.Request, namespace: str, name: str
) -> web.StreamResponse:
    """The handler of `pods/exec`. ApiError 400 or 404 before any upgrade."""
    pod = store.get(POD, namespace, name)
    options = ExecOptions.of(request)
    container_name = chosen_container(pod, options.container)
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise bad_request("Upgrade request required")
    if not (options.stdin or options.stdout or options.stderr):
        return web.Response(status=400, text="you must specify at least 1 of stdin, stdout, stderr")
    protocol = _negotiated(request)
    if protocol is None:
        return web.Response(status=403, content_type="text/plain")
    container = kubelet.container(pod, container_name)
    if container is None or not container.running:
        return web.Response(status=500, text=f'container not found ("{container_name}")')
    socket = web.WebSocketResponse(
        protocols=PROTOCOLS, compress=False, max_msg_size=LARGEST_FRAME_BYTES, timeout=1.0
    )
    await socket.prepare(request)
    await _Session(socket, protocol, options).serve(container)
    return socket


def chosen_container(pod: Object, name: str) -> str:
    """The container asked for, or the only one. ApiError 400 otherwise."""
    spec, pod_name = pod["spec"], pod["metadata"]["name"]
    names = [container["name"] for container in spec["containers"]]
    if not name:
        if len(names) == 1:
            return str(names[0])
        choice = f"choose one of: [{' '.join(names)}]"
        init = [container["name"] for container in spec.get("initContainers") or []]
        if init:
            choice += f" or one of the init containers: [{' '.join(init)}]"
        raise bad_request(f"a container name must be specified for pod {pod_name}, {choice}")
    if name not in names + [container["name"] for container in spec.get("initContainers") or []]:
        raise bad_request(f"container {name} is not valid for pod {pod_name}")
    return name


def _negotiated(request: web.Request) -> str | None:
    """The protocol to speak; the oldest when the client names none, None when it names only unknown ones."""
    offered = [part.strip() for part in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    if offered == [""]:
        return V1
    return next((protocol for protocol in offered if protocol in PROTOCOLS), None)


class _Session:
    """One exec from the upgrade to the outcome."""

    def __init__(self, socket: web.WebSocketResponse, protocol: str, options: ExecOptions) -> None:
        self._socket = socket
        self._protocol = protocol
        self._options = options

    async def serve(self, container: Container) -> None:
        options = self._options
        streams = Streams(
            stdin=options.stdin, stdout=options.stdout, stderr=options.stderr, terminal=options.terminal
        )
        try:
            process = self._start(container, streams)
            outcome = process if isinstance(process, dict) else await self._relay(process, streams)
            await self._finish(outcome)
        finally:
            streams.close()

    def _start(self, container: Container, streams: Streams) -> Process | dict[str, Any]:
        """The process, or the Status that says why there is none."""
        if not self._options.command:
            return _not_started("args must not be empty")
        try:
            return container.spawn(self._options.command, **streams.for_process())
        except OSError as error:
            return _not_started(f'exec: "{self._options.command[0]}": {_reason(error)}')
        finally:
            streams.started()

    async def _relay(self, process: Process, streams: Streams) -> dict[str, Any]:
        """Moves bytes until the process has ended and all its output is delivered."""
        incoming = asyncio.create_task(self._receive(streams))
        outputs = [(STDOUT, streams.stdout)] if self._options.stdout else []
        outputs += [(STDERR, streams.stderr)] if self._options.stderr else []
        try:
            await asyncio.gather(*(self._send_output(channel, end) for channel, end in outputs))
            code = await process.wait()
        finally:
            incoming.cancel()
            await asyncio.gather(incoming, return_exceptions=True)
        return self._outcome(code)

    async def _send_output(self, channel: int, descriptor: int) -> None:
        """Ends with the output, or with the client: then the rest stays in the pipe, unread."""
        prefix = bytes((channel,))
        with contextlib.suppress(ConnectionError):
            while piece := await read_some(descriptor):
                await self._socket.send_bytes(prefix + piece)
                await asyncio.sleep(0)

    async def _receive(self, streams: Streams) -> None:
        """Frames of the client, until it goes away; that ends stdin."""
        async for message in self._socket:
            if message.type is WSMsgType.BINARY and message.data:
                await self._take(message.data, streams)
            elif message.type is WSMsgType.TEXT and message.data:
                await self._take(message.data.encode(), streams)
        streams.close_stdin()

    async def _take(self, frame: bytes, streams: Streams) -> None:
        channel = frame[0]
        if channel == STDIN and streams.stdin >= 0:
            try:
                await write_all(streams.stdin, memoryview(frame)[1:])
            except OSError:  # the process reads no more: what still comes is dropped
                streams.close_stdin()
        elif channel == RESIZE:
            _resize(streams, frame[1:])
        elif channel == CLOSE and self._protocol == V5 and frame[1:] == bytes((STDIN,)):
            streams.close_stdin()

    async def _finish(self, outcome: dict[str, Any]) -> None:
        content = json.dumps(outcome).encode()
        if self._protocol == V1:
            content = outcome.get("message", "").encode()
        with contextlib.suppress(ConnectionError):
            if content:
                await self._socket.send_bytes(bytes((ERROR,)) + content)
            await self._socket.close()

    def _outcome(self, code: int) -> dict[str, Any]:
        if code == 0:
            return SUCCESS
        command = " ".join(self._options.command)
        detail = f"command terminated with exit code {code}"
        if self._protocol != V5:
            detail = f"error executing command [{command}], exit code {code}"
        return {
            "metadata": {},
            "status": "Failure",
            "message": f"command terminated with non-zero exit code: {detail}",
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
        }


def _not_started(why: str) -> dict[str, Any]:
    detail = f"error executing command in container: failed to exec in container: failed to start exec: {why}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {detail}",
        "reason": "InternalError",
        "details": {"causes": [{"message": detail}]},
        "code": 500,
    }


def _reason(error: OSError) -> str:
    return (
        "executable file not found in $PATH" if isinstance(error, FileNotFoundError) else str(error.strerror)
    )


def _resize(streams: Streams, content: bytes) -> None:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        size = json.loads(content)
        streams.resize(int(size["Width"]), int(size["Height"]))
