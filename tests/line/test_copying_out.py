"""A file out of a pod over a bad line: it comes whole, and what a cut costs is what was on its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.transfer import KIND, WORKLOAD, random_file
from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.carriers import BLOCK_BYTES
from orchestrator.cluster.connection import connect
from orchestrator.cluster.live import LiveCluster
from orchestrator.cluster.pace import LINES
from orchestrator.errors import ClusterUnreachable
from orchestrator.rehearsal.line.faults import MIB, Faults
from orchestrator.rehearsal.line.keeping import Line
from orchestrator.rehearsal.line.proxy import KERNEL_BYTES, PIECE_BYTES, pieces_max
from tests.conftest import Tally

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
    facts: list[ev.EffectFact] = []
    with LiveCluster(connect(str(cluster_line.kubeconfig), "", "")) as cluster:
        cluster.copies.directory = tmp_path / "copies"
        while cluster.copied_out("here") is None:
            try:
                seen = cluster.workload(KIND, WORKLOAD)
                assert seen is not None
                effect = fx.CopyOut(
                    kind=KIND, workload=WORKLOAD, pod=seen.pod, container=seen.container, path=str(file.path), target="here",
                    size_bytes=SIZE_BYTES, sha256=file.sha256,
                )  # fmt: skip
                facts += cluster.perform(effect, step="copy", attempt=1)
            except ClusterUnreachable:
                continue
        found = cluster.copied_out("here")
    told = cluster_line.told()
    assert found is not None
    assert (found.size_bytes, found.sha256) == (SIZE_BYTES, file.sha256)
    come_bytes = told.down_bytes + told.lost_down_bytes
    wasted = sum(fact.wasted_bytes for fact in facts if isinstance(fact, ev.CopyInterrupted))
    tally(
        f"bad line: out of a pod, {faults!s:<34} {SIZE_BYTES / MIB:>5.0f} MiB: {told.cuts:>3} cuts {told.resets:>3} resets "
        f"{told.stalls:>3} stalls, {come_bytes / MIB:>7.2f} MiB sent; by the facts at most {wasted / MIB:.2f} wasted"
    )
    assert told.cuts + told.resets + told.stalls > 0
    on_its_way = LINES * (BLOCK_BYTES + 4 * KERNEL_BYTES + (pieces_max(faults) + 2) * PIECE_BYTES)
    assert come_bytes - SIZE_BYTES <= (told.cuts + told.resets) * on_its_way + TALK_BYTES
