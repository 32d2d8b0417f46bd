"""state -> moves: the policy, as tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from orchestrator import events as ev
from orchestrator.decide import FAILURES_MAX, TRIES_MAX, decide
from orchestrator.engine import backoff_seconds
from orchestrator.events import Entry, Fact
from orchestrator.moves import Ask, Close, Do, GiveUp, Move, Probe, Undo
from orchestrator.plan import Plan
from orchestrator.state import RunState, evolve, fold
from orchestrator.steps.copy_into_pod import CopyIntoPod
from tests.core.test_state import (
    ASKED,
    AT,
    BUSY,
    CLEAR,
    DONE,
    DRIFT,
    FAILED,
    PAUSED,
    RESTORED,
    RESUMED,
    TORN,
    TURNED,
    UNDOABLE,
    decided,
    started,
    undo_started,
)


def step(name: str, *needs: str) -> CopyIntoPod:
    return CopyIntoPod(
        id=name, title=name, needs=needs, workload_kind="", workload="", source="", path="", size_bytes=1, sha256="",
        budget_seconds=100,
    )  # fmt: skip


PLAN = Plan(runbook="", release="", namespace="", parts=(), steps=(step("a"), step("b"), step("c", "a", "b")))
OPENED = ev.RunOpened(
    plan=PLAN.model_dump(mode="json"), plan_digest="", context={}, bundle={}, program="", by=""
)
B_DONE = ev.StepFoundDone(step="b", seen={})
B_STARTED = ev.StepStarted(step="b", attempt=1, before={}, inverse=(), epoch=1)
B_BEGUN = [ev.StepFoundClear(step="b", seen={}), B_STARTED]
A_DONE = [CLEAR, started(), DONE]


def after(*facts: Fact, opened: Fact = OPENED) -> RunState:
    return fold([Entry(seq, AT, 1, fact) for seq, fact in enumerate((opened, *facts), 1)])


def again(facts: list[Fact], times: int) -> list[Fact]:
    """The facts of one attempt over and over, each with its own number."""
    return [
        fact.model_copy(update={"attempt": n}) if isinstance(fact, ev.StepStarted | ev.StepUndoStarted) else fact
        for n in range(1, times + 1)
        for fact in facts
    ]


@pytest.mark.parametrize(
    ("facts", "moves"),
    [
        pytest.param([], [Probe("a"), Probe("b")], id="all-that-need-nothing-are-looked-at"),
        pytest.param([CLEAR], [Do("a"), Probe("b")], id="seen-clear-it-is-done"),
        pytest.param([CLEAR, started()], [Probe("a"), Probe("b")], id="begun-it-is-looked-at"),
        pytest.param([CLEAR, started(), CLEAR], [Do("a"), Probe("b")], id="still-clear-it-is-done-again"),
        pytest.param([BUSY], [Probe("a", is_poll=True), Probe("b")], id="busy-it-is-polled"),
        pytest.param(A_DONE, [Probe("b")], id="done-it-is-left"),
        pytest.param([*A_DONE, B_DONE], [Probe("c")], id="what-it-needed-has-ended"),
        pytest.param([decided("skip"), B_DONE], [Probe("c")], id="skipped-counts-as-ended"),
        pytest.param([TORN], [Ask("a", "half"), Probe("b")], id="torn-a-person-is-asked"),
        pytest.param([TORN, ASKED], [Probe("b")], id="once"),
        pytest.param([FAILED], [Probe("b")], id="failed-the-other-lane-goes-on"),
        pytest.param([PAUSED], [], id="paused"),
        pytest.param([PAUSED, RESUMED], [Probe("a"), Probe("b")], id="resumed"),
        pytest.param([CLEAR, RESUMED], [Probe("a"), Probe("b")], id="what-was-seen-is-looked-at-again"),
        pytest.param(again([CLEAR, started()], TRIES_MAX), [Probe("a"), Probe("b")], id="the-last-try-is-looked-at"),
    ],
)
def test_on_the_way_out(facts: list[Fact], moves: list[Move]) -> None:
    assert list(decide(after(*facts), PLAN, AT)) == moves


@pytest.mark.parametrize(
    ("facts", "moves"),
    [
        pytest.param([TURNED], [Close("rolled back")], id="nothing-was-begun"),
        pytest.param([CLEAR, started(), TURNED], [Probe("a")], id="in-doubt-it-is-looked-at-before-it-is-undone"),
        pytest.param([*A_DONE, TURNED], [Probe("a")], id="done-it-is-looked-at-too"),
        pytest.param([*A_DONE, TURNED, UNDOABLE], [Undo("a")], id="ours-is-in-place"),
        pytest.param([*A_DONE, TURNED, UNDOABLE, undo_started()], [Probe("a")], id="undone-it-is-looked-at"),
        pytest.param([*A_DONE, TURNED, RESTORED], [Close("rolled back")], id="as-it-was"),
        pytest.param([*A_DONE, TURNED, DRIFT], [Ask("a", "")], id="drifted-a-person-is-asked"),
        pytest.param([*A_DONE, TURNED, BUSY], [Probe("a", is_poll=True)], id="busy-it-is-polled"),
    ],
)
def test_on_the_way_back(facts: list[Fact], moves: list[Move]) -> None:
    assert list(decide(after(*facts), PLAN, AT)) == moves


@pytest.mark.parametrize(("tries", "seconds"), [(1, 0), (2, 1), (3, 2), (4, 4), (7, 30), (4000, 30)])
@pytest.mark.parametrize("is_back", [False, True], ids=["out", "back"])
def test_what_is_tried_and_stays_undone_is_tried_later_and_later(tries: int, seconds: int, is_back: bool) -> None:
    """Such as an AOF rewrite for which the disk has no room, while a person has granted hours."""
    facts = [*A_DONE, TURNED, *again([UNDOABLE, undo_started()], tries)] if is_back else again([CLEAR, started()], tries)
    failed = ev.RetryScheduled(step="a", reason="cut", failures=1, not_before=AT)
    state = after(*facts, failed, UNDOABLE if is_back else CLEAR)
    state = replace(state, patience_seconds=3600)
    move = Undo("a") if is_back else Do("a")
    if seconds:
        assert move not in decide(state, PLAN, AT + timedelta(seconds=seconds - 1))
    assert move in decide(state, PLAN, AT + timedelta(seconds=seconds))


def test_a_line_that_is_down_for_days_is_tried_again_as_before() -> None:
    assert 30 <= backoff_seconds("run", "step", 100_000) <= 45


def test_a_clock_that_is_set_back_adds_no_patience() -> None:
    state = replace(after(), patience_seconds=3600)
    for at in (AT, AT - timedelta(hours=5)):
        failed = ev.RetryScheduled(step="a", reason="cut", failures=FAILURES_MAX, not_before=at)
        state = evolve(state, Entry(state.seq + 1, at, 1, failed))
    assert Probe("a") in decide(state, PLAN, AT - timedelta(hours=4, minutes=1))
    assert GiveUp("a", f"cut (failed {FAILURES_MAX} times)") in decide(state, PLAN, AT - timedelta(hours=4))


def test_a_step_that_was_left_out_early_lets_nothing_overtake() -> None:
    """A check between a load and the programs that come up after it: without it they still wait for the load."""
    chain = Plan(runbook="", release="", namespace="", parts=(), steps=(step("a"), step("b", "a"), step("c", "b")))
    opened = OPENED.model_copy(update={"plan": chain.model_dump(mode="json")})

    def moves(*facts: Fact) -> list[Move]:
        return list(decide(after(*facts, opened=opened), chain, AT))

    left_out = ev.DecisionRecorded(step="b", verdict="skip", reason="not now", by="anna")
    assert moves(left_out) == [Probe("a")]
    assert moves(left_out, *A_DONE) == [Probe("c")]
    c_done = [ev.StepFoundClear(step="c", seen={}), ev.StepStarted(step="c", attempt=1, before={}, inverse=(), epoch=1),
              ev.StepFoundDone(step="c", seen={})]  # fmt: skip
    assert moves(*A_DONE, left_out, *c_done, TURNED) == [Probe("c")]


def test_the_newest_is_taken_back_first() -> None:
    began_c = ev.StepStarted(step="c", attempt=1, before={}, inverse=(), epoch=1)
    facts = [*A_DONE, *B_BEGUN, B_DONE, ev.StepFoundClear(step="c", seen={}), began_c, TURNED]
    assert decide(after(*facts), PLAN, AT) == (Probe("c"),)
    back = after(*facts, ev.StepFoundRestored(step="c", seen={}))
    assert decide(back, PLAN, AT) == (Probe("a"), Probe("b"))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        pytest.param([*again([CLEAR, started()], TRIES_MAX), CLEAR], "tried 5 times", id="tries"),
        pytest.param(
            [ev.RetryScheduled(step="a", reason="no route", not_before=AT, failures=FAILURES_MAX)],
            "no route (failed 8 times)", id="failures",
        ),
    ],
)  # fmt: skip
def test_patience_ends(facts: list[Fact], reason: str) -> None:
    (move, _) = decide(after(*facts), PLAN, AT)
    assert isinstance(move, GiveUp)
    assert reason in move.reason
    assert decide(after(*facts, FAILED, PAUSED, RESUMED), PLAN, AT)[0] == Probe("a"), "resumed, it is tried again"


def test_busy_has_its_budget() -> None:
    state = after(BUSY)
    assert decide(state, PLAN, AT + timedelta(seconds=100))[0] == Probe("a", is_poll=True)
    last = Probe("a", is_poll=True, gives_up="for 100 s")
    assert decide(state, PLAN, AT + timedelta(seconds=101))[0] == last, "looked at once more: this machine may have slept"
    later = evolve(state, Entry(state.seq + 1, AT + timedelta(seconds=90), 1, BUSY))
    assert decide(later, PLAN, AT + timedelta(seconds=101))[0] == last, "busy since the first look"


def test_a_retry_waits_for_its_time() -> None:
    at: datetime = AT + timedelta(seconds=5)
    state = after(ev.RetryScheduled(step="a", reason="", not_before=at, failures=1))
    assert decide(state, PLAN, AT) == (Probe("b"),)
    assert decide(state, PLAN, at) == (Probe("a"), Probe("b"))
    alone = evolve(state, Entry(state.seq + 1, AT, 1, B_DONE))
    assert decide(alone, PLAN, AT) == (), "it waits, and does not close the run"


def test_a_retry_does_not_wait_for_a_clock_that_was_set_back() -> None:
    state = after(ev.RetryScheduled(step="a", reason="", not_before=AT + timedelta(seconds=45), failures=1))
    assert decide(state, PLAN, AT) == (Probe("b"),)
    assert decide(state, PLAN, AT - timedelta(hours=3)) == (Probe("a"), Probe("b"))


@pytest.mark.parametrize(
    ("facts", "outcome", "needs"),
    [
        pytest.param([*A_DONE, B_DONE, ev.StepFoundDone(step="c", seen={})], "finished", "resume", id="finished"),
        pytest.param([TORN, ASKED, B_DONE], "paused", "decision", id="torn"),
        pytest.param([FAILED, B_DONE], "paused", "resume", id="failed"),
        pytest.param(
            [FAILED, ev.StepFoundTorn(step="b", seen={}, reason="half"), ev.DecisionAsked(step="b", question="", choices=())],
            "paused", "resume", id="failed-and-torn",
        ),
        pytest.param(
            [ev.VerificationFailed(step="a", subject="", expected={}, found={}), TORN, ASKED, B_DONE],
            "paused", "verification", id="a-verification-missed",
        ),
        pytest.param([*A_DONE, TURNED, DRIFT, ASKED], "paused", "decision", id="drifted"),
        pytest.param([*A_DONE, TURNED, FAILED], "paused", "resume", id="stuck"),
    ],
)  # fmt: skip
def test_how_a_run_closes(facts: list[Fact], outcome: str, needs: str) -> None:
    (move,) = decide(after(*facts), PLAN, AT)
    assert isinstance(move, Close)
    assert (move.outcome, move.needs) == (outcome, needs)
