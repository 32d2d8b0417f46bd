"""seen -> standing: a directory in a pod, compared with the bundle's."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.events import VerificationFailed, VerificationPassed
from orchestrator.port import TreeSeen
from orchestrator.steps.base import DONE, busy
from orchestrator.steps.check_directory import CheckDirectory
from orchestrator.steps.sync_directory import TreePicture
from tests.steps.seeing import ROLLING, RUNNING, STEP, at, ctx

STEP_ = CheckDirectory(**STEP, source="system", path="/opt/system")


UNREADY = at(ROLLING, pod="", container="")


def seen(**tree: Any) -> TreePicture:
    return TreePicture(workload=RUNNING, tree=TreeSeen(**{"same": 3, "missing": 0, "differing": 0, **tree}))


@pytest.mark.parametrize(
    ("picture", "standing", "reason"),
    [
        pytest.param(seen(), "done", "", id="the-same"),
        pytest.param(seen(extra=5), "done", "", id="what-only-the-pod-has-stays"),
        pytest.param(seen(missing=1), "torn", "1 entries are missing, 0 differ", id="one-is-missing"),
        pytest.param(seen(differing=2), "torn", "0 entries are missing, 2 differ", id="two-differ"),
        pytest.param(TreePicture(workload=UNREADY), "busy", "one pod is not ready", id="no-pod-is-ready"),
        pytest.param(TreePicture(workload=None), "busy", "is not there", id="the-workload-is-gone"),
    ],
)
def test_standing(picture: TreePicture, standing: str, reason: str) -> None:
    found = STEP_.standing(picture, ctx())
    assert found.name == standing
    assert reason in found.reason


@pytest.mark.parametrize(
    ("picture", "fact"),
    [pytest.param(seen(), VerificationPassed, id="passed"), pytest.param(seen(missing=1), VerificationFailed, id="failed")],
)
def test_the_finding_is_a_fact(picture: TreePicture, fact: type) -> None:
    (found,) = STEP_.confirm(picture, STEP_.standing(picture, ctx()), ctx())
    assert type(found) is fact
    assert list(STEP_.confirm(picture, busy("x"), ctx())) == []


def test_where_it_is_helped_a_pod_is_started_to_look_by() -> None:
    helped, alone = STEP_.model_copy(update={"is_helped": True}), TreePicture(workload=UNREADY)
    assert helped.standing(alone, ctx()).name == "clear"
    assert [effect.effect for effect in helped.do(alone, ctx())] == ["start_helper"]


def test_it_changes_nothing() -> None:
    assert [*STEP_.do(seen(), ctx()), *STEP_.undo(seen(), ctx(seen()))] == []
    assert STEP_.restored(seen(), ctx(seen())) is DONE
