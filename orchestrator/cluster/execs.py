"""Exec in a pod over a WebSocket: v5.channel.k8s.io, then v4, on aiohttp.

Success is a status frame that says so. No status frame is an unknown outcome, never success. Servers
before Kubernetes 1.30 speak v4, which cannot end stdin: scripts here read by length and need no end.
One event loop in a thread of its own serves all lanes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlencode

from orchestrator.cluster.connection import Connection, authorization, reread, tls
from orchestrator.cluster.faults import ATTEMPTS_MAX, asked_to_wait_seconds, refused
from orchestrator.errors import ClusterUnreachable, OutcomeUnknown, PodChanged, RestoreError

if TYPE_CHECKING:
    import aiohttp

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
FRAME_BYTES = 64 * 1024  # measured: larger frames are slower
CONNECT_SECONDS = 15.0
PING_SECONDS = 15.0  # an idle line is asked whether it is there, and given up after PINGS_MAX of these
PINGS_MAX = 4
STALL_SECONDS = 300.0  # a reader in the pod may stall; a server that is blocked by it answers no ping
OUTPUT_BYTES_MAX = 64 * 1024 * 1024  # the names of all files of a volume
STDIN, STDOUT, STDERR, STATUS = 0, 1, 2, 3

# It warns of every connection that is cut under TLS; that is what the errors here are for.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)

T = TypeVar("T")


class Pieces(Protocol):
    """Bytes that are read while they are sent, none of them empty; how many there are is known before."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


Stdin = bytes | Pieces
Sink = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ran to its end in the pod."""

    code: int
    out: bytes
    err: bytes

    @property
    def complaint(self) -> str:
        """The last line of stderr, or of stdout."""
        lines = (self.err or self.out).decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else f"exit code {self.code}"


class Run(Protocol):
    """A command in one container, as Execs.run does it."""

    def __call__(self, command: list[str], stdin: Stdin, sink: Sink | None = None) -> Ran: ...


class Execs:
    """Runs commands in pods of one namespace."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.protocols: Sequence[str] = PROTOCOLS  # that are offered, newest first
        self.ping_seconds = PING_SECONDS
        self._loop = asyncio.new_event_loop()
        self._session: aiohttp.ClientSession | None = None
        self._old: list[aiohttp.ClientSession] = []
        self._running: set[Future[Ran]] = set()
        self._is_given_up = False
        threading.Thread(target=self._loop.run_forever, name="exec", daemon=True).start()

    def run(
        self, pod: str, container: str, command: list[str], stdin: Stdin = b"", sink: Sink | None = None
    ) -> Ran:
        """Run to the end. Raises ClusterUnreachable before it began, OutcomeUnknown after.

        A sink gets stdout piece by piece as it comes, in the thread that serves all execs; else it is in the answer.
        """
        running = asyncio.run_coroutine_threadsafe(self._run(pod, container, command, stdin, sink), self._loop)
        self._running.add(running)
        if self._is_given_up:
            running.cancel()
        try:
            return running.result()
        except CancelledError as error:
            raise OutcomeUnknown(f"the exec in pod {pod} was given up: somebody wants the run to end") from error
        finally:
            self._running.discard(running)

    def give_up(self) -> None:
        """Cut every line that is open, and every one that would be begun from here on."""
        self._is_given_up = True
        for running in list(self._running):
            running.cancel()

    def close(self) -> None:
        for session in [*self._old, *([self._session] if self._session else [])]:
            self._wait(session.close())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _run(
        self, pod: str, container: str, command: list[str], stdin: Stdin, sink: Sink | None
    ) -> Ran:
        import aiohttp

        socket = await self._connect(self._url(pod, container, command, bool(stdin)))
        sending = asyncio.create_task(send(socket, stdin))
        receiving = asyncio.create_task(receive(socket, sending, self.ping_seconds, sink))
        try:
            await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and isinstance(error := sending.exception(), RestoreError):
                raise error  # stdin cannot be read any more here, and the pod would wait for it
            return await receiving
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise OutcomeUnknown(f"the exec in pod {pod} was cut off: {error or type(error).__name__}") from error
        finally:
            sending.cancel()
            receiving.cancel()
            await socket.close()

    def _url(self, pod: str, container: str, command: list[str], has_stdin: bool) -> str:
        query = [("container", container), ("stdout", "true"), ("stderr", "true")]
        query += [("stdin", "true")] if has_stdin else []
        query += [("command", word) for word in command]
        base = self.connection.server.rstrip("/")
        return f"{base}/api/v1/namespaces/{self.connection.namespace}/pods/{pod}/exec?{urlencode(query)}"

    async def _connect(self, url: str) -> aiohttp.ClientWebSocketResponse:
        """What was refused unheard (429, 401) is asked for again from here, as Rest does it."""
        import aiohttp

        for attempt in range(ATTEMPTS_MAX):
            settings = self.connection.configuration
            try:
                return await self._upgrade(url)
            except aiohttp.WSServerHandshakeError as error:
                if error.status == 404:  # the pod went away between two looks
                    raise PodChanged("the pod is not there any more") from error
                pause_seconds = asked_to_wait_seconds(error.status, error.headers or {})
                if pause_seconds is not None and attempt < ATTEMPTS_MAX - 1:
                    await asyncio.sleep(pause_seconds)
                elif error.status == 401 and not attempt and await asyncio.to_thread(reread, self.connection, settings):
                    self._forget_session()  # its certificate may be the old one
                else:
                    raise refused(error.status, error.message, "exec", url.split("?")[0]) from error
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise ClusterUnreachable(f"no exec to {self.connection.server}: {error or 'timed out'}") from error
        raise AssertionError("the last attempt returns or raises")

    async def _upgrade(self, url: str) -> aiohttp.ClientWebSocketResponse:
        import aiohttp
        from yarl import URL

        settings = self.connection.configuration
        if self._session is None:
            context = tls(settings) if url.startswith("https") else False
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, limit=0))
        async with asyncio.timeout(CONNECT_SECONDS):
            return await self._session.ws_connect(
                URL(url, encoded=True), protocols=self.protocols, headers=authorization(settings),
                autoping=False, max_msg_size=0, compress=0, proxy=settings.proxy,
                server_hostname=settings.tls_server_name,
            )

    def _forget_session(self) -> None:
        """Not closed yet: execs of other lanes go on in it."""
        if self._session is not None:
            self._old.append(self._session)
            self._session = None


