"""seen -> standing: what the APIManager says of the replicas, saved before anything changes it (T8)."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.events import ReplicaSpecSaved
from orchestrator.port import FieldSeen
from orchestrator.steps.base import DONE
from orchestrator.steps.save_manager_spec import ManagerPicture, SaveManagerSpec
from tests.steps.seeing import ctx

STEP_ = SaveManagerSpec(id="step", title="a step", manager="apimanager", paths=(("spec", "system", "appSpec"), ("spec", "zync")))


def seen(app: FieldSeen | None, zync: FieldSeen | None) -> ManagerPicture:
    return ManagerPicture(fields={"spec.system.appSpec": app, "spec.zync": zync})


def there(value: Any) -> FieldSeen:
    return FieldSeen(is_there=True, value=value, parents=1)


ABSENT = FieldSeen(is_there=False)


@pytest.mark.parametrize(
    ("picture", "standing"),
    [
        pytest.param(seen(there({}), there({"replicas": 3})), "done", id="at-least-empty"),
        pytest.param(seen(there({}), there(None)), "done", id="null"),
        pytest.param(seen(ABSENT, there({})), "busy", id="the-operator-has-not-looked-yet"),
        pytest.param(seen(there({}), None), "torn", id="the-apimanager-is-gone"),
    ],
)
def test_it_is_done_by_looking(picture: ManagerPicture, standing: str) -> None:
    assert STEP_.standing(picture, ctx()).name == standing


@pytest.mark.parametrize(
    ("value", "replicas"),
    [
        pytest.param({}, None, id="no-number"),
        pytest.param({"replicas": 3}, 3, id="a-number"),
        pytest.param({"replicas": 0}, 0, id="nought-is-a-number"),
        pytest.param(None, None, id="null"),
    ],
)
def test_what_was_saved_is_a_fact(value: Any, replicas: int | None) -> None:
    first, _ = STEP_.confirm(seen(there(value), there({})), DONE, ctx())
    assert first == ReplicaSpecSaved(step="step", workload="spec.system.appSpec", replicas=replicas)


def test_it_changes_nothing() -> None:
    picture = seen(there({}), there({}))
    assert [*STEP_.do(picture, ctx()), *STEP_.undo(picture, ctx(picture))] == []
    assert STEP_.restored(picture, ctx(picture)) is DONE
