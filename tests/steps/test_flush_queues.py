"""seen -> standing, do, undo, restored: job queues dropped in a Redis that others go on to fill."""

from __future__ import annotations

import pytest

from orchestrator.effects import FlushRedis
from orchestrator.steps.base import DONE
from orchestrator.steps.flush_queues import FlushQueues, QueuesPicture
from tests.steps.seeing import RESTARTED, ROLLING, RUNNING, STEP, WHERE, ctx, redis

STEP_ = FlushQueues(**STEP, database=1)


def seen(queues: int, workload: object = RUNNING) -> QueuesPicture:
    return QueuesPicture.model_validate({"workload": workload, "redis": redis(keys={0: 9, 1: queues} if queues else {0: 9})})


@pytest.mark.parametrize(
    ("picture", "before", "standing"),
    [
        pytest.param(seen(4), None, "clear", id="first-look"),
        pytest.param(seen(0), None, "done", id="there-are-none"),
        pytest.param(seen(4), seen(4), "clear", id="begun-and-all-are-there"),
        pytest.param(seen(0), seen(4), "done", id="dropped"),
        # backend-listener goes on writing: an empty database is not to be waited for.
        pytest.param(seen(1), seen(4), "done", id="dropped-and-filled-again"),
        pytest.param(seen(5), seen(4), "clear", id="more-than-before"),
        pytest.param(seen(1, RESTARTED), seen(4), "clear", id="another-server-has-loaded-them-again"),
        pytest.param(QueuesPicture(workload=RUNNING), None, "busy", id="no-answer"),
        pytest.param(QueuesPicture(workload=RUNNING, redis=redis(is_loading=True)), None, "busy", id="loading"),
        pytest.param(QueuesPicture(workload=ROLLING), None, "busy", id="a-rollout-is-under-way"),
        pytest.param(QueuesPicture(workload=None), None, "busy", id="the-workload-is-gone"),
    ],
)
def test_standing(picture: QueuesPicture, before: QueuesPicture | None, standing: str) -> None:
    assert STEP_.standing(picture, ctx(before)).name == standing


def test_do_empties_one_database_of_the_server_that_was_seen() -> None:
    assert list(STEP_.do(seen(4), ctx())) == [FlushRedis(database=1, **WHERE)]


def test_the_old_queues_come_back_with_the_old_file() -> None:
    assert list(STEP_.undo(seen(4), ctx(seen(4)))) == []
    assert STEP_.restored(seen(0), ctx(seen(4))) is DONE
