"""How two pictures of an installation are held against each other. What a picture holds is tested with a running cluster."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.rehearsal.digest import RESTARTS, Picture


@pytest.mark.parametrize(
    ("one", "other", "paths"),
    [
        pytest.param({"a": {"b": 1}}, {"a": {"b": 1}}, [], id="equal"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b"], id="another-value"),
        pytest.param({"a": {}}, {"a": {"b": 1}}, ["a.b"], id="absent"),
        pytest.param({"a": {}}, {"a": {"b": None}}, ["a.b"], id="absent-is-not-null"),
        pytest.param({"a": {}}, {"a": {"b": {}}}, ["a.b"], id="absent-is-not-empty"),
        pytest.param({"a": {"b": None}}, {"a": {"b": {}}}, ["a.b"], id="null-is-not-empty"),
        pytest.param({"a": {"b": ""}}, {"a": {"b": None}}, ["a.b"], id="an-empty-text-is-not-null"),
        pytest.param({"a": 0}, {"a": False}, ["a"], id="nought-is-not-false"),
    ],
)
def test_where_two_pictures_differ(one: dict[str, Any], other: dict[str, Any], paths: list[str]) -> None:
    assert Picture(one).differences(Picture(other)) == paths
    assert Picture(other).differences(Picture(one)) == paths


def test_a_restart_is_a_difference_unless_two_restores_are_compared() -> None:
    one, other = (Picture({"config": {}, RESTARTS: {"zync": at}}) for at in (None, "2026-11-23T03:00:00Z"))
    assert one.differences(other) == ["restarts.zync"]
    assert one.without_restarts().differences(other.without_restarts()) == []


def test_what_3scale_writes_to_a_part_that_is_not_restored_is_not_ours() -> None:
    one, other = (
        Picture({"redis": {"backend-redis": n, "system-redis": n}, "sql": {"zync-database": n, "system-mysql": n}}) for n in (1, 2)
    )
    assert one.owned(("zync", "backend-redis")).differences(other.owned(("zync", "backend-redis"))) == one.differences(other)
    assert one.owned(("system-database",)).differences(other.owned(("system-database",))) == ["redis.system-redis", "sql.system-mysql"]
