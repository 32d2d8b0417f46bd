"""zync, zync-que and zync-database, whose data is an emptyDir: it goes with its pod."""

from __future__ import annotations

from orchestrator.rehearsal.components.databases import postgresql_container
from orchestrator.rehearsal.components.site import (
    INIT_PAUSE,
    Pod,
    Site,
    from_secret,
    labels,
    listening_probe,
    named,
    ports,
    service,
    value,
    workload,
)
from orchestrator.rehearsal.objects import Object

ZYNC, QUE, DATABASE = "zync", "zync-que", "zync-database"
QUE_ACCOUNT = "zync-que-sa"
QUE_ROLE = "zync-que-role"
BOOT = "bundle exec sh -c 'until rake boot:db; do sleep $SLEEP_SECONDS; done'"
QUE_RULES = [
    {"apiGroups": ["apps.openshift.io"], "resources": ["deploymentconfigs"], "verbs": ["get", "list"]},
    {"apiGroups": ["apps"], "resources": ["replicasets", "deployments"], "verbs": ["get", "list"]},
    {"apiGroups": ["apps.3scale.net"], "resources": ["apimanagers"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["pods", "replicationcontrollers"], "verbs": ["get", "list"]},
    {"apiGroups": ["route.openshift.io"], "resources": ["routes", "routes/status", "routes/custom-host"],
     "verbs": ["get", "list", "create", "delete", "patch", "update"]},
]  # fmt: skip


def zync_objects(site: Site) -> list[Object]:
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": QUE_ROLE}
    subject = {"kind": "ServiceAccount", "name": QUE_ACCOUNT, "namespace": site.namespace}
    return [
        named("Role", QUE_ROLE, {"rules": QUE_RULES}, labels=labels("zync", "zync-que")),
        named("ServiceAccount", QUE_ACCOUNT, {}, labels=labels("zync", "zync-que")),
        named("RoleBinding", "zync-que-rolebinding", {"roleRef": role, "subjects": [subject]}, labels=labels("zync", "zync-que")),
        service(site, ZYNC, ("8080-tcp", 8080)),
        service(site, DATABASE, ("postgresql", 5432)),
        _workload(site, ZYNC),
        _workload(site, QUE),
        _database(site),
    ]


def _workload(site: Site, name: str) -> Object:
    container: Object = {
        "name": "que" if name == QUE else "zync",
        "image": site.image("zync"),
        "imagePullPolicy": "IfNotPresent",
        "env": _environment(),
        "resources": {},
    }
    if name == QUE:
        container |= {"command": ["bash", "-c", "bundle exec rake 'que[--worker-count 10]'"]}
        return workload(site, name, Pod([container], account=QUE_ACCOUNT))
    container |= {"args": ["bundle", "exec", "puma"], "ports": ports(("http", 8080), ("metrics", 9393)),
                  "readinessProbe": listening_probe()}  # fmt: skip
    waiting = {
        "name": "zync-db-svc",
        "image": site.image("zync"),
        "imagePullPolicy": "IfNotPresent",
        "command": ["bash", "-c", BOOT],
        "env": [*_environment(), INIT_PAUSE],
    }
    return workload(site, name, Pod([container], init=[waiting]))


def _environment() -> list[Object]:
    keys = ("DATABASE_URL", "SECRET_KEY_BASE", "ZYNC_AUTHENTICATION_TOKEN")
    return [value("RAILS_LOG_TO_STDOUT", "true"), value("RAILS_ENV", "production"), *(from_secret(key, "zync") for key in keys)]


def _database(site: Site) -> Object:
    container = postgresql_container(site, DATABASE, "postgresql", "zync-database-data", [
        value("POSTGRESQL_USER", "zync"), from_secret("POSTGRESQL_PASSWORD", "zync", "ZYNC_DATABASE_PASSWORD"),
        value("POSTGRESQL_DATABASE", "zync_production"),
    ])  # fmt: skip
    return workload(site, DATABASE, Pod([container], volumes=[{"name": "zync-database-data", "emptyDir": {}}]), recreate=True)
