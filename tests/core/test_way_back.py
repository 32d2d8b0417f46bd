"""What the way back of each step rests on, and what becomes of a load that was accepted to have none."""

from __future__ import annotations

import pytest

from orchestrator import events as ev
from orchestrator.drills.histories import History, begin_whole, go_on, opened, resumed, turned
from orchestrator.drills.model.contents import CONTENTS
from orchestrator.errors import IllegalFact
from orchestrator.runbooks.options import Options
from orchestrator.runs import to_roll_back
from orchestrator.steps.base import LookingStep
from orchestrator.steps.load_dump import LoadDump
from orchestrator.steps.save_database import SaveDatabase
from tests.core.test_whole import SHAPES, begin, carried_out, is_as_in_the_beginning, world

UNSAVED = Options(no_safety_copy=("system-database",), accepted_by="ann", accepted_reason="the volume is full")


@pytest.mark.parametrize("name", SHAPES)
def test_every_step_says_what_its_way_back_rests_on(name: str) -> None:
    for step in begin(name).plan.steps:
        assert step.undo_note
        assert (step.way_back == "safety copy") == bool(step.copy_note) or isinstance(step, SaveDatabase), step.id
        if isinstance(step, LookingStep):
            assert step.way_back == "nothing"


@pytest.mark.parametrize("name", SHAPES)
def test_everything_can_be_taken_back_unless_it_was_accepted_that_it_cannot(name: str) -> None:
    assert [step.id for step in begin(name).plan.steps if step.way_back == "irreversible"] == []


@pytest.mark.parametrize(
    ("free_bytes", "home_free_bytes", "place", "is_lost"),
    [
        pytest.param(20, 0, "/var/lib/mysql/data", False, id="on-the-volume-of-the-data"),
        pytest.param(19, 9, "/home", True, id="in-home-of-the-pod"),
    ],
)
def test_a_safety_copy_goes_where_there_is_room(free_bytes: int, home_free_bytes: int, place: str, *, is_lost: bool) -> None:
    """The dump and its rows need 11 bytes of the volume, the copy 9."""
    from orchestrator.runbooks.threescale import restore_plan

    cluster = begin_whole("2.13").cluster
    found, bundle = cluster.installation(), cluster.bundle()  # type: ignore[attr-defined]
    room = {"free_bytes": free_bytes, "home": "/home", "home_free_bytes": home_free_bytes}
    system, zync = found.databases
    plan = restore_plan(found.model_copy(update={"databases": (system.model_copy(update=room), zync)}), bundle)
    save, load = plan.step("save-system-database"), plan.step("load-system-database")
    assert isinstance(save, SaveDatabase)
    assert isinstance(load, LoadDump)
    assert (save.directory, load.saved_directory, save.is_lost_with_pod) == (place, place, is_lost)
    (note,) = [note for note in plan.notes if note.startswith("the safety copy of system ")]
    assert f"lies in {place} of system-mysql" in note
    assert ("lost with its pod" in note) == is_lost
    assert f"at most 9 B in {place}" in save.copy_note


# ---- a load without a safety copy ------------------------------------------------------------------


def unsaved() -> History:
    history = begin_whole("2.13", UNSAVED)
    history.live(opened(history.plan))
    assert history.state().closed == "finished", history.state().reason
    return history


def test_a_load_without_a_safety_copy_is_marked_and_the_acceptance_is_a_fact() -> None:
    history = unsaved()
    plan = history.plan
    assert "save-system-database" not in plan.by_id
    assert [step.id for step in plan.steps if step.way_back == "irreversible"] == ["load-system-database"]
    (accepted,) = [fact for fact in history.facts() if isinstance(fact, ev.IrreversibleAccepted)]
    assert (accepted.part, accepted.by, accepted.reason) == ("system-database", "ann", "the volume is full")
    assert not [f for files in world(history).volumes.values() for f in files if f.startswith("/var/lib/mysql") and "before" in f]


def test_the_way_back_stops_there_and_goes_on_when_somebody_leaves_it_out() -> None:
    history = unsaved()
    state = go_on(history, turned)
    assert (state.closed, state.steps["load-system-database"].status) == ("paused", "stuck")
    assert "there is no safety copy of system" in state.reason
    assert state.steps["load-zync"].status == "restored", "the other parts have gone on"
    skip = ev.DecisionRecorded(step="load-system-database", verdict="skip", reason="as accepted", by="ann")
    history.live([skip, *resumed(history)])
    state = history.state()
    assert (state.closed, state.steps["load-system-database"].status) == ("rolled back", "untouched")
    assert world(history).databases["system"].content == CONTENTS["system", "new"]
    assert world(history).databases["zync_production"].content == CONTENTS["zync_production", "old"]


def test_a_run_that_never_came_to_that_load_is_taken_back_whole() -> None:
    history = next(
        h for h in begin_whole("2.13", UNSAVED).deaths(resumed)
        if h.state().steps and h.state().steps["scale-down-system-app"].status == "finished"
    )  # fmt: skip
    assert go_on(history, turned).closed == "rolled back", history.state().reason


# ---- back to a step ----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["load-zync", "switch-saving-back", "restart-backend-redis-with-saving", "restart-system-app"])
def test_back_to_before_a_step_leaves_in_force_what_came_before_it(step: str) -> None:
    """A restart that puts an earlier edit into force has nothing to put back as long as that edit stays."""
    history = begin("2.15")
    history.live(opened(history.plan))
    state = go_on(history, lambda h: [ev.RollbackOpened(by="ann", down_to=step)] if h.state().phase == "forward" else resumed(h))
    assert state.closed == "rolled back", state.reason
    kept = [name for name in history.plan.by_id if name != step and step not in dependencies(history, name)]
    assert {state.steps[name].status for name in kept} == {"untouched"}


def dependencies(history: History, name: str) -> set[str]:
    return {other for other in history.plan.by_id if name in history.plan.dependents(other)}


@pytest.mark.parametrize("step", ["load-zync", "switch-saving-back", "restart-system-app"])
@pytest.mark.parametrize("name", ["2.13", "2.15"])
def test_what_a_rollback_to_a_step_has_left_is_taken_back_by_another(name: str, step: str) -> None:
    history = carried_out(name)
    history.live([ev.RollbackOpened(by="ann", down_to=step)])
    state = history.state()
    assert (state.closed, "scale-down-system-app" in state.in_place, step in state.in_place) == ("rolled back", True, False)
    history.live(turned(history) or to_roll_back()(state))
    assert history.state().closed == "rolled back", history.state().reason
    assert history.state().in_place == ()
    assert is_as_in_the_beginning(history, name)
    with pytest.raises(IllegalFact):
        history.live([ev.RollbackOpened(by="ann")])
