"""seen -> standing: whether the operator has deployed a new APIManager."""

from __future__ import annotations

import pytest

from orchestrator.port import FieldSeen
from orchestrator.steps.await_operator import AwaitOperator, StagePicture
from orchestrator.steps.base import DONE
from tests.steps.seeing import ctx

STEP_ = AwaitOperator(id="step", title="a step", manager="apimanager", path=("spec", "system", "appSpec"))
WRITTEN = FieldSeen(is_there=True, value={}, parents=2)


@pytest.mark.parametrize(
    ("picture", "standing", "reason"),
    [
        pytest.param(StagePicture(field=None), "busy", "APIManager apimanager is not there", id="not-there"),
        pytest.param(StagePicture(field=FieldSeen(is_there=False)), "busy", "has not looked", id="not-looked-at"),
        pytest.param(
            StagePicture(field=WRITTEN, stage="system-app is not ready"), "busy", "system-app is not ready", id="deploying"
        ),
        pytest.param(StagePicture(field=WRITTEN), "done", "", id="deployed"),
    ],
)
def test_standing(picture: StagePicture, standing: str, reason: str) -> None:
    found = STEP_.standing(picture, ctx())
    assert found.name == standing
    assert reason in found.reason


def test_it_changes_nothing() -> None:
    picture = StagePicture(field=WRITTEN)
    assert [*STEP_.do(picture, ctx()), *STEP_.undo(picture, ctx(picture))] == []
    assert STEP_.restored(picture, ctx(picture)) is DONE
