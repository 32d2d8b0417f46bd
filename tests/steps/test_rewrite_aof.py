"""seen -> standing, do, undo, restored: an AOF is there when it is there, not when no rewrite is in progress.

Redis <= 6 keeps one file, appendonly.aof; Redis >= 7 a directory, whose manifest is the proof.
"""

from __future__ import annotations

import pytest

from orchestrator.effects import FlushRedis, RemovePath, RewriteAof
from orchestrator.events import AofRewriteConfirmed
from orchestrator.port import FileSeen
from orchestrator.steps.base import CLEAR, DONE, busy
from orchestrator.steps.rewrite_aof import AofPicture, RewriteAofFile
from tests.steps.seeing import EMPTY, FILE, QUIET, ROLLING, RUNNING, STEP, WHERE, ctx, redis

OLD = RewriteAofFile(**STEP, path="/data/appendonly.aof", proof="/data/appendonly.aof")
NEW = RewriteAofFile(**STEP, path="/data/appendonlydir", proof="/data/appendonlydir/appendonly.aof.manifest")
DIRECTORY = FileSeen(size_bytes=0, is_directory=True)


def seen(server: object = QUIET, aof: FileSeen | None = None, proof: FileSeen | None = None) -> AofPicture:
    return AofPicture.model_validate({"workload": RUNNING, "redis": server, "aof": aof, "proof": proof})


@pytest.mark.parametrize(
    ("picture", "standing", "restored"),
    [
        pytest.param(seen(), "clear", "done", id="not-begun"),
        pytest.param(seen(redis(aof_rewrite_scheduled=True)), "busy", "busy", id="scheduled"),
        pytest.param(seen(redis(aof_rewrite_in_progress=True)), "busy", "busy", id="in-progress"),
        pytest.param(
            seen(redis(aof_rewrite_in_progress=True), FILE, FILE), "busy", "busy", id="in-progress-over-an-old-one"
        ),
        pytest.param(seen(redis(bgsave_in_progress=True)), "busy", "busy", id="behind-a-background-save"),
        pytest.param(seen(redis(aof_last_bgrewrite_ok=False)), "clear", "done", id="failed"),
        pytest.param(
            seen(redis(aof_last_bgrewrite_ok=False), FILE, FILE), "clear", "clear", id="failed-over-an-old-one"
        ),
        pytest.param(seen(redis(is_loading=True)), "busy", "busy", id="loading"),
        pytest.param(seen(None), "busy", "busy", id="no-answer"),
        pytest.param(seen(redis(), FILE, FILE), "done", "clear", id="redis-6-file"),
        pytest.param(seen(redis(), EMPTY, EMPTY), "clear", "clear", id="redis-6-empty-file"),
        pytest.param(seen(redis(), DIRECTORY, None), "clear", "clear", id="redis-7-no-manifest"),
        pytest.param(seen(redis(), DIRECTORY, EMPTY), "clear", "clear", id="redis-7-empty-manifest"),
        pytest.param(seen(redis(), DIRECTORY, FILE), "done", "clear", id="redis-7-manifest"),
        pytest.param(AofPicture(workload=ROLLING), "busy", "busy", id="a-rollout-is-under-way"),
        pytest.param(AofPicture(workload=None), "busy", "busy", id="the-workload-is-gone"),
    ],
)
def test_standing(picture: AofPicture, standing: str, restored: str) -> None:
    assert NEW.standing(picture, ctx(seen())).name == standing
    assert NEW.restored(picture, ctx(seen())).name == restored


def test_an_aof_that_this_run_has_not_asked_for_is_not_its_own() -> None:
    """Somebody has put the old one back: it holds the old data, and would win at the next start."""
    assert NEW.standing(seen(redis(), DIRECTORY, FILE), ctx()).name == "torn"


def test_a_server_that_appends_already_may_have_started_empty() -> None:
    picture = seen(redis(appendonly="yes"), DIRECTORY, FILE)
    assert NEW.standing(picture, ctx(seen())).name == "torn"


@pytest.mark.parametrize("step", [pytest.param(OLD, id="redis-6"), pytest.param(NEW, id="redis-7")])
def test_do_asks_once_and_undo_removes_the_whole_aof(step: RewriteAofFile) -> None:
    assert list(step.do(seen(), ctx())) == [RewriteAof(**WHERE)]
    assert list(step.undo(seen(redis(), FILE, FILE), ctx(seen()))) == [RemovePath(path=step.path, **WHERE)]


def test_queues_that_came_back_with_a_new_server_are_dropped_once_more() -> None:
    """Nothing is on the disk yet of a flush before the AOF is written: a pod that was replaced loads them again."""
    step = NEW.model_copy(update={"drops": 1})
    assert list(step.do(seen(redis(keys={0: 7, 1: 3})), ctx())) == [FlushRedis(database=1, **WHERE), RewriteAof(**WHERE)]
    assert list(step.do(seen(redis(keys={0: 7})), ctx())) == [RewriteAof(**WHERE)]
    assert list(NEW.do(seen(redis(keys={0: 7, 1: 3})), ctx())) == [RewriteAof(**WHERE)]


def test_it_is_confirmed_only_when_done() -> None:
    picture = seen(redis(), DIRECTORY, FILE)
    (fact,) = NEW.confirm(picture, DONE, ctx(attempt=1))
    assert fact == AofRewriteConfirmed(step="step", attempt=1, pod="backend-redis-1", path=NEW.proof)
    assert [*NEW.confirm(picture, CLEAR, ctx()), *NEW.confirm(picture, busy("x"), ctx())] == []
