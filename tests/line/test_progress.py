"""What the facts of a copy say about how far it is, after the line was cut."""

from __future__ import annotations

from pathlib import Path

from benchmarks.transfer import KIND, WORKLOAD, random_file
from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.connection import connect
from orchestrator.cluster.live import LiveCluster
from orchestrator.errors import ClusterUnreachable
from orchestrator.rehearsal.line.faults import MIB, Faults
from orchestrator.rehearsal.line.keeping import Line

SIZE_BYTES = 16 * MIB


def test_the_chunks_that_are_told_are_the_whole_file_however_often_the_line_was_cut(
    cluster_line: Line, tmp_path: Path
) -> None:
    """Progress, rate and ETA count them: what is not told is missing from all three."""
    tmp_path.chmod(0o755)
    file = random_file(tmp_path / "dump", SIZE_BYTES)
    cluster_line.change(Faults(cut_every_bytes=6 * MIB))
    told: list[ev.FileChunkCopied] = []
    with LiveCluster(connect(str(cluster_line.kubeconfig), "", ""), tmp_path) as cluster:
        while not (tmp_path / "target").exists():
            try:
                seen = cluster.workload(KIND, WORKLOAD)
                assert seen is not None
                effect = fx.CopyIn(
                    kind=KIND, workload=WORKLOAD, pod=seen.pod, container=seen.container, source="dump",
                    path=str(tmp_path / "target"), part=str(tmp_path / "part"), size_bytes=SIZE_BYTES, sha256=file.sha256,
                )  # fmt: skip
                told += (f for f in cluster.perform(effect, step="copy", attempt=1) if isinstance(f, ev.FileChunkCopied))
            except ClusterUnreachable:
                continue
    covered = bytearray(SIZE_BYTES // 1024)
    for chunk in told:
        first, last = chunk.offset_bytes // 1024, (chunk.offset_bytes + chunk.size_bytes) // 1024
        covered[first:last] = b"\1" * (last - first)
    assert sum(covered) * 1024 == SIZE_BYTES
