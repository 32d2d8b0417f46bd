"""The sample data, the sample bundle, and the picture that tells two states of an installation apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.bundle import inspect_bundle
from orchestrator.rehearsal.digest import picture
from orchestrator.rehearsal.installation import REDIS_WORKLOADS
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.seed import fill_installation, make_bundle
from tests.rehearsal.redis_clusters import (
    data_directory,
    edit_config,
    kubectl,
    pod_uid,
    redis,
    roll_out,
    started,
    until,
)

PARTS = frozenset(REDIS_WORKLOADS)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    with started(tmp_path_factory.mktemp("cluster"), "2.13") as running:
        fill_installation(running)
        yield running


def test_a_sample_bundle_is_a_good_bundle(tmp_path: Path) -> None:
    report = inspect_bundle(make_bundle(tmp_path, parts=PARTS), PARTS)
    assert report.findings == ()
    assert [file.part for file in report.files] == sorted(PARTS)
    for file in report.files:
        assert file.rdb is not None
        assert set(file.rdb.databases) == {0, 1, 7}
        assert sum(database.keys for database in file.rdb.databases.values()) > 2000
        assert sum(database.expires for database in file.rdb.databases.values()) > 500


def test_a_loaded_bundle_has_the_keys_of_its_summary(cluster: Rehearsed, tmp_path: Path) -> None:
    fill_installation(cluster, mark="backup")
    report = inspect_bundle(make_bundle(tmp_path, mark="backup", parts=PARTS), PARTS)
    keys = picture(cluster).content["redis"]
    for file in report.files:
        assert file.rdb is not None
        counts = {str(number): database.keys for number, database in file.rdb.databases.items()}
        assert {number: len(found) for number, found in keys[file.part].items()} == counts


def test_old_and_backup_data_differ(cluster: Rehearsed) -> None:
    fill_installation(cluster, mark="old")
    old = picture(cluster)
    fill_installation(cluster, mark="backup")
    backup = picture(cluster)
    assert old.sha256 != backup.sha256
    assert "redis.backend-redis.7.list" in old.differences(backup)


def test_the_picture_survives_a_reload_and_an_aof_rewrite(cluster: Rehearsed) -> None:
    before = picture(cluster)
    with redis(cluster, "system-redis") as server:
        server.call("BGREWRITEAOF")
        until(lambda: b"aof_rewrite_in_progress:0" in server.call("INFO", "persistence"))
    roll_out(cluster, "system-redis")
    assert picture(cluster).differences(before) == []
    assert picture(cluster).sha256 == before.sha256


def test_every_kind_of_change_shows(cluster: Rehearsed) -> None:
    before = picture(cluster)
    with redis(cluster, "backend-redis") as server:
        server.load([
            ("SELECT", 7), ("LSET", "list", 0, "other"), ("SADD", "words", "more"), ("HSET", "fields", "mark", "other"),
            ("ZADD", "scores", 2.5, "backup"), ("XADD", "events", "9-1", "a", "b"), ("PERSIST", "expires"),
            ("DEL", "number"), ("SET", "fresh", "1"), ("XGROUP", "DESTROY", "events", "readers"), ("APPEND", "text", "x"),
        ])  # fmt: skip
    (data_directory(cluster, "system-redis") / "dump.rdb-old").write_bytes(b"")
    edit_config(cluster, lambda text: text + "# a remark\n")
    assert picture(cluster).differences(before) == [
        "config.redis-config.redis.conf",
        "files.system-redis",
        *(f"redis.backend-redis.7.{key}" for key in
          ("events", "expires", "fields", "fresh", "list", "number", "scores", "text", "words")),
    ]  # fmt: skip


def test_the_probes_key_and_nothing_else_is_left_out(cluster: Rehearsed) -> None:
    before = picture(cluster)
    with redis(cluster, "backend-redis") as server:
        server.load([("SELECT", 0), ("SET", "liveness-probe", "another time")])
        assert picture(cluster).differences(before) == []
        server.load([("SET", "liveness-probe2", "x")])
    assert picture(cluster).differences(before) == ["redis.backend-redis.0.liveness-probe2"]


def test_a_workload_without_pods_is_a_picture_too(cluster: Rehearsed) -> None:
    kubectl(cluster, "scale", "dc", "system-redis", "--replicas=0")
    until(lambda: pod_uid(cluster, "system-redis") == "")
    found = picture(cluster).content
    assert found["replicas"] == {"backend-redis": 1, "system-redis": 0}
    assert list(found["redis"]) == ["backend-redis"]
