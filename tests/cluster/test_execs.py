"""Execs against a server that misbehaves as it is told, and over a line that does: what is an outcome, and what is none.

The server is a stand-in that speaks the channel protocol; the line is the fault proxy before the embedded cluster.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web

from orchestrator.cluster.connection import connect
from orchestrator.cluster.execs import PROTOCOLS, Execs
from orchestrator.cluster.live import LiveCluster
from orchestrator.cluster.pods import whole
from orchestrator.errors import ClusterRefused, ClusterUnreachable, OutcomeUnknown, PlanChanged, PodChanged
from orchestrator.port import WorkloadSeen
from orchestrator.rehearsal.line import keeping
from orchestrator.rehearsal.line.faults import Faults
from orchestrator.rehearsal.line.keeping import Line
from tests.cluster.pods import Live, until
from tests.cluster.test_faults import config

NUMBERS = count(1)
SUCCESS = b"\x03" + json.dumps({"status": "Success"}).encode()
Behaviour = Callable[[web.WebSocketResponse], Awaitable[None]]


class Server:
    """Answers each exec with the next of its answers: a behaviour after the upgrade, or a status instead of it."""

    def __init__(self, *answers: Behaviour | tuple[int, dict[str, str]]) -> None:
        self.answers, self.asked = list(answers), 0
        self.loop, self.port, self.is_up = asyncio.new_event_loop(), 0, threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()
        self.is_up.wait()

    def _serve(self) -> None:
        async def start() -> None:
            app = web.Application()
            app.router.add_get("/{path:.*}", self._answer)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            self.is_up.set()

        self.loop.run_until_complete(start())
        self.loop.run_forever()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, tuple):
            return web.Response(status=answer[0], headers=answer[1], text="no")
        socket = web.WebSocketResponse(protocols=PROTOCOLS, autoping=False)
        await socket.prepare(request)
        await answer(socket)
        await socket.close()
        return socket


@contextmanager
def execs_to(server: Server, tmp_path: Path) -> Iterator[Execs]:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(config(f"http://127.0.0.1:{server.port}", "token"))
    execs = Execs(connect(str(kubeconfig)))
    execs.ping_seconds = 0.05
    try:
        yield execs
    finally:
        execs.close()
        server.loop.call_soon_threadsafe(server.loop.stop)


def says(*frames: bytes) -> Behaviour:
    async def behave(socket: web.WebSocketResponse) -> None:
        for frame in frames:
            await socket.send_bytes(frame)

    return behave


async def is_silent(socket: web.WebSocketResponse) -> None:
    """Half open: nothing comes back, not even an answer to a ping."""
    async for _ in socket:
        continue


async def answers_pings_for_a_while(socket: web.WebSocketResponse) -> None:
    """Longer than a line may be silent."""
    for _ in range(8):
        message = await socket.receive()
        assert message.type is WSMsgType.PING
        await socket.pong(message.data)
    await socket.send_bytes(SUCCESS)


# ---- a server ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        pytest.param(says(), "ended without a status", id="nothing-at-all"),
        pytest.param(says(b"\x01all of it\nend\n"), "ended without a status", id="all-output-and-no-status"),
        pytest.param(says(b"\x03{not json"), "status cannot be read", id="half-a-status"),
        pytest.param(says(b"\x03" + json.dumps({"status": "Failure", "message": "container died"}).encode()), "container died", id="it-never-ran"),
        pytest.param(is_silent, "the line of the exec is dead", id="half-open"),
    ],
)
def test_without_a_status_the_outcome_is_unknown(tmp_path: Path, behaviour: Behaviour, words: str) -> None:
    server = Server(behaviour)
    with execs_to(server, tmp_path) as execs, pytest.raises(OutcomeUnknown, match=words):
        execs.run("pod", "main", ["true"])
    assert server.asked == 1  # never sent again from here


def test_output_that_was_cut_off_is_no_answer_although_the_status_says_success(tmp_path: Path) -> None:
    with execs_to(Server(says(b"\x010 f 12 ab", SUCCESS)), tmp_path) as execs:
        ran = execs.run("pod", "main", ["true"])
        assert ran.code == 0
        with pytest.raises(ClusterUnreachable, match="cut off"):
            whole(ran)


def test_a_line_that_is_idle_and_answers_pings_is_waited_for(tmp_path: Path) -> None:
    with execs_to(Server(answers_pings_for_a_while), tmp_path) as execs:
        assert execs.run("pod", "main", ["true"]).code == 0


def test_a_busy_server_is_asked_for_an_exec_again_after_the_time_that_it_wants(tmp_path: Path) -> None:
    server = Server((429, {"Retry-After": "0"}), (429, {"Retry-After": "0"}), says(SUCCESS))
    with execs_to(server, tmp_path) as execs:
        assert execs.run("pod", "main", ["true"]).code == 0
    assert server.asked == 3


@pytest.mark.parametrize(
    ("status", "headers", "kind", "asked"),
    [
        pytest.param(429, {"Retry-After": "0"}, ClusterUnreachable, 4, id="busy-for-ever"),
        pytest.param(429, {"Retry-After": "3600"}, ClusterUnreachable, 1, id="busy-for-too-long"),
        pytest.param(401, {}, ClusterRefused, 2, id="credentials-that-are-no-better-when-they-are-read-again"),
        pytest.param(403, {}, ClusterRefused, 1, id="forbidden"),
        pytest.param(404, {}, PodChanged, 1, id="no-such-pod"),
        pytest.param(503, {}, ClusterUnreachable, 1, id="not-now"),
    ],
)
def test_an_exec_that_is_refused_never_began(
    tmp_path: Path, status: int, headers: dict[str, str], kind: type[Exception], asked: int
) -> None:
    server = Server((status, headers))
    with execs_to(server, tmp_path) as execs, pytest.raises(kind) as failed:
        execs.run("pod", "main", ["true"])
    assert not isinstance(failed.value, OutcomeUnknown)
    assert server.asked == asked


# ---- v4, where stdin cannot be ended -------------------------------------------------------------


@pytest.fixture
def v4(live: Live) -> Iterator[Execs]:
    execs = Execs(live.cluster.connection)
    execs.protocols = PROTOCOLS[1:]
    yield execs
    execs.close()


@pytest.fixture(scope="module")
def pod(live: Live) -> WorkloadSeen:
    return live.pod(f"execs-{next(NUMBERS)}")


class Failing:
    """Stdin that cannot be read any more after its first piece."""

    def __len__(self) -> int:
        return 1000

    def __iter__(self) -> Iterator[bytes]:
        yield b"x" * 100
        raise PlanChanged("a file became shorter while it was copied")


def test_a_source_that_fails_ends_the_exec_and_what_reads_it_in_the_pod(
    live: Live, pod: WorkloadSeen, v4: Execs, tmp_path: Path
) -> None:
    """The pod waits for bytes that never come, and v4 has no word for their end: it is the line that ends."""
    tmp_path.chmod(0o777)
    script = 'echo $$ > "$1.new" && mv "$1.new" "$1"; head -c 1000 | wc -c > "$2"'
    with pytest.raises(PlanChanged):
        v4.run(pod.pod, "main", ["sh", "-c", script, "test", str(tmp_path / "pid"), str(tmp_path / "read")], Failing())
    until(lambda: (tmp_path / "pid").exists())
    pid = (tmp_path / "pid").read_text().strip()
    until(lambda: not Path(f"/proc/{pid}").exists())
    assert (tmp_path / "read").read_text().strip() == "100"


def test_v4_carries_what_is_read_by_its_length(pod: WorkloadSeen, v4: Execs) -> None:
    ran = v4.run(pod.pod, "main", ["sh", "-c", "head -c 5; exit 3"], b"12345")
    assert (ran.code, ran.out) == (3, b"12345")


# ---- a line --------------------------------------------------------------------------------------


@pytest.fixture
def line(live: Live) -> Iterator[Line]:
    yield keeping.start(live.root, Faults(), 1)
    keeping.stop(live.root)


def test_a_handshake_that_is_cut_is_nothing_that_was_done(live: Live, pod: WorkloadSeen, line: Line) -> None:
    line.change(Faults(cut_every_bytes=700))  # less than a TLS handshake takes
    with LiveCluster(connect(str(line.kubeconfig), "", "t")) as cluster:
        with pytest.raises(ClusterUnreachable):
            cluster.rest.get("/api/v1/namespaces/t/pods")
        with pytest.raises(ClusterUnreachable) as failed:
            cluster.execs.run(pod.pod, "main", ["true"])
    assert not isinstance(failed.value, OutcomeUnknown)
    assert line.told().cuts > 0


def test_a_line_that_lets_nothing_through_any_more_is_given_up_after_some_pings(live: Live, pod: WorkloadSeen, line: Line) -> None:
    with LiveCluster(connect(str(line.kubeconfig), "", "t")) as cluster:
        cluster.execs.ping_seconds = 0.2
        begun: list[bytes] = []

        def stall(piece: bytes) -> None:
            begun.append(piece)
            line.stall(3600)

        with pytest.raises(OutcomeUnknown, match="the line of the exec is dead"):
            cluster.execs.run(pod.pod, "main", ["sh", "-c", "echo begun; exec sleep 60"], sink=stall)
        assert begun == [b"begun\n"]
        line.stall(0)
