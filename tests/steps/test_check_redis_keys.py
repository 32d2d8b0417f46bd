"""seen -> standing: keys counted in the running server, against what the RDB must give."""

from __future__ import annotations

import pytest

from orchestrator.events import VerificationFailed, VerificationPassed
from orchestrator.steps.base import CLEAR, DONE, busy
from orchestrator.steps.check_redis_keys import CheckRedisKeys, ExpectedKeys, KeysPicture
from tests.steps.seeing import ROLLING, RUNNING, STEP, ctx, redis

EXPIRING = ExpectedKeys(keys=5, expired_by=((500, 1), (1500, 2), (2500, 3)))
STEP_ = CheckRedisKeys(**STEP, appendonly="no", databases={0: ExpectedKeys(keys=5), 1: ExpectedKeys(keys=2)})


def seen(server: object) -> KeysPicture:
    return KeysPicture.model_validate({"workload": RUNNING, "redis": server})


@pytest.mark.parametrize(
    ("picture", "standing", "reason"),
    [
        pytest.param(seen(redis(keys={0: 5, 1: 2})), "done", "", id="as-many-as-expected"),
        pytest.param(seen(redis(keys={0: 6, 1: 9, 2: 1})), "done", "", id="more-than-expected"),
        pytest.param(seen(redis(keys={0: 4, 1: 2})), "torn", "keys are missing in db0", id="one-less"),
        pytest.param(seen(redis(keys={0: 5})), "torn", "keys are missing in db1", id="a-database-is-missing"),
        pytest.param(seen(redis(keys={})), "torn", "keys are missing in db0, db1", id="empty"),
        pytest.param(
            seen(redis(keys={0: 5, 1: 2}, appendonly="yes")), "torn", "appendonly is yes and should be no",
            id="appending-where-it-should-not",
        ),
        pytest.param(
            seen(redis(keys={0: 5, 1: 2}, aof_last_write_ok=False)), "torn", "Redis could not write to its AOF",
            id="aof-not-writable",
        ),
    ],
)  # fmt: skip
def test_standing(picture: KeysPicture, standing: str, reason: str) -> None:
    found = STEP_.standing(picture, ctx())
    assert (found.name, found.reason) == (standing, reason)


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(seen(redis(is_loading=True, keys={})), id="loading"),
        pytest.param(seen(None), id="no-answer"),
        pytest.param(KeysPicture(workload=ROLLING), id="a-rollout-is-under-way"),
        pytest.param(KeysPicture(workload=None), id="the-workload-is-gone"),
    ],
)
def test_it_waits_and_says_nothing_of_the_keys(picture: KeysPicture) -> None:
    assert STEP_.standing(picture, ctx()).name == "busy"
    assert list(STEP_.confirm(picture, busy("x"), ctx())) == []


@pytest.mark.parametrize(
    ("now_ms", "least"),
    [
        pytest.param(0, 5, id="none-has-expired"),
        pytest.param(500, 4, id="the-first-expires-now"),
        pytest.param(1499, 4, id="before-the-second"),
        pytest.param(2000, 3, id="two"),
        pytest.param(9000, 2, id="all-that-can"),
    ],
)
def test_keys_that_expire_are_counted_by_the_servers_clock(now_ms: int, least: int) -> None:
    assert EXPIRING.at_least(now_ms) == least


def test_ranks_left_out_count_as_gone() -> None:
    """Where only some ranks are kept, all up to the next kept one may have expired."""
    assert ExpectedKeys(keys=100, expired_by=((10, 1), (50, 40), (90, 80))).at_least(20) == 61


@pytest.mark.parametrize(
    ("keys", "fact"),
    [pytest.param({0: 5, 1: 2}, VerificationPassed, id="passed"), pytest.param({0: 1}, VerificationFailed, id="failed")],
)
def test_the_finding_is_a_fact(keys: dict[int, int], fact: type) -> None:
    picture = seen(redis(keys=keys))
    (found,) = STEP_.confirm(picture, STEP_.standing(picture, ctx()), ctx())
    assert type(found) is fact
    assert list(STEP_.confirm(picture, CLEAR, ctx())) == []


def test_it_changes_nothing() -> None:
    picture = seen(redis())
    assert [*STEP_.do(picture, ctx()), *STEP_.undo(picture, ctx(picture))] == []
    assert STEP_.restored(picture, ctx(picture)) is DONE
