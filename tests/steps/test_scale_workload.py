"""seen -> standing, do, undo, restored: a workload scaled as its APIManager wants it (T6, T7, T8)."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.effects import DeleteJob, RollOut, SetField
from orchestrator.effects import ScaleWorkload as Scale
from orchestrator.port import FieldSeen, JobSeen, WorkloadSeen
from orchestrator.steps.scale_workload import ScalePicture, ScaleWorkload
from tests.steps.seeing import RUNNING, STEP, ctx

PATH = ("spec", "system", "appSpec", "replicas")
CR = {**STEP, "manager": "apimanager", "path": PATH}
DOWN = ScaleWorkload(**CR, replicas=0, field_is_there=True, field_value=0)
UP = ScaleWorkload(**CR, replicas=2)  # the APIManager held no number
UP_BY_NUMBER = ScaleWorkload(**CR, replicas=2, field_is_there=True, field_value=2)
BY_HAND = ScaleWorkload(**STEP, replicas=0)  # no field knows it
HOOKED = ScaleWorkload(**CR, replicas=0, field_is_there=True, field_value=0, jobs=("pre", "post"))
ABSENT, NULL, ZERO, TWO = (
    FieldSeen(is_there=False, parents=3), FieldSeen(is_there=True, value=None, parents=3),
    FieldSeen(is_there=True, value=0, parents=3), FieldSeen(is_there=True, value=2, parents=3),
)  # fmt: skip


def workload(replicas: int | None, pods: int | None = None, *, ready: bool = True, generation: str = "7") -> WorkloadSeen:
    there = replicas if pods is None else pods
    return RUNNING.model_copy(
        update={"replicas": replicas, "pods": there or 0, "is_complete": ready and bool(replicas), "waiting_for": "" if ready else "not ready",
                "generation": generation}
    )  # fmt: skip


def seen(replicas: int | None, field: FieldSeen | None = ABSENT, **changes: Any) -> ScalePicture:
    return ScalePicture(workload=workload(replicas), field=field).model_copy(update=changes)


def job(state: str, generation: str = "7") -> JobSeen:
    return JobSeen(uid=f"uid-{state}", state=state, generation=generation)


@pytest.mark.parametrize(
    ("step", "picture", "standing", "reason"),
    [
        pytest.param(DOWN, seen(2), "clear", "", id="down-nothing-was-done"),
        pytest.param(DOWN, seen(2, NULL), "clear", "", id="down-null-is-not-nought"),
        pytest.param(DOWN, seen(2, ZERO, stage="Job pre failed"), "busy", "has not acted on spec.system.appSpec.replicas; Job pre failed", id="down-the-operator-has-not-acted"),
        pytest.param(DOWN, seen(0, ZERO, workload=workload(0, 1)), "busy", "1 pods are still stopping", id="down-a-pod-is-stopping"),
        pytest.param(DOWN, seen(0, ZERO), "done", "", id="down"),
        pytest.param(DOWN, seen(0, ABSENT), "clear", "", id="down-by-hand-and-not-in-the-apimanager"),
        pytest.param(UP, seen(0, ZERO), "clear", "", id="up-nothing-was-done"),
        pytest.param(UP, seen(0, ABSENT), "clear", "", id="up-no-number-brings-no-pods"),
        pytest.param(UP, seen(2, ABSENT, workload=workload(2, ready=False)), "busy", "not ready", id="up-pods-are-starting"),
        pytest.param(UP, seen(2, ABSENT), "done", "", id="up"),
        pytest.param(UP, seen(2, NULL), "clear", "", id="up-null-is-not-absent"),
        pytest.param(UP_BY_NUMBER, seen(0, TWO), "busy", "has not acted", id="up-the-operator-has-not-acted"),
        pytest.param(UP_BY_NUMBER, seen(2, TWO), "done", "", id="up-by-the-operator"),
        pytest.param(BY_HAND, seen(2, None), "clear", "", id="by-hand"),
        pytest.param(BY_HAND, seen(0, None), "done", "", id="by-hand-done"),
        pytest.param(BY_HAND, seen(None, None), "clear", "", id="no-number-is-one"),
        pytest.param(DOWN, seen(2, None), "torn", "APIManager apimanager is not there any more", id="the-apimanager-is-gone"),
        pytest.param(DOWN, ScalePicture(workload=None, field=ABSENT), "busy", "is not there", id="the-workload-is-gone"),
    ],
)
def test_standing(step: ScaleWorkload, picture: ScalePicture, standing: str, reason: str) -> None:
    found = step.standing(picture, ctx())
    assert found.name == standing
    assert reason in found.reason


@pytest.mark.parametrize(
    ("jobs", "standing", "reason"),
    [
        pytest.param({"pre": job("complete"), "post": job("complete")}, "done", "", id="both-ran-for-this-generation"),
        pytest.param({"pre": job("complete", "6"), "post": job("complete", "6")}, "busy", "has not run Job pre again", id="they-ran-before-it"),
        pytest.param({"pre": None, "post": None}, "busy", "for backend-redis; the operator is scaled to 0", id="it-says-what-is-in-the-way"),
        pytest.param({"pre": job("running"), "post": None}, "busy", "Job pre is running", id="one-runs"),
        pytest.param({"pre": job("complete"), "post": None}, "busy", "has not run Job post again", id="one-is-not-there-yet"),
        pytest.param({"pre": job("failed"), "post": None}, "clear", "kubectl logs job/pre", id="one-failed"),
        pytest.param({"pre": job("complete", ""), "post": job("complete", "")}, "done", "", id="they-do-not-say-for-which"),
    ],
)
def test_hooks_are_waited_for(jobs: dict[str, JobSeen | None], standing: str, reason: str) -> None:
    """A hook that migrates the database while it is loaded would ruin it (T6)."""
    found = HOOKED.standing(seen(0, ZERO, jobs=jobs, stage="the operator is scaled to 0"), ctx())
    assert found.name == standing
    assert reason in found.reason


def set_field(found: FieldSeen, wanted: FieldSeen) -> SetField:
    return SetField(
        manager="apimanager", path=PATH, expected_is_there=found.is_there, expected=found.value, is_there=wanted.is_there,
        value=wanted.value, parents=wanted.parents,
    )


def scaled(found: int | None, wanted: int) -> Scale:
    return Scale(kind="Deployment", workload="backend-redis", expected=found, replicas=wanted)


KEPT = len(PATH)  # all parents stay on the way out: the operator writes them itself


@pytest.mark.parametrize(
    ("step", "picture", "effects"),
    [
        pytest.param(DOWN, seen(2), [set_field(ABSENT, ZERO.model_copy(update={"parents": KEPT}))], id="down-by-the-apimanager-alone"),
        pytest.param(UP, seen(0, ZERO), [set_field(ZERO, ABSENT.model_copy(update={"parents": KEPT})), scaled(0, 2)], id="up-the-field-first"),
        pytest.param(UP, seen(0, ABSENT), [scaled(0, 2)], id="up-the-field-is-right-already"),
        pytest.param(UP_BY_NUMBER, seen(0, ZERO), [set_field(ZERO, TWO.model_copy(update={"parents": KEPT}))], id="up-the-operator-scales"),
        pytest.param(BY_HAND, seen(2, None), [scaled(2, 0)], id="by-hand"),
    ],
)
def test_do(step: ScaleWorkload, picture: ScalePicture, effects: list[object]) -> None:
    assert list(step.do(picture, ctx(picture))) == effects


FAILED = workload(2, ready=False).model_copy(
    update={"kind": "DeploymentConfig", "waiting_for": "backend-redis: rollout 2 is Failed"}
)  # fmt: skip


def test_a_rollout_that_failed_is_followed_by_another() -> None:
    """Its workload is never ready, however it is scaled: on the way out and on the way back."""
    anew = RollOut(kind="Deployment", workload="backend-redis", restarted_at=None)
    assert UP.standing(seen(2, ABSENT, workload=FAILED), ctx()).reason == "backend-redis: rollout 2 is Failed"
    assert list(UP.do(seen(2, ABSENT, workload=FAILED), ctx())) == [anew]
    assert DOWN.restored(seen(2, ABSENT, workload=FAILED), ctx(seen(2))).name == "clear"
    assert list(DOWN.undo(seen(2, ABSENT, workload=FAILED), ctx(seen(2), undo_attempt=1))) == [anew]
    stopped = FAILED.model_copy(update={"replicas": 0, "pods": 0})
    assert DOWN.standing(seen(0, ZERO, workload=stopped), ctx()).name == "done", "stopped, it has to be ready for nobody"


def test_a_failed_hook_is_deleted_first() -> None:
    """The operator does nothing while it is there."""
    first, second = HOOKED.do(seen(2, ABSENT, jobs={"pre": job("failed"), "post": None}), ctx())
    assert first == DeleteJob(job="pre", uid="uid-failed")
    assert isinstance(second, SetField)
    only = list(HOOKED.do(seen(0, ZERO, jobs={"pre": job("failed"), "post": None}), ctx()))
    assert only == [DeleteJob(job="pre", uid="uid-failed")]


# ---- and back ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "picture", "effects"),
    [
        pytest.param(DOWN, seen(2), [set_field(ZERO, ABSENT), scaled(0, 2)], id="down-where-there-was-no-number"),
        pytest.param(DOWN, seen(2, TWO), [set_field(ZERO, TWO)], id="down-where-there-was-one"),
        pytest.param(DOWN, seen(2, FieldSeen(is_there=False, parents=1)), [set_field(ZERO, FieldSeen(is_there=False, parents=1)), scaled(0, 2)], id="down-where-even-its-parents-were-not"),
        pytest.param(UP, seen(0, ZERO), [set_field(ABSENT, ZERO)], id="up"),
        pytest.param(BY_HAND, seen(3, None), [scaled(0, 3)], id="by-hand"),
        pytest.param(HOOKED, seen(2, TWO, jobs={"pre": job("failed")}), [set_field(ZERO, TWO)], id="a-hook-that-failed-before"),
    ],
)
def test_the_recorded_inverse_takes_back_what_will_be_done(
    step: ScaleWorkload, picture: ScalePicture, effects: list[Any]
) -> None:
    found = list(step.undo(picture, ctx(picture, attempt=1)))
    assert [e.model_copy(update={"expected": None}) for e in found] == [e.model_copy(update={"expected": None}) for e in effects]


@pytest.mark.parametrize(
    ("picture", "standing"),
    [
        pytest.param(seen(2), "done", id="as-before"),
        pytest.param(seen(0, ZERO), "clear", id="ours"),
        pytest.param(seen(2, ZERO), "clear", id="the-operator-has-not-acted-on-ours"),
        pytest.param(seen(0, ABSENT), "clear", id="only-the-field-is-back"),
        pytest.param(seen(2, ABSENT, workload=workload(2, ready=False)), "busy", id="pods-are-starting"),
        pytest.param(seen(2, TWO), "torn", id="somebody-else-has-written-a-number"),
        pytest.param(seen(2, NULL), "torn", id="somebody-else-has-written-null"),
        pytest.param(seen(2, None), "torn", id="the-apimanager-is-gone"),
        pytest.param(seen(5, ABSENT), "torn", id="somebody-else-has-scaled-it"),
        pytest.param(seen(5, ZERO), "clear", id="it-is-on-its-way-to-the-number-of-ours"),
    ],
)
def test_the_way_back(picture: ScalePicture, standing: str) -> None:
    assert DOWN.restored(picture, ctx(seen(2))).name == standing


@pytest.mark.parametrize(
    ("picture", "effects"),
    [
        pytest.param(seen(0, ZERO), [set_field(ZERO, ABSENT), scaled(0, 2)], id="all-of-it"),
        pytest.param(seen(2, ZERO), [set_field(ZERO, ABSENT)], id="the-operator-had-not-acted"),
        pytest.param(seen(0, ABSENT), [scaled(0, 2)], id="the-field-is-back-already"),
        pytest.param(seen(2, ABSENT, jobs={"pre": job("failed")}), [DeleteJob(job="pre", uid="uid-failed")], id="only-a-hook-failed"),
    ],
)
def test_undo_does_what_is_still_to_be_done(picture: ScalePicture, effects: list[object]) -> None:
    """A field that is back already is not set again: the cluster would refuse it, as it is not as it was seen."""
    assert list(HOOKED.undo(picture, ctx(seen(2), undo_attempt=1))) == effects


def test_a_step_that_was_never_begun_has_nothing_to_take_back() -> None:
    assert DOWN.restored(seen(2, TWO), ctx()).name == "done"
