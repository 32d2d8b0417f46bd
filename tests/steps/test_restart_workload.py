"""seen -> standing, do, undo, restored: another rollout than the one that was there, seen complete."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.effects import DeleteJob, RollOut
from orchestrator.events import RolloutCompleted
from orchestrator.port import JobSeen, WorkloadSeen
from orchestrator.steps.base import CLEAR, DONE
from orchestrator.steps.restart_workload import RestartPicture, RestartWorkload
from tests.steps.seeing import RESTARTED, ROLLING, RUNNING, STEP, at, ctx, json_of

NOW = "2026-11-23T03:00:00Z"
STEP_ = RestartWorkload(**STEP)
CONFIG = RestartWorkload(**{**STEP, "workload_kind": "DeploymentConfig"})
HOOKED = RestartWorkload(**STEP, jobs=("pre",))
CACHE = RestartWorkload(**{**STEP, "workload_kind": "DeploymentConfig"}, needs=("load",), applies="load")
MARKED = at(RESTARTED, restarted_at=NOW)
FAILED = at(ROLLING, kind="DeploymentConfig", revision="2", waiting_for="backend-redis: rollout 2 is Failed")


def seen(workload: WorkloadSeen | None, **jobs: JobSeen | None) -> RestartPicture:
    return RestartPicture(workload=workload, jobs=jobs)


def job(state: str, generation: str = "7") -> JobSeen:
    return JobSeen(uid=f"uid-{state}", state=state, generation=generation)


BEFORE = seen(RUNNING)


@pytest.mark.parametrize(
    ("picture", "before", "standing"),
    [
        pytest.param(seen(RUNNING), None, "clear", id="first-look"),
        pytest.param(seen(RUNNING), BEFORE, "clear", id="begun-and-still-the-same-rollout"),
        pytest.param(seen(MARKED), BEFORE, "done", id="another-rollout-is-complete"),
        pytest.param(seen(at(RUNNING, revision="2")), BEFORE, "done", id="whoever-started-it"),
        pytest.param(seen(at(RUNNING, restarted_at=NOW)), BEFORE, "done", id="known-by-its-mark-where-it-has-no-revision"),
        pytest.param(seen(at(RUNNING, container="c9")), BEFORE, "clear", id="a-container-that-died-is-no-rollout"),
        pytest.param(seen(ROLLING), BEFORE, "busy", id="a-rollout-is-under-way"),
        pytest.param(seen(None), BEFORE, "busy", id="the-workload-is-gone"),
        # Such a rollout is given up by its controller and does not go on: only another one does.
        pytest.param(seen(FAILED), BEFORE, "clear", id="the-rollout-failed"),
        pytest.param(seen(FAILED), None, "clear", id="one-had-failed-before"),
    ],
)
def test_standing(picture: RestartPicture, before: RestartPicture | None, standing: str) -> None:
    assert STEP_.standing(picture, ctx(before)).name == standing


@pytest.mark.parametrize(
    ("pre", "standing"),
    [
        pytest.param(job("complete"), "done", id="ran-for-this-generation"),
        pytest.param(job("complete", "6"), "busy", id="ran-before-it"),
        pytest.param(job("running"), "busy", id="runs"),
        pytest.param(None, "busy", id="not-there-yet"),
        pytest.param(job("failed"), "clear", id="failed"),
    ],
)
def test_its_hooks_are_waited_for(pre: JobSeen | None, standing: str) -> None:
    picture = seen(at(MARKED, generation="7"), pre=pre)
    assert HOOKED.standing(picture, ctx(BEFORE)).name == standing


def test_what_keeps_the_operator_from_it_is_said() -> None:
    picture = seen(MARKED, pre=None).model_copy(update={"stage": "the operator is scaled to 0"})
    assert HOOKED.standing(picture, ctx(BEFORE)).reason.endswith("for backend-redis; the operator is scaled to 0")


def rolled(mark: str | None, kind: str = "Deployment") -> RollOut:
    return RollOut(kind=kind, workload="backend-redis", restarted_at=mark)


GONE = DeleteJob(job="pre", uid="uid-failed")


@pytest.mark.parametrize(
    ("picture", "effects"),
    [
        pytest.param(seen(RUNNING), [rolled(NOW)], id="a-rollout"),
        pytest.param(seen(RUNNING, pre=job("failed")), [GONE, rolled(NOW)], id="a-hook-had-failed-before"),
        pytest.param(seen(MARKED, pre=job("failed")), [GONE], id="a-hook-of-this-rollout-failed"),
        pytest.param(seen(FAILED), [rolled(NOW)], id="the-rollout-failed"),
    ],
)
def test_do(picture: RestartPicture, effects: list[Any]) -> None:
    assert list(STEP_.do(picture, ctx(BEFORE))) == effects


@pytest.mark.parametrize(
    ("step", "picture", "before", "standing"),
    [
        pytest.param(STEP_, seen(MARKED), BEFORE, "clear", id="ours"),
        pytest.param(STEP_, seen(at(RUNNING, revision="3")), BEFORE, "done", id="the-mark-is-as-before"),
        pytest.param(STEP_, seen(ROLLING), BEFORE, "busy", id="a-rollout-is-under-way"),
        pytest.param(STEP_, seen(MARKED), None, "done", id="never-begun"),
        pytest.param(CONFIG, seen(RESTARTED), BEFORE, "done", id="a-deploymentconfig-keeps-no-mark"),
        pytest.param(CONFIG, seen(ROLLING), BEFORE, "done", id="and-was-not-rolled-out-at-all"),
        pytest.param(CONFIG, seen(at(ROLLING, revision="2")), BEFORE, "busy", id="its-rollout-is-under-way"),
        pytest.param(CONFIG, seen(FAILED), BEFORE, "clear", id="but-one-that-failed-is-not-left-so"),
        pytest.param(CONFIG, seen(FAILED), seen(FAILED), "done", id="unless-it-had-failed-before"),
    ],
)
def test_the_way_back(step: RestartWorkload, picture: RestartPicture, before: RestartPicture | None, standing: str) -> None:
    assert step.restored(picture, ctx(before)).name == standing


@pytest.mark.parametrize(
    ("picture", "after", "undo_attempt", "standing"),
    [
        pytest.param(seen(RESTARTED), seen(RESTARTED), 0, "clear", id="it-holds-what-is-taken-back"),
        pytest.param(seen(at(RESTARTED, revision="3")), seen(RESTARTED), 0, "clear", id="and-was-restarted-by-a-later-run"),
        pytest.param(seen(at(RESTARTED, revision="3")), seen(RESTARTED), 1, "done", id="restarted-by-this-one"),
        pytest.param(seen(RESTARTED), seen(RESTARTED), 1, "clear", id="begun-and-not-restarted"),
        pytest.param(seen(RESTARTED), None, 0, "done", id="nobody-has-filled-it"),
        pytest.param(seen(FAILED), seen(RESTARTED), 1, "clear", id="that-failed"),
        pytest.param(seen(at(ROLLING, revision="3")), seen(RESTARTED), 1, "busy", id="a-rollout-is-under-way"),
    ],
)
def test_a_cache_is_emptied_on_the_way_back_too(
    picture: RestartPicture, after: RestartPicture | None, undo_attempt: int, standing: str
) -> None:
    context = ctx(BEFORE, after=json_of(after), undo_attempt=undo_attempt)
    assert CACHE.restored(picture, context).name == standing
    assert list(CACHE.undo(picture, context)) == [rolled(NOW, "DeploymentConfig")]


def test_undo_brings_the_mark_of_before_back() -> None:
    assert list(STEP_.undo(seen(MARKED), ctx(BEFORE, undo_attempt=1))) == [rolled(None)]
    older = seen(at(RUNNING, restarted_at="2020"))
    assert list(STEP_.undo(seen(MARKED), ctx(older, undo_attempt=1))) == [rolled("2020")]
    assert list(HOOKED.undo(seen(MARKED, pre=job("failed")), ctx(BEFORE, undo_attempt=1))) == [GONE, rolled(None)]
    assert list(CONFIG.undo(seen(RESTARTED), ctx(BEFORE, undo_attempt=1))) == []
    assert list(CONFIG.undo(seen(FAILED), ctx(BEFORE, undo_attempt=1))) == [rolled(NOW, "DeploymentConfig")]


@pytest.mark.parametrize(("picture", "standing"), [(seen(at(ROLLING, revision="4")), "busy"), (seen(at(RUNNING, revision="4")), "done"), (seen(FAILED), "clear")])
def test_another_rollout_on_the_way_back_is_waited_for(picture: RestartPicture, standing: str) -> None:
    assert CONFIG.restored(picture, ctx(BEFORE, undo_attempt=1)).name == standing


def test_the_recorded_inverse_is_the_mark_alone() -> None:
    """A hook that failed before is deleted by the way out, and is not there to be taken back."""
    picture = seen(RUNNING, pre=job("failed"))
    assert list(HOOKED.undo(picture, ctx(picture, attempt=1))) == [rolled(None)]


def test_its_end_is_confirmed() -> None:
    (fact,) = STEP_.confirm(seen(RESTARTED), DONE, ctx(attempt=1))
    assert fact == RolloutCompleted(step="step", attempt=1, workload="backend-redis", pod="backend-redis-2")
    assert list(STEP_.confirm(seen(RESTARTED), CLEAR, ctx())) == []
