"""Filling, picturing and proving a running installation, with the SQL databases and the storage of 3scale."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.rehearsal import proof, seed
from orchestrator.rehearsal.digest import Picture, picture
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.places import storage
from tests.rehearsal.pods_cluster import NAMESPACE, Cluster, is_ready, on_cluster
from tests.rehearsal.sql_pods import RECIPES, create_claim, database_deployment, in_pod

PARTS = (seed.SYSTEM, seed.ZYNC, seed.STORAGE)
LOAD_MYSQL = "export MYSQL_PWD=${MYSQL_ROOT_PASSWORD}; gzip -dc | mysql -hsystem-mysql -uroot system"
LOAD_ZYNC = (
    "dropdb --force zync_production && createdb -O zync zync_production && gzip -dc | psql -v ON_ERROR_STOP=1 -q zync_production"
)


async def installed(cluster: Cluster) -> Rehearsed:
    """Two databases and a claim, as a rehearsed installation; the pods are ready."""
    create_claim(cluster, "system-storage")
    cluster.pod("sidekiq", volumes=[{"name": "s", "persistentVolumeClaim": {"claimName": "system-storage"}}])
    database_deployment(cluster, "mysql", "system-mysql")
    database_deployment(cluster, "postgresql", "zync-database")
    await cluster.settled(lambda: [is_ready(pod) for pod in cluster.list("Pod")] == [True, True, True])
    return Rehearsed(cluster.root, cluster.server.kubeconfig, NAMESPACE, "2.15", 0)


async def aside(work: Callable[..., Any], *words: Any, **options: Any) -> Any:
    """The cluster lives in this process: what asks it has to be in another thread."""
    return await asyncio.to_thread(work, *words, **options)


def pod_of(cluster: Cluster, workload: str) -> str:
    return next(name for pod in cluster.list("Pod") if (name := str(pod["metadata"]["name"])).startswith(workload))


def test_loading_a_bundle_by_hand_is_seen_by_picture_and_proof(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        there = await installed(cluster)
        bundle = await aside(seed.make_bundle, tmp_path / "bundle", parts=PARTS)
        await aside(seed.fill_installation, there, mark="old")
        rows = {row.workload: row for row in await aside(proof.compare, there, bundle, PARTS)}
        assert [row.workload for row in rows.values() if row.is_equal] == []

        before: Picture = await aside(picture, there)
        dump = (bundle / "system-mysql-backup.gz").read_bytes()
        await in_pod(cluster, pod_of(cluster, "system-mysql"), LOAD_MYSQL, dump)
        await in_pod(cluster, pod_of(cluster, "zync-database"), LOAD_ZYNC, (bundle / "zync-database-backup.gz").read_bytes())
        place = storage(there)
        assert place is not None
        subprocess.run(["cp", "-a", f"{bundle}/system/.", str(place)], check=True)

        rows = {row.workload: row for row in await aside(proof.compare, there, bundle, PARTS)}
        assert rows.pop("routes").different == 9  # nobody makes routes here
        assert [name for name, row in rows.items() if not row.is_equal] == []
        assert all(row.expected > 40 and row.found >= row.expected for row in rows.values())
        after: Picture = await aside(picture, there)
        places = {".".join(path.split(".")[:2]) for path in before.differences(after)}
        assert {"sql.system-mysql", "sql.zync-database", "storage.all bytes"} <= places
        assert {place.partition(".")[0] for place in places} == {"sql", "storage"}

    on_cluster(tmp_path, scenario, RECIPES)


def test_filling_again_leaves_nothing_of_what_was(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        there = await installed(cluster)
        await aside(seed.fill_installation, there)
        first: Picture = await aside(picture, there)
        home = cluster.root / "mnt" / "system-mysql"
        (home / "system-mysql-backup.gz").write_bytes(b"left")
        (home / "job").mkdir()
        (home / "job" / "log").write_bytes(b"left")
        await in_pod(cluster, pod_of(cluster, "system-mysql"), 'MYSQL_PWD="$MYSQL_ROOT_PASSWORD" mysql -uroot -e "CREATE DATABASE safety"')
        await in_pod(cluster, pod_of(cluster, "zync-database"), "createdb safety && psql -c 'DROP TABLE entries' zync_production")
        assert (await aside(picture, there)).differences(first) == [
            "sql.system-mysql.safety", "sql.zync-database.safety",
            *(f"sql.zync-database.zync_production.{name}" for name in (
                "CONSTRAINT entries entries_pkey", "DEFAULT entries id", "FK CONSTRAINT entries entries_model_id_fkey",
                "FK CONSTRAINT entries entries_tenant_id_fkey", "SEQUENCE OWNED BY entries_id_seq", "SEQUENCE SET entries_id_seq",
                "SEQUENCE entries_id_seq", "TABLE entries")),
        ]  # fmt: skip
        await aside(seed.fill_installation, there)
        assert (await aside(picture, there)).differences(first) == []
        assert sorted(path.name for path in home.iterdir()) == ["data"]

    on_cluster(tmp_path, scenario, RECIPES)


def test_objects_of_the_cluster_are_in_the_picture_and_secrets_are_not(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        there = await installed(cluster)
        cluster.create("Secret", "s", data={"a": "c2VjcmV0", "b": "c2VjcmV0"})
        cluster.create("ConfigMap", "c", data={"a": "1"})
        cluster.create("APIManager", "m", spec={"wildcardDomain": "d"})
        cluster.create("Route", "r", spec={"host": "h.example", "to": {"kind": "Service", "name": "x"}})
        before: Picture = await aside(picture, there)
        assert "c2VjcmV0" not in str(before.content)
        assert before.content["secrets"]["s"]["a"] != before.content["secrets"]["s"]["b"]
        cluster.change("Secret", "s", lambda obj: obj["data"].update(a="b3RoZXI="))
        cluster.change("ConfigMap", "c", lambda obj: obj["data"].update(a="2"))
        cluster.change("APIManager", "m", lambda obj: obj["spec"].update(tenantName="t"))
        cluster.change("Route", "r", lambda obj: obj["spec"].update(host="other.example"))
        annotations = {"kubectl.kubernetes.io/restartedAt": "now", "other": "x"}
        cluster.create("Deployment", "d", spec={"replicas": 0, "selector": {"matchLabels": {"a": "b"}},
                       "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}})  # fmt: skip
        fresh: Picture = await aside(picture, there)
        assert fresh.differences(before) == [
            "apimanager.m.tenantName", "config.c.a", "replicas.d", "restarts.d", "routes.h.example",
            "routes.other.example", "secrets.s.a", "templates.d",
        ]  # fmt: skip
        cluster.change("Deployment", "d", lambda obj: obj["spec"]["template"]["metadata"].update(annotations=annotations))
        marked: Picture = await aside(picture, there)
        assert marked.differences(fresh) == ["restarts.d", "templates.d.annotations.other"]
        assert marked.without_restarts().differences(fresh.without_restarts()) == ["templates.d.annotations.other"]

    on_cluster(tmp_path, scenario, RECIPES)
