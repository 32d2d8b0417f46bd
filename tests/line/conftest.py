"""A line, before a plain server that counts what comes or before an embedded cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.rehearsal import lifecycle
from orchestrator.rehearsal.line import keeping
from orchestrator.rehearsal.line.faults import Faults
from orchestrator.rehearsal.line.keeping import Line
from tests.line.sinks import Sink

SEED = 7


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as running:
        yield running


@pytest.fixture
def line(tmp_path: Path, sink: Sink) -> Iterator[Line]:
    """A line without faults to the sink."""
    (tmp_path / "kubeconfig").write_text(f"clusters:\n- cluster:\n    server: https://127.0.0.1:{sink.port}\n")
    yield keeping.start(tmp_path, Faults(), SEED)
    keeping.stop(tmp_path)


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of an embedded cluster with the two Redis."""
    cluster = lifecycle.start(tmp_path_factory.mktemp("line") / "cluster", "2.15", scope="redis")
    yield cluster.root
    lifecycle.stop(cluster.root)


@pytest.fixture
def cluster_line(root: Path) -> Iterator[Line]:
    """A new line without faults to that cluster."""
    yield keeping.start(root, Faults(), SEED)
    keeping.stop(root)
