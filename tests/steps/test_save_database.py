"""seen -> standing, do, undo, restored: the safety copy of a database."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.effects import CopyOut, ForgetMark, RemoveCopy, RemovePath, StartJob, StopJob
from orchestrator.events import DatabaseSaved, RemoteJobExited
from orchestrator.port import DatabaseSeen, PodJobSeen
from orchestrator.steps.base import CLEAR, DONE
from orchestrator.steps.save_database import ATTEMPTS_MAX, SaveDatabase, SavedPicture
from tests.steps.seeing import FILE, OTHER, ROLLING, RUNNING, STEP, WHERE, ctx

STEP_ = SaveDatabase(**STEP, engine="mysql", database="system", directory="/data")
PATH = "/data/system-before-run.sql.gz"
NEVER, RUNS, LOST = PodJobSeen(state="never"), PodJobSeen(state="running"), PodJobSeen(state="lost")
WELL, BADLY = PodJobSeen(state="exited", code=0), PodJobSeen(state="exited", code=5, complaint="disk full")


def seen(job: PodJobSeen = NEVER, mark: str = "", **changes: Any) -> SavedPicture:
    database = DatabaseSeen(is_there=True, mark=mark, tables=3)
    return SavedPicture(workload=RUNNING, database=database, job=job).model_copy(update=changes)


@pytest.mark.parametrize(
    ("picture", "attempt", "standing", "reason"),
    [
        pytest.param(seen(), 0, "clear", "", id="not-saved"),
        pytest.param(seen(RUNS), 1, "busy", "is being saved", id="being-saved"),
        pytest.param(seen(RUNS, file=FILE), 1, "busy", "is being saved", id="its-job-has-not-ended"),
        pytest.param(seen(WELL, file=FILE), 1, "done", "", id="it-got-its-name-after-it-was-checked"),
        pytest.param(seen(NEVER, file=FILE), 1, "done", "", id="and-the-pod-was-replaced-since"),
        pytest.param(seen(LOST, part=FILE), 1, "clear", "", id="torn-off"),
        pytest.param(seen(BADLY), 1, "clear", "ended with 5: disk full", id="failed"),
        pytest.param(seen(BADLY), ATTEMPTS_MAX, "torn", "ended with 5: disk full", id="failed-too-often"),
        pytest.param(seen(database=DatabaseSeen(is_there=False)), 0, "torn", "there is no database system", id="no-database"),
        pytest.param(seen(database=None), 0, "busy", "does not answer yet", id="no-answer"),
        pytest.param(SavedPicture(workload=ROLLING), 0, "busy", "one pod is not ready", id="a-rollout-is-under-way"),
        pytest.param(SavedPicture(workload=None), 0, "busy", "is not there", id="the-workload-is-gone"),
    ],
)
def test_standing(picture: SavedPicture, attempt: int, standing: str, reason: str) -> None:
    found = STEP_.standing(picture, ctx(attempt=attempt))
    assert found.name == standing
    assert reason in found.reason


@pytest.mark.parametrize(("engine", "program"), [("mysql", "dump-mysql"), ("postgresql", "dump-postgresql")])
def test_do_starts_the_engines_own_dump(engine: str, program: str) -> None:
    step = STEP_.model_copy(update={"engine": engine})
    assert list(step.do(seen(), ctx(attempt=1, epoch=4))) == [
        StartJob(
            directory="", job="run.step", attempt=1, epoch=4, program=program, arguments=("system", PATH), **WHERE
        )
    ]


def test_the_recorded_inverse_removes_the_copy() -> None:
    assert list(STEP_.undo(seen(), ctx(seen()))) == [RemovePath(path=PATH, **WHERE)]


@pytest.mark.parametrize(
    ("picture", "standing"),
    [
        pytest.param(seen(WELL), "done", id="nothing-is-left"),
        pytest.param(seen(WELL, file=FILE), "clear", id="the-copy-is-there"),
        pytest.param(seen(LOST, part=FILE), "clear", id="a-part-of-it-is-there"),
        pytest.param(seen(RUNS), "clear", id="it-is-still-being-saved"),
        pytest.param(seen(WELL, "run/load-system-database returned -"), "clear", id="the-mark-of-this-run-is-there"),
        pytest.param(seen(WELL, "run2/load-system-database loaded abc"), "done", id="the-mark-of-another-run"),
        pytest.param(seen(database=None), "busy", id="no-answer"),
        pytest.param(SavedPicture(workload=ROLLING), "busy", id="a-rollout-is-under-way"),
    ],
)
def test_the_way_back(picture: SavedPicture, standing: str) -> None:
    assert STEP_.restored(picture, ctx(seen())).name == standing


def test_undo_removes_the_copy_last() -> None:
    """As long as the copy is there, what is left of the rest is found again."""
    picture = seen(RUNS, "run/load-system-database returned -", file=FILE, part=FILE)
    assert list(STEP_.undo(picture, ctx(seen(), epoch=4))) == [
        StopJob(directory="", job="run.step", epoch=4, **WHERE), ForgetMark(engine="mysql", database="system", **WHERE),
        RemovePath(path=f"{PATH}.part", **WHERE), RemovePath(path=PATH, **WHERE),
    ]  # fmt: skip


def test_the_finding_is_a_fact() -> None:
    facts = list(STEP_.confirm(seen(WELL, file=FILE), DONE, ctx(attempt=1)))
    assert [fact.name for fact in facts] == [RemoteJobExited.name, DatabaseSaved.name]
    assert isinstance(facts[1], DatabaseSaved)
    assert (facts[1].path, facts[1].size_bytes, facts[1].sha256) == (PATH, 9, "ours")
    assert list(STEP_.confirm(seen(RUNS), CLEAR, ctx())) == []


# ---- where it is copied out to this machine ------------------------------------------------------------------

OUT = STEP_.model_copy(update={"is_copied_out": True})
NAME = "system-before-run.sql.gz"


@pytest.mark.parametrize(
    ("picture", "standing", "restored"),
    [
        pytest.param(seen(), "clear", "done", id="not-saved"),
        pytest.param(seen(WELL, file=FILE), "clear", "clear", id="saved-in-the-pod"),
        pytest.param(seen(WELL, file=FILE, kept=FILE), "clear", "clear", id="and-copied-out"),
        pytest.param(seen(WELL, kept=FILE), "done", "clear", id="and-removed-from-the-pod"),
    ],
)
def test_standing_of_one_that_is_copied_out(picture: SavedPicture, standing: str, restored: str) -> None:
    assert OUT.standing(picture, ctx()).name == standing
    assert OUT.restored(picture, ctx(seen())).name == restored


def test_it_is_copied_out_before_it_is_removed_and_not_twice() -> None:
    out = CopyOut(path=PATH, target=NAME, size_bytes=FILE.size_bytes, sha256=FILE.sha256, **WHERE)
    gone = RemovePath(path=PATH, **WHERE)
    assert list(OUT.do(seen(WELL, file=FILE), ctx())) == [out, gone]
    assert list(OUT.do(seen(WELL, file=FILE, kept=FILE), ctx())) == [gone]
    assert list(OUT.do(seen(WELL, file=FILE, kept=OTHER), ctx())) == [out, gone], "another one of that name is no copy of it"
    assert list(OUT.undo(seen(WELL, kept=FILE), ctx(seen())))[-1] == RemoveCopy(target=NAME)
