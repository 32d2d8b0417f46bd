"""seen -> standing, do, undo, restored: a dump that is loaded by a job, and known by the mark of its last statement."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.effects import CopyIn, StartJob, StopJob
from orchestrator.events import DumpLoaded, Json, RemoteJobExited, RemoteJobLost
from orchestrator.port import DatabaseSeen, PodJobSeen
from orchestrator.steps.base import CLEAR, DONE
from orchestrator.steps.load_dump import LoadDump, LoadPicture
from tests.steps.seeing import FILE, ROLLING, RUNNING, STEP, WHERE, ctx, json_of

COMMON = {
    **STEP, "database": "system", "directory": "/data", "source": "dump.gz", "size_bytes": 100, "sha256": "abc",
}  # fmt: skip
MYSQL = LoadDump(**COMMON, engine="mysql", flavour="mysqldump", is_repeatable=True)
ONCE = LoadDump(**COMMON, engine="mysql", flavour="mysqldump", is_repeatable=False)
POSTGRESQL = LoadDump(**COMMON, engine="postgresql", flavour="pg_dumpall", owner="zync", is_repeatable=True)
STAGED, SAVED = "/data/dump.gz", "/data/system-before-run.sql.gz"
NEVER, RUNS, LOST, WELL = (
    PodJobSeen(state="never"), PodJobSeen(state="running", done_bytes=30), PodJobSeen(state="lost"),
    PodJobSeen(state="exited", code=0),
)  # fmt: skip
BADLY = PodJobSeen(state="exited", code=1, complaint="ERROR 1064 at line 7")
CUT_OFF = PodJobSeen(state="exited", code=1, complaint="ERROR 2013 at line 7", is_cut_off=True)
EARLIER = "earlier/step loaded abc"


def seen(job: PodJobSeen = NEVER, mark: str = "", **changes: Any) -> LoadPicture:
    database = DatabaseSeen(is_there=True, mark=mark, tables=3)
    picture = LoadPicture(workload=RUNNING, database=database, job=job, staged=FILE, saved=FILE)
    return picture.model_copy(update=changes)


BEGUN = seen()
OURS = {word: f"run/step {word} abc" for word in ("loading", "loaded")} | {w: f"run/step {w} -" for w in ("returning", "returned")}


@pytest.mark.parametrize(
    ("picture", "standing", "reason"),
    [
        pytest.param(seen(), "clear", "", id="nothing-was-loaded"),
        pytest.param(seen(mark=EARLIER), "clear", "", id="an-earlier-run-loaded-the-same-dump"),
        pytest.param(seen(RUNS, OURS["loading"]), "busy", "dump.gz is being loaded", id="it-is-being-loaded"),
        pytest.param(seen(WELL, OURS["loaded"]), "done", "", id="the-last-statement-left-its-mark"),
        pytest.param(seen(NEVER, OURS["loaded"]), "done", "", id="and-the-pod-was-replaced-since"),
        pytest.param(seen(BADLY, OURS["loaded"]), "done", "", id="whatever-the-exit-code-says"),
        pytest.param(seen(WELL, OURS["loading"]), "clear", "torn off", id="it-ended-well-and-left-no-mark"),
        pytest.param(seen(LOST, OURS["loading"]), "clear", "torn off", id="the-job-was-killed"),
        pytest.param(seen(NEVER, OURS["loading"]), "clear", "torn off", id="the-pod-was-replaced-in-the-midst"),
        pytest.param(seen(BADLY, OURS["loading"]), "torn", "ended with 1: ERROR 1064 at line 7", id="an-error-in-the-dump"),
        pytest.param(seen(BADLY), "torn", "ended with 1", id="it-could-not-begin"),
        pytest.param(seen(CUT_OFF, OURS["loading"]), "clear", "loaded again", id="its-server-went-away-in-the-midst"),
        pytest.param(seen(CUT_OFF), "clear", "loaded again", id="its-server-went-away-with-all-it-had"),
        pytest.param(seen(mark="run/step loaded xyz"), "clear", "", id="the-mark-of-another-dump"),
        pytest.param(seen(mark="run/step2 loaded abc"), "clear", "", id="the-mark-of-another-step"),
        pytest.param(seen(database=None), "busy", "does not answer yet", id="no-answer"),
        pytest.param(LoadPicture(workload=ROLLING), "busy", "one pod is not ready", id="a-rollout-is-under-way"),
        pytest.param(LoadPicture(workload=None), "busy", "is not there", id="the-workload-is-gone"),
    ],
)
def test_standing(picture: LoadPicture, standing: str, reason: str) -> None:
    found = MYSQL.standing(picture, ctx(BEGUN))
    assert found.name == standing
    assert reason in found.reason


def test_a_torn_load_that_cannot_be_repeated_is_asked_about() -> None:
    found = ONCE.standing(seen(LOST, OURS["loading"]), ctx(BEGUN))
    assert found.name == "torn"
    assert "does not drop its tables" in found.reason
    assert ONCE.standing(seen(CUT_OFF, OURS["loading"]), ctx(BEGUN)).name == "torn"


def test_a_load_that_takes_its_server_down_every_time_is_asked_about() -> None:
    names = [MYSQL.standing(seen(CUT_OFF, OURS["loading"]), ctx(BEGUN, attempt=n)).name for n in (1, 2, 3, 4)]
    assert names == ["clear", "clear", "torn", "torn"]


def job(program: str, *arguments: str, attempt: int = 2) -> StartJob:
    return StartJob(
        directory="", job="run.step", attempt=attempt, epoch=4, program=program, arguments=arguments, **WHERE
    )


def test_do_starts_one_job() -> None:
    assert list(MYSQL.do(seen(), ctx(attempt=2, epoch=4))) == [job("load-mysql", STAGED, "system", "run/step", "abc")]
    assert list(POSTGRESQL.do(seen(), ctx(attempt=2, epoch=4))) == [
        job("load-postgresql", STAGED, "system", "zync", "pg_dumpall", "run/step", "abc")
    ]


def test_do_copies_a_dump_again_that_went_with_its_pod() -> None:
    copied, started = MYSQL.do(seen(staged=None), ctx(attempt=2, epoch=4))
    assert isinstance(copied, CopyIn)
    assert (copied.path, copied.part, copied.sha256) == (STAGED, f"{STAGED}.part-run", "abc")
    assert isinstance(started, StartJob)


def test_the_recorded_inverse_is_the_safety_copy() -> None:
    assert list(MYSQL.undo(seen(), ctx(seen(), attempt=1, epoch=4))) == [job("return-mysql", SAVED, "system", "run/step", attempt=1)]
    assert list(POSTGRESQL.undo(seen(), ctx(seen(), attempt=1, epoch=4))) == [
        job("return-postgresql", SAVED, "system", "run/step", attempt=1)
    ]


GONE = DatabaseSeen(is_there=False)
EMPTIED = DatabaseSeen(is_there=True, tables=0)


@pytest.mark.parametrize(
    ("picture", "undo_attempt", "is_after", "standing"),
    [
        pytest.param(seen(), 0, False, "done", id="nothing-was-loaded"),
        pytest.param(seen(mark=EARLIER), 0, False, "done", id="only-by-an-earlier-run"),
        pytest.param(seen(RUNS, OURS["loading"]), 0, False, "clear", id="it-is-still-being-loaded"),
        pytest.param(seen(RUNS), 0, False, "clear", id="it-has-just-begun"),
        pytest.param(seen(LOST, OURS["loading"]), 0, False, "clear", id="it-was-torn-off"),
        pytest.param(seen(WELL, OURS["loaded"]), 0, True, "clear", id="it-was-loaded"),
        pytest.param(seen(RUNS, OURS["returning"]), 1, True, "busy", id="it-is-being-brought-back"),
        pytest.param(seen(LOST, OURS["returning"]), 1, True, "clear", id="that-was-torn-off"),
        pytest.param(seen(WELL, OURS["returned"]), 1, True, "done", id="it-was-brought-back"),
        pytest.param(seen(NEVER, OURS["returned"]), 1, True, "done", id="and-the-pod-was-replaced-since"),
        # PostgreSQL is dropped and made anew, and has no mark of ours for a moment.
        pytest.param(seen(LOST, database=GONE), 0, False, "clear", id="killed-after-the-database-was-dropped"),
        pytest.param(seen(LOST, database=EMPTIED), 0, False, "clear", id="killed-before-the-new-one-was-marked"),
        pytest.param(seen(RUNS, database=GONE), 1, True, "busy", id="being-brought-back-and-just-dropped"),
        pytest.param(seen(RUNS, database=EMPTIED), 1, True, "busy", id="being-brought-back-and-not-marked"),
        pytest.param(seen(LOST), 1, True, "clear", id="killed-there-with-all-tables-made"),
        pytest.param(seen(RUNS, OURS["loading"]), 1, False, "clear", id="an-undo-that-died-before-it-stopped-the-load"),
        pytest.param(seen(BADLY, OURS["returning"]), 2, True, "clear", id="bringing-it-back-failed"),
        pytest.param(seen(BADLY, OURS["returning"]), 3, True, "torn", id="and-failed-again"),
        pytest.param(seen(mark="later/step loaded xyz"), 0, True, "torn", id="a-later-load-went-over-it"),
        pytest.param(seen(WELL, OURS["loaded"], saved=None), 0, True, "torn", id="the-safety-copy-is-gone"),
        pytest.param(seen(database=None), 0, False, "busy", id="no-answer"),
        pytest.param(LoadPicture(workload=ROLLING), 0, False, "busy", id="a-rollout-is-under-way"),
    ],
)
def test_the_way_back(picture: LoadPicture, undo_attempt: int, is_after: bool, standing: str) -> None:
    after: Json | None = {} if is_after else None
    assert MYSQL.restored(picture, ctx(BEGUN, undo_attempt=undo_attempt, after=after)).name == standing


def test_that_a_return_failed_is_said() -> None:
    assert "ended with 1: ERROR 1064" in MYSQL.restored(seen(BADLY, OURS["returning"]), ctx(BEGUN, undo_attempt=3)).reason


def test_undo_stops_a_load_that_still_runs() -> None:
    stopped, started = MYSQL.undo(seen(RUNS, OURS["loading"]), ctx(BEGUN, attempt=2, undo_attempt=1, epoch=4))
    assert stopped == StopJob(directory="", job="run.step", epoch=4, **WHERE)
    assert started == job("return-mysql", SAVED, "system", "run/step", attempt=3)


@pytest.mark.parametrize(
    ("picture", "standing", "facts"),
    [
        pytest.param(seen(WELL, OURS["loaded"]), DONE, [RemoteJobExited, DumpLoaded], id="loaded"),
        pytest.param(seen(BADLY, OURS["loading"]), CLEAR, [RemoteJobExited], id="failed"),
        pytest.param(seen(LOST, OURS["loading"]), CLEAR, [RemoteJobLost], id="lost"),
        pytest.param(seen(RUNS, OURS["loading"]), CLEAR, [], id="running"),
        pytest.param(LoadPicture(workload=ROLLING), CLEAR, [], id="nothing-to-see"),
    ],
)
def test_the_finding_is_a_fact(picture: LoadPicture, standing: Any, facts: list[type]) -> None:
    assert [type(fact) for fact in MYSQL.confirm(picture, standing, ctx(attempt=1))] == facts


def test_progress_is_what_the_job_has_read() -> None:
    assert MYSQL.progress(seen(RUNS)) == 30
    assert MYSQL.progress(seen(WELL)) == 0


# ---- without a safety copy, and with one elsewhere ---------------------------------------------------

UNSAVED = LoadDump(**COMMON, engine="mysql", flavour="mysqldump", is_repeatable=True, has_safety_copy=False)
AT_HOME = LoadDump(**COMMON, engine="mysql", flavour="mysqldump", is_repeatable=True, saved_in="/home")


@pytest.mark.parametrize(
    ("picture", "is_after", "standing"),
    [
        pytest.param(seen(saved=None), False, "done", id="nothing-was-loaded"),
        pytest.param(seen(RUNS, OURS["loading"], saved=None), False, "clear", id="it-runs-and-is-stopped-first"),
        pytest.param(seen(LOST, OURS["loading"], saved=None), False, "lost", id="it-was-torn-off"),
        pytest.param(seen(WELL, OURS["loaded"], saved=None), True, "lost", id="it-was-loaded"),
    ],
)
def test_without_a_safety_copy_there_is_no_way_back(picture: LoadPicture, is_after: bool, standing: str) -> None:
    assert UNSAVED.restored(picture, ctx(BEGUN, after=json_of(picture) if is_after else None)).name == standing


def test_without_a_safety_copy_a_load_is_stopped_and_that_is_all() -> None:
    assert list(UNSAVED.undo(seen(), ctx(seen(), attempt=1))) == []
    (stopped,) = UNSAVED.undo(seen(RUNS, OURS["loading"]), ctx(BEGUN, epoch=4))
    assert isinstance(stopped, StopJob)
    assert UNSAVED.way_back == "irreversible"


def test_a_safety_copy_in_home_is_brought_back_from_there() -> None:
    (started,) = AT_HOME.undo(seen(), ctx(seen(), attempt=1))
    assert isinstance(started, StartJob)
    assert started.arguments[0] == "/home/system-before-run.sql.gz"


@pytest.mark.parametrize(
    ("picture", "undo_attempt", "facts"),
    [
        pytest.param(seen(WELL, OURS["returned"]), 1, [RemoteJobExited], id="brought-back"),
        pytest.param(seen(BADLY, OURS["returning"]), 2, [RemoteJobExited], id="it-ended-with-an-error"),
        pytest.param(seen(LOST, OURS["returning"]), 1, [RemoteJobLost], id="killed"),
        pytest.param(seen(RUNS, OURS["returning"]), 1, [], id="running"),
        pytest.param(seen(WELL, OURS["loaded"]), 1, [], id="the-end-of-the-load-is-none-of-the-return"),
        pytest.param(seen(WELL, OURS["loaded"]), 0, [], id="nothing-was-begun"),
    ],
)
def test_the_end_of_a_return_is_a_fact_too(picture: LoadPicture, undo_attempt: int, facts: list[type]) -> None:
    found = list(MYSQL.confirm_back(picture, ctx(BEGUN, attempt=1, undo_attempt=undo_attempt)))
    assert [type(fact) for fact in found] == facts
    assert {fact.attempt for fact in found} <= {undo_attempt}
