"""Objects from the bundle: only names of keys come out, what was there is kept in the cluster and comes back."""

from __future__ import annotations

import base64
import hashlib
import json
from itertools import count
from typing import Any

import pytest

from orchestrator import effects as fx
from orchestrator import events as ev
from orchestrator.cluster.manager import manager_path
from orchestrator.cluster.rest import Conflict
from orchestrator.errors import BundleInvalid, ClusterRefused, PlanChanged
from tests.cluster.pods import NAMESPACE, Live

NUMBERS = count(1)
CORE = f"/api/v1/namespaces/{NAMESPACE}"
FOREIGN = {
    "uid": "old", "resourceVersion": "77", "creationTimestamp": "2020-01-01T00:00:00Z", "namespace": "elsewhere",
    "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "gone"}],
    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
}  # fmt: skip


def b64(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


class Filed:
    """One object's file in the bundle, with what a dump of another cluster holds."""

    def __init__(self, live: Live, kind: str, **content: Any) -> None:
        self.live, self.kind, self.name = live, kind, f"object-{next(NUMBERS)}"
        self.source, self.stash = f"{self.name}.json", f"restore-undo-{self.name}"
        version = "apps.3scale.net/v1alpha1" if kind == "APIManager" else "v1"
        found = {"apiVersion": version, "kind": kind, "metadata": {"name": self.name, **FOREIGN}, **content}
        (live.bundle / self.source).write_text(json.dumps(found))

    def seen(self) -> Any:
        return self.live.cluster.object(self.kind, self.name, self.source, self.stash)

    def apply(self, uid: str = "", **changes: str) -> list[ev.EffectFact]:
        digest = hashlib.sha256((self.live.bundle / self.source).read_bytes()).hexdigest()
        values = {
            "kind": self.kind, "name": self.name, "source": self.source, "sha256": digest, "uid": uid,
            "stash": self.stash, **changes,
        }  # fmt: skip
        return self.live.perform(fx.ApplyObject(**values))

    def put_back(self, stash: str) -> list[ev.EffectFact]:
        return self.live.perform(fx.PutObjectBack(kind=self.kind, name=self.name, uid=self.seen().uid, stash=stash))

    @property
    def path(self) -> str:
        return f"{CORE}/{self.kind.lower()}s/{self.name}" if self.kind != "APIManager" else manager_path(NAMESPACE, self.name)

    def get(self) -> Any:
        return self.live.rest.find(self.path)


def test_a_secret_is_created_without_what_belongs_to_another_cluster_and_deleted_again(live: Live) -> None:
    filed = Filed(live, "Secret", data={"URL": b64("mysql2://geheim")}, type="Opaque")
    assert (filed.seen().is_there, filed.seen().missing) == (False, ("URL",))
    assert filed.apply() == [ev.SecretApplied(step="s", attempt=1, secret=filed.name, is_new=True)]
    made = filed.get()
    assert (made["data"], made["metadata"]["namespace"]) == ({"URL": b64("mysql2://geheim")}, NAMESPACE)
    assert not {"ownerReferences", "annotations"} & made["metadata"].keys()
    with pytest.raises(Conflict):
        filed.apply()
    assert [type(fact) for fact in filed.put_back("")] == [ev.ObjectDeleted]
    assert filed.get() is None


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_values_are_merged_by_key_and_come_back_as_they_were(live: Live, kind: str) -> None:
    filed = Filed(live, kind, data={"URL": b64("new"), "added": b64("x"), "same": b64("s")})
    before = {"URL": b64("geheim"), "same": b64("s"), "only-here": b64("here")}
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": filed.name}, "data": before}
    live.rest.post(f"{CORE}/{kind.lower()}s", body)
    seen = filed.seen()
    assert (seen.missing, seen.differing, seen.extra, seen.stash) == (("added",), ("URL",), ("only-here",), "")
    filed.apply(seen.uid)
    assert filed.get()["data"] == {"URL": b64("new"), "added": b64("x"), "same": b64("s"), "only-here": b64("here")}
    assert (filed.seen().differing, filed.seen().missing, filed.seen().stash) == ((), (), filed.stash)
    filed.apply(seen.uid)  # a second time keeps the first picture
    assert [type(fact) for fact in filed.put_back(filed.stash)] == [ev.ObjectPutBack]
    assert filed.get()["data"] == before
    assert live.rest.find(f"{CORE}/secrets/{filed.stash}") is None


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_what_others_change_and_add_afterwards_is_told_apart(live: Live, kind: str) -> None:
    """Another value of ours is told by its key; what they add beside it is theirs, and stays."""
    filed = Filed(live, kind, data={"URL": b64("new"), "added": b64("x")})
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": filed.name}, "data": {"URL": b64("geheim"), "here": b64("h")}}
    live.rest.post(f"{CORE}/{kind.lower()}s", body)
    filed.apply(filed.seen().uid)
    assert filed.seen().changed == ()
    live.rest.patch(filed.path, {"data": {"theirs": b64("t"), "here": b64("h2")}}, "application/merge-patch+json")
    assert filed.seen().changed == ()
    live.rest.patch(filed.path, {"data": {"URL": b64("mine"), "added": None}}, "application/merge-patch+json")
    assert filed.seen().changed == ("URL", "added")
    (live.bundle / filed.source).rename(live.bundle / "moved.json")
    seen = filed.seen()
    assert (seen.changed, seen.has_source, seen.missing) == (("URL", "added"), False, ())
    filed.put_back(filed.stash)
    assert filed.get()["data"] == {"URL": b64("geheim"), "here": b64("h2"), "theirs": b64("t")}


def test_a_secret_that_had_no_data_has_none_again(live: Live) -> None:
    filed = Filed(live, "Secret", data={"URL": b64("new")})
    live.rest.post(f"{CORE}/secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": filed.name}})
    filed.apply(filed.seen().uid)
    filed.put_back(filed.stash)
    assert "data" not in filed.get()


