"""The table of a step's life, and folding: what facts add up to, and which facts cannot follow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import events as ev
from orchestrator.drills.histories import History, go_on, resumed, turned
from orchestrator.errors import IllegalFact
from orchestrator.events import Entry, Fact
from orchestrator.recorder import entries_of
from orchestrator.state import ENDED_BACKWARD, ENDED_FORWARD, FORGET, TABLE, RunState, evolve, fold
from tests.core.toy import toy

AT = datetime(2026, 11, 23, tzinfo=UTC)
PLAN = {"steps": [{"id": "a", "needs": []}, {"id": "b", "needs": ["a"]}]}
BEFORE = {"was": 1}

OPENED = ev.RunOpened(plan=PLAN, plan_digest="", context={}, bundle={}, program="", by="")
RESUMED = ev.RunResumed(program="", by="")
PAUSED = ev.RunPaused(reason="", needs="resume")
TURNED = ev.RollbackOpened(by="")


def started(attempt: int = 1, step: str = "a") -> Fact:
    return ev.StepStarted(step=step, attempt=attempt, before=BEFORE, inverse=(), epoch=1)


def undo_started(attempt: int = 1) -> Fact:
    return ev.StepUndoStarted(step="a", attempt=attempt, epoch=1)


def decided(verdict: str) -> Fact:
    return ev.DecisionRecorded(step="a", verdict=verdict, reason="", by="")


CLEAR = ev.StepFoundClear(step="a", seen=BEFORE)
BUSY = ev.StepFoundBusy(step="a", reason="slow")
DONE = ev.StepFoundDone(step="a", seen={})
TORN = ev.StepFoundTorn(step="a", seen={}, reason="half")
RETRY = ev.RetryScheduled(step="a", reason="", not_before=AT, failures=1)
FAILED = ev.StepFailed(step="a", reason="")
ASKED = ev.DecisionAsked(step="a", question="", choices=())
UNDOABLE = ev.StepFoundUndoable(step="a", seen={})
RESTORED = ev.StepFoundRestored(step="a", seen={})
GONE = ev.StepFoundGone(step="a", reason="", found_by="b", seen={})
DRIFT = ev.DriftFound(step="a", reason="", before={}, now={})

# One way into each status: the facts after the opening.
WAYS: dict[str, list[Fact]] = {
    "pending": [],
    "ready": [CLEAR],
    "started": [CLEAR, started()],
    "torn": [CLEAR, started(), TORN],
    "failed": [CLEAR, started(), FAILED],
    "finished": [CLEAR, started(), DONE],
    "skipped": [decided("skip")],
    "held": [CLEAR, started(), TURNED],
    "undoable": [CLEAR, started(), TURNED, UNDOABLE],
    "undoing": [CLEAR, started(), TURNED, UNDOABLE, undo_started()],
    "drifted": [CLEAR, started(), TURNED, DRIFT],
    "stuck": [CLEAR, started(), TURNED, FAILED],
    "restored": [CLEAR, started(), TURNED, RESTORED],
    "untouched": [TURNED],
}

FACTS: dict[str, Callable[[RunState], Fact]] = {
    "StepFoundClear": lambda state: CLEAR,
    "StepFoundBusy": lambda state: BUSY,
    "StepFoundDone": lambda state: DONE,
    "StepFoundTorn": lambda state: TORN,
    "StepStarted": lambda state: started(state.steps["a"].attempt + 1),
    "RetryScheduled": lambda state: RETRY,
    "StepFailed": lambda state: FAILED,
    "DecisionAsked": lambda state: ASKED,
    "DecisionRecorded done": lambda state: decided("done"),
    "DecisionRecorded not-done": lambda state: decided("not-done"),
    "DecisionRecorded skip": lambda state: decided("skip"),
    "StepFoundUndoable": lambda state: UNDOABLE,
    "StepUndoStarted": lambda state: undo_started(state.steps["a"].undo_attempt + 1),
    "StepFoundRestored": lambda state: RESTORED,
    "DriftFound": lambda state: DRIFT,
    "StepFoundGone": lambda state: GONE,
}


def after(*facts: Fact) -> RunState:
    entries = [Entry(seq, AT + timedelta(seconds=seq), 1, fact) for seq, fact in enumerate((OPENED, *facts), 1)]
    return fold(entries)


def then(state: RunState, *facts: Fact, epoch: int = 1) -> RunState:
    for fact in facts:
        state = evolve(state, Entry(state.seq + 1, AT, epoch, fact))
    return state


def test_the_table_names_every_status_and_every_fact() -> None:
    assert set(WAYS) == set(TABLE)
    assert {name for row in TABLE.values() for name in row} == set(FACTS)
    assert {status for row in TABLE.values() for status in row.values()} <= set(TABLE)


@pytest.mark.parametrize("status", TABLE)
@pytest.mark.parametrize("name", FACTS)
def test_each_transition(status: str, name: str) -> None:
    state = after(*WAYS[status])
    assert state.steps["a"].status == status
    if name in TABLE[status]:
        assert then(state, FACTS[name](state)).steps["a"].status == TABLE[status][name]
        return
    with pytest.raises(IllegalFact):
        then(state, FACTS[name](state))


@pytest.mark.parametrize("status", [status for status, row in TABLE.items() if row.keys() <= {"StepFoundGone"}])
def test_what_has_ended_stays_ended_but_for_what_is_found_to_be_gone(status: str) -> None:
    assert status in ENDED_FORWARD | ENDED_BACKWARD


def test_what_a_step_has_left_is_forgotten_when_it_is_gone_and_its_picture_is_kept() -> None:
    step = after(CLEAR, started(), DONE, GONE).steps["a"]
    assert (step.status, step.before, step.after, step.attempt) == ("started", BEFORE, None, 1)


def test_only_a_step_that_needs_another_finds_it_gone() -> None:
    with pytest.raises(IllegalFact):
        then(after(CLEAR, started(), DONE), GONE.model_copy(update={"found_by": "a"}))


def test_a_safety_copy_that_is_lost_once_stays_lost() -> None:
    lost = ev.SafetyCopyLost(step="a", database="d", path="/p")
    assert after(CLEAR, started(), lost, DONE, PAUSED, RESUMED, TURNED).steps["a"].is_copy_lost


# ---- the run -------------------------------------------------------------------------------------

ALL_DONE = [CLEAR, started(), DONE, ev.StepFoundDone(step="b", seen={})]


@pytest.mark.parametrize(
    ("facts", "illegal"),
    [
        pytest.param([], OPENED, id="opened-twice"),
        pytest.param([], ev.RunFinished(), id="finished-before-its-steps"),
        pytest.param([PAUSED], CLEAR, id="a-step-of-a-paused-run"),
        pytest.param([PAUSED], PAUSED, id="paused-twice"),
        pytest.param([PAUSED], ev.RunFinished(), id="finished-while-paused"),
        pytest.param([*ALL_DONE, ev.RunFinished()], RESUMED, id="resumed-after-the-end"),
        pytest.param([*ALL_DONE, ev.RunFinished()], decided("skip"), id="decided-after-the-end"),
        pytest.param([TURNED], TURNED, id="turned-twice"),
        pytest.param([TURNED], ev.RunFinished(), id="finished-on-the-way-back"),
        pytest.param([CLEAR, started(), TURNED], ev.RollbackFinished(), id="rolled-back-before-its-steps"),
        pytest.param([TURNED, ev.RollbackFinished()], RESUMED, id="resumed-after-the-rollback"),
        pytest.param([], ev.RollbackFinished(), id="rolled-back-on-the-way-out"),
        pytest.param([], ev.StepFoundClear(step="z", seen={}), id="a-step-that-is-not-in-the-plan"),
        pytest.param([], ev.RollbackOpened(by="", down_to="z"), id="back-to-a-step-that-is-not-in-the-plan"),
        pytest.param([ev.StepFoundClear(step="b", seen={})], started(1, "b"), id="before-what-it-needs"),
        pytest.param([CLEAR], started(2), id="an-attempt-left-out"),
        pytest.param([CLEAR, started(), CLEAR], started(1), id="an-attempt-twice"),
        pytest.param([CLEAR, started(), TURNED, UNDOABLE], undo_started(2), id="an-undo-left-out"),
        pytest.param([], ev.FileRemoved(step="a", pod="", path=""), id="an-effect-before-the-start"),
        pytest.param([CLEAR], ev.FileRemoved(step="a", pod="", path=""), id="an-effect-after-the-look"),
    ],
)
def test_an_illegal_fact_is_refused_and_changes_nothing(facts: list[Fact], illegal: Fact) -> None:
    state = after(*facts)
    with pytest.raises(IllegalFact):
        then(state, illegal)
    assert state == after(*facts)


def test_nothing_comes_before_the_opening() -> None:
    for fact in (RESUMED, PAUSED, TURNED, CLEAR, ev.LeaseTaken(holder="x")):
        with pytest.raises(IllegalFact):
            then(RunState(), fact)


@pytest.mark.parametrize("status", FORGET)
def test_resume_forgets_what_it_saw_and_not_what_it_did(status: str) -> None:
    begun, not_begun = FORGET[status]
    resumed_state = then(after(*WAYS[status]), RESUMED)
    expected = begun if status in ("torn", "failed") else not_begun
    assert resumed_state.steps["a"].status == expected
    assert resumed_state.steps["a"].seen is None


def test_resume_of_a_retried_step_is_in_doubt_again() -> None:
    again = then(after(CLEAR, started(), CLEAR), RESUMED).steps["a"]
    assert (again.status, again.before, again.attempt) == ("started", BEFORE, 1)
    back = then(after(CLEAR, started(), TURNED, UNDOABLE, undo_started(), UNDOABLE), RESUMED).steps["a"]
    assert (back.status, back.undo_attempt) == ("undoing", 1)


def test_rollback_down_to_a_step_leaves_what_came_before_it() -> None:
    started_b = ev.StepStarted(step="b", attempt=1, before={}, inverse=(), epoch=1)
    state = after(CLEAR, started(), DONE, ev.StepFoundClear(step="b", seen={}), started_b)
    back = then(state, ev.RollbackOpened(by="", down_to="b"))
    assert {name: step.status for name, step in back.steps.items()} == {"a": "untouched", "b": "held"}


def test_what_applies_a_change_is_taken_back_with_it_though_it_was_never_started() -> None:
    plan = {"steps": [{"id": "a", "needs": []}, {"id": "b", "needs": ["a"], "applies": "a"}]}
    opened = OPENED.model_copy(update={"plan": plan})
    for begun, statuses in (([CLEAR, started()], ["held", "held"]), ([], ["untouched", "untouched"])):
        back = then(RunState(), opened, *begun, TURNED)
        assert [step.status for step in back.steps.values()] == statuses


def test_a_verdict_of_the_way_out_decides_nothing_on_the_way_back() -> None:
    overruled = after(CLEAR, started(), TORN, decided("not-done"), TURNED)
    assert then(overruled, DRIFT).steps["a"].status == "drifted"


def test_not_done_holds_until_the_step_is_started_again() -> None:
    state = after(CLEAR, started(), TORN, PAUSED, decided("not-done"), RESUMED, TORN)
    assert state.steps["a"].status == "ready"
    assert then(state, started(2), TORN).steps["a"].status == "torn"


def test_the_epoch_rises_and_never_falls() -> None:
    state = then(after(), ev.LeaseTaken(holder="x"), epoch=4)
    assert state.epoch == 4
    assert then(state, CLEAR, epoch=2).epoch == 4


# ---- facts of a newer program ----------------------------------------------------------------------


@pytest.mark.parametrize(("name", "version"), [("MoonPhaseObserved", 1), ("StepFoundClear", 2)])
def test_an_unknown_fact_is_kept_counted_and_changes_nothing_else(name: str, version: int) -> None:
    fact = ev.decode(name, version, "a", 1, {"phase": "full"})
    assert isinstance(fact, ev.UnknownFact)
    assert (fact.type, fact.type_version, fact.data) == (name, version, {"phase": "full"})
    assert name in fact.sentence()
    before = after(CLEAR)
    known = then(before, fact)
    assert (known.unknown, known.steps) == (1, before.steps)


def test_a_field_that_a_newer_program_added_is_left_out() -> None:
    assert ev.decode("StepFoundBusy", 1, "a", 0, {"reason": "slow", "mood": "bad"}) == BUSY


# ---- every history that the engine can make -----------------------------------------------------------


def random_history(seed: int, deaths: list[int], is_turned: bool) -> History:
    """A random plan, lives that end in deaths, and perhaps a rollback."""
    history = toy(seed)
    for n, die_at in enumerate(deaths):
        again = turned if is_turned and n and history.records else resumed
        history.live(again(history), die_at=die_at, seed=seed + n)
    if history.records:
        go_on(history, turned if is_turned else resumed, seed)
    return history


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 60), max_size=4), st.booleans(), st.data())
def test_folding_a_prefix_and_then_the_rest_is_folding_all(
    seed: int, deaths: list[int], is_turned: bool, data: st.DataObject
) -> None:
    entries = entries_of(random_history(seed, deaths, is_turned).records)
    cut = data.draw(st.integers(0, len(entries)))
    assert fold(entries[cut:], fold(entries[:cut])) == fold(entries)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 60), max_size=3), st.booleans())
def test_every_fact_comes_back_from_the_journal_as_it_was(seed: int, deaths: list[int], is_turned: bool) -> None:
    for fact in random_history(seed, deaths, is_turned).facts():
        name, version, step, attempt, data = ev.encode(fact)
        assert ev.decode(name, version, step, attempt, data) == fact
