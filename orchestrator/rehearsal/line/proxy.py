"""The proxy itself: sockets, tasks, and the counters that its faults go by.

Two tasks carry each direction of a connection: one takes what comes and notes when it is due, one passes it
on, where every fault is met. What was taken and not passed when a connection ends is lost with it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Final, Literal

from orchestrator.rehearsal.line.faults import Ending, Faults, Schedule

Direction = Literal["up", "down"]

PIECE_BYTES: Final = 64 * 1024
PIECES_MAX: Final = 4  # on their way in one direction of a connection; then its sender waits
BYTES_PER_SECOND: Final = 64 * 1024 * 1024  # what a late line is to carry where its bandwidth has no limit
KERNEL_BYTES: Final = 128 * 1024  # of each buffer of each socket: what is in them is lost with a cut, and not counted
STEPS_PER_SECOND: Final = 50  # how finely a limited bandwidth is dealt out
CLOSING_SECONDS: Final = 1.0
NO_LINGER: Final = struct.pack("ii", 1, 0)


@dataclass
class Flow:
    """Bytes of one direction that were passed on, and that were taken and never passed on."""

    passed_bytes: int = 0
    lost_bytes: int = 0
    free_at: float = 0.0  # when it may carry the next bytes, by the loop's clock


@dataclass
class Counts:
    """What was done to the connections."""

    connections: int = 0
    refused: int = 0
    cuts: int = 0
    resets: int = 0
    stalls: int = 0


@dataclass(eq=False)
class Connection:
    """A client, its way to the cluster, and what both have sent; `ending` says how it ended."""

    number: int
    client: socket.socket
    cluster: socket.socket
    reset_at_bytes: float
    up: Flow = field(default_factory=Flow)
    down: Flow = field(default_factory=Flow)
    ending: Ending | Literal["open", "by itself"] = "open"
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def passed_bytes(self) -> int:
        return self.up.passed_bytes + self.down.passed_bytes

    @property
    def told(self) -> dict[str, object]:
        return {"number": self.number, "ending": self.ending, **flows(self.up, self.down)}

    def end(self, ending: Ending) -> None:
        if self.ending == "open":
            self.ending = ending
            for task in self.tasks:
                task.cancel()


class Proxy:
    def __init__(self, target: tuple[str, int], faults: Faults, seed: int) -> None:
        self.target, self.faults, self.schedule = target, faults, Schedule(seed)
        self.counts = Counts()
        self.flows: dict[Direction, Flow] = {"up": Flow(), "down": Flow()}
        self.connections: list[Connection] = []
        self._cut_endings = self.schedule.endings("cuts")
        self._cut_at = self._stall_at = 0
        self._passing = asyncio.Event()
        self._waking: asyncio.TimerHandle | None = None
        self.change(faults)
        self._passing.set()

    @property
    def passed_bytes(self) -> int:
        return self.flows["up"].passed_bytes + self.flows["down"].passed_bytes

    # ---- what can be done to the line ------------------------------------------------------------

    def change(self, faults: Faults) -> None:
        """Other faults from here on; what is counted for the next cut and stall begins anew."""
        self.faults = faults
        self._cut_at = self.passed_bytes + faults.cut_every_bytes
        self._stall_at = self.passed_bytes + faults.stall_every_bytes

    def cut(self, ending: Ending | None = None) -> None:
        """End every connection."""
        self.counts.cuts += 1
        self._cut_at = self.passed_bytes + self.faults.cut_every_bytes
        how = next(self._cut_endings) if ending is None else ending
        for connection in self.connections:
            connection.end(how)

    def stall(self, seconds: float) -> None:
        """Let nothing pass for so long, and keep every connection open. 0 ends a stall."""
        self._stall_at = self.passed_bytes + self.faults.stall_every_bytes
        if self._waking is not None:
            self._waking.cancel()
        if not seconds:
            self._passing.set()
            return
        self.counts.stalls += 1
        self._passing.clear()
        self._waking = asyncio.get_running_loop().call_later(seconds, self._passing.set)

    def told(self) -> dict[str, object]:
        known = {**asdict(self.counts), **flows(self.flows["up"], self.flows["down"])}
        return {**known, "by_connection": [connection.told for connection in self.connections]}

    # ---- connections -----------------------------------------------------------------------------

    async def serve(self, listening: socket.socket) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while True:
                client, _ = await loop.sock_accept(listening)
                group.create_task(self.connected(client))

    async def connected(self, client: socket.socket) -> None:
        cluster = socket.socket()
        cluster.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
        number = self.counts.connections = self.counts.connections + 1
        try:
            for end in (client, cluster):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
            await asyncio.get_running_loop().sock_connect(cluster, self.target)
        except OSError:
            self.counts.refused += 1
            for end in (client, cluster):
                hang_up(end)
            return
        reset_at = self.schedule.reset_after_bytes(number, self.faults.resets_per_mib)
        connection = Connection(number, client, cluster, reset_at)
        self.connections.append(connection)
        await self.carry(connection)

    async def carry(self, connection: Connection) -> None:
        """Both directions until both have ended, one of them failed, or a fault ended the connection."""
        for way in (
            Way(self, connection, connection.client, connection.cluster, "up"),
            Way(self, connection, connection.cluster, connection.client, "down"),
        ):
            connection.tasks += [asyncio.create_task(way.take()), asyncio.create_task(way.give())]
        await asyncio.wait(connection.tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in connection.tasks:
            task.cancel()
        ended = await asyncio.gather(*connection.tasks, return_exceptions=True)
        connection.ending = "by itself" if connection.ending == "open" else connection.ending
        self.flows["up"].lost_bytes += connection.up.lost_bytes
        self.flows["down"].lost_bytes += connection.down.lost_bytes
        if not any(ended):
            connection.client.close()
            connection.cluster.close()
        else:
            await asyncio.gather(*(end(s, connection.ending) for s in (connection.client, connection.cluster)))

    # ---- faults ----------------------------------------------------------------------------------

    def strike(self, connection: Connection) -> int:
        """Does the fault whose byte has come, if one has; how many bytes may pass until the next."""
        faults = self.faults
        if faults.stall_every_bytes and self.passed_bytes >= self._stall_at:
            self.stall(faults.stall_seconds)
        elif faults.cut_every_bytes and self.passed_bytes >= self._cut_at:
            self.cut()
        elif connection.passed_bytes >= connection.reset_at_bytes:
            self.counts.resets += 1
            connection.end(next(self.schedule.endings(f"connection {connection.number}")))
        else:
            room = [float(PIECE_BYTES), connection.reset_at_bytes - connection.passed_bytes]
            room += [self._cut_at - self.passed_bytes] if faults.cut_every_bytes else []
            room += [self._stall_at - self.passed_bytes] if faults.stall_every_bytes else []
            limits = (faults.bytes_per_second, faults.bytes_per_second_each)
            room += [limit / STEPS_PER_SECOND for limit in limits if limit]
            return max(1, int(min(room)))
        return 0

    async def turn(self, direction: Direction, own: Flow, size_bytes: int) -> None:
        """Wait for the line, and for this connection's share of it, to be free for so many bytes."""
        shared, now = self.flows[direction], asyncio.get_running_loop().time()
        due_at = now
        for flow, limit in ((shared, self.faults.bytes_per_second), (own, self.faults.bytes_per_second_each)):
            if limit:
                free_at = max(now, flow.free_at)
                flow.free_at = free_at + size_bytes / limit
                due_at = max(due_at, free_at)
        if due_at > now:
            await asyncio.sleep(due_at - now)