def test_another_object_under_that_name_is_left_alone(live: Live) -> None:
    filed = Filed(live, "ConfigMap", data={"a": "b"})
    filed.apply()
    with pytest.raises(Conflict, match="is not the one that was seen"):
        filed.apply(uid="another")
    assert live.rest.find(f"{CORE}/secrets/{filed.stash}") is None


def test_no_value_of_a_secret_stands_in_an_error(live: Live) -> None:
    filed = Filed(live, "Secret", data={"URL": "geheim: no base64"})
    with pytest.raises(ClusterRefused) as refused:
        filed.apply()
    assert "geheim" not in refused.value.message
    assert filed.name in refused.value.message


def test_a_file_that_is_not_the_plans_or_holds_something_else_is_refused(live: Live) -> None:
    filed = Filed(live, "ConfigMap", data={"a": "b"})
    with pytest.raises(PlanChanged):
        filed.apply(sha256="0" * 64)
    other = Filed(live, "Secret", data={})
    with pytest.raises(BundleInvalid, match="does not hold ConfigMap"):
        filed.apply(source=other.source, sha256=hashlib.sha256((live.bundle / other.source).read_bytes()).hexdigest())


def test_an_apimanager_is_compared_by_what_its_file_says(live: Live) -> None:
    spec = {"wildcardDomain": "example.com", "system": {"appSpec": {"replicas": 2}, "database": {"mysql": {}}}}
    filed = Filed(live, "APIManager", spec=spec, status={"conditions": []})
    assert filed.seen().missing == ("spec.system.appSpec.replicas", "spec.wildcardDomain")
    assert [type(fact) for fact in filed.apply()] == [ev.ManagerCreated]
    live.rest.patch(filed.path, {"spec": {"system": {"appSpec": {"replicas": 0}}, "tenantName": "x"}}, "application/merge-patch+json")
    seen = filed.seen()
    assert (seen.differing, seen.extra) == (("spec.system.appSpec.replicas",), ("spec.tenantName",))
    before = filed.get()["spec"]
    filed.apply(seen.uid)
    assert filed.seen().differing == ()
    filed.put_back(filed.stash)
    assert filed.get()["spec"] == before
