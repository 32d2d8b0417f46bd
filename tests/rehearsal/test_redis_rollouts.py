"""Redis pods over restarts: what stays, what a redis.conf does, and what the operator does about an edit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from orchestrator.rehearsal.digest import picture
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.seed import fill_installation
from tests.rehearsal.redis_clusters import (
    config_text,
    data_directory,
    edit_config,
    get,
    is_ready,
    kubectl,
    pod_uid,
    redis,
    roll_out,
    started,
    until,
    workload,
)

BOTH = ("backend-redis", "system-redis")
OFF = 'appendonly no\nsave ""\n'


@pytest.fixture(scope="module", params=["2.13", "2.15"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    with started(tmp_path_factory.mktemp("cluster"), request.param) as running:
        yield running


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Rehearsed]:
    with started(tmp_path, "2.13") as running:
        yield running


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Rehearsed]:
    with started(tmp_path, "2.15") as running:
        yield running


def is_replaced(cluster: Rehearsed, name: str, before: str) -> bool:
    return pod_uid(cluster, name) not in ("", before) and is_ready(cluster, name)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_rollout_is_another_server_with_the_same_data(cluster: Rehearsed) -> None:
    fill_installation(cluster)
    before = picture(cluster)
    with redis(cluster, "backend-redis") as server:
        run_id = server.call("INFO", "server").split(b"run_id:")[1].split()[0]
    roll_out(cluster, "backend-redis")
    with redis(cluster, "backend-redis") as server:
        assert run_id not in server.call("INFO", "server")
    assert picture(cluster).without_restarts().differences(before.without_restarts()) == []


def test_the_pod_is_as_the_guide_expects_it(cluster: Rehearsed) -> None:
    label = "deploymentConfig" if cluster.release == "2.13" else "deployment"
    pod = get(cluster, "pods", "-l", f"{label}=backend-redis")["items"][0]["metadata"]["name"]
    script = 'ls ${HOME}/data; redis-cli CONFIG GET dir; redis-cli CONFIG GET appendonly; redis-cli PING'
    said = kubectl(cluster, "exec", pod, "--", "bash", "-c", script).split("\n")
    directory = data_directory(cluster, "backend-redis").resolve()
    assert said[0] == "appendonlydir"
    assert said[-6:] == ["dir", str(directory), "appendonly", "yes", "PONG", ""]


def test_the_readiness_probe_writes_its_key(cluster: Rehearsed) -> None:
    with redis(cluster, "system-redis") as server:
        server.call("DEL", "liveness-probe")
    roll_out(cluster, "system-redis")
    with redis(cluster, "system-redis") as server:
        assert server.call("EXISTS", "liveness-probe") == 1


def test_an_edit_in_2_13_waits_for_a_rollout(old: Rehearsed) -> None:
    before = {name: pod_uid(old, name) for name in BOTH}
    edit_config(old, lambda text: text.replace("databases 16", "databases 20"))
    roll_out(old, "system-redis")
    assert pod_uid(old, "backend-redis") == before["backend-redis"]
    assert workload(old, "backend-redis")["status"]["latestVersion"] == 1
    assert "databases 20" in config_text(old)
    with redis(old, "backend-redis") as backend, redis(old, "system-redis") as system:
        assert backend.call("CONFIG", "GET", "databases")[1] == b"16"
        assert system.call("CONFIG", "GET", "databases")[1] == b"20"


def test_an_edit_in_2_15_restarts_both(new: Rehearsed) -> None:
    before = {name: pod_uid(new, name) for name in BOTH}
    edit_config(new, lambda text: text.replace("databases 16", "databases 20"))
    version = get(new, "configmap", "redis-config")["metadata"]["resourceVersion"]
    for name in BOTH:
        until(partial(is_replaced, new, name, before[name]))
        annotations = workload(new, name)["spec"]["template"]["metadata"]["annotations"]
        assert annotations["redisConfigMapResourceVersion"] == version
        with redis(new, name) as server:
            assert server.call("CONFIG", "GET", "databases")[1] == b"20"


def test_saving_points_overwrite_a_dump_that_was_copied_in(old: Rehearsed) -> None:
    """The guide's own edit with its lines kept: SIGTERM saves over the file. With `save ""` it does not."""
    dump = data_directory(old, "backend-redis") / "dump.rdb"
    edit_config(old, lambda text: text.replace("appendonly yes", "appendonly no"))
    roll_out(old, "backend-redis")
    with redis(old, "backend-redis") as server:
        server.call("SET", "k", "v")
    dump.write_bytes(b"a copied backup")
    roll_out(old, "backend-redis")
    assert dump.read_bytes()[:5] == b"REDIS"

    edit_config(old, lambda text: text.replace("appendonly no\n", OFF).replace("save 900 1\nsave 300 10\nsave 60 10000\n", ""))
    roll_out(old, "backend-redis")
    with redis(old, "backend-redis") as server:
        server.call("SET", "k", "another")
    before = sha256(dump)
    roll_out(old, "backend-redis")
    assert sha256(dump) == before
    with redis(old, "backend-redis") as server:
        assert server.call("GET", "k") == b"v"


def test_lines_merely_commented_out_still_save(old: Rehearsed) -> None:
    """From Redis 6.2 on the built-in saving points apply where no `save` line is left."""
    lines = ("save 900 1", "save 300 10", "save 60 10000")
    edit_config(old, lambda text: "".join(f"#{x}" if x.strip() in lines else x for x in text.splitlines(keepends=True)))
    roll_out(old, "backend-redis")
    with redis(old, "backend-redis") as server:
        assert server.call("CONFIG", "GET", "save")[1] == b"3600 1 300 100 60 10000"


def test_a_deleted_config_comes_back_with_its_default(cluster: Rehearsed) -> None:
    before = config_text(cluster)
    edit_config(cluster, lambda text: text + "\n# edited\n")
    kubectl(cluster, "delete", "configmap", "redis-config")
    until(lambda: "redis-config" in kubectl(cluster, "get", "configmaps", "-o", "name"))
    assert config_text(cluster) == before
    assert ('rename-command SLAVEOF ""' in before) == (cluster.release == "2.15")
    until(lambda: all(is_ready(cluster, name) for name in BOTH))


def test_the_operator_merges_labels_and_leaves_replicas(cluster: Rehearsed) -> None:
    name = "system-redis"
    kind = "dc" if cluster.release == "2.13" else "deployment"
    kubectl(cluster, "label", kind, name, "mine=stays", "threescale_component-", "--overwrite")
    until(lambda: "threescale_component" in workload(cluster, name)["metadata"]["labels"])
    assert workload(cluster, name)["metadata"]["labels"]["mine"] == "stays"
    kubectl(cluster, "scale", kind, name, "--replicas=0")
    until(lambda: pod_uid(cluster, name) == "")
    until(lambda: get(cluster, "apimanager", "apimanager")["status"]["deployments"].get("stopped") == [name])
    conditions = get(cluster, "apimanager", "apimanager")["status"]["conditions"]
    assert [(one["type"], one["status"]) for one in conditions] == [("Available", "True")]
    assert workload(cluster, name)["spec"]["replicas"] == 0
    kubectl(cluster, "scale", kind, name, "--replicas=1")
    until(lambda: is_ready(cluster, name))
