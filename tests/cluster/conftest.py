"""One embedded cluster for all tests of the live side, and the shells that its scripts have to do with."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.cluster.pods import Live, busybox_path, running


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    bundle = tmp_path_factory.mktemp("bundle")
    with running(tmp_path_factory.mktemp("live") / "cluster", bundle) as cluster:
        yield cluster


@pytest.fixture(scope="session", params=["coreutils", "busybox"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The PATH of a pod, with one or the other set of tools in front."""
    if request.param == "coreutils":
        return os.environ["PATH"]
    return busybox_path(tmp_path_factory.getbasetemp() / "busybox")
