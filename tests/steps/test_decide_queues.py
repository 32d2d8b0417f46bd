"""A decision that the plan holds: a fact with a name and a reason (guide 9.5.4.2)."""

from __future__ import annotations

from typing import Literal

import pytest

from orchestrator.events import QueuesDecided
from orchestrator.steps.base import DONE
from orchestrator.steps.decide_queues import CONSEQUENCES, DecideQueues, NothingSeen
from tests.steps.seeing import ctx


@pytest.mark.parametrize(
    ("verdict", "said"), [pytest.param("restore", "restored", id="restore"), pytest.param("drop", "dropped", id="drop")]
)
def test_it_is_done_by_being_said(verdict: Literal["restore", "drop"], said: str) -> None:
    step = DecideQueues(id="step", title="a step", verdict=verdict, by="ann", reason="billing")
    assert step.standing(NothingSeen(), ctx()) is DONE
    (fact,) = step.confirm(NothingSeen(), DONE, ctx())
    assert fact == QueuesDecided(step="step", verdict=said, by="ann", reason="billing")
    assert verdict in CONSEQUENCES


def test_it_changes_nothing() -> None:
    step = DecideQueues(id="step", title="a step", verdict="drop", by="ann", reason="mails")
    assert [*step.do(NothingSeen(), ctx()), *step.undo(NothingSeen(), ctx())] == []
    assert step.restored(NothingSeen(), ctx()) is DONE
