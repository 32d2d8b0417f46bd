"""A file out of a pod over a bad line: it comes whole, and what a cut costs is what was on its way."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.transfer import random_file
from orchestrator import events as ev
from orchestrator.cluster.carriers import BLOCK_BYTES
from orchestrator.cluster.pace import LINES
from orchestrator.rehearsal.line.faults import MIB, Faults
from orchestrator.rehearsal.line.keeping import Line
from orchestrator.rehearsal.line.proxy import KERNEL_BYTES, PIECE_BYTES, pieces_max
from tests.conftest import Tally
from tests.line.fetching import fetched
from tests.line.test_copying import CLIENT_BYTES_MAX, EXHAUSTIVE, peak_bytes_of

SIZE_BYTES = 16 * MIB
TALK_BYTES = MIB


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(Faults(cut_every_bytes=4 * MIB), id="cut"),
        pytest.param(Faults(resets_per_mib=0.5), id="reset"),
        pytest.param(Faults(latency_seconds=0.01, bytes_per_second=32 * MIB, stall_every_bytes=6 * MIB, stall_seconds=0.3), id="slow"),
    ],
)
def test_a_file_comes_out_whole_and_a_cut_costs_no_more_than_was_on_its_way(
    cluster_line: Line, tmp_path: Path, faults: Faults, tally: Tally
) -> None:
    tmp_path.chmod(0o755)
    file = random_file(tmp_path / "there", SIZE_BYTES)
    cluster_line.change(faults)
    facts = fetched(cluster_line.kubeconfig, file.path, SIZE_BYTES, file.sha256, tmp_path / "copies")
    told = cluster_line.told()
    come_bytes = told.down_bytes + told.lost_down_bytes
    wasted = sum(fact.wasted_bytes for fact in facts if isinstance(fact, ev.CopyInterrupted))
    tally(
        f"bad line: out of a pod, {faults!s:<34} {SIZE_BYTES / MIB:>5.0f} MiB: {told.cuts:>3} cuts {told.resets:>3} resets "
        f"{told.stalls:>3} stalls, {come_bytes / MIB:>7.2f} MiB sent; by the facts at most {wasted / MIB:.2f} wasted"
    )
    assert told.cuts + told.resets + told.stalls > 0
    on_its_way = LINES * (BLOCK_BYTES + 4 * KERNEL_BYTES + (pieces_max(faults) + 2) * PIECE_BYTES)
    assert come_bytes - SIZE_BYTES <= (told.cuts + told.resets) * on_its_way + TALK_BYTES


@pytest.mark.skipif(not EXHAUSTIVE, reason="a file of a gigabyte")
def test_the_client_needs_no_more_memory_for_a_larger_file(cluster_line: Line, tmp_path: Path, tally: Tally) -> None:
    tmp_path.chmod(0o755)
    for size_mib in (256, 1024):
        file = random_file(tmp_path / "there", size_mib * MIB)
        words = [cluster_line.kubeconfig, file.path, file.size_bytes, file.sha256, tmp_path / f"copies-{size_mib}"]
        peak_bytes = peak_bytes_of([sys.executable, "-m", "tests.line.fetching", *map(str, words)])
        tally(f"bad line: a client that copies {size_mib:>4} MiB out of a pod needs {peak_bytes / MIB:.0f} MiB of memory")
        assert peak_bytes < CLIENT_BYTES_MAX
