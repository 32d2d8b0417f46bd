"""One copy out of a pod, in a process of its own: `… fetching KUBECONFIG PATH SIZE SHA256 DIRECTORY`, again after each failure."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.transfer import KIND, WORKLOAD
from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.connection import connect
from orchestrator.cluster.live import LiveCluster
from orchestrator.errors import ClusterUnreachable

NAME = "here"


def fetched(kubeconfig: Path, path: Path, size_bytes: int, sha256: str, directory: Path) -> list[ev.EffectFact]:
    """The facts of it. The file is `here` in the directory."""
    facts: list[ev.EffectFact] = []
    with LiveCluster(connect(str(kubeconfig), "", "")) as cluster:
        cluster.copies.directory = directory
        while (found := cluster.copied_out(NAME)) is None:
            try:
                seen = cluster.workload(KIND, WORKLOAD)
                assert seen is not None
                effect = fx.CopyOut(
                    kind=KIND, workload=WORKLOAD, pod=seen.pod, container=seen.container, path=str(path), target=NAME,
                    size_bytes=size_bytes, sha256=sha256,
                )  # fmt: skip
                facts += cluster.perform(effect, step="copy", attempt=1)
            except ClusterUnreachable:
                continue
    assert (found.size_bytes, found.sha256) == (size_bytes, sha256)
    return facts


if __name__ == "__main__":
    kubeconfig, path, size, digest, directory = sys.argv[1:]
    fetched(Path(kubeconfig), Path(path), int(size), digest, Path(directory))
