"""The patch formats and the selectors, as pure functions."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rehearsal.apierrors import ApiError
from orchestrator.rehearsal.patches import json_patch, merge_patch, strategic_patch
from orchestrator.rehearsal.selectors import matches_selector, parse_labels, selector_text
from tests.rehearsal.api_clients import UNTIMED

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
WITHOUT_NULL = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5) | st.lists(LEAVES, max_size=3),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=4),
)
OBJECTS = st.dictionaries(st.text(max_size=3), WITHOUT_NULL, max_size=5)


def difference(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The merge patch that turns `old` into `new`, written down independently of the code under test."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            patch[key] = difference(old[key], value)
        elif key not in old or old[key] != value or type(old[key]) is not type(value):
            patch[key] = value
    return patch


@UNTIMED
@given(OBJECTS, OBJECTS)
def test_a_merge_patch_leads_from_any_object_to_any_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    before = copy.deepcopy(old)
    assert merge_patch(old, difference(old, new)) == new
    assert old == before


# The examples of RFC 7386, appendix A.
RFC_7386 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), RFC_7386)
def test_merge_patch_as_in_the_rfc(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


def test_a_json_patch_applies_whole_or_not_at_all() -> None:
    target = {"data": {"k": "1"}}
    operations = [
        {"op": "replace", "path": "/data/k", "value": "2"},
        {"op": "test", "path": "/data/k", "value": "1"},
    ]
    with pytest.raises(ApiError) as caught:
        json_patch(target, operations)
    assert caught.value.status == 422
    assert target == {"data": {"k": "1"}}


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ({"op": "add", "path": "/l/1", "value": 9}, {"l": [1, 9, 2], "a/b": 0}),
        ({"op": "add", "path": "/l/-", "value": 9}, {"l": [1, 2, 9], "a/b": 0}),
        ({"op": "remove", "path": "/l/0"}, {"l": [2], "a/b": 0}),
        ({"op": "replace", "path": "/a~1b", "value": 1}, {"l": [1, 2], "a/b": 1}),
        ({"op": "move", "from": "/l/0", "path": "/m"}, {"l": [2], "a/b": 0, "m": 1}),
        ({"op": "copy", "from": "/l", "path": "/m"}, {"l": [1, 2], "a/b": 0, "m": [1, 2]}),
        ({"op": "replace", "path": "", "value": {"whole": 1}}, {"whole": 1}),
    ],
)
def test_json_patch_operations(operation: dict[str, Any], result: Any) -> None:
    assert json_patch({"l": [1, 2], "a/b": 0}, [operation]) == result


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/l/3", "value": 0},
        {"op": "add", "path": "/none/x", "value": 0},
        {"op": "remove", "path": "/none"},
        {"op": "replace", "path": "/l/2", "value": 0},
        {"op": "move", "from": "/none", "path": "/m"},
        {"op": "add", "path": "l", "value": 0},
        {"op": "add", "path": "/l"},
        {"op": "frob", "path": "/l"},
        "not an operation",
    ],
)
def test_json_patches_that_do_not_apply(operation: Any) -> None:
    with pytest.raises(ApiError) as caught:
        json_patch({"l": [1, 2]}, [operation])
    assert caught.value.status == 422


def names(result: Any) -> list[str]:
    return [item["name"] for item in result["containers"]]


def test_strategic_order_keeps_what_was_there_and_follows_the_patch() -> None:
    target = {"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}
    assert names(strategic_patch(target, {"containers": [{"name": "b", "x": 1}]}, "Pod")) == ["a", "b", "c"]
    assert names(strategic_patch(target, {"containers": [{"name": "n"}]}, "Pod")) == ["n", "a", "b", "c"]
    order = {
        "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
        "containers": [{"name": "a", "x": 1}],
    }
    assert names(strategic_patch(target, order, "Pod")) == ["b", "c", "a"]


def test_strategic_ports_have_another_key_in_a_service() -> None:
    patch = {"ports": [{"port": 80, "targetPort": 2}]}
    target = {"ports": [{"port": 80, "targetPort": 1, "name": "w"}]}
    assert strategic_patch(target, patch, "Service") == {
        "ports": [{"port": 80, "targetPort": 2, "name": "w"}]
    }
    with pytest.raises(ApiError):
        strategic_patch(target, patch, "Pod")


def test_strategic_directives() -> None:
    target = {
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
        "env": [{"name": "A"}, {"name": "B"}],
    }
    retained = strategic_patch(
        target, {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}, "Deployment"
    )
    assert retained["strategy"] == {"type": "Recreate"}
    removed = strategic_patch(target, {"env": [{"$patch": "delete", "name": "A"}]}, "Pod")
    assert removed["env"] == [{"name": "B"}]
    replaced = strategic_patch(target, {"env": [{"$patch": "replace"}, {"name": "C"}]}, "Pod")
    assert replaced["env"] == [{"name": "C"}]


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("a=1", ["x"]),
        ("a!=1", ["y", "z"]),
        ("a in (1, 2)", ["x", "y"]),
        ("a notin (1)", ["y", "z"]),
        ("!a", ["z"]),
        ("a,b", ["y"]),
        ("a>1", ["y"]),
        ("a=", []),
    ],
)
def test_label_selectors(selector: str, chosen: list[str]) -> None:
    objects = {"x": {"a": "1"}, "y": {"a": "2", "b": "3"}, "z": {"b": ""}}
    assert [name for name, labels in objects.items() if parse_labels(selector)(labels)] == chosen


@pytest.mark.parametrize("selector", ["a in b", "a=!b", "=", "a,,b", "a in (1", "a>x", "(a)"])
def test_selectors_nobody_understands(selector: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_labels(selector)
    assert caught.value.status == 400


def test_a_selector_means_the_same_as_its_text() -> None:
    selector = {
        "matchLabels": {"a": "1"},
        "matchExpressions": [
            {"key": "b", "operator": "NotIn", "values": ["2"]},
            {"key": "c", "operator": "Exists"},
        ],
    }
    assert selector_text(selector) == "a=1,b notin (2),c"
    assert matches_selector(selector, {"a": "1", "c": ""})
    assert not matches_selector(selector, {"a": "1", "b": "2", "c": ""})
    assert matches_selector({"app": "x"}, {"app": "x", "more": "y"})
