"""Today's program against what was recorded: it agrees with itself, and every disagreement is named."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from orchestrator import events as ev
from orchestrator.drills import histories
from orchestrator.drills.model import WholeCluster
from orchestrator.errors import PlanChanged
from orchestrator.forensics.redecide import redecide
from orchestrator.forensics.told import Told
from orchestrator.plan import digest_of
from orchestrator.turning import questions
from tests.core.toy import toy
from tests.forensics.tellings import RUN, changed, died_and_turned, over_a_bad_line, restored, told


def differences(facts: tuple[Told, ...]) -> list[tuple[int, str, str]]:
    return [(d.seq, d.step, d.about) for d in redecide(RUN, facts).differences]


@pytest.mark.parametrize("seed", range(6))
def test_this_program_decides_as_it_did(seed: int) -> None:
    found = redecide(RUN, told(restored(seed)))
    assert found.differences == ()
    assert found.moves > 40
    assert found.standings > 30


@pytest.mark.parametrize("die_at", [3, 21, 40, 77, 110])
def test_a_run_that_was_killed_and_taken_back_is_decided_as_it_was(die_at: int) -> None:
    assert differences(told(died_and_turned(die_at))) == []


@pytest.mark.parametrize("seed", range(12))
def test_random_plans_are_decided_as_they_were(seed: int) -> None:
    history = toy(seed)
    for left in history.deaths(lambda h: histories.opened(h.plan), seed)[1::4]:
        if left.records:
            histories.go_on(left, histories.turned, seed)
            assert differences(told(left)) == []


@pytest.mark.parametrize("die_at", [0, 80, 200])
@pytest.mark.parametrize("flavour", ["2.13", "2.15"])
def test_a_restore_of_everything_is_decided_as_it_was(flavour: str, die_at: int) -> None:
    history = histories.begin_whole(flavour)
    history.live(histories.opened(history.plan), die_at=die_at, seed=1)
    histories.go_on(history, histories.resumed, 1)
    histories.go_on(history, histories.turned, 1)
    found = redecide(RUN, told(history))
    assert found.differences == ()
    assert found.moves > 200


@pytest.mark.parametrize("seed", range(12))
def test_a_run_over_a_bad_line_is_decided_as_it_was(seed: int) -> None:
    history = over_a_bad_line(seed)
    assert differences(told(history)) == []
    assert "RetryScheduled" in history.types()


def first(facts: tuple[Told, ...], type_: str, step: str = "") -> Told:
    return next(t for t in facts if t.type == type_ and (not step or t.step == step))


def with_data(told_: Told, **values: Any) -> ev.Fact:
    return told_.fact.model_copy(update=values)


CHANGES: dict[str, tuple[Callable[[tuple[Told, ...]], tuple[Told, ev.Fact]], str]] = {
    "another-file-was-there-and-it-was-called-done": (
        lambda facts: (
            (t := first(facts, "StepFoundDone", "copy-backend-redis-rdb")),
            with_data(t, seen={**t.data["seen"], "file": {"size_bytes": 3, "sha256": "0" * 64}}),
        ),
        "standing",
    ),
    "the-change-would-be-taken-back-in-another-way": (
        lambda facts: ((t := first(facts, "StepStarted", "switch-saving-off")), with_data(t, inverse=())),
        "inverse",
    ),
    "the-evidence-would-say-something-else": (
        lambda facts: ((t := first(facts, "VerificationPassed")), with_data(t, found={"db0": 1})),
        "evidence",
    ),
    "the-run-was-paused-where-it-would-finish": (
        lambda facts: (facts[-1], ev.RunPaused(reason="no idea", needs="resume")),
        "move",
    ),
    "the-picture-cannot-be-read": (
        lambda facts: ((t := first(facts, "StepFoundDone", "copy-backend-redis-rdb")), with_data(t, seen={"file": 1})),
        "standing",
    ),
}


@pytest.mark.parametrize(("change", "about"), CHANGES.values(), ids=list(CHANGES))
def test_what_would_be_decided_otherwise_is_named_with_its_place(
    change: Callable[[tuple[Told, ...]], tuple[Told, ev.Fact]], about: str
) -> None:
    facts = told(restored())
    at, other = change(facts)
    found = redecide(RUN, changed(facts, at.seq, other)).differences
    about_step = [d for d in found if d.about == about]
    assert [(d.step, d.then != d.now) for d in about_step] == [(at.step, True)]
    assert 0 <= about_step[0].seq - at.seq <= 2, "evidence is named at the finding that it belongs to"


def test_a_plan_that_reads_otherwise_today_is_named_at_the_opening() -> None:
    facts = told(restored())
    opened = with_data(facts[0], plan_digest="0" * 64)
    assert differences(changed(facts, 1, opened)) == [(1, "", "plan")]


def test_a_parameter_that_reads_otherwise_today_is_named_and_one_that_is_added_is_not() -> None:
    facts = told(restored())
    plan = deepcopy(dict(facts[0].data["plan"]))
    step = next(step for step in plan["steps"] if step["id"] == "copy-backend-redis-rdb")
    del step["applies"]  # as an older program would have left it out, not knowing it
    opened = with_data(facts[0], plan=plan, plan_digest=digest_of(plan))
    assert differences(changed(facts, 1, opened)) == []
    step["size_bytes"] = str(step["size_bytes"])
    opened = with_data(facts[0], plan=plan, plan_digest=digest_of(plan))
    assert differences(changed(facts, 1, opened)) == [(1, "copy-backend-redis-rdb", "plan")]


def test_a_plan_that_this_program_cannot_read_is_said() -> None:
    facts = told(restored())
    plan = facts[0].data["plan"]
    opened = with_data(facts[0], plan={**plan, "steps": [{**plan["steps"][0], "kind": "teleport"}]})
    with pytest.raises(PlanChanged, match="cannot read the plan"):
        redecide(RUN, changed(facts, 1, opened))


def test_a_question_that_was_asked_before_its_turn_is_decided_as_it_was() -> None:
    history = histories.begin_whole("2.13")
    history.live(histories.opened(history.plan))
    cluster = history.cluster
    assert isinstance(cluster, WholeCluster)
    system = cluster.databases["system"]
    cluster.databases["system"] = replace(system, content=replace(system.content, rows={**system.content.rows, "accounts": 6}))
    turn = [*histories.TURNED, *questions(history.run, history.plan, history.state(), histories.TURNED, cluster, histories.START)]
    assert len(turn) == 2
    history.live(turn)
    history.live([ev.DecisionRecorded(step="load-system-database", verdict="not-done", reason="", by="")])
    assert histories.go_on(history, histories.resumed).closed == "rolled back"
    assert differences(told(history)) == []
