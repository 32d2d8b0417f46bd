"""Server-side apply and managedFields, beyond what the recorded cases say; and objects of any odd shape."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.rehearsal.apierrors import ApiError
from orchestrator.rehearsal.applying import apply
from orchestrator.rehearsal.ownership import (
    Updating,
    decode_fields,
    encode_fields,
    entries_of,
    shape_of,
    values,
)
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type
from tests.rehearsal.api_clients import UNTIMED

DEPLOYMENT, CONFIG_MAP, NAMESPACE = (resource_type(kind) for kind in ("Deployment", "ConfigMap", "Namespace"))
SHAPE = shape_of(DEPLOYMENT, schema=True)
MAPS = shape_of(CONFIG_MAP, schema=True)
Object = dict[str, Any]

WORDS = st.sampled_from(["a", "b", "c", "d"])
DATA = st.dictionaries(WORDS, WORDS, max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


def named(**more: Any) -> Object:
    return {"metadata": {"name": "a"}, **more}


def said(live: Object | None, applied: Object, manager: str = "me", *, force: bool = False) -> Object:
    return apply(CONFIG_MAP, MAPS, live, applied, manager, force=force)


@UNTIMED
@given(DATA)
def test_applying_twice_changes_nothing(data: dict[str, str]) -> None:
    once = said(None, named(data=data))
    assert said(once, named(data=data)) == once


@UNTIMED
@given(DATA, DATA)
def test_the_only_applier_gets_exactly_what_it_says(first: dict[str, str], second: dict[str, str]) -> None:
    live = said(None, named(data=first))
    assert said(live, named(data=second))["data"] == second


@UNTIMED
@given(DATA, DATA)
def test_two_appliers_conflict_exactly_where_they_differ(one: dict[str, str], two: dict[str, str]) -> None:
    live = said(None, named(data=one), "one")
    differing = {key for key in one.keys() & two.keys() if one[key] != two[key]}
    if differing:
        with pytest.raises(ApiError) as caught:
            said(live, named(data=two), "two")
        assert caught.value.details is not None
        assert {cause["field"] for cause in caught.value.details["causes"]} == {
            f".data.{key}" for key in differing
        }
    forced = said(live, named(data=two), "two", force=True)
    assert forced["data"] == one | two
    assert said(forced, named(), "two")["data"] == {key: one[key] for key in one if key not in differing}


def test_an_update_takes_a_field_from_its_applier() -> None:
    live = said(None, named(data={"k": "1", "l": "1"}))
    changed = {**live, "metadata": dict(live["metadata"]), "data": {"k": "2", "l": "1"}}
    Updating("editor", CONFIG_MAP, MAPS)(changed, live)
    owners = {entry.manager: sorted(entry.fields) for entry in entries_of(changed)}
    assert owners == {"me": [("f:data", "f:l")], "editor": [("f:data", "f:k")]}
    with pytest.raises(ApiError) as caught:
        said(changed, named(data={"k": "1", "l": "1"}))
    assert 'conflict with "editor" using v1' in caught.value.message


def test_an_object_nobody_was_tracked_on_belongs_to_whoever_came_before() -> None:
    with pytest.raises(ApiError) as caught:
        said(named(data={"k": "1"}), named(data={"k": "2"}))
    assert 'conflict with "before-first-apply"' in caught.value.message


def container(name: str, **more: Any) -> Object:
    return {"name": name, **more}


def workload(*containers: Object) -> Object:
    return named(spec={"template": {"spec": {"containers": list(containers)}}})


def test_an_item_another_manager_says_something_about_stays() -> None:
    live = apply(
        DEPLOYMENT,
        SHAPE,
        None,
        workload(container("a", image="1"), container("b", image="1")),
        "one",
        force=False,
    )
    live = apply(DEPLOYMENT, SHAPE, live, workload(container("b", workingDir="/x")), "two", force=False)
    left = apply(DEPLOYMENT, SHAPE, live, workload(container("c", image="1")), "one", force=False)
    containers = left["spec"]["template"]["spec"]["containers"]
    assert containers == [container("b", workingDir="/x"), container("c", image="1")]


def test_field_sets_survive_their_encoding() -> None:
    obj = workload(container("a:b", image="1", command=["x"], env=[{"name": "E", "value": ""}]))
    obj["metadata"] |= {"labels": {"x/y": "1"}, "finalizers": ["f/g"]}
    fields = set(values(obj, SHAPE))
    assert ("f:metadata", "f:finalizers", 'v:"f/g"') in fields
    assert set(decode_fields(encode_fields(fields))) == fields


DEEP = named(
    spec={
        "replicas": 1,
        "selector": {"matchLabels": {"a": "b"}},
        "strategy": {"rollingUpdate": {}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {
                "volumes": [{"name": "v", "configMap": {"name": "c"}}],
                "containers": [
                    {"name": "m", "image": "x", "env": [{"name": "E"}], "ports": [{"containerPort": 1}]}
                ],
            },
        },
    }
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for key, item in inside for place in places(item, (*path, key))]


def with_value(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_value(value[path[0]], path[1:], new)
    return copy


@settings(UNTIMED, max_examples=300)
@given(st.sampled_from([path for path in places(DEEP) if path != ("metadata",)]), JSON)
def test_an_odd_shape_is_stored_or_refused_but_nothing_else(path: tuple[Any, ...], value: Any) -> None:
    store = Store()
    store.create(NAMESPACE, None, {"metadata": {"name": "n"}})
    version = store.version
    try:
        store.create(DEPLOYMENT, "n", with_value(DEEP, path, value), stamp=Updating("m", DEPLOYMENT, SHAPE))
    except ApiError as error:
        assert error.status in (400, 422)
        assert store.version == version
