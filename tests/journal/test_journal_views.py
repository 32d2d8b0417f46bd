"""What a person with plain sqlite3 sees: the views, and that they read one run without the others."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from journal import Draft, Journal, this_holder
from tests.journal.ledgers import NOW, RUN

FACTS = (
    Draft("RunOpened", {}, actor="op@a"),
    Draft("StepStarted", {}, step="copy", attempt=1),
    Draft("RetryScheduled", {"reason": "cut", "failures": 1, "not_before": "t"}, step="copy", attempt=1),
    Draft("StepStarted", {}, step="copy", attempt=2),
    Draft("FileCopied", {}, step="copy", attempt=2),
    Draft("StepFoundTorn", {}, step="copy", attempt=2),
    Draft("DecisionAsked", {"question": "done?"}, step="copy", actor="op@a"),
    Draft("DecisionRecorded", {"verdict": "done", "reason": "looked", "by": "chief@b"}, step="copy"),
    Draft("RunFinished", {}),
)


@pytest.fixture
def db(tmp_path: Path) -> sqlite3.Connection:
    with Journal.open(tmp_path / "j.db", write=True) as journal:
        for run in ("other", RUN):
            lease = journal.take_lease(run, this_holder(), ttl_seconds=60, now=NOW)
            for n, one in enumerate(FACTS):
                journal.append(lease, [one], recorded_at=NOW + timedelta(seconds=n / 2))
    return sqlite3.connect(tmp_path / "j.db")


@pytest.mark.parametrize(("query", "expected"), [
    pytest.param("SELECT run, facts, seconds, last_type FROM runs",
                 [(RUN, 9, 4.0, "RunFinished"), ("other", 9, 4.0, "RunFinished")], id="runs"),
    pytest.param("SELECT step, seconds, attempts, facts, last_type FROM steps WHERE run = 'other'",
                 [("copy", 3.0, 2, 7, "StepFoundTorn")], id="steps"),
    pytest.param("SELECT seq, seconds_since, step, type, actor FROM timeline WHERE run = 'other' LIMIT 2",
                 [(1, None, "", "RunOpened", "op@a"), (2, 0.5, "copy", "StepStarted", "")], id="timeline"),
    pytest.param("SELECT seq, type, verdict, reason, by FROM decisions WHERE run = 'other'",
                 [(7, "DecisionAsked", None, "done?", "op@a"), (8, "DecisionRecorded", "done", "looked", "chief@b")],
                 id="decisions"),
    pytest.param("SELECT seq, step, attempt, failures, reason, not_before FROM retries WHERE run = 'other'",
                 [(3, "copy", 1, 1, "cut", "t")], id="retries"),
])
def test_a_view_says(query: str, expected: list[tuple[object, ...]], db: sqlite3.Connection) -> None:
    assert db.execute(query).fetchall() == expected


@pytest.mark.parametrize("view", ["steps", "timeline", "decisions", "retries"])
def test_a_view_of_one_run_is_found_by_the_primary_key(view: str, db: sqlite3.Connection) -> None:
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN SELECT * FROM {view} WHERE run = 'other'")]
    assert any(step.startswith("SEARCH facts USING PRIMARY KEY (run=?") for step in plan), plan
    assert not any(step.startswith("SCAN facts") for step in plan), plan
