"""What is said of the JSON files of a bundle, and of what they must agree on."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bundle import inspect_bundle
from orchestrator.findings import BundleReport
from orchestrator.objects import EXPECTED, sanitised

Objects = dict[str, dict[str, Any]]
DOMAIN = "apps.rehearsal.example"
PASSWORD = "pass/word with space"
VALUES = {
    ("system-environment", "THREESCALE_SUPERDOMAIN"): DOMAIN,
    ("zync", "DATABASE_URL"): "postgresql://zync:pass%2Fword%20with%20space@zync-database:5432/zync_production",
    ("zync", "ZYNC_DATABASE_PASSWORD"): PASSWORD,
    ("system-database", "URL"): "mysql2://root:rootpw@system-mysql/system",
    ("system-master-apicast", "PROXY_CONFIGS_ENDPOINT"): "http://token@system-master:3000/master/api/proxy/configs",
    ("system-master-apicast", "ACCESS_TOKEN"): "token",
    ("system-seed", "TENANT_NAME"): "3scale",
    ("backend-listener", "route_endpoint"): f"https://backend-3scale.{DOMAIN}",
}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def good_objects() -> Objects:
    """What the guide's `oc get -o json` gives, without what ties it to its cluster."""
    objects: Objects = {}
    for name, expected in EXPECTED.items():
        values = {key: VALUES.get((name, key), f"value of {key}") for key in expected.keys}
        if expected.kind == "Secret":
            values = {key: encoded(value) for key, value in values.items()}
        objects[name] = {"apiVersion": "v1", "kind": expected.kind, "metadata": {"name": name}, "data": values}
    objects["apimanager"] = {
        "apiVersion": "apps.3scale.net/v1alpha1", "kind": "APIManager", "metadata": {"name": "example"},
        "spec": {"wildcardDomain": DOMAIN, "system": {}},
    }  # fmt: skip
    return objects


def write(directory: Path, objects: Objects) -> BundleReport:
    for name, document in objects.items():
        (directory / f"{name}.json").write_text(json.dumps(document))
    return inspect_bundle(directory, frozenset({"objects"}))


def said(report: BundleReport) -> list[tuple[str, str, str]]:
    return [(one.severity, one.subject, one.message) for one in report.findings]


def test_good_objects_have_no_findings_and_show_no_value(tmp_path: Path) -> None:
    objects = good_objects()
    del objects["mysql-extra-conf"], objects["mysql-main-conf"]  # the bundle has no dump of MySQL
    report = write(tmp_path, objects)
    assert said(report) == []
    assert {file.object.name for file in report.files if file.object} == {*objects, "example"} - {"apimanager"}
    zync = next(file for file in report.files if file.name == "zync.json")
    assert zync.object is not None
    assert zync.object.keys == ("DATABASE_URL", "SECRET_KEY_BASE", "ZYNC_AUTHENTICATION_TOKEN", "ZYNC_DATABASE_PASSWORD")
    text = report.model_dump_json()
    assert "value of" not in text and PASSWORD not in text and encoded(PASSWORD) not in text


def put(name: str, key: str, value: str) -> Callable[[Objects], object]:
    def change(objects: Objects) -> None:
        is_secret = objects[name]["kind"] == "Secret"
        objects[name]["data"][key] = encoded(value) if is_secret else value

    return change


def spec(**fields: object) -> Callable[[Objects], object]:
    return lambda objects: objects["apimanager"]["spec"].update(fields)


STALE = (
    "has fields of the cluster it was taken from, which are left out: metadata.uid, metadata.resourceVersion, "
    "metadata.ownerReferences, metadata.namespace, metadata.annotations[kubectl.kubernetes.io/last-applied-configuration], status"
)
OTHER_DOMAIN = f"its THREESCALE_SUPERDOMAIN is {DOMAIN}, the wildcardDomain of apimanager.json is apps.new.example"

