"""seen -> standing: services and their applications, in backend-redis and in the system database."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.events import VerificationFailed, VerificationPassed
from orchestrator.steps.base import DONE, busy
from orchestrator.steps.check_backend import (
    PATIENCE_SECONDS,
    PATIENCE_SECONDS_MAX,
    BackendPicture,
    CheckBackend,
)
from tests.steps.seeing import ROLLING, RUNNING, ctx

STEP_ = CheckBackend(
    id="step", title="a step", workload_kind="Deployment", database_workload="system-mysql", engine="mysql",
    database="system", redis_workload="backend-redis",
)  # fmt: skip
IN_SQL = {"1": 2, "2": 5}


def seen(in_redis: dict[str, int] | None, **changes: Any) -> BackendPicture:
    picture = BackendPicture(database=RUNNING, redis=RUNNING, in_sql=IN_SQL, in_redis=in_redis)
    return picture.model_copy(update=changes)


@pytest.mark.parametrize(
    ("picture", "standing", "reason"),
    [
        pytest.param(seen({"1": 2, "2": 5}), "done", "", id="the-same"),
        pytest.param(seen({"1": 3, "2": 5, "9": 1}), "done", "", id="more-is-left-as-it-is"),
        pytest.param(seen({"1": 2}), "busy", "lacks applications of service 2", id="a-service-is-missing"),
        pytest.param(seen({"1": 2, "2": 4}), "busy", "lacks applications of service 2", id="an-application-is-missing"),
        pytest.param(seen({}, in_sql={str(n): 1 for n in range(1, 7)}), "busy", "service 1, 2, 3 and 3 more", id="many-are-missing"),
        pytest.param(seen(None), "busy", "does not answer yet", id="redis-does-not-answer"),
        pytest.param(seen({}, in_sql=None), "busy", "does not answer yet", id="the-database-does-not-answer"),
        pytest.param(seen({}, database=ROLLING), "busy", "one pod is not ready", id="a-rollout-is-under-way"),
        pytest.param(seen({}, redis=None), "busy", "backend-redis is not there", id="a-workload-is-gone"),
    ],
)
def test_standing(picture: BackendPicture, standing: str, reason: str) -> None:
    found = STEP_.standing(picture, ctx())
    assert found.name == standing
    assert reason in found.reason


def test_the_rewrite_is_given_some_time() -> None:
    assert STEP_.standing(seen({}), ctx(waited_seconds=PATIENCE_SECONDS)).name == "busy"
    assert STEP_.standing(seen({}), ctx(waited_seconds=PATIENCE_SECONDS + 1)).name == "torn"


def test_a_large_installation_is_given_more_and_not_for_ever() -> None:
    large, huge = (seen({}, in_sql={"1": applications}) for applications in (10_000, 10_000_000))
    assert STEP_.standing(large, ctx(waited_seconds=1299)).name == "busy"
    assert STEP_.standing(large, ctx(waited_seconds=1300)).name == "torn"
    assert STEP_.standing(huge, ctx(waited_seconds=PATIENCE_SECONDS_MAX)).name == "torn"


@pytest.mark.parametrize(
    ("in_redis", "waited_seconds", "fact", "found"),
    [
        pytest.param({"1": 2, "2": 5}, 0.0, VerificationPassed, {"services": 2, "applications": 7}, id="passed"),
        pytest.param({"2": 4}, PATIENCE_SECONDS + 1, VerificationFailed, {"services": 1, "applications": 4}, id="failed"),
    ],
)
def test_the_finding_is_a_fact(in_redis: dict[str, int], waited_seconds: float, fact: type, found: object) -> None:
    picture, late = seen(in_redis), ctx(waited_seconds=waited_seconds)
    (said,) = STEP_.confirm(picture, STEP_.standing(picture, late), late)
    assert type(said) is fact
    assert said.found == found  # type: ignore[attr-defined]
    assert list(STEP_.confirm(picture, busy("x"), ctx())) == []


def test_it_changes_nothing() -> None:
    picture = seen({})
    assert [*STEP_.do(picture, ctx()), *STEP_.undo(picture, ctx(picture))] == []
    assert STEP_.restored(picture, ctx(picture)) is DONE
