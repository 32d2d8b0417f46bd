"""The store: what every writer meets, whether it comes over HTTP or not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rehearsal.apierrors import ApiError
from orchestrator.rehearsal.history import Event
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type
from tests.rehearsal.api_clients import UNTIMED

NAMESPACE, CONFIG_MAP, POD = (resource_type(kind) for kind in ("Namespace", "ConfigMap", "Pod"))
DEPLOYMENT, MANAGER = resource_type("Deployment"), resource_type("APIManager")
Object = dict[str, Any]


@pytest.fixture
def store() -> Store:
    store = Store()
    store.create(NAMESPACE, None, named("shop"))
    return store


def named(name: str, **more: Any) -> Object:
    return {"metadata": {"name": name}, **more}


def deployment(replicas: int = 1) -> Object:
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "main", "image": "x:1"}]},
    }
    return named(
        "d", spec={"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    )


def refusal(call: Any, *arguments: Any, **named_arguments: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call(*arguments, **named_arguments)
    return caught.value


def test_a_stale_version_is_a_conflict_and_changes_nothing(store: Store) -> None:
    first = store.create(CONFIG_MAP, "shop", named("a", data={"k": "1"}))
    store.replace(CONFIG_MAP, "shop", "a", first | {"data": {"k": "2"}})
    assert refusal(store.replace, CONFIG_MAP, "shop", "a", first | {"data": {"k": "3"}}).status == 409
    assert store.get(CONFIG_MAP, "shop", "a")["data"] == {"k": "2"}


def test_what_the_store_hands_out_is_a_copy(store: Store) -> None:
    store.create(CONFIG_MAP, "shop", named("a", data={"k": "1"}))
    store.get(CONFIG_MAP, "shop", "a")["data"]["k"] = "altered"
    store.list(CONFIG_MAP, "shop")[0]["data"]["k"] = "altered"
    assert store.get(CONFIG_MAP, "shop", "a")["data"] == {"k": "1"}


def test_a_change_that_changes_nothing_has_no_event_and_keeps_the_version(store: Store) -> None:
    before = store.create(DEPLOYMENT, "shop", deployment())
    events: list[Event] = []
    store.subscribe(events.append)
    after = store.change(DEPLOYMENT, "shop", "d", lambda obj: obj["spec"].update(replicas=1))
    assert after == before
    assert events == []


def test_the_status_has_its_own_entrance(store: Store) -> None:
    store.create(DEPLOYMENT, "shop", deployment())
    both = store.get(DEPLOYMENT, "shop", "d") | {"status": {"replicas": 7}}
    both["spec"]["replicas"] = 3
    written = store.replace(DEPLOYMENT, "shop", "d", both)
    assert (written["spec"]["replicas"], written["status"], written["metadata"]["generation"]) == (3, {}, 2)
    both["metadata"]["resourceVersion"] = written["metadata"]["resourceVersion"]
    both["spec"]["replicas"] = 5
    written = store.replace(DEPLOYMENT, "shop", "d", both, subresource="status")
    assert (
        written["spec"]["replicas"],
        written["status"]["replicas"],
        written["metadata"]["generation"],
    ) == (3, 7, 2)


def test_an_invalid_change_is_refused_whole(store: Store) -> None:
    store.create(DEPLOYMENT, "shop", deployment())
    error = refusal(store.change, DEPLOYMENT, "shop", "d", lambda obj: obj["spec"].update(replicas=-1))
    assert (error.status, error.reason) == (422, "Invalid")
    assert store.get(DEPLOYMENT, "shop", "d")["spec"]["replicas"] == 1


def test_subscribers_hear_writes_in_their_order_also_those_made_by_subscribers(store: Store) -> None:
    heard: list[str] = []

    def echo(event: Event) -> None:
        if event.object["metadata"]["name"] == "first":
            store.create(CONFIG_MAP, "shop", named("second"))

    store.subscribe(echo)
    store.subscribe(lambda event: heard.append(event.object["metadata"]["name"]))
    store.create(CONFIG_MAP, "shop", named("first"))
    assert heard == ["first", "second"]


def test_a_subscriber_that_fails_does_not_keep_the_news_from_others(store: Store) -> None:
    heard: list[str] = []

    def fail(event: Event) -> None:
        raise RuntimeError(event.type)

    store.subscribe(fail)
    store.subscribe(lambda event: heard.append(event.type))
    store.create(CONFIG_MAP, "shop", named("a"))
    assert heard == ["ADDED"]
    assert store.find(CONFIG_MAP, "shop", "a") is not None


def test_a_finalizer_holds_a_deleted_object(store: Store) -> None:
    store.create(CONFIG_MAP, "shop", {"metadata": {"name": "a", "finalizers": ["example.com/x"]}})
    deleted = store.delete(CONFIG_MAP, "shop", "a")
    assert "deletionTimestamp" in deleted["metadata"]
    store.purge(CONFIG_MAP, "shop", "a")
    assert store.find(CONFIG_MAP, "shop", "a") is not None
    store.change(CONFIG_MAP, "shop", "a", lambda obj: obj["metadata"].pop("finalizers"))
    assert store.find(CONFIG_MAP, "shop", "a") is None


def test_a_pod_on_a_node_waits_for_its_kubelet(store: Store) -> None:
    spec = {
        "containers": [{"name": "main", "image": "x:1"}],
        "nodeName": "n",
        "terminationGracePeriodSeconds": 5,
    }
    store.create(POD, "shop", named("p", spec=spec))
    deleted = store.delete(POD, "shop", "p")
    assert deleted["metadata"]["deletionGracePeriodSeconds"] == 5
    assert store.delete(POD, "shop", "p", grace_seconds=2)["metadata"]["deletionGracePeriodSeconds"] == 2
    assert store.find(POD, "shop", "p") is not None
    store.purge(POD, "shop", "p")
    assert store.find(POD, "shop", "p") is None


def test_a_pod_without_a_node_or_without_grace_goes_at_once(store: Store) -> None:
    spec = {"containers": [{"name": "main", "image": "x:1"}]}
    store.create(POD, "shop", named("p", spec=spec))
    store.delete(POD, "shop", "p")
    assert store.find(POD, "shop", "p") is None
    store.create(POD, "shop", named("p", spec=spec | {"nodeName": "n"}))
    store.delete(POD, "shop", "p", grace_seconds=0)
    assert store.find(POD, "shop", "p") is None


def test_a_terminating_namespace_takes_nothing_new(store: Store) -> None:
    store.delete(NAMESPACE, None, "shop")
    assert refusal(store.create, CONFIG_MAP, "shop", named("a")).status == 403
    assert refusal(store.create, CONFIG_MAP, "nowhere", named("a")).status == 404


def test_the_past_can_be_listed(store: Store) -> None:
    store.create(CONFIG_MAP, "shop", named("a", data={"k": "1"}))
    store.create(CONFIG_MAP, "shop", named("b"))
    then = store.version
    store.change(CONFIG_MAP, "shop", "a", lambda obj: obj["data"].update(k="2"))
    store.delete(CONFIG_MAP, "shop", "b")
    store.create(CONFIG_MAP, "shop", named("c"))
    past = [(obj["metadata"]["name"], obj.get("data")) for obj in store.scan_at(CONFIG_MAP, "shop", then)]
    assert past == [("a", {"k": "1"}), ("b", None)]
    assert [obj["metadata"]["name"] for obj in store.list(CONFIG_MAP, "shop")] == ["a", "c"]


def test_a_dry_run_answers_as_if_and_stores_nothing(store: Store) -> None:
    version = store.version
    created = store.create(MANAGER, "shop", named("m", spec={"wildcardDomain": "x"}), dry_run=True)
    assert created["metadata"]["generation"] == 1
    assert store.find(MANAGER, "shop", "m") is None
    assert store.version == version


def test_preconditions_of_a_deletion(store: Store) -> None:
    store.create(CONFIG_MAP, "shop", named("a"))
    assert refusal(store.delete, CONFIG_MAP, "shop", "a", preconditions={"uid": "another"}).status == 409
    assert store.find(CONFIG_MAP, "shop", "a") is not None


NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from(["1", "2"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), NAMES, VALUES),
        st.tuples(st.just("change"), NAMES, VALUES),
        st.tuples(st.just("delete"), NAMES, VALUES),
    ),
    max_size=12,
)


def take(store: Store, step: tuple[str, str, str]) -> None:
    verb, name, value = step
    if verb == "create" and store.find(CONFIG_MAP, "shop", name) is None:
        store.create(CONFIG_MAP, "shop", named(name, data={"k": value}))
    elif verb == "change":
        store.change(CONFIG_MAP, "shop", name, lambda obj: obj["data"].update(k=value))
    elif verb == "delete" and store.find(CONFIG_MAP, "shop", name) is not None:
        store.delete(CONFIG_MAP, "shop", name)


def replayed(objects: list[Object], events: Iterable[Event]) -> list[Object]:
    """What a client makes of a list and the events after it."""
    known = {obj["metadata"]["name"]: obj for obj in objects}
    for event in events:
        name = event.object["metadata"]["name"]
        assert (event.type == "ADDED") == (name not in known)
        if event.type == "DELETED":
            del known[name]
        else:
            known[name] = event.object
    return [known[name] for name in sorted(known)]


@UNTIMED
@given(STEPS, st.data())
def test_any_past_list_and_the_events_after_it_lead_to_the_present(
    steps: list[Any], data: st.DataObject
) -> None:
    store = Store()
    store.create(NAMESPACE, None, named("shop"))
    pasts = {store.version: store.list(CONFIG_MAP, "shop")}
    for step in steps:
        take(store, step)
        pasts[store.version] = store.list(CONFIG_MAP, "shop")
    version = data.draw(st.sampled_from(sorted(pasts)))
    assert list(store.scan_at(CONFIG_MAP, "shop", version)) == pasts[version]
    assert replayed(pasts[version], store.history.after(version)) == store.list(CONFIG_MAP, "shop")
    versions = [event.version for event in store.history.after(0)]
    assert versions == sorted(set(versions))