FINDINGS: dict[str, tuple[Callable[[Objects], object], tuple[str, str, str]]] = {
    "stale-fields": (
        lambda o: o["zync"].update(status={}, metadata={
            "name": "zync", "uid": "1", "resourceVersion": "2", "namespace": "x", "ownerReferences": [],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "1"}}),
        ("note", "zync.json", STALE),
    ),
    "missing-of-the-guide": (
        lambda o: o.pop("system-smtp"), ("warning", "system-smtp.json", "is missing: the operator would make a new Secret"),
    ),
    "missing-that-the-guide-forgets": (
        lambda o: o.pop("redis-config"),
        ("note", "redis-config.json", "is missing; the guide forgets this ConfigMap, and the operator makes a new one"),
    ),
    "missing-apimanager": (
        lambda o: o.pop("apimanager"),
        ("warning", "apimanager.json", "is missing: only an installation that still stands can be restored"),
    ),
    "missing-keys": (
        lambda o: (o["zync"]["data"].pop("SECRET_KEY_BASE"), o["zync"]["data"].pop("ZYNC_AUTHENTICATION_TOKEN")),
        ("warning", "zync.json", "lacks SECRET_KEY_BASE, ZYNC_AUTHENTICATION_TOKEN: the operator would make up new values"),
    ),
    "wrong-name": (
        lambda o: o["zync"]["metadata"].update(name="zync2"),
        ("error", "zync.json", "is the Secret zync2: its name and that of its file differ"),
    ),
    "wrong-kind": (
        lambda o: o["zync"].update(kind="ConfigMap"), ("error", "zync.json", "is a ConfigMap: zync is a Secret of 3scale"),
    ),
    "no-name": (lambda o: o["zync"].pop("metadata"), ("error", "zync.json", "is a Secret without a name")),
    "no-base64": (
        lambda o: o["zync"]["data"].update(DATABASE_URL="not base64!"), ("error", "zync.json", "the value of DATABASE_URL is not base64"),
    ),
    "no-text": (
        lambda o: o["system-environment"]["data"].update(RAILS_ENV=1),
        ("error", "system-environment.json", "the value of RAILS_ENV is not text"),
    ),
    "data-is-a-list": (lambda o: o["zync"].update(data=["x"]), ("error", "zync.json", "its data is no object")),
    "a-list": (
        lambda o: o.update(all={"kind": "List", "items": []}), ("error", "all.json", "is a List: a bundle has one file for each object"),
    ),
    "another-kind": (lambda o: o.update(acme={"kind": "Tenant"}), ("warning", "acme.json", "is a Tenant, which is not restored")),
    "no-object": (lambda o: o.update(x={"a": 1}), ("warning", "x.json", "is JSON, and no object of a cluster")),
    "of-the-user": (
        lambda o: o.update(s3={"kind": "Secret", "metadata": {"name": "s3"}}),
        ("note", "s3.json", "is a Secret that 3scale's operator does not make"),
    ),
    "apimanager-misnamed": (
        lambda o: o.update(example=o["apimanager"]), ("error", "example.json", "is an APIManager: its file is to be named apimanager.json"),
    ),
    "no-domain": (lambda o: o["apimanager"].pop("spec"), ("error", "apimanager.json", "has no spec.wildcardDomain")),
    "other-domain": (
        spec(wildcardDomain="apps.new.example"),
        ("warning", "system-environment.json", OTHER_DOMAIN),
    ),
    "other-route": (
        put("backend-listener", "route_endpoint", "https://backend.old.example"),
        ("warning", "backend-listener.json", "its route_endpoint is on backend.old.example, which is not below apps.rehearsal.example"),
    ),
    "other-tenant": (
        spec(tenantName="acme"), ("warning", "system-seed.json", "its TENANT_NAME is not the tenant of apimanager.json"),
    ),
    "zync-password": (
        put("zync", "ZYNC_DATABASE_PASSWORD", "other"),
        ("warning", "zync.json", "the password in its DATABASE_URL is not its ZYNC_DATABASE_PASSWORD"),
    ),
    "zync-url": (put("zync", "DATABASE_URL", "zync-database"), ("warning", "zync.json", "its DATABASE_URL is no URL of a database")),
    "system-url": (
        put("system-database", "URL", "mysql2://root@system-mysql/"), ("warning", "system-database.json", "its URL is no URL of a database"),
    ),
    "system-url-bracket": (
        put("system-database", "URL", "mysql2://[x/system"), ("warning", "system-database.json", "its URL is no URL of a database"),
    ),
    "postgresql-password": (
        put("system-database", "URL", "postgresql://value%20of%20DB_USER:x@system-postgresql/system"),
        ("warning", "system-database.json", "its DB_PASSWORD is not the one in its URL"),
    ),
    "master-token": (
        put("system-master-apicast", "ACCESS_TOKEN", "other"),
        ("warning", "system-master-apicast.json", "the token in its PROXY_CONFIGS_ENDPOINT is not its ACCESS_TOKEN"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "finding"), FINDINGS.values(), ids=FINDINGS.keys())
def test_a_finding(change: Callable[[Objects], object], finding: tuple[str, str, str], tmp_path: Path) -> None:
    objects = good_objects()
    change(objects)
    assert finding in said(write(tmp_path, objects))


def test_files_that_are_no_json(tmp_path: Path) -> None:
    for name, content in (("zync", b""), ("system-app", b"Error from server"), ("system-smtp", b"[" * 100_000)):
        (tmp_path / f"{name}.json").write_bytes(content)
    (tmp_path / "system-seed.json").mkdir()
    (tmp_path / "system-redis.json").symlink_to("nowhere")
    errors = [(one.subject, one.message) for one in inspect_bundle(tmp_path, frozenset({"objects"})).errors]
    assert errors == [
        ("system-app.json", "is not JSON"), ("system-redis.json", "cannot be read: No such file or directory"),
        ("system-seed.json", "is not a file"), ("system-smtp.json", "is not JSON"), ("zync.json", "is empty"),
    ]  # fmt: skip


def test_what_is_left_out_leaves_the_rest_as_it_was() -> None:
    document = {"kind": "Secret", "metadata": {"name": "a", "uid": "1", "labels": {"app": "x"}}, "data": {"k": "dg=="}}
    kept, paths = sanitised(document)
    assert (kept, paths) == ({"kind": "Secret", "metadata": {"name": "a", "labels": {"app": "x"}}, "data": {"k": "dg=="}}, ("metadata.uid",))
    assert document["metadata"] == {"name": "a", "uid": "1", "labels": {"app": "x"}}
    assert sanitised(kept) == (kept, ())
