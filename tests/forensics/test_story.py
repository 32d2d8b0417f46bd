"""A run told as lives, steps and attempts; and the words for times, sizes and pictures."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator import events as ev
from orchestrator.drills import histories
from orchestrator.drills.histories import START, History
from orchestrator.errors import IllegalFact
from orchestrator.forensics import facets
from orchestrator.forensics.comparison import Side, compare
from orchestrator.forensics.markdown import document
from orchestrator.forensics.page.document import page
from orchestrator.forensics.story import Story, tell_story
from orchestrator.forensics.told import Told
from orchestrator.forensics.words import Change, changes, duration, size
from tests.forensics.tellings import RUN, died_and_turned, restored, told

AT = START


def told_at(*facts: tuple[float, int, ev.Fact]) -> tuple[Told, ...]:
    """(seconds since the opening, epoch, fact) as facts of a journal."""
    return tuple(
        Told(ev.Entry(seq, AT + timedelta(seconds=seconds), epoch, fact))
        for seq, (seconds, epoch, fact) in enumerate(facts, start=1)
    )


def opened() -> ev.Fact:
    step = {"id": "copy", "title": "copy it", "lane": "left", "needs": [], "kind": "copy_into_pod"}
    plan = {"runbook": "toy", "steps": [step, {**step, "id": "check", "lane": "right"}]}
    return ev.RunOpened(plan=plan, plan_digest="d" * 64, context={"namespace": "n"}, bundle={}, program="restore 1", by="op")


def start(attempt: int, epoch: int) -> ev.StepStarted:
    return ev.StepStarted(step="copy", attempt=attempt, before={"file": None}, inverse=(), epoch=epoch)


KILLED = told_at(
    (0, 1, opened()),
    (1, 1, ev.StepFoundClear(step="copy", seen={"file": None})),
    (2, 1, start(1, 1)),
    (3, 1, ev.FileChunkCopied(step="copy", attempt=1, pod="p", path="/x", offset_bytes=0, size_bytes=7, sha256="")),
    (103, 2, ev.RunResumed(program="restore 1", by="second")),
    (104, 2, ev.StepFoundClear(step="copy", seen={"file": None})),
    (105, 2, start(2, 2)),
    (106, 2, ev.FileChunkCopied(step="copy", attempt=2, pod="p", path="/x", offset_bytes=7, size_bytes=5, sha256="")),
    (107, 2, ev.FileCopied(step="copy", attempt=2, pod="p", path="/x", size_bytes=12, sha256="")),
    (108, 2, ev.StepFoundDone(step="copy", attempt=2, seen={"file": {"size_bytes": 12}})),
    (109, 2, ev.StepFoundTorn(step="check", reason="odd", seen={})),
    (109, 2, ev.DecisionAsked(step="check", question="odd", choices=("done", "skip"))),
    (110, 2, ev.RunPaused(reason="step check: odd", needs="decision")),
    (200, 3, ev.DecisionRecorded(step="check", verdict="skip", reason="I looked", by="chief")),
    (210, 4, ev.RunResumed(program="restore 1", by="op")),
    (211, 4, ev.RunFinished()),
)


def test_a_run_that_was_killed_is_told_in_lives() -> None:
    story = tell_story(RUN, KILLED)
    assert [(life.epoch, life.first_seq, life.last_seq, life.ended) for life in story.lives] == [
        (1, 1, 4, "cut off"), (2, 5, 13, "paused"), (3, 14, 14, "decided"), (4, 15, 16, "closed"),
    ]
    assert [life.last_seq for life in story.cuts] == [4]
    assert (story.seconds, story.idle_seconds, story.recovery_seconds) == (211, 200, 211)
    assert facets.cut_off(story, story.cuts[0]) == "cut off after fact 4, without a word; gone on 1 min 40 s later by ?"


def test_a_step_is_told_in_attempts() -> None:
    step = tell_story(RUN, KILLED).step("copy")
    assert [(s.kind, s.attempt, s.first_seq, s.last_seq, s.outcome) for s in step.spans] == [
        ("look", 0, 2, 2, "StepFoundClear"), ("attempt", 1, 3, 6, "StepFoundClear"), ("attempt", 2, 7, 10, "StepFoundDone"),
    ]
    assert (step.attempts, step.seconds, step.bytes_moved) == (2, 107, 12), "a whole file is not counted again"
    assert step.back_seconds is None


def test_who_decided_is_told() -> None:
    story = tell_story(RUN, KILLED)
    assert [(t.type, facets.by_whom(t)) for t in story.decisions] == [
        ("RunOpened", "op"), ("RunResumed", "second"), ("DecisionAsked", "–"), ("DecisionRecorded", "chief"), ("RunResumed", "op"),
    ]


def test_what_changed_is_told_fact_by_fact() -> None:
    story = tell_story(RUN, KILLED)
    assert [c for c in story.changes if c[1] == "copy"] == [
        (1, "copy", "pending"), (2, "copy", "ready"), (3, "copy", "started"), (6, "copy", "ready"), (7, "copy", "started"),
        (10, "copy", "finished"),
    ]
    assert [c for c in story.changes if not c[1]] == [(1, "", "forward"), (13, "", "paused"), (15, "", "forward"), (16, "", "finished")]


@pytest.mark.parametrize("history", [restored(), died_and_turned(40), died_and_turned(90)], ids=["smooth", "killed", "late"])
def test_every_fact_of_a_step_is_in_one_span(history: History) -> None:
    story = tell_story(RUN, told(history))
    for step in story.steps:
        covered = [t.seq for span in step.spans for t in step.facts if span.first_seq <= t.seq <= span.last_seq]
        assert covered == [t.seq for t in step.facts]
        assert all(a.ended_at <= b.started_at for a, b in zip(step.spans, step.spans[1:], strict=False))


def test_the_way_back_is_apart_from_the_way_there() -> None:
    story = tell_story(RUN, told(died_and_turned()))
    turn = story.of_type("RollbackOpened")[0].seq
    for span in (span for step in story.steps for span in step.spans):
        assert span.is_back == (span.first_seq > turn)
        assert span.last_seq < turn or span.is_back
        assert span.kind != "undo" or span.is_back


def test_the_way_back_is_listed_newest_first_with_its_facts() -> None:
    story = tell_story(RUN, told(restored()))
    rows = facets.reverse(story)
    assert rows[-1].step.startswith(("save-", "switch-saving-off", "restart-"))
    assert next(r for r in rows if r.step == "switch-saving-off").effects[0] == (
        "edit redis.conf in ConfigMap redis-config: "
        '-#save 900 1; -#save 300 10; -#save 60 10000; -save ""; -appendonly no; +save 900 1; +save 300 10; +save 60 10000; +appendonly yes'
    )
    for row in rows:
        assert row.seq is None or story.facts[row.seq - 1].type == "StepStarted"
    started = {step.id for step in story.steps if any(t.type == "StepStarted" for t in step.facts)}
    assert {row.step for row in rows if row.seq} == started


@pytest.mark.parametrize("count", [1, 3, 20])
def test_a_run_that_has_only_begun_can_be_reported_on(count: int) -> None:
    story = tell_story(RUN, told(restored())[:count])
    assert "pending" in page(story, "OK")
    assert document(story, "OK").startswith("# Restore run: not ended")


def test_a_plan_of_another_program_can_be_reported_on() -> None:
    story = tell_story(RUN, KILLED)
    assert facets.reverse_order(story) == ({}, ["check", "copy"])
    assert "I looked" in page(story, "OK")


def test_facts_that_contradict_each_other_have_no_story() -> None:
    with pytest.raises(IllegalFact):
        tell_story(RUN, (*KILLED, *KILLED))
    with pytest.raises(ValueError, match="do not begin"):
        tell_story(RUN, KILLED[1:])


def test_two_plans_are_held_against_each_other_step_by_step() -> None:
    left, right = tell_story(RUN, KILLED), tell_story("other", told(restored()))
    rows = {(row.step, row.about): (row.left, row.right) for row in compare(Side("a", left), Side("b", right))}
    assert rows["copy", "status"] == ("finished", "not in this plan")
    assert rows["switch-saving-off", "status"] == ("not in this plan", "finished")
    assert rows["", "decisions"] == ("skip", "-")
    assert all(row.left == row.right for row in compare(Side("a", left), Side("a", left)))


# ---- words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "words"), [
    (None, "–"), (0, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (192.4, "3 min 12 s"), (3600, "1 h 00 min"), (7500, "2 h 05 min"),
])
def test_duration(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(("count", "words"), [
    (0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (474005, "463 KiB"), (5 * 2**30, "5.0 GiB"), (3 * 2**50, "3072 TiB"),
])
def test_size(count: int, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(("before", "after", "expected"), [
    pytest.param({"a": 1}, {"a": 1}, [], id="same"),
    pytest.param({"a": 1}, {"a": "1"}, [], id="a-number-reads-as-its-text"),
    pytest.param({"a": None}, {}, [Change("a", "null", "absent")], id="null-is-not-absent"),
    pytest.param({"a": ""}, {"a": None}, [Change("a", '""', "null")], id="empty-is-not-null"),
    pytest.param({"a": {}}, {}, [Change("a", "{}", "absent")], id="empty-mapping"),
    pytest.param({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, [Change("a.b[1]", "2", "3")], id="deep"),
    pytest.param({"f": {"n": 1}}, {"f": None}, [Change("f.n", "1", "absent")], id="gone-as-a-whole"),
    pytest.param({"t": "x\ny\n"}, {"t": "x\nz\n"}, [Change("t", "x\ny\n", "x\nz\n", ("@@ -1,2 +1,2 @@", " x", "-y", "+z"))], id="lines"),
    pytest.param(None, {"a": 1}, [Change("a", "absent", "1")], id="no-picture-before"),
])
def test_what_is_different(before: dict[str, object] | None, after: dict[str, object], expected: list[Change]) -> None:
    assert changes(before, after) == expected


def test_a_story_of_the_model_has_the_outcome_of_its_run() -> None:
    stories: list[Story] = [tell_story(RUN, told(h)) for h in (restored(), died_and_turned())]
    assert [story.outcome for story in stories] == ["finished", "rolled back"]
    history = histories.begin("2.15")
    history.live(histories.opened(history.plan), die_at=30)
    assert tell_story(RUN, told(history)).outcome == "not ended"
