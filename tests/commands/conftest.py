"""One embedded cluster for the tests that speak to one, and a sound bundle for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.rehearsal import lifecycle, seed
from orchestrator.rehearsal.installation import REDIS_WORKLOADS
from orchestrator.rehearsal.lifecycle import Rehearsed
from tests.commands.program import forget_runs


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
    forget_runs(cluster)
    seed.fill_installation(cluster)
    return cluster
