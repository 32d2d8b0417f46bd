"""before, left, now -> what somebody else has changed, in words."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import events as ev
from orchestrator.drift import three_way


def at(replicas: Any, **more: Any) -> dict[str, Any]:
    return {"workload": {"replicas": replicas, "pod": "a"}, **more}


@pytest.mark.parametrize(
    ("before", "left", "now", "said"),
    [
        pytest.param(at(2), at(0), at(0), [], id="as-it-was-left"),
        pytest.param(at(2), at(0), at(3), ["workload.replicas: 2 before, 0 as this run left it, 3 now"], id="another-value"),
        pytest.param(at(2), {}, at(3), ["workload.replicas: 2 before, not known as this run left it, 3 now"], id="left-unseen"),
        pytest.param(at(2), {}, at(2), [], id="left-unseen-and-as-before"),
        pytest.param({}, {"a": None}, {}, ["a: absent before, null as this run left it, absent now"], id="null-is-not-absent"),
        pytest.param({}, {"a": {}}, {"a": None}, ["a: absent before, {} as this run left it, null now"], id="empty-is-not-null"),
        pytest.param(at(2), at(0), {"workload": {"replicas": 0, "pod": "b"}}, [], id="another-pod-is-no-drift"),
        pytest.param(
            {"text": "a\nsave 900 1\n"}, {"text": "a\nsave\n"}, {"text": "a\nsave 5 1\n"},
            ["text: save 900 1 before, save as this run left it, save 5 1 now"], id="a-long-text-by-its-lines",
        ),
    ],
)  # fmt: skip
def test_what_is_told(before: dict[str, Any], left: dict[str, Any], now: dict[str, Any], said: list[str]) -> None:
    assert [row.say() for row in three_way(before, left, now)] == said


def test_the_fact_is_a_sentence_with_some_of_it() -> None:
    pictures = ({f"key-{n}": value for n in range(5)} for value in (1, 2, 3))
    before, left, now = pictures
    fact = ev.DriftFound(step="s", reason="somebody was here", before=before, left=left, now=now)
    assert fact.sentence() == (
        "looked: neither as it was nor as we left it, somebody was here (key-0: 1 before, 2 as this run left it, 3 now; "
        "key-1: 1 before, 2 as this run left it, 3 now; key-2: 1 before, 2 as this run left it, 3 now; and 2 more)"
    )


def test_a_fact_of_an_older_program_has_no_picture_of_what_was_left() -> None:
    old = ev.decode("DriftFound", 1, "s", 0, {"reason": "r", "before": {"a": 1}, "now": {"a": 2}})
    assert isinstance(old, ev.DriftFound)
    assert old.left == {}
    assert "a: 1 before, not known as this run left it, 2 now" in old.sentence()
