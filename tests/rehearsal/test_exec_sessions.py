"""Exec over a WebSocket: streams, outcomes, and what becomes of the process when the client goes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.rehearsal.pods_cluster import NAMESPACE, Cluster, is_alive, on_cluster

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
PIECE_BYTES = 64 * 1024


@asynccontextmanager
async def exec_in(
    cluster: Cluster, *command: str, streams: Sequence[str] = ("stdout", "stderr"), protocol: str = V5
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    query = [("command", word) for word in command] + [(stream, "true") for stream in streams]
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/p/exec"
    async with (
        cluster.http() as session,
        session.ws_connect(path, params=query, protocols=[protocol], max_msg_size=0) as socket,
    ):
        yield socket


async def collect(socket: aiohttp.ClientWebSocketResponse) -> dict[int, bytes]:
    channels: dict[int, bytearray] = defaultdict(bytearray)
    async for message in socket:
        assert len(message.data) <= PIECE_BYTES + 1
        channels[message.data[0]] += message.data[1:]
    return {channel: bytes(content) for channel, content in channels.items()}


async def run(cluster: Cluster, *command: str, protocol: str = V5) -> tuple[bytes, dict[str, object]]:
    """The output and the outcome of a command."""
    async with exec_in(cluster, *command, protocol=protocol) as socket:
        channels = await collect(socket)
    return channels.get(1, b""), json.loads(channels[3])


def exit_code(outcome: object) -> int:
    assert isinstance(outcome, dict)
    return int(outcome["details"]["causes"][0]["message"])


@pytest.mark.parametrize("protocol", [V5, V4])
def test_output_and_exit_code(tmp_path: Path, protocol: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.pod("p")
        await cluster.running("p")
        output, outcome = await run(cluster, "sh", "-c", "echo out; exit 7", protocol=protocol)
        assert output == b"out\n"
        assert exit_code(outcome) == 7
        assert (await run(cluster, "true", protocol=protocol))[1] == {"metadata": {}, "status": "Success"}

    on_cluster(tmp_path, scenario)


def test_bytes_pass_unchanged_both_ways_at_once(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.pod("p")
        await cluster.running("p")
        content = os.urandom(32 * 1024 * 1024)
        async with exec_in(cluster, "cat", streams=("stdin", "stdout")) as socket:
            sending = asyncio.create_task(_send(socket, content))
            channels = await collect(socket)
            await sending
        assert hashlib.sha256(channels[1]).digest() == hashlib.sha256(content).digest()

    on_cluster(tmp_path, scenario)


def test_a_process_that_does_not_read_holds_the_sender_back(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.pod("p")
        await cluster.running("p")
        go = tmp_path / "go"
        command = f"while ! test -e {go}; do sleep 0.05; done; wc -c"
        content = bytes(64 * 1024 * 1024)
        async with exec_in(cluster, "sh", "-c", command, streams=("stdin", "stdout")) as socket:
            sending = asyncio.create_task(_send(socket, content))
            done, _ = await asyncio.wait({sending}, timeout=1)
            assert not done
            go.touch()
            channels = await collect(socket)
            await sending
        assert int(channels[1]) == len(content)

    on_cluster(tmp_path, scenario)


def test_a_process_that_ends_early_does_not_need_its_input(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.pod("p")
        await cluster.running("p")
        async with exec_in(cluster, "head", "-c", "3", streams=("stdin", "stdout")) as socket:
            await _send(socket, b"abcdef")
            channels = await collect(socket)
        assert channels[1] == b"abc"
        assert json.loads(channels[3])["status"] == "Success"

    on_cluster(tmp_path, scenario)


def test_a_client_that_goes_away_leaves_the_process_running(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.pod("p")
        await cluster.running("p")
        mark = tmp_path / "eof"
        command = f"echo $$; cat > /dev/null; echo eof > {mark}; exec sleep 600"
        async with exec_in(cluster, "sh", "-c", command, streams=("stdin", "stdout")) as socket:
            pid = int((await socket.receive_bytes())[1:])
        assert await cluster.file(mark) == "eof\n"
        assert is_alive(pid)
        cluster.delete("Pod", "p")
        await cluster.gone("Pod", "p")
        assert not is_alive(pid)

    on_cluster(tmp_path, scenario)


def test_an_exec_sees_the_container_it_is_in(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        pod = cluster.pod("p", container={"env": [{"name": "GREETING", "value": "hi there"}]})
        await cluster.running("p")
        output, _ = await run(cluster, "sh", "-c", "echo $GREETING; pwd; echo $HOME")
        directory = str(cluster.directory(pod))
        assert output.decode().splitlines() == ["hi there", directory, directory]

    on_cluster(tmp_path, scenario)


def test_a_command_that_is_not_there_is_told_in_the_outcome(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.pod("p")
        await cluster.running("p")
        _, outcome = await run(cluster, "no-such-program")
        assert outcome["reason"] == "InternalError"
        assert 'exec: "no-such-program": executable file not found in $PATH' in str(outcome["message"])

    on_cluster(tmp_path, scenario)


def test_no_exec_in_a_container_that_does_not_run(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.pod("p", container={"image": "registry.invalid/none:1"})
        await cluster.until("Pod", "p", lambda pod: "containerStatuses" in (pod.get("status") or {}))
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await run(cluster, "true")
        assert refused.value.status == 500

    on_cluster(tmp_path, scenario)


def test_the_main_process_is_process_one_to_a_shell(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.pod("p", restartPolicy="Never")
        await cluster.running("p")
        await run(cluster, "/bin/bash", "-c", "kill -TERM 1")
        await cluster.until("Pod", "p", lambda pod: pod["status"]["phase"] == "Succeeded")

    on_cluster(tmp_path, scenario)


def test_logs_follow_to_the_end_and_keep_the_previous_one(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        go = tmp_path / "go"
        wait = f"while ! test -e {go}; do sleep 0.02; done"
        cluster.pod("p", "/bin/sh", "-c", f"echo one; {wait}; echo two; rm {go}; exit 3")
        await cluster.running("p")
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/p/log"
        async with cluster.http() as session:
            async with session.get(path, params={"follow": "true"}) as response:
                assert await response.content.readline() == b"one\n"
                go.touch()
                assert await response.content.read() == b"two\n"
            await cluster.until(
                "Pod", "p", lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1
            )
            async with session.get(path, params={"previous": "true", "tailLines": "1"}) as response:
                assert await response.text() == "two\n"

    on_cluster(tmp_path, scenario)


async def _send(socket: aiohttp.ClientWebSocketResponse, content: bytes) -> None:
    """All of `content` on channel 0, then the end of it (as v5 says it)."""
    for start in range(0, len(content), PIECE_BYTES):
        await socket.send_bytes(b"\0" + content[start : start + PIECE_BYTES])
    await socket.send_bytes(b"\xff\0")