async def send(socket: aiohttp.ClientWebSocketResponse, stdin: Stdin) -> None:
    """All of stdin in frames; v5 can say that this is the end, v4 cannot.

    It is read and hashed in the loop's own thread: measured, the way through another one costs more than both.
    """
    channel = bytes([STDIN])
    for piece in (stdin,) if isinstance(stdin, bytes) else stdin:
        view = memoryview(piece)
        for start in range(0, len(view), FRAME_BYTES):
            await socket.send_bytes(channel + view[start : start + FRAME_BYTES])
    if stdin and socket.protocol == PROTOCOLS[0]:
        await socket.send_bytes(bytes([255, STDIN]))


async def receive(
    socket: aiohttp.ClientWebSocketResponse, sending: asyncio.Task[None], ping_seconds: float, into: Sink | None
) -> Ran:
    """Everything until the status frame. No status frame: the outcome is unknown."""
    output = {STDOUT: bytearray(), STDERR: bytearray()}
    while True:
        data = await next_frame(socket, sending, ping_seconds)
        if data[:1] == bytes([STATUS]):
            return Ran(exit_code(data[1:]), bytes(output[STDOUT]), bytes(output[STDERR]))
        if into is not None and data[:1] == bytes([STDOUT]):
            into(data[1:])
            continue
        sink = output.get(data[0]) if data else None
        if sink is not None and len(sink) + len(data) <= OUTPUT_BYTES_MAX:
            sink += data[1:]


async def next_frame(
    socket: aiohttp.ClientWebSocketResponse, sending: asyncio.Task[None], ping_seconds: float
) -> bytes:
    """The next data frame. An idle line is pinged; one that answers nothing is an unknown outcome."""
    import aiohttp

    silent_seconds = 0.0
    while silent_seconds < (ping_seconds * PINGS_MAX if sending.done() else STALL_SECONDS):
        try:
            message = await asyncio.wait_for(socket.receive(), ping_seconds)
        except TimeoutError:
            silent_seconds += ping_seconds
            if sending.done():
                await socket.ping()
            continue
        match message.type:
            case aiohttp.WSMsgType.BINARY:
                return bytes(message.data)
            case aiohttp.WSMsgType.TEXT:
                return str(message.data).encode()
            case aiohttp.WSMsgType.PING:
                await socket.pong(message.data)
            case aiohttp.WSMsgType.PONG:
                silent_seconds = 0.0
            case _:
                raise OutcomeUnknown("the exec ended without a status: its outcome is unknown")
    raise OutcomeUnknown("the line of the exec is dead: its outcome is unknown")


def exit_code(status: bytes) -> int:
    """0, the command's own code, or an error when it never ran (no such command, a container that died)."""
    try:
        said = json.loads(status)
    except ValueError as error:
        raise OutcomeUnknown("the exec's status cannot be read: its outcome is unknown") from error
    if said.get("status") == "Success":
        return 0
    causes = (said.get("details") or {}).get("causes") or []
    for cause in causes:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise OutcomeUnknown(f"the exec failed: {said.get('message', 'no reason given')}")
