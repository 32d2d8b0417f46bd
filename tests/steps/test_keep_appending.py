"""seen -> standing, do, undo, restored: the Redis that is only restarted along with the other."""

from __future__ import annotations

import pytest

from orchestrator.effects import SwitchAppendingOn
from orchestrator.port import FileSeen
from orchestrator.steps.base import DONE
from orchestrator.steps.keep_appending import KeepAppending
from orchestrator.steps.rewrite_aof import AofPicture
from tests.steps.seeing import FILE, ROLLING, RUNNING, STEP, WHERE, ctx, redis

STEP_ = KeepAppending(**STEP, path="/data/appendonlydir", proof="/data/appendonlydir/manifest")
ON = redis(appendonly="yes")


def seen(server: object, proof: FileSeen | None = FILE) -> AofPicture:
    return AofPicture.model_validate({"workload": RUNNING, "redis": server, "aof": FILE, "proof": proof})


@pytest.mark.parametrize(
    ("picture", "standing"),
    [
        pytest.param(seen(redis()), "clear", id="off-with-the-aof-of-before"),
        pytest.param(seen(ON), "done", id="on-and-written"),
        pytest.param(seen(ON, None), "clear", id="on-without-an-aof"),
        pytest.param(
            seen(redis(appendonly="yes", aof_rewrite_in_progress=True)), "busy", id="on-and-being-written"
        ),
        pytest.param(seen(redis(appendonly="yes", aof_last_bgrewrite_ok=False)), "clear", id="on-and-failed"),
        pytest.param(seen(redis(is_loading=True)), "busy", id="loading"),
        pytest.param(seen(None), "busy", id="no-answer"),
        pytest.param(AofPicture(workload=ROLLING), "busy", id="a-rollout-is-under-way"),
        pytest.param(AofPicture(workload=None), "busy", id="the-workload-is-gone"),
    ],
)
def test_standing(picture: AofPicture, standing: str) -> None:
    assert STEP_.standing(picture, ctx()).name == standing


def test_it_is_switched_on_and_stays_on() -> None:
    picture = seen(redis())
    assert list(STEP_.do(picture, ctx())) == [SwitchAppendingOn(**WHERE)]
    assert list(STEP_.undo(picture, ctx(picture))) == []
    assert STEP_.restored(picture, ctx(picture)) is DONE
