"""The line as a process, with real sockets on both sides of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from orchestrator.rehearsal.lifecycle import CLUSTER_FILE, started_ticks, wait_for_end
from orchestrator.rehearsal.line import keeping
from orchestrator.rehearsal.line.faults import MIB, Ending, Faults
from orchestrator.rehearsal.line.keeping import Line
from tests.line.conftest import SEED
from tests.line.sinks import Sink, connected, sent, until


def test_without_faults_everything_passes_and_is_counted(line: Line) -> None:
    assert sent(line.port, 3 * MIB) == 3 * MIB
    until(lambda: line.told().by_connection[0]["ending"] == "by itself")
    told = line.told()
    assert (told.up_bytes, told.lost_up_bytes, told.connections) == (3 * MIB, 0, 1)
    assert told.down_bytes == len(str(3 * MIB))


# ---- cuts and resets --------------------------------------------------------------------------------


def test_a_cut_comes_at_its_byte_counted_over_all_connections(line: Line, sink: Sink) -> None:
    line.change(Faults(cut_every_bytes=2 * MIB))
    with connected(line.port) as idle:
        idle.sendall(bytes(MIB))
        until(lambda: line.told().up_bytes == MIB)
        assert sent(line.port, 3 * MIB) is None
        assert ended(idle)  # it had sent all it wanted, and goes down with the line
    assert sum(sink.got) <= 2 * MIB
    told = line.told()
    assert (told.cuts, told.up_bytes + told.down_bytes) == (1, 2 * MIB)


@pytest.mark.parametrize("ending", ["reset", "closed"])
def test_a_cut_ends_a_connection_as_it_was_asked_to(line: Line, ending: Ending) -> None:
    with connected(line.port) as client:
        client.sendall(b"x")
        until(lambda: line.told().up_bytes == 1)
        line.cut(ending)
        if ending == "closed":
            assert client.recv(1) == b""
        else:
            with pytest.raises(ConnectionResetError):
                client.recv(1)
    assert line.told().by_connection[0]["ending"] == ending


def test_a_reset_ends_one_connection_and_leaves_the_others(line: Line) -> None:
    with connected(line.port) as bystander:
        bystander.sendall(b"x")
        until(lambda: line.told().up_bytes == 1)
        line.change(Faults(resets_per_mib=4.0))  # of connections that begin from now on
        outcomes = [sent(line.port, 4 * MIB) for _ in range(4)]
        assert None in outcomes
        bystander.shutdown(socket.SHUT_WR)
        assert bystander.recv(10) == b"1"
    told = line.told()
    assert (told.resets, told.cuts) == (outcomes.count(None), 0)


def test_the_same_seed_resets_at_the_same_bytes(line: Line, tmp_path: Path) -> None:
    def carried() -> list[int]:
        line = keeping.start(tmp_path, Faults(resets_per_mib=2.0), SEED)
        for _ in range(3):
            sent(line.port, 2 * MIB)
        told = line.told()
        keeping.stop(tmp_path)
        assert told.resets
        return [connection["up_bytes"] for connection in told.by_connection]

    keeping.stop(tmp_path)
    assert carried() == carried()


def test_what_was_on_its_way_when_it_was_cut_is_counted_as_lost(line: Line) -> None:
    line.stall(3600)
    with connected(line.port) as client:
        client.sendall(bytes(1000))
        until(lambda: line.told().by_connection[0]["lost_up_bytes"] == 1000)
        line.cut("reset")
        assert ended(client)
    until(lambda: line.told().lost_up_bytes == 1000)
    assert line.told().sent_bytes == 1000


# ---- stalls, latency, bandwidth ---------------------------------------------------------------------


def test_a_stall_holds_what_comes_and_ends_no_connection(line: Line) -> None:
    with connected(line.port) as client:
        line.stall(3600)
        client.sendall(bytes(1000))
        until(lambda: line.told().by_connection[0]["lost_up_bytes"] == 1000)  # it has come as far as the line
        told = line.told()
        assert (told.up_bytes, told.stalls, told.by_connection[0]["ending"]) == (0, 1, "open")
        line.stall(0)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(10) == b"1000"


def test_a_stall_comes_at_its_byte_and_passes(line: Line) -> None:
    line.change(Faults(stall_every_bytes=MIB, stall_seconds=0.05))
    assert sent(line.port, 3 * MIB + 1) == 3 * MIB + 1
    assert line.told().stalls == 3


@pytest.mark.parametrize(
    ("faults", "at_least_seconds"),
    [
        pytest.param(Faults(latency_seconds=0.2), 0.4, id="latency-there-and-back"),
        pytest.param(Faults(bytes_per_second=4 * MIB), 0.45, id="bandwidth-for-2-MiB"),
        pytest.param(Faults(bytes_per_second_each=4 * MIB), 0.45, id="bandwidth-of-a-connection-for-2-MiB"),
    ],
)
def test_a_slow_line_is_no_faster_than_it_may_be(line: Line, faults: Faults, at_least_seconds: float) -> None:
    """Only a lower limit: a machine that is busy makes it slower still, and nothing makes it faster."""
    line.change(faults)
    start = time.monotonic()
    assert sent(line.port, 2 * MIB) == 2 * MIB
    assert time.monotonic() - start >= at_least_seconds


# ---- its life ---------------------------------------------------------------------------------------


def test_it_is_found_again_and_gets_other_faults(line: Line, tmp_path: Path) -> None:
    faults = Faults(latency_seconds=0.001)
    again = keeping.start(tmp_path, faults, SEED + 1)
    assert again == line == keeping.find(tmp_path)
    assert again.told().faults == faults


def test_one_that_was_killed_comes_back_on_its_port(line: Line, tmp_path: Path) -> None:
    os.kill(line.pid, signal.SIGKILL)
    until(lambda: keeping.find(tmp_path) is None)
    again = keeping.start(tmp_path, Faults(), SEED)
    assert (again.port, again.kubeconfig) == (line.port, line.kubeconfig)
    assert again.pid != line.pid
    assert sent(again.port, 10) == 10


def test_it_ends_with_its_cluster(tmp_path: Path, sink: Sink) -> None:
    (tmp_path / "kubeconfig").write_text(f"server: https://127.0.0.1:{sink.port}\n")
    with subprocess.Popen(["sleep", "1000"]) as cluster:
        described = {"pid": cluster.pid, "started_ticks": started_ticks(cluster.pid), "ready": True}
        (tmp_path / CLUSTER_FILE).write_text(json.dumps(described))
        line = keeping.start(tmp_path, Faults(), SEED)
        ticks = started_ticks(line.pid)
        cluster.kill()
    assert ticks is not None
    assert wait_for_end(line.pid, ticks, 10.0)


def test_its_files_are_for_its_owner_alone(line: Line, tmp_path: Path) -> None:
    for name in (keeping.LINE_FILE, keeping.KUBECONFIG_FILE, keeping.LOG_FILE):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert f"server: https://127.0.0.1:{line.port}\n" in line.kubeconfig.read_text()


@pytest.mark.parametrize(
    "question",
    [
        pytest.param(b'{"key": "no", "do": "cut", "ending": "reset"}\n', id="another-key"),
        pytest.param(b'{"do": "cut", "ending": "reset"}\n', id="no-key"),
        pytest.param(b"[1]\n", id="no-object"),
        pytest.param(b"GET / HTTP/1.1\r\n", id="a-browser"),
    ],
)
def test_who_does_not_know_its_key_is_told_and_changes_nothing(line: Line, question: bytes) -> None:
    with connected(line.control_port) as stranger:
        stranger.sendall(question)
        assert stranger.makefile("rb").read() == b""
    assert line.told().cuts == 0


def test_a_cluster_that_does_not_listen_is_a_reset(line: Line, sink: Sink) -> None:
    sink.close()
    assert sent(line.port, 1) is None
    until(lambda: line.told().refused == 1)


def ended(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
