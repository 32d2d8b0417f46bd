"""seen -> standing, do, undo, restored: a file set aside under a name of this run."""

from __future__ import annotations

import pytest

from orchestrator.effects import PutBack, SetAside
from orchestrator.steps.set_aside_file import AsidePicture, SetAsideFile
from tests.steps.seeing import FILE, RESTARTED, ROLLING, RUNNING, STEP, WHERE, ctx

STEP_ = SetAsideFile(**STEP, path="/data/dump.rdb")
ASIDE = "/data/dump.rdb-before-run"
THERE = AsidePicture(workload=RUNNING, file=FILE)
MOVED = AsidePicture(workload=RUNNING, aside=FILE)
BOTH = AsidePicture(workload=RUNNING, file=FILE, aside=FILE)
NEITHER = AsidePicture(workload=RUNNING)


@pytest.mark.parametrize(
    ("seen", "before", "standing", "restored"),
    [
        pytest.param(THERE, THERE, "clear", "done", id="the-file-is-there"),
        pytest.param(MOVED, THERE, "done", "clear", id="it-was-set-aside"),
        pytest.param(BOTH, THERE, "torn", "torn", id="both-are-there"),
        pytest.param(NEITHER, THERE, "torn", "torn", id="neither-is-there-and-it-was"),
        pytest.param(NEITHER, None, "done", None, id="there-never-was-one"),
        pytest.param(AsidePicture(workload=ROLLING), THERE, "busy", "busy", id="a-rollout-is-under-way"),
        pytest.param(AsidePicture(workload=None), THERE, "busy", "busy", id="the-workload-is-gone"),
    ],
)
def test_standing(seen: AsidePicture, before: AsidePicture | None, standing: str, restored: str | None) -> None:
    assert STEP_.standing(seen, ctx(before)).name == standing
    if restored is not None:  # a step that was never started is not taken back
        assert STEP_.restored(seen, ctx(before)).name == restored


def test_do_and_undo_rename_in_the_pod_that_was_seen() -> None:
    assert list(STEP_.do(THERE, ctx())) == [SetAside(path="/data/dump.rdb", aside=ASIDE, **WHERE)]
    assert list(STEP_.undo(MOVED, ctx(THERE))) == [PutBack(path="/data/dump.rdb", aside=ASIDE, **WHERE)]
    elsewhere = MOVED.model_copy(update={"workload": RESTARTED})
    (effect,) = STEP_.undo(elsewhere, ctx(THERE))
    assert isinstance(effect, PutBack)
    assert (effect.pod, effect.container) == ("backend-redis-2", "c2")


def test_another_run_has_another_name_for_it() -> None:
    """A second run must not destroy the first run's only old copy."""
    assert STEP_.aside(ctx(run="run-2")) != STEP_.aside(ctx(run="run-1"))