class Way:
    """One direction of one connection."""

    def __init__(
        self, proxy: Proxy, connection: Connection, source: socket.socket, sink: socket.socket, direction: Direction
    ) -> None:
        self._proxy, self._connection, self._direction = proxy, connection, direction
        self._source, self._sink = source, sink
        self._flow = connection.up if direction == "up" else connection.down
        self._pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(pieces_max(proxy.faults))

    async def take(self) -> None:
        """What the sender sends, until it says that this was all."""
        loop = asyncio.get_running_loop()
        while True:
            piece = await loop.sock_recv(self._source, PIECE_BYTES)
            self._flow.lost_bytes += len(piece)  # until it is passed on
            await self._pieces.put((loop.time() + self._proxy.faults.latency_seconds, piece))
            if not piece:
                return

    async def give(self) -> None:
        """Each piece when it is due, as far as the faults let it pass."""
        loop = asyncio.get_running_loop()
        while True:
            due_at, piece = await self._pieces.get()
            if due_at > loop.time():
                await asyncio.sleep(due_at - loop.time())
            if not piece:
                with suppress(OSError):
                    self._sink.shutdown(socket.SHUT_WR)
                return
            await self.pass_on(piece)

    async def pass_on(self, piece: bytes) -> None:
        loop, left = asyncio.get_running_loop(), memoryview(piece)
        while left:
            await self._proxy._passing.wait()
            size = min(len(left), self._proxy.strike(self._connection))
            if not size:
                await asyncio.sleep(0)  # where this connection was ended, here it ends
                continue
            self.count(size)
            await self._proxy.turn(self._direction, self._flow, size)
            await loop.sock_sendall(self._sink, left[:size])
            left = left[size:]

    def count(self, size_bytes: int) -> None:
        self._flow.lost_bytes -= size_bytes
        self._flow.passed_bytes += size_bytes
        self._proxy.flows[self._direction].passed_bytes += size_bytes


def pieces_max(faults: Faults) -> int:
    """What has to be on its way at once for the bandwidth to be reached in spite of the latency."""
    late_bytes = faults.latency_seconds * (faults.bytes_per_second or faults.bytes_per_second_each or BYTES_PER_SECOND)
    return max(PIECES_MAX, int(late_bytes / PIECE_BYTES))


def flows(up: Flow, down: Flow) -> dict[str, int]:
    return {
        "up_bytes": up.passed_bytes, "down_bytes": down.passed_bytes, "lost_up_bytes": up.lost_bytes,
        "lost_down_bytes": down.lost_bytes,
    }  # fmt: skip


async def end(side: socket.socket, ending: str) -> None:
    """RST, or FIN: then the other side has a while to see it, as a close with unread bytes would be a RST."""
    if ending == "closed":
        with suppress(OSError):
            side.shutdown(socket.SHUT_WR)
            await asyncio.sleep(CLOSING_SECONDS)
        side.close()
    else:
        hang_up(side)


def hang_up(side: socket.socket) -> None:
    with suppress(OSError):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    side.close()


def listening(port: int) -> socket.socket:
    """On the loopback address; port 0 is any free one."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)  # inherited by what is accepted
    made.bind(("127.0.0.1", port))
    made.listen(128)
    made.setblocking(False)
    return made
