"""seen -> standing, do, undo, restored: a file of the bundle, believed by the pod's own digest."""

from __future__ import annotations

import pytest

from orchestrator.effects import CopyIn, RemovePath
from orchestrator.steps.copy_into_pod import CopyIntoPod, CopyPicture
from tests.steps.seeing import EMPTY, FILE, OTHER, ROLLING, RUNNING, STEP, WHERE, ctx

STEP_ = CopyIntoPod(**STEP, source="dump.rdb", path="/data/dump.rdb", size_bytes=9, sha256="ours")
PART = "/data/dump.rdb.part-run"
NOTHING = CopyPicture(workload=RUNNING)
BEGUN = CopyPicture(workload=RUNNING, part=EMPTY)
THERE = CopyPicture(workload=RUNNING, file=FILE)


@pytest.mark.parametrize(
    ("seen", "standing", "restored"),
    [
        pytest.param(NOTHING, "clear", "done", id="nothing-there"),
        pytest.param(BEGUN, "clear", "clear", id="a-part-of-it"),
        pytest.param(THERE, "done", "clear", id="the-whole-file"),
        pytest.param(CopyPicture(workload=RUNNING, file=OTHER), "torn", "torn", id="another-file"),
        pytest.param(CopyPicture(workload=RUNNING, file=FILE, part=FILE), "done", "clear", id="file-and-part"),
        pytest.param(CopyPicture(workload=ROLLING), "busy", "busy", id="a-rollout-is-under-way"),
        pytest.param(CopyPicture(workload=None), "busy", "busy", id="the-workload-is-gone"),
    ],
)
def test_standing(seen: CopyPicture, standing: str, restored: str) -> None:
    assert STEP_.standing(seen, ctx(NOTHING)).name == standing
    assert STEP_.restored(seen, ctx(NOTHING)).name == restored


def test_what_redis_wrote_over_ours_is_taken_back() -> None:
    """Once the copy was seen whole, the server may rewrite the file itself: its content isn't compared."""
    after = ctx(NOTHING, after=THERE.model_dump(mode="json"))
    assert STEP_.restored(CopyPicture(workload=RUNNING, file=OTHER), after).name == "clear"


def test_do_copies_to_a_part_of_this_run() -> None:
    copy = CopyIn(source="dump.rdb", path="/data/dump.rdb", part=PART, size_bytes=9, sha256="ours", **WHERE)
    assert list(STEP_.do(NOTHING, ctx())) == [copy]
    assert list(STEP_.do(BEGUN, ctx())) == [copy]


@pytest.mark.parametrize(
    ("seen", "removed"),
    [
        pytest.param(THERE, ["/data/dump.rdb"], id="the-whole-file"),
        pytest.param(BEGUN, [PART], id="a-part-of-it"),
        pytest.param(CopyPicture(workload=RUNNING, file=FILE, part=FILE), [PART, "/data/dump.rdb"], id="both"),
    ],
)
def test_undo_removes_what_there_is(seen: CopyPicture, removed: list[str]) -> None:
    assert list(STEP_.undo(seen, ctx(NOTHING))) == [RemovePath(path=path, **WHERE) for path in removed]
