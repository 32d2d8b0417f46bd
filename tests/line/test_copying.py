"""A file into a pod over a bad line, and what that costs: real processes, a real line, real kills.

The copy is the process that benchmarks/transfer.py measures: it tries again, as the engine does, until the
file is there. What it sends is counted by the line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.transfer import File, digest, random_file, restore
from orchestrator.cluster.carriers import BLOCK_BYTES
from orchestrator.cluster.pace import LINES
from orchestrator.rehearsal.line.faults import MIB, Faults
from orchestrator.rehearsal.line.keeping import Line, Told
from orchestrator.rehearsal.line.proxy import KERNEL_BYTES, PIECE_BYTES, pieces_max
from tests.conftest import Tally
from tests.line.sinks import until

PROJECT = Path(__file__).parents[2]
SIZE_MIB = 16
EXHAUSTIVE = bool(os.environ.get("RESTORE_EXHAUSTIVE"))

TALK_BYTES = MIB
"""Requests, headers, scripts and TLS, which are no part of the file."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> File:
    return random_file(tmp_path_factory.mktemp("dump") / "dump", SIZE_MIB * MIB)


CLIENT_BYTES_MAX = 100 * MIB


def lost_bytes_max(faults: Faults) -> int:
    """What one cut may cost: on each line a block that is not whole, and what was on its way to the pod.

    The kernel grants twice the buffer that was asked for, on both sides of the line.
    """
    on_its_way = 4 * KERNEL_BYTES + (pieces_max(faults) + 2) * PIECE_BYTES
    return LINES * (BLOCK_BYTES + on_its_way)


def started(line: Line, file: File, target: Path) -> subprocess.Popen[str]:
    target.parent.chmod(0o755)
    return subprocess.Popen(
        restore(line.kubeconfig, file, str(target)), cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def copied(line: Line, file: File, target: Path) -> dict[str, int]:
    """Copies until the file is there; how often it failed and what it took."""
    with started(line, file, target) as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert digest(target) == file.sha256
    assert not target.with_name(target.name + ".part").exists()
    found: dict[str, int] = json.loads(out)
    return found


def row(what: str, told: Told, file: File, found: dict[str, int]) -> str:
    """One line of the table in the test run's output: what the line counted, and what the facts of the copy say."""
    wasted = max(0, told.sent_bytes - file.size_bytes)
    return (
        f"bad line: {what:<44} {file.size_bytes / MIB:>5.0f} MiB: {told.cuts:>3} cuts {told.resets:>3} resets "
        f"{told.stalls:>3} stalls, {told.sent_bytes / MIB:>7.2f} MiB sent, {wasted / MIB:>5.2f} wasted; "
        f"by the facts {found['interruptions']} cuts, at most {found['wasted_bytes'] / MIB:.2f} wasted"
    )


FAULTS = [
    pytest.param(Faults(cut_every_bytes=4 * MIB), id="cut"),
    pytest.param(Faults(resets_per_mib=0.5), id="reset"),
    pytest.param(Faults(stall_every_bytes=8 * MIB, stall_seconds=0.5), id="stalled"),
    pytest.param(Faults(latency_seconds=0.02, bytes_per_second=16 * MIB), id="slow"),
    pytest.param(
        Faults(8 * MIB, 6 * MIB, stall_seconds=0.3, latency_seconds=0.005, bytes_per_second=32 * MIB, resets_per_mib=0.05),
        id="all-of-it",
    ),
]


@pytest.mark.parametrize("faults", FAULTS)
def test_a_file_arrives_whole_and_a_cut_costs_no_more_than_was_on_its_way(
    cluster_line: Line, file: File, tmp_path: Path, faults: Faults, tally: Tally
) -> None:
    cluster_line.change(faults)
    found = copied(cluster_line, file, tmp_path / "target")
    told = cluster_line.told()
    tally(row(str(faults), told, file, found))
    assert told.cuts + told.resets + told.stalls > 0 or faults.latency_seconds
    assert told.sent_bytes - file.size_bytes <= (told.cuts + told.resets) * lost_bytes_max(faults) + TALK_BYTES
    assert told.sent_bytes - file.size_bytes <= found["wasted_bytes"] + (told.cuts + told.resets) * LINES * BLOCK_BYTES + TALK_BYTES
    assert found["interruptions"] <= told.cuts + told.resets


def test_a_line_that_is_cut_at_every_turn_still_brings_the_file(cluster_line: Line, tmp_path: Path, tally: Tally) -> None:
    """Half of what goes over it may be lost, and the copy never has to give up for it."""
    file = random_file(tmp_path / "dump", 4 * MIB)
    cluster_line.change(Faults(cut_every_bytes=MIB // 2))
    found = copied(cluster_line, file, tmp_path / "target")
    told = cluster_line.told()
    tally(row("cut every 512 KiB", told, file, found))
    assert found["failures"] == 0
    assert told.cuts >= file.size_bytes // (MIB // 2)
    assert told.sent_bytes < 2 * file.size_bytes


@pytest.mark.parametrize("faults", [pytest.param(Faults(), id="good-line"), pytest.param(Faults(6 * MIB), id="cut")])
def test_a_copy_that_is_killed_goes_on_from_what_the_pod_holds(
    cluster_line: Line, file: File, tmp_path: Path, faults: Faults, tally: Tally
) -> None:
    cluster_line.change(replace(faults, bytes_per_second=12 * MIB))
    with started(cluster_line, file, tmp_path / "target") as process:
        until(lambda: cluster_line.told().up_bytes > 8 * MIB)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    found = copied(cluster_line, file, tmp_path / "target")
    told = cluster_line.told()
    tally(row(f"SIGKILL of the client, {faults}", told, file, found))
    assert told.sent_bytes - file.size_bytes <= (1 + told.cuts) * lost_bytes_max(faults) + TALK_BYTES


def test_what_the_pod_has_lost_is_noticed_and_sent_again(cluster_line: Line, file: File, tmp_path: Path) -> None:
    """A disk that was rolled back: the part that was acknowledged is shorter, and holds other bytes."""
    part = tmp_path / "target.part"
    cluster_line.change(Faults(bytes_per_second=12 * MIB))
    with started(cluster_line, file, tmp_path / "target") as process:
        until(lambda: cluster_line.told().up_bytes > 7 * MIB)
        process.kill()
    with part.open("r+b") as held:
        held.truncate(5 * MIB)
        held.seek(2 * MIB)
        held.write(b"another disk")
    cluster_line.change(Faults())
    copied(cluster_line, file, tmp_path / "target")


def peak_bytes_of(argv: list[str]) -> int:
    """The memory that a client needed, at most. It ends well."""
    with subprocess.Popen(argv, cwd=PROJECT, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


@pytest.mark.skipif(not EXHAUSTIVE, reason="a file of a gigabyte")
def test_the_client_needs_no_more_memory_for_a_larger_file(
    cluster_line: Line, tmp_path: Path, tally: Tally
) -> None:
    """What it holds is the program, and of each line what is being sent."""
    for size_mib in (256, 1024):
        file = random_file(tmp_path / "dump", size_mib * MIB)
        argv = restore(cluster_line.kubeconfig, file, str(tmp_path / f"target-{size_mib}"))
        peak_bytes = peak_bytes_of(argv)
        tally(f"bad line: a client that copies {size_mib:>4} MiB needs {peak_bytes / MIB:.0f} MiB of memory")
        assert peak_bytes < CLIENT_BYTES_MAX
