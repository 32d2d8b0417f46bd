"""What was accepted when a plan was made: a fact with a name and a reason."""

from __future__ import annotations

from orchestrator.events import IrreversibleAccepted
from orchestrator.steps.accept_irreversible import AcceptIrreversible, NothingSeen
from orchestrator.steps.base import DONE
from tests.steps.seeing import ctx

STEP_ = AcceptIrreversible(id="step", title="a step", part="zync", by="ann", reason="the disk is full")


def test_it_is_done_by_being_said() -> None:
    assert STEP_.standing(NothingSeen(), ctx()) is DONE
    (fact,) = STEP_.confirm(NothingSeen(), DONE, ctx())
    assert fact == IrreversibleAccepted(step="step", part="zync", by="ann", reason="the disk is full")
    assert fact.sentence() == "ann accepted that the load of zync cannot be taken back: the disk is full"


def test_it_changes_nothing() -> None:
    assert [*STEP_.do(NothingSeen(), ctx()), *STEP_.undo(NothingSeen(), ctx())] == []
    assert STEP_.restored(NothingSeen(), ctx()) is DONE
