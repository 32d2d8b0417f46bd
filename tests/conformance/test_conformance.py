"""The embedded cluster against answers recorded from a real API server (Kubernetes v1.36), area by area.

The corpus was recorded where DeploymentConfig and Route are custom resources, so the cluster runs as plain
Kubernetes here. Each `*.json` is one area; `replay.py` sends its requests and compares every answer.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CLUSTER = HERE.parent / "rehearsal" / "cluster_process.py"
AREAS = sorted(path.stem for path in HERE.glob("*.json"))


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("cluster")
    environment = os.environ | {"PYTHONPATH": str(HERE.parent.parent)}
    process = subprocess.Popen(
        [sys.executable, str(CLUSTER), str(root), "kubernetes"], stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield root / "kubeconfig"
    process.terminate()
    process.wait(30)


def test_the_corpus_is_here() -> None:
    assert {"crud", "patch", "watch", "errors", "auth", "exec", "rollout"} <= set(AREAS)


@pytest.mark.parametrize("area", AREAS)
def test_area(area: str, kubeconfig: Path) -> None:
    command = [sys.executable, str(HERE / "replay.py"), "--kubeconfig", str(kubeconfig), "--jobs", "4"]
    done = subprocess.run(
        [*command, "--corpus", str(HERE / f"{area}.json")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
