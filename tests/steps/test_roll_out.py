"""seen -> standing, do, undo, restored: a restart is done when the running server is as wanted."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.effects import RollOut as Start
from orchestrator.events import RolloutCompleted
from orchestrator.port import WorkloadSeen
from orchestrator.steps.base import CLEAR, DONE
from orchestrator.steps.roll_out import RollOut, RolloutPicture
from tests.steps.seeing import FILE, OTHER, QUIET, RESTARTED, ROLLING, RUNNING, STEP, at, ctx, redis

RDB, AOF = "/data/dump.rdb", "/data/appendonlydir/manifest"
FIELDS: dict[str, Any] = {**STEP, "configmap": "redis-config", "key": "redis.conf"}
WITHOUT = RollOut(**FIELDS, save="", appendonly="no")
LOAD = RollOut(**FIELDS, save="", appendonly="no", is_fresh=True, keeps={RDB: "ours"})
WITH = RollOut(**FIELDS, save="900 1", appendonly="yes", proof=AOF)

SAVING = redis(save="900 1", appendonly="yes")
NOW = "2026-11-23T03:00:00Z"


def seen(workload: WorkloadSeen | None, server: object = QUIET, **others: object) -> RolloutPicture:
    return RolloutPicture.model_validate(
        {"workload": workload, "redis": server, "config_version": "7", **others}
    )


def start(mark: str | None) -> Start:
    return Start(kind="Deployment", workload="backend-redis", restarted_at=mark)


@pytest.mark.parametrize(
    ("picture", "standing"),
    [
        pytest.param(seen(RUNNING, SAVING), "clear", id="the-server-still-saves"),
        pytest.param(seen(RUNNING, redis(save="900 1")), "clear", id="it-still-saves-but-does-not-append"),
        pytest.param(seen(RUNNING, redis(appendonly="yes")), "clear", id="it-still-appends"),
        pytest.param(seen(RESTARTED), "done", id="as-wanted"),
        pytest.param(seen(RUNNING), "done", id="as-wanted-without-our-doing"),
        pytest.param(seen(ROLLING, None), "busy", id="a-rollout-is-under-way"),
        pytest.param(seen(RESTARTED, None), "busy", id="no-answer"),
        pytest.param(seen(RESTARTED, redis(is_loading=True)), "busy", id="loading"),
        pytest.param(seen(None, None), "busy", id="the-workload-is-gone"),
        # Trap T2: a 2.15 operator restarts it by itself for an edit. That is awaited, and not done twice.
        pytest.param(seen(at(RUNNING, config_version="6"), SAVING), "busy", id="the-operator-has-not-restarted-it"),
        pytest.param(seen(at(RUNNING, config_version="6")), "busy", id="not-for-the-newest-edit"),
        pytest.param(seen(at(RESTARTED, config_version="7")), "done", id="the-operator-has-restarted-it"),
        pytest.param(seen(at(RESTARTED, config_version="7"), SAVING), "clear", id="and-it-was-of-no-use"),
    ],
)
def test_a_restart_without_saving(picture: RolloutPicture, standing: str) -> None:
    assert WITHOUT.standing(picture, ctx()).name == standing


OURS, THEIRS, GONE = {"files": {RDB: FILE}}, {"files": {RDB: OTHER}}, {"files": {RDB: None}}


@pytest.mark.parametrize(
    ("picture", "before", "standing"),
    [
        pytest.param(seen(RUNNING, **OURS), None, "clear", id="first-look"),
        pytest.param(seen(RUNNING, **OURS), seen(RUNNING), "clear", id="begun-and-still-the-same-server"),
        pytest.param(seen(RESTARTED, **OURS), seen(RUNNING), "done", id="another-server-and-the-file-is-ours"),
        pytest.param(seen(at(RUNNING, container="c9"), **OURS), seen(RUNNING), "done", id="the-container-was-replaced"),
        # Trap T1: with `save` only commented out, the stopping server writes its own data over the file.
        pytest.param(seen(RESTARTED, **THEIRS), seen(RUNNING), "torn", id="the-old-server-overwrote-the-file"),
        pytest.param(seen(RESTARTED, **GONE), seen(RUNNING), "torn", id="the-file-is-gone"),
    ],
)
def test_a_restart_to_load_a_file(picture: RolloutPicture, before: RolloutPicture | None, standing: str) -> None:
    assert LOAD.standing(picture, ctx(before)).name == standing


@pytest.mark.parametrize(
    ("picture", "standing"),
    [
        pytest.param(seen(RUNNING, files={AOF: FILE}), "clear", id="it-does-not-save-yet"),
        pytest.param(seen(RESTARTED, SAVING, files={AOF: FILE}), "done", id="it-saves-as-before"),
        # `appendonly yes` without an AOF is an empty database: such a restart is never begun.
        pytest.param(seen(RUNNING, files={AOF: None}), "torn", id="there-is-no-aof"),
        pytest.param(seen(RUNNING, files={}), "torn", id="nobody-has-looked-for-the-aof"),
    ],
)
def test_a_restart_with_saving(picture: RolloutPicture, standing: str) -> None:
    assert WITH.standing(picture, ctx()).name == standing


MARKED = at(RESTARTED, restarted_at=NOW)


@pytest.mark.parametrize(
    ("picture", "standing"),
    [
        pytest.param(seen(RUNNING, SAVING), "done", id="as-before"),
        pytest.param(seen(RESTARTED, SAVING), "done", id="another-server-that-is-as-before"),
        pytest.param(seen(MARKED), "clear", id="ours"),
        pytest.param(seen(MARKED, SAVING), "clear", id="the-mark-of-our-restart-is-there"),
        pytest.param(seen(RUNNING), "clear", id="it-does-not-save"),
        pytest.param(seen(ROLLING, None), "busy", id="a-rollout-is-under-way"),
        pytest.param(seen(at(RUNNING, config_version="6")), "busy", id="the-operator-has-not-restarted-it"),
    ],
)
def test_the_way_back(picture: RolloutPicture, standing: str) -> None:
    assert WITHOUT.restored(picture, ctx(seen(RUNNING, SAVING))).name == standing


@pytest.mark.parametrize(
    ("picture", "standing"),
    [
        pytest.param(seen(RUNNING, SAVING), "done", id="it-saves"),
        pytest.param(seen(RUNNING), "clear", id="it-does-not-save"),
    ],
)
def test_the_way_back_of_an_edit_that_came_into_force_without_us(picture: RolloutPicture, standing: str) -> None:
    """A pod restarted by itself after the edit, so this step was never started and has no picture."""
    step = WITHOUT.model_copy(update={"save_back": "900 1", "appendonly_back": "yes"})
    assert step.restored(picture, ctx()).name == standing
    assert list(step.undo(picture, ctx())) == [start(NOW)]


def test_the_way_back_of_one_that_was_told_to_append_meanwhile() -> None:
    """It is not restarted from a file of before: what it appends comes back by the operator's next restart."""
    told = seen(RUNNING, redis(appendonly="yes"))
    assert WITH.restored(told, ctx()).name == "clear"
    assert WITH.model_copy(update={"may_append": True}).restored(told, ctx()).name == "done"


@pytest.mark.parametrize(
    ("now", "before", "mark"),
    [
        pytest.param(MARKED, RUNNING, None, id="our-mark-is-removed-which-rolls-out"),
        pytest.param(MARKED, at(RUNNING, restarted_at="2020"), "2020", id="the-mark-of-before-comes-back"),
        pytest.param(RUNNING, RUNNING, NOW, id="no-mark-to-take-back-so-one-is-set"),
    ],
)
def test_undo(now: WorkloadSeen, before: WorkloadSeen, mark: str | None) -> None:
    assert list(WITHOUT.undo(seen(now), ctx(seen(before, SAVING)))) == [start(mark)]


def test_do_starts_one_rollout_and_its_end_is_confirmed() -> None:
    assert list(WITHOUT.do(seen(RUNNING, SAVING), ctx())) == [start(NOW)]
    (fact,) = WITHOUT.confirm(seen(RESTARTED), DONE, ctx(attempt=1))
    assert fact == RolloutCompleted(step="step", attempt=1, workload="backend-redis", pod="backend-redis-2")
    assert list(WITHOUT.confirm(seen(RESTARTED), CLEAR, ctx())) == []
