"""One embedded cluster for the tests that speak to one, and a sound bundle for it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.rehearsal import lifecycle, seed
from orchestrator.rehearsal.installation import REDIS_WORKLOADS
from orchestrator.rehearsal.lifecycle import Rehearsed


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    root = tmp_path_factory.mktemp("embedded") / "cluster"
    try:
        yield lifecycle.start(root, "2.15")
    finally:
        lifecycle.stop(root)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seed.make_bundle(tmp_path_factory.mktemp("bundle") / "bundle", parts=REDIS_WORKLOADS)


@pytest.fixture
def filled(cluster: Rehearsed) -> Rehearsed:
    """The cluster with old data in both Redis, and no run of an earlier test in the way."""
    command = ["kubectl", "--kubeconfig", str(cluster.kubeconfig), "delete", "lease", "restore", "--ignore-not-found"]
    env = {"PATH": os.environ["PATH"], "HOME": str(cluster.root)}
    subprocess.run(command, check=True, capture_output=True, env=env)
    seed.fill_installation(cluster)
    return cluster
