"""Pods of MariaDB and PostgreSQL on a cluster inside the test's own process."""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

from orchestrator.rehearsal.images import Recipe
from orchestrator.rehearsal.installation import labels_of
from orchestrator.rehearsal.mysql_pod import MysqlRecipe
from orchestrator.rehearsal.postgresql_pod import PostgresqlRecipe
from tests.rehearsal.pods_cluster import NAMESPACE, Cluster, Object

RECIPES: list[tuple[str, Recipe]] = [("*mysql*", MysqlRecipe()), ("*postgresql*", PostgresqlRecipe())]
ROOT_PASSWORD = "it's a \\ \"root\" $password"
PASSWORD = "user's\\pass\nword"
MYSQL = {"MYSQL_USER": "mysql", "MYSQL_PASSWORD": PASSWORD, "MYSQL_DATABASE": "system",
         "MYSQL_ROOT_PASSWORD": ROOT_PASSWORD}  # fmt: skip
POSTGRESQL = {"POSTGRESQL_USER": "zync", "POSTGRESQL_PASSWORD": PASSWORD, "POSTGRESQL_DATABASE": "zync_production"}
QUESTIONS = {
    "mysql": 'MYSQL_PWD="$MYSQL_PASSWORD" mysql -u"$MYSQL_USER" -h127.0.0.1 -e "SELECT 1" "$MYSQL_DATABASE"',
    "postgresql": 'psql -c "SELECT 1" "$POSTGRESQL_DATABASE"',
}
PROBE = "for i in $(seq 200); do QUESTION >/dev/null 2>&1 && exit; sleep 0.02; done; exit 1"


def volume(claim: str | None) -> Object:
    return {"persistentVolumeClaim": {"claimName": claim}} if claim else {"emptyDir": {}}


def database_pod(
    cluster: Cluster, kind: str, name: str, *, claim: str | None = None, workload: str = "", **environment: str
) -> Object:
    """Creates a pod of that kind, `mysql` or `postgresql`; `workload` names its place below `mnt`."""
    if claim and cluster.find("PersistentVolumeClaim", claim) is None:
        create_claim(cluster, claim)
    container = database_container(cluster, kind, workload or name, environment)
    return cluster.pod(name, container=container, volumes=[{"name": "data", **volume(claim)}])


def database_deployment(cluster: Cluster, kind: str, workload: str, **environment: str) -> None:
    """Creates what a 3scale installation has of that name, on a directory that goes with the pod."""
    container = database_container(cluster, kind, workload, environment)
    pod = {"terminationGracePeriodSeconds": 5, "containers": [container], "volumes": [{"name": "data", "emptyDir": {}}]}
    template = {"metadata": {"labels": labels_of(workload)}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": labels_of(workload)}, "template": template}
    cluster.create("Deployment", workload, spec={**spec, "strategy": {"type": "Recreate"}})


def create_claim(cluster: Cluster, name: str) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    cluster.create("PersistentVolumeClaim", name, spec=spec)


def database_container(cluster: Cluster, kind: str, workload: str, environment: dict[str, str]) -> dict[str, Any]:
    environment = {**(MYSQL if kind == "mysql" else POSTGRESQL), **environment}
    probe = PROBE.replace("QUESTION", QUESTIONS[kind])
    return {
        "name": "main",
        "image": f"registry.example/{kind}:1",
        "command": [],
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "volumeMounts": [{"name": "data", "mountPath": str(cluster.root / "mnt" / workload / "data")}],
        "readinessProbe": {"exec": {"command": ["sh", "-c", probe]}, "periodSeconds": 10, "timeoutSeconds": 8},
    }


async def in_pod(cluster: Cluster, name: str, script: str, given: bytes = b"") -> str:
    """What a shell in the pod says on its output; it has to succeed."""
    argv = ["kubectl", "--kubeconfig", str(cluster.server.kubeconfig), "-n", NAMESPACE]
    argv += ["exec", "-i", name, "--", "sh", "-c", script]
    done = await asyncio.to_thread(subprocess.run, argv, input=given, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()

