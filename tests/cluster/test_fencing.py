"""What a process sends whose run was taken over meanwhile: refused in the pod, and by the version of the object."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from orchestrator import effects as fx
from orchestrator.cluster.live import LiveCluster
from orchestrator.cluster.rest import MERGE_PATCH, Conflict
from orchestrator.errors import ClusterRefused, RunHeldElsewhere
from orchestrator.port import WorkloadSeen
from tests.cluster.pods import Live, place

NUMBERS = count(1)


@pytest.fixture
def worker(live: Live, path: str, tmp_path: Path) -> WorkloadSeen:
    return live.pod(f"fenced-{next(NUMBERS)}", {"PATH": path, "BASH_ENV": "", "HOME": str(tmp_path)})


@pytest.fixture
def armed(live: Live) -> Iterator[Armed]:
    yield Armed(live)


class Armed:
    """A client as a process has it that carries a run at some epoch."""

    def __init__(self, live: Live) -> None:
        self.live = live

    def __call__(self, run: str, epoch: int) -> LiveCluster:
        cluster = LiveCluster(self.live.cluster.connection)
        cluster.fence.arm(run, epoch, lambda: None)
        return cluster


def test_an_older_epoch_neither_looks_nor_acts_in_a_pod(armed: Armed, worker: WorkloadSeen, tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    remove = fx.RemovePath(**place(worker, "w"), path=str(tmp_path / "kept"))
    with armed("run-1", 3) as old, armed("run-1", 4) as new, armed("run-2", 1) as other:
        assert old.files(worker, [str(tmp_path / "kept")])[str(tmp_path / "kept")]
        assert new.files(worker, [str(tmp_path / "kept")])[str(tmp_path / "kept")]
        with pytest.raises(RunHeldElsewhere, match="epoch 3 is older than 4"):
            list(old.perform(remove, step="s", attempt=1))
        with pytest.raises(RunHeldElsewhere, match="epoch 3 is older than 4"):
            old.files(worker, ["/"])
        assert (tmp_path / "kept").exists()
        assert other.files(worker, ["/"])["/"]  # epochs are counted for each run
        list(new.perform(remove, step="s", attempt=1))
        assert not (tmp_path / "kept").exists()
        assert sorted(p.name for p in (tmp_path / ".restore").iterdir()) == ["fence-run-1", "fence-run-2"]


def test_where_no_run_is_carried_nothing_is_left_in_a_pod(live: Live, worker: WorkloadSeen, tmp_path: Path) -> None:
    assert live.cluster.files(worker, ["/"])["/"]
    assert not (tmp_path / ".restore").exists()


def test_the_journal_is_asked_before_each_request_of_an_effect(live: Live, worker: WorkloadSeen, tmp_path: Path) -> None:
    def taken() -> None:
        raise RunHeldElsewhere("somebody has it")

    (tmp_path / "kept").touch()
    with LiveCluster(live.cluster.connection) as cluster:
        cluster.fence.arm("run-1", 1, taken)
        for effect in (
            fx.RemovePath(**place(worker, "w"), path=str(tmp_path / "kept")),
            fx.StopJob(**place(worker, "w"), directory=str(tmp_path), job="run-1.step", epoch=1),
            fx.DeleteJob(job="none", uid="1"),
        ):
            with pytest.raises(RunHeldElsewhere):
                list(cluster.perform(effect, step="s", attempt=1))
        assert cluster.files(worker, [str(tmp_path / "kept")])[str(tmp_path / "kept")], "to look is nobody's harm"


@pytest.fixture
def configmap(live: Live) -> str:
    name = f"config-{next(NUMBERS)}"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": "old"}}
    live.rest.post(f"{live.cluster.core}/configmaps", body)
    return name


def test_an_object_that_was_changed_and_changed_back_is_not_the_same(live: Live, configmap: str) -> None:
    """Another process has carried the run to its end and taken it back, between the look at the lease and the patch."""
    path, looks = f"{live.cluster.core}/configmaps/{configmap}", count(1)

    def look() -> None:
        if next(looks) > 1:
            raise RunHeldElsewhere("somebody has it")
        for text in ("new", "old"):
            live.rest.patch(path, {"data": {"key": text}}, MERGE_PATCH)

    with LiveCluster(live.cluster.connection) as cluster:
        cluster.fence.arm("run-1", 1, look)
        edit = fx.EditConfigMap(configmap=configmap, key="key", expected="old", text="new")
        with pytest.raises(RunHeldElsewhere):
            list(cluster.perform(edit, step="s", attempt=1))
    assert live.rest.get(path)["data"] == {"key": "old"}


def test_what_others_change_in_the_same_object_is_no_conflict_and_what_is_refused_is_told(live: Live, configmap: str) -> None:
    path, looks = f"{live.cluster.core}/configmaps/{configmap}", count(1)

    def annotate() -> None:
        if (number := next(looks)) < 3:
            live.rest.patch(path, {"metadata": {"annotations": {"number": str(number)}}}, MERGE_PATCH)

    with LiveCluster(live.cluster.connection) as cluster:
        cluster.fence.arm("run-1", 1, annotate)
        edit = fx.EditConfigMap(configmap=configmap, key="key", expected="old", text="new")
        assert len(list(cluster.perform(edit, step="s", attempt=1))) == 1
        with pytest.raises(Conflict):
            list(cluster.perform(edit, step="s", attempt=1))
        with pytest.raises(ClusterRefused, match="422"):
            cluster.rest.change(path, lambda found: [{"op": "remove", "path": "/data/nothing"}], "it")
    assert live.rest.get(path)["data"] == {"key": "new"}
