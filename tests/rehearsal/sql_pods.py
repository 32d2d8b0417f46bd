"""Pods of MariaDB and PostgreSQL on a cluster inside the test's own process."""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

from orchestrator.rehearsal.images import Recipe
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
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        cluster.create("PersistentVolumeClaim", claim, spec=spec)
    environment = {**(MYSQL if kind == "mysql" else POSTGRESQL), **environment}
    probe = PROBE.replace("QUESTION", QUESTIONS[kind])
    container: dict[str, Any] = {
        "name": "main",
        "image": f"registry.example/{kind}:1",
        "command": [],
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "volumeMounts": [{"name": "data", "mountPath": str(cluster.root / "mnt" / (workload or name) / "data")}],
        "readinessProbe": {"exec": {"command": ["sh", "-c", probe]}, "periodSeconds": 10, "timeoutSeconds": 8},
    }
    return cluster.pod(name, container=container, volumes=[{"name": "data", **volume(claim)}])


async def in_pod(cluster: Cluster, name: str, script: str, given: bytes = b"") -> str:
    """What a shell in the pod says on its output; it has to succeed."""
    argv = ["kubectl", "--kubeconfig", str(cluster.server.kubeconfig), "-n", NAMESPACE]
    argv += ["exec", "-i", name, "--", "sh", "-c", script]
    done = await asyncio.to_thread(subprocess.run, argv, input=given, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()

