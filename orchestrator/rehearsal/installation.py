"""The objects of a 3scale installation, as the operator makes them.

Pure: a release, a namespace and a place in, objects out. Names, labels, volumes and strategies are those of
the 3scale operator 0.8 to 0.12, for 3scale 2.11 to 2.15 (DeploymentConfigs up to 2.14, Deployments in 2.15).
Three things differ. There are no containers, so mount paths are real paths under the cluster's root. HTTP
probes are exec probes that wait for the server itself, and initial delays are dropped, so that a rehearsal doesn't
spend its time between two probes. Resource requests and limits are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.rehearsal.components.apimanager import APIMANAGER, apimanager
from orchestrator.rehearsal.components.redis import (
    CONFIG_MAP,
    REDIS_WORKLOADS,
    RENAMED_COMMANDS,
    config_map,
    redis_conf,
    redis_objects,
    redis_workload,
)
from orchestrator.rehearsal.components.search import search_workload
from orchestrator.rehearsal.components.secrets import redis_secrets
from orchestrator.rehearsal.components.site import (
    DATABASES,
    RELEASES,
    SCOPES,
    Database,
    Release,
    Scope,
    Site,
    labels,
    labels_of,
    named,
)
from orchestrator.rehearsal.objects import Object

__all__ = [
    "APIMANAGER", "CONFIG_MAP", "DATABASES", "OPERATOR", "REDIS_WORKLOADS", "RELEASES", "RENAMED_COMMANDS", "SCOPES",
    "Database", "Installation", "Release", "Scope", "Site", "labels", "labels_of", "named",
]  # fmt: skip

OPERATOR = "threescale-operator-controller-manager-v2"


@dataclass(frozen=True)
class Installation(Site):
    """What to install. `scope` "redis" is the two Redis databases alone, for who needs no more."""

    scope: Scope = "redis"

    def workloads(self) -> tuple[str, ...]:
        """The names of all workloads that the APIManager stands for."""
        if self.scope == "redis":
            return REDIS_WORKLOADS
        return (
            self.system_database, "system-redis", "backend-redis", "backend-listener", "backend-worker", "backend-cron",
            "system-memcache", search_workload(self), "system-app", "system-sidekiq",
            "zync", "zync-que", "zync-database", "apicast-staging", "apicast-production",
        )  # fmt: skip

    def apimanager(self) -> Object:
        """The custom resource that everything else belongs to, as after the operator's first look at it."""
        return apimanager(self)

    def operator(self) -> Object:
        """The operator's own Deployment, as OLM makes it. It belongs to no APIManager."""
        image = "registry.redhat.io/3scale-amp2/3scale-rhel9-operator:latest"
        pod_labels = {"app": "3scale-api-management", "control-plane": "controller-manager"}
        container = {"name": "manager", "image": image, "command": ["manager"]}
        template = {"metadata": {"labels": pod_labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 10}}
        spec = {"replicas": 1, "selector": {"matchLabels": pod_labels}, "template": template}
        return named("Deployment", OPERATOR, {"spec": spec}, labels=pod_labels)

    def secrets(self) -> list[Object]:
        """Those of the Redis databases: kept by the operator where they exist, and owned by nobody."""
        return redis_secrets(self)

    def config_map(self) -> Object:
        return config_map(self)

    def redis_conf(self) -> str:
        return redis_conf(self)

    def belongings(self, config_version: str) -> list[Object]:
        """All that the operator owns for the Redis databases, besides the ConfigMap, whose version this is."""
        objects = [named("ServiceAccount", "amp", {})]
        for name in REDIS_WORKLOADS:
            objects += redis_objects(self, name, config_version)
        return objects

    def workload(self, name: str, config_version: str) -> Object:
        return redis_workload(self, name, config_version)
