"""seen -> standing, do, undo, restored: a look that is kept."""

from __future__ import annotations

import pytest

from orchestrator.events import ReplicaSpecSaved
from orchestrator.steps.base import DONE
from orchestrator.steps.save_replica_spec import SaveReplicaSpec, WorkloadPicture
from tests.steps.seeing import ROLLING, RUNNING, STEP, at, ctx

STEP_ = SaveReplicaSpec(**STEP)


@pytest.mark.parametrize(
    ("seen", "standing", "saved"),
    [
        pytest.param(RUNNING, "done", [1], id="one-replica"),
        pytest.param(at(RUNNING, replicas=0), "done", [0], id="scaled-down"),
        pytest.param(at(RUNNING, replicas=None), "done", [None], id="no-number-is-not-nought"),
        pytest.param(ROLLING, "done", [1], id="a-rollout-is-under-way"),
        pytest.param(None, "torn", [], id="the-workload-is-gone"),
    ],
)
def test_it_is_done_by_looking(seen: object, standing: str, saved: list[int | None]) -> None:
    picture = WorkloadPicture.model_validate({"workload": seen})
    assert STEP_.standing(picture, ctx()).name == standing
    facts = list(STEP_.confirm(picture, DONE, ctx()))
    assert [fact.replicas for fact in facts if isinstance(fact, ReplicaSpecSaved)] == saved


def test_it_changes_nothing() -> None:
    picture = WorkloadPicture(workload=RUNNING)
    assert [*STEP_.do(picture, ctx()), *STEP_.undo(picture, ctx(picture))] == []
    assert STEP_.restored(picture, ctx(picture)) is DONE
