"""seen -> standing: the rows of every table, against those of the dump."""

from __future__ import annotations

import pytest

from orchestrator.events import VerificationFailed, VerificationPassed
from orchestrator.steps.base import DONE, busy
from orchestrator.steps.check_rows import CheckRows, RowsPicture
from tests.steps.seeing import ROLLING, RUNNING, STEP, ctx

COMMON = {**STEP, "engine": "mysql", "database": "system", "rows": {"accounts": 3, "sessions": 7}}
EXACT = CheckRows(**COMMON, is_exact=True, growing=("sessions",))
LATER = CheckRows(**COMMON, is_exact=False)


def seen(**rows: int | None) -> RowsPicture:
    return RowsPicture(workload=RUNNING, rows=rows)


@pytest.mark.parametrize(
    ("picture", "exact", "later"),
    [
        pytest.param(seen(accounts=3, sessions=7), "done", "done", id="the-same"),
        pytest.param(seen(accounts=4, sessions=7), "torn", "done", id="one-more"),
        pytest.param(seen(accounts=2, sessions=7), "torn", "torn", id="one-less"),
        # system-sidekiq runs while the dump is loaded, and writes to some tables.
        pytest.param(seen(accounts=3, sessions=8), "done", "done", id="more-in-a-table-that-grows"),
        pytest.param(seen(accounts=3, sessions=6), "torn", "torn", id="less-in-a-table-that-grows"),
        pytest.param(seen(accounts=3, sessions=None), "torn", "torn", id="a-table-is-missing"),
        pytest.param(seen(accounts=3), "torn", "torn", id="a-table-that-nobody-counted"),
        pytest.param(RowsPicture(workload=RUNNING), "busy", "busy", id="no-answer"),
        pytest.param(RowsPicture(workload=ROLLING), "busy", "busy", id="a-rollout-is-under-way"),
        pytest.param(RowsPicture(workload=None), "busy", "busy", id="the-workload-is-gone"),
    ],
)
def test_standing(picture: RowsPicture, exact: str, later: str) -> None:
    assert EXACT.standing(picture, ctx()).name == exact
    assert LATER.standing(picture, ctx()).name == later


def test_a_sentence_names_some_of_the_tables() -> None:
    many = EXACT.model_copy(update={"rows": {f"t{n}": 1 for n in range(8)}})
    found = many.standing(seen(), ctx())
    assert found.reason == "rows of t0, t1, t2, t3, t4 and 3 more in system are not those of the dump"


def test_the_finding_is_a_fact() -> None:
    good, bad = seen(accounts=3, sessions=7), seen(accounts=2, sessions=7)
    (passed,) = EXACT.confirm(good, DONE, ctx())
    (failed,) = EXACT.confirm(bad, EXACT.standing(bad, ctx()), ctx())
    assert isinstance(passed, VerificationPassed)
    assert (passed.expected, passed.found) == ({"rows": 10}, {"rows": 10})
    assert isinstance(failed, VerificationFailed)
    assert (failed.expected, failed.found) == ({"accounts": 3}, {"accounts": 2})
    assert list(EXACT.confirm(bad, busy("x"), ctx())) == []
    assert list(EXACT.confirm(RowsPicture(workload=ROLLING), busy("x"), ctx())) == []


def test_it_changes_nothing() -> None:
    picture = seen(accounts=3, sessions=7)
    assert [*EXACT.do(picture, ctx()), *EXACT.undo(picture, ctx(picture))] == []
    assert EXACT.restored(picture, ctx(picture)) is DONE
