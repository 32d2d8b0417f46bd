"""A fresh namespace: the operator is there, and what it makes of the Secrets and the resource of a backup."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.rehearsal.backups import OLD_NAMESPACE, backup_objects
from orchestrator.rehearsal.installation import OPERATOR, Installation
from orchestrator.rehearsal.lifecycle import Rehearsed
from tests.rehearsal.redis_clusters import kubectl, until
from tests.rehearsal.whole_clusters import condition, get, pods_of, replicas, run_in, whole

STALE = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "ownerReferences", "namespace")
SECRETS = ("system-database", "zync", "system-seed", "system-app", "backend-internal-api")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    with whole(tmp_path_factory.mktemp("fresh"), "2.15", fresh=True) as running:
        yield running


def backup(cluster: Rehearsed) -> dict[str, dict[str, Any]]:
    return backup_objects(Installation("2.15", cluster.namespace, cluster.root, scope="whole"))


def cleaned(obj: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in obj["metadata"].items() if key not in STALE}
    return {key: value for key, value in obj.items() if key != "status"} | {"metadata": metadata}


def create(cluster: Rehearsed, obj: dict[str, Any]) -> None:
    file = cluster.root / "object.json"
    file.write_text(json.dumps(obj))
    kubectl(cluster, "create", "-f", str(file))


def test_nothing_but_the_operator_is_there(cluster: Rehearsed) -> None:
    assert replicas(cluster, OPERATOR) == (1, 1)
    for kind in ("apimanagers", "secrets", "configmaps", "services", "routes", "persistentvolumeclaims"):
        assert get(cluster, kind)["items"] == [], kind
    assert [one["metadata"]["name"] for one in get(cluster, "deployments")["items"]] == [OPERATOR]


def test_secrets_that_are_there_before_the_resource_are_used(cluster: Rehearsed) -> None:
    objects = backup(cluster)
    for name in SECRETS:
        create(cluster, cleaned(objects[name]))
    create(cluster, cleaned(objects["apimanager"]))
    until(lambda: get(cluster, "apimanagers")["items"][0].get("status") is not None)
    until(lambda: condition(cluster, "Available") == "True")
    for name in SECRETS:
        assert get(cluster, "secret", name)["data"] == objects[name]["data"]
    assert get(cluster, "secret", "system-events-hook")["data"] != objects["system-events-hook"]["data"]
    url = base64.b64decode(objects["system-database"]["data"]["URL"]).decode()
    environment = {entry["name"]: entry.get("value") for entry in pods_of(cluster, "system-mysql")[0]["spec"]["containers"][0]["env"]}
    assert url == f"mysql2://root:{environment['MYSQL_ROOT_PASSWORD']}@system-mysql/system"
    tokens = run_in(cluster, "system-mysql", "bash", "-c", 'MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql -uroot -N system -e "SELECT value FROM access_tokens ORDER BY id"')
    assert tokens.stdout.split() == ["backup-access-1", "backup-access-2"]


def test_a_backup_is_as_a_live_cluster_prints_it(cluster: Rehearsed) -> None:
    for name, obj in backup(cluster).items():
        metadata = obj["metadata"]
        assert {"uid", "resourceVersion", "creationTimestamp", "managedFields"} <= metadata.keys(), name
        assert (metadata["name"], metadata["namespace"]) == ("apimanager" if name == "apimanager" else name, OLD_NAMESPACE)
        assert ("ownerReferences" in metadata) == (obj["kind"] == "ConfigMap")
    assert backup(cluster) == backup(cluster)


def test_a_deleted_resource_takes_everything_but_secrets_with_it(cluster: Rehearsed) -> None:
    before = {one["metadata"]["name"] for one in get(cluster, "secrets")["items"]}
    kubectl(cluster, "delete", "apimanager", "apimanager")
    until(lambda: [one["metadata"]["name"] for one in get(cluster, "deployments")["items"]] == [OPERATOR])
    until(lambda: get(cluster, "routes")["items"] == [] and get(cluster, "jobs")["items"] == [])
    assert {one["metadata"]["name"] for one in get(cluster, "secrets")["items"]} == before
