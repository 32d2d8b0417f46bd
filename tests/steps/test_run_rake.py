"""seen -> standing, do, undo, restored: a rake task as a job of its own in a pod."""

from __future__ import annotations

import pytest

from orchestrator.effects import StartJob, StopJob
from orchestrator.events import RemoteJobExited, RemoteJobLost
from orchestrator.port import PodJobSeen
from orchestrator.steps.base import CLEAR
from orchestrator.steps.run_rake import ATTEMPTS_MAX, RakePicture, RunRake
from tests.steps.seeing import ROLLING, RUNNING, STEP, WHERE, ctx

STEP_ = RunRake(**STEP, task="searchd:optimal_index")


def seen(state: str, code: int | None = None) -> RakePicture:
    job = PodJobSeen.model_validate({"state": state, "code": code, "complaint": "no such index"})
    return RakePicture(workload=RUNNING, job=job)


NEVER, RUNS, LOST, WELL, BADLY = seen("never"), seen("running"), seen("lost"), seen("exited", 0), seen("exited", 1)


@pytest.mark.parametrize(
    ("picture", "attempt", "standing"),
    [
        pytest.param(NEVER, 0, "clear", id="not-begun"),
        pytest.param(RUNS, 1, "busy", id="running"),
        pytest.param(WELL, 1, "done", id="ended-well"),
        pytest.param(LOST, 1, "clear", id="killed"),
        pytest.param(NEVER, 1, "clear", id="gone-with-its-pod"),
        pytest.param(BADLY, 1, "clear", id="failed"),
        pytest.param(BADLY, ATTEMPTS_MAX, "torn", id="failed-too-often"),
        pytest.param(RakePicture(workload=ROLLING), 0, "busy", id="a-rollout-is-under-way"),
        pytest.param(RakePicture(workload=None), 0, "busy", id="the-workload-is-gone"),
    ],
)
def test_standing(picture: RakePicture, attempt: int, standing: str) -> None:
    assert STEP_.standing(picture, ctx(attempt=attempt)).name == standing


def test_why_it_failed_is_said() -> None:
    assert STEP_.standing(BADLY, ctx(attempt=1)).reason == "rake searchd:optimal_index ended with 1: no such index"


def test_do_starts_it_detached() -> None:
    assert list(STEP_.do(NEVER, ctx(attempt=2, epoch=4))) == [
        StartJob(
            directory="", job="run.step", attempt=2, epoch=4, program="rake", arguments=("searchd:optimal_index",), **WHERE
        )
    ]


@pytest.mark.parametrize(
    ("picture", "standing"),
    [
        pytest.param(WELL, "done", id="ended"),
        pytest.param(NEVER, "done", id="never-begun"),
        pytest.param(RUNS, "clear", id="still-running"),
        pytest.param(RakePicture(workload=ROLLING), "done", id="it-goes-with-its-pod"),
        pytest.param(RakePicture(workload=None), "done", id="the-workload-is-gone"),
    ],
)
def test_the_way_back(picture: RakePicture, standing: str) -> None:
    assert STEP_.restored(picture, ctx(NEVER)).name == standing


def test_one_that_still_runs_is_stopped() -> None:
    assert list(STEP_.undo(RUNS, ctx(NEVER, epoch=4))) == [StopJob(directory="", job="run.step", epoch=4, **WHERE)]


# ---- where it applies a change: once more, when that has been taken back ---------------------------

AGAIN = RunRake(**STEP, task="searchd:optimal_index", needs=("load",), applies="load")


def back(state: str, code: int | None = None) -> RakePicture:
    return WELL.model_copy(update={"back": seen(state, code).job})


@pytest.mark.parametrize(
    ("picture", "undo_attempt", "standing"),
    [
        pytest.param(WELL, 0, "clear", id="it-indexed-what-was-restored"),
        pytest.param(NEVER, 0, "clear", id="it-may-have"),
        pytest.param(RUNS, 0, "clear", id="it-still-does"),
        pytest.param(back("never"), 1, "clear", id="not-begun-again"),
        pytest.param(back("running"), 1, "busy", id="running-again"),
        pytest.param(back("exited", 0), 1, "done", id="ended-well-again"),
        pytest.param(back("exited", 1), 1, "clear", id="failed"),
        pytest.param(back("exited", 1), ATTEMPTS_MAX, "torn", id="failed-too-often"),
        pytest.param(back("lost"), 1, "clear", id="killed"),
        pytest.param(RakePicture(workload=ROLLING), 0, "busy", id="a-rollout-is-under-way"),
    ],
)
def test_the_way_back_of_one_that_applies_a_change(picture: RakePicture, undo_attempt: int, standing: str) -> None:
    assert AGAIN.restored(picture, ctx(NEVER, undo_attempt=undo_attempt)).name == standing


def test_one_that_was_never_begun_is_not_run_on_the_way_back() -> None:
    assert AGAIN.restored(NEVER, ctx()).name == "done"


def test_it_runs_under_another_name_on_the_way_back() -> None:
    (started,) = AGAIN.undo(WELL, ctx(NEVER, attempt=1, undo_attempt=1, epoch=4))
    assert isinstance(started, StartJob)
    assert (started.job, started.attempt, started.arguments) == ("run.step-back", 1, ("searchd:optimal_index",))
    stopped, _ = AGAIN.undo(RUNS, ctx(NEVER, epoch=4))
    assert isinstance(stopped, StopJob)
    assert stopped.job == "run.step"


@pytest.mark.parametrize(
    ("picture", "facts"),
    [
        pytest.param(WELL, [RemoteJobExited], id="well"),
        pytest.param(BADLY, [RemoteJobExited], id="badly"),
        pytest.param(LOST, [RemoteJobLost], id="lost"),
        pytest.param(RUNS, [], id="running"),
    ],
)
def test_its_end_is_a_fact(picture: RakePicture, facts: list[type]) -> None:
    assert [type(fact) for fact in STEP_.confirm(picture, CLEAR, ctx())] == facts


def test_its_end_on_the_way_back_is_a_fact_under_the_name_that_it_has_there() -> None:
    back = RakePicture(workload=RUNNING, job=PodJobSeen(state="exited", code=0), back=PodJobSeen(state="exited", code=1))
    (fact,) = AGAIN.confirm_back(back, ctx(NEVER, attempt=1, undo_attempt=2))
    assert isinstance(fact, RemoteJobExited)
    assert (fact.job, fact.code, fact.attempt) == ("run.step-back", 1, 2)
    assert list(AGAIN.confirm_back(WELL, ctx(NEVER, attempt=1))) == []
