"""seen -> standing, do, undo, restored: the Redis that is not restored, and may have restarted by itself meanwhile."""

from __future__ import annotations

import pytest

from orchestrator.effects import RewriteAof, SwitchSavingOn
from orchestrator.port import FileSeen
from orchestrator.steps.keep_saving import KeepSaving
from orchestrator.steps.rewrite_aof import AofPicture
from tests.steps.seeing import FILE, ROLLING, RUNNING, STEP, WHERE, ctx, redis

AOF = {"path": "/data/appendonlydir", "proof": "/data/appendonlydir/manifest"}
STEP_ = KeepSaving(**STEP, save="900 1", appendonly="yes", **AOF)
WITHOUT_AOF = KeepSaving(**STEP, save="900 1", appendonly="no", **AOF)
SAVING = redis(save="900 1", appendonly="yes")


def seen(server: object, proof: FileSeen | None = FILE) -> AofPicture:
    return AofPicture.model_validate({"workload": RUNNING, "redis": server, "aof": FILE, "proof": proof})


@pytest.mark.parametrize(
    ("picture", "at_first", "after_it"),
    [
        pytest.param(seen(SAVING), "done", "done", id="saves-as-before"),
        pytest.param(seen(redis(save="", appendonly="no")), "clear", "clear", id="restarted-while-saving-was-off"),
        pytest.param(seen(redis(save="", appendonly="yes")), "clear", "clear", id="told-half-of-it"),
        pytest.param(
            seen(redis(save="900 1", appendonly="yes", aof_rewrite_in_progress=True)), "done", "busy", id="writing-its-aof"
        ),
        pytest.param(seen(redis(save="900 1", appendonly="yes", aof_last_bgrewrite_ok=False)), "done", "clear", id="could-not-write-it"),
        pytest.param(seen(redis(is_loading=True)), "busy", "busy", id="loading"),
        pytest.param(seen(None), "busy", "busy", id="no-answer"),
        pytest.param(AofPicture(workload=ROLLING), "busy", "busy", id="a-rollout-is-under-way"),
        pytest.param(AofPicture(workload=None), "busy", "busy", id="the-workload-is-gone"),
    ],
)
def test_standing_and_restored(picture: AofPicture, at_first: str, after_it: str) -> None:
    assert STEP_.standing(picture, ctx()).name == at_first
    assert STEP_.standing(picture, ctx(attempt=1)).name == after_it
    assert STEP_.restored(picture, ctx()).name == at_first
    assert STEP_.restored(picture, ctx(undo_attempt=1)).name == after_it


def test_without_an_aof_of_before_none_is_asked_for() -> None:
    assert WITHOUT_AOF.standing(seen(redis(save="900 1", appendonly="no"), None), ctx(attempt=1)).name == "done"


def test_the_running_server_is_told_and_not_restarted() -> None:
    picture = seen(redis(save="", appendonly="no"))
    told = [SwitchSavingOn(save="900 1", appendonly="yes", **WHERE)]
    assert list(STEP_.do(picture, ctx())) == told
    assert list(STEP_.undo(picture, ctx(picture))) == told


def test_one_that_appends_and_could_not_write_its_aof_is_asked_to_write_it() -> None:
    picture = seen(redis(save="900 1", appendonly="yes", aof_last_bgrewrite_ok=False))
    assert list(STEP_.do(picture, ctx(attempt=1))) == [RewriteAof(**WHERE)]
