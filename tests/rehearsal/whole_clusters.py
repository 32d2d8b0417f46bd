"""What the tests of whole installations share: a running cluster, its objects, and its programs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from orchestrator.rehearsal import lifecycle
from orchestrator.rehearsal.apiclient import ApiClient
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.types import TYPES
from tests.rehearsal.redis_clusters import kubectl, until

MERGE = ("--type", "merge", "-p")


@contextmanager
def whole(root: Path, release: str, *, database: str = "mysql", fresh: bool = False) -> Iterator[Rehearsed]:
    try:
        yield lifecycle.start(root, release, scope="whole", database=database, fresh=fresh, operator_delay_seconds=0.05)
    finally:
        lifecycle.stop(root)


def kind_of(cluster: Rehearsed) -> str:
    return "deployment" if cluster.release == "2.15" else "dc"


@cache
def client(kubeconfig: Path) -> ApiClient:
    return ApiClient(kubeconfig)


def get(cluster: Rehearsed, kind: str, name: str = "", labels: str = "") -> dict[str, Any]:
    """The object, or without a name the list; the kind as kubectl takes it."""
    rt = next(rt for rt in TYPES if kind in (rt.plural, rt.singular, *rt.short_names))
    version = f"apis/{rt.api_version}" if rt.group else f"api/{rt.version}"
    path = f"/{version}/namespaces/{cluster.namespace}/{rt.plural}"
    return client(cluster.kubeconfig).get(f"{path}/{name}" if name else f"{path}?labelSelector={labels}")


def found(cluster: Rehearsed, kind: str, name: str) -> dict[str, Any] | None:
    """The object, or None where there is none."""
    try:
        return get(cluster, kind, name)
    except HTTPError as error:
        assert error.code == 404
        return None


def replicas(cluster: Rehearsed, name: str) -> tuple[int, int]:
    """Wanted, and ready."""
    workload = get(cluster, kind_of(cluster), name)
    return workload["spec"].get("replicas", 1), workload["status"].get("readyReplicas", 0)


def patch_apimanager(cluster: Rehearsed, change: dict[str, Any]) -> None:
    name = get(cluster, "apimanagers")["items"][0]["metadata"]["name"]
    kubectl(cluster, "patch", "apimanager", name, *MERGE, json.dumps(change))


def say_replicas(cluster: Rehearsed, part: str, field: str, number: int | None) -> None:
    patch_apimanager(cluster, {"spec": {part: {field: {"replicas": number}}}})


def scale(cluster: Rehearsed, name: str, number: int) -> None:
    kubectl(cluster, "scale", kind_of(cluster), name, f"--replicas={number}")


def condition(cluster: Rehearsed, kind: str) -> str:
    conditions = get(cluster, "apimanagers")["items"][0]["status"]["conditions"]
    return next((one["status"] for one in conditions if one["type"] == kind), "")


def pods_of(cluster: Rehearsed, name: str) -> list[dict[str, Any]]:
    label = "deployment" if cluster.release == "2.15" else "deploymentConfig"
    return list(get(cluster, "pods", labels=f"{label}={name}")["items"])


def run_in(cluster: Rehearsed, workload: str, *words: str, container: str = "") -> subprocess.CompletedProcess[str]:
    """A command in the one running pod of a workload: exit code, output, errors."""
    pod = next(pod for pod in pods_of(cluster, workload) if "deletionTimestamp" not in pod["metadata"])
    chosen = ["-c", container] if container else []
    argv = ["kubectl", "--kubeconfig", str(cluster.kubeconfig), "exec", pod["metadata"]["name"], *chosen, "--", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def rake(cluster: Rehearsed, *tasks: str) -> subprocess.CompletedProcess[str]:
    return run_in(cluster, "system-sidekiq", "bundle", "exec", "rake", *tasks)


def sql(cluster: Rehearsed, statement: str) -> list[list[str]]:
    """Rows of the system database."""
    if cluster.database == "mysql":
        words = ["bash", "-c", 'MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql -uroot -N -B system -e "$0"', statement]
    else:
        words = ["psql", "-d", "system", "-X", "-A", "-t", "-F", "\t", "-c", statement]
    done = run_in(cluster, f"system-{cluster.database}", *words)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def zync_sql(cluster: Rehearsed, statement: str) -> list[list[str]]:
    words = ("psql", "-d", "zync_production", "-X", "-A", "-t", "-F", "\t", "-c", statement)
    done = run_in(cluster, "zync-database", *words)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def zync_routes(cluster: Rehearsed) -> dict[str, str]:
    """Host -> name of the Route, as far as zync made it and a router admitted it."""
    routes = get(cluster, "routes", labels="3scale.net/created-by=zync")["items"]
    return {
        route["spec"]["host"]: route["metadata"]["name"]
        for route in routes
        if route.get("status", {}).get("ingress", [{}])[0].get("conditions", [{}])[0].get("status") == "True"
    }


def wait_for_replicas(cluster: Rehearsed, name: str, wanted: int) -> None:
    until(lambda: replicas(cluster, name) == (wanted, wanted))
