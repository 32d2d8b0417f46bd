"""What the tests of the Redis installation share: a running cluster, kubectl, and a client in each database."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.rehearsal import lifecycle
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.places import redis_port
from orchestrator.rehearsal.resp import RedisClient

KINDS = {"2.13": "dc", "2.15": "deployment"}
PATIENCE_SECONDS = 60.0


@contextmanager
def started(root: Path, release: str, **options: float) -> Iterator[Rehearsed]:
    cluster = lifecycle.start(root, release, **options)  # type: ignore[arg-type]
    try:
        yield cluster
    finally:
        lifecycle.stop(root)


def kubectl(cluster: Rehearsed, *words: str) -> str:
    argv = ["kubectl", "--kubeconfig", str(cluster.kubeconfig), "-n", cluster.namespace, *words]
    home = {"HOME": str(cluster.root), "PATH": os.environ["PATH"]}
    return subprocess.run(argv, env=home, capture_output=True, text=True, timeout=60, check=True).stdout


def get(cluster: Rehearsed, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl(cluster, "get", *words, "-o", "json"))
    return found


def workload(cluster: Rehearsed, name: str) -> dict[str, Any]:
    return get(cluster, KINDS[cluster.release], name)


def pod_uid(cluster: Rehearsed, name: str) -> str:
    """The uid of the one pod of a workload that is not on its way out, or nothing while there is none."""
    component, element = name.split("-")
    labels = f"threescale_component={component},threescale_component_element={element}"
    pods = get(cluster, "pods", "-l", labels)["items"]
    return "".join(pod["metadata"]["uid"] for pod in pods if "deletionTimestamp" not in pod["metadata"])


def roll_out(cluster: Rehearsed, name: str) -> None:
    """What `oc rollout latest` and `oc rollout restart` do; returns when the new pod is ready."""
    before = pod_uid(cluster, name)
    if cluster.release == "2.13":
        request = {"kind": "DeploymentRequest", "apiVersion": "apps.openshift.io/v1", "name": name,
                   "latest": True, "force": True}  # fmt: skip
        path = f"/apis/apps.openshift.io/v1/namespaces/{cluster.namespace}/deploymentconfigs/{name}/instantiate"
        file = cluster.root / "request.json"
        file.write_text(json.dumps(request))
        kubectl(cluster, "create", "--raw", path, "-f", str(file))
    else:
        template = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": str(time.monotonic_ns())}}}
        kubectl(cluster, "patch", "deployment", name, "-p", json.dumps({"spec": {"template": template}}))
    until(lambda: pod_uid(cluster, name) not in ("", before) and is_ready(cluster, name))


def is_ready(cluster: Rehearsed, name: str) -> bool:
    found = workload(cluster, name)
    status = found["status"]
    is_seen: bool = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
    return is_seen and {status.get(f"{which}Replicas") for which in ("updated", "available")} == {1}


def edit_config(cluster: Rehearsed, change: Callable[[str], str]) -> None:
    text = config_text(cluster)
    patch = json.dumps({"data": {"redis.conf": change(text)}})
    kubectl(cluster, "patch", "configmap", "redis-config", "--type", "merge", "-p", patch)


def config_text(cluster: Rehearsed) -> str:
    text: str = get(cluster, "configmap", "redis-config")["data"]["redis.conf"]
    return text


def redis(cluster: Rehearsed, name: str) -> RedisClient:
    return RedisClient(redis_port(cluster, name))


def data_directory(cluster: Rehearsed, name: str) -> Path:
    return cluster.root / "mnt" / name / "data"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def servers_under(root: Path) -> list[int]:
    """Pids of the redis-servers whose working directory is under `root`."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            name, place = (directory / "comm").read_text().strip(), (directory / "cwd").readlink()
        except OSError:  # gone meanwhile
            continue
        if name.startswith("redis") and place.is_relative_to(root):
            found.append(int(directory.name))
    return found
