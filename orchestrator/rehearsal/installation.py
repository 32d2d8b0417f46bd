"""The objects of a 3scale installation, as far as its two Redis databases go, as the operator makes them.

Pure: a release, a namespace and a place in, objects out. Names, labels, volumes and strategies are those of
the 3scale operator 0.10 (3scale 2.13: DeploymentConfigs) and 0.12 (2.15: Deployments). Two things differ. There
are no containers, so mount paths are real paths under the cluster's root; and the readiness probe waits
for the server itself, so that a rehearsal doesn't spend its time between two probes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from orchestrator.rehearsal.objects import Object

Release = Literal["2.13", "2.15"]
RELEASES: tuple[Release, ...] = get_args(Release)

APIMANAGER = "apimanager"
CONFIG_MAP = "redis-config"
REDIS_WORKLOADS = ("backend-redis", "system-redis")
CONFIG_VERSION = "redisConfigMapResourceVersion"
OPERATOR_VERSIONS = {"2.13": "0.10.1", "2.15": "0.12.5"}
PRODUCT_VERSIONS = {"2.13": "2.13", "2.15": "2.15.5"}
IMAGES = {"2.13": "registry.redhat.io/rhscl/redis-5-rhel7:5", "2.15": "registry.redhat.io/rhel8/redis-6:1"}
PROBE = """\
for i in $(seq 200); do redis-cli ping 2>/dev/null | grep -q PONG && break; sleep 0.03; done
redis-cli set liveness-probe "`date`" | grep OK"""
RENAMED_COMMANDS = ('rename-command REPLICAOF ""', 'rename-command SLAVEOF ""')
REDIS_CONF = """\
protected-mode no

port 6379

timeout 0
tcp-keepalive 300

daemonize no
supervised no

loglevel notice

databases 16

save 900 1
save 300 10
save 60 10000

stop-writes-on-bgsave-error yes

rdbcompression yes
rdbchecksum yes

dbfilename dump.rdb

slave-serve-stale-data yes
slave-read-only yes

repl-diskless-sync no
repl-disable-tcp-nodelay no

appendonly yes
appendfilename "appendonly.aof"
appendfsync everysec
no-appendfsync-on-rewrite no
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size 64mb
aof-load-truncated yes

lua-time-limit 5000

activerehashing no

aof-rewrite-incremental-fsync yes
dir /var/lib/redis/data
"""


@dataclass(frozen=True)
class Installation:
    """Where and what to install. `root` is the cluster's directory, absolute and without links."""

    release: Release
    namespace: str
    root: Path

    @property
    def workload_kind(self) -> str:
        return "DeploymentConfig" if self.release == "2.13" else "Deployment"

    def home(self, workload: str) -> Path:
        """What /var/lib/redis is in the image: the directory above the data."""
        return self.root / "mnt" / workload

    def apimanager(self) -> Object:
        """The custom resource that everything else belongs to, as after the operator's first look at it."""
        annotations = {
            "apps.3scale.net/apimanager-threescale-version": PRODUCT_VERSIONS[self.release],
            "apps.3scale.net/threescale-operator-version": OPERATOR_VERSIONS[self.release],
        }
        spec: Object = {
            "wildcardDomain": "apps.rehearsal.example",
            "appLabel": "3scale-api-management",
            "tenantName": "3scale",
            "resourceRequirementsEnabled": False,
            "backend": {"listenerSpec": {}, "workerSpec": {}, "cronSpec": {}},
            "system": {"appSpec": {}, "sidekiqSpec": {}},
            "zync": {"appSpec": {}, "queSpec": {}},
            "apicast": {"productionSpec": {}, "stagingSpec": {}},
        }
        return named("APIManager", APIMANAGER, {"spec": spec}, annotations=annotations)

    def secrets(self) -> list[Object]:
        """Kept by the operator where they exist, and owned by nobody."""
        return [self._backend_secret(), self._system_secret()]

    def config_map(self) -> Object:
        data = {"redis.conf": self.redis_conf()}
        return named("ConfigMap", CONFIG_MAP, {"data": data}, labels=labels("system", "redis"))

    def redis_conf(self) -> str:
        if self.release == "2.13":
            return REDIS_CONF
        return REDIS_CONF + "\n" + "\n".join(RENAMED_COMMANDS) + "\n"

    def belongings(self, config_version: str) -> list[Object]:
        """All that the operator owns besides the ConfigMap; `config_version` is that one's resourceVersion."""
        objects = [named("ServiceAccount", "amp", {})]
        for workload in REDIS_WORKLOADS:
            objects += [self.claim(workload), self.service(workload), self.workload(workload, config_version)]
        return objects

    def claim(self, workload: str) -> Object:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        return named("PersistentVolumeClaim", f"{workload}-storage", {"spec": spec}, labels=labels_of(workload))

    def service(self, workload: str) -> Object:
        port = {"name": "redis", "port": 6379, "protocol": "TCP", "targetPort": 6379}
        spec = {"ports": [port], "selector": self.selector(workload)}
        return named("Service", workload, {"spec": spec}, labels=labels_of(workload))

    def selector(self, workload: str) -> dict[str, str]:
        return {"deploymentConfig" if self.release == "2.13" else "deployment": workload}

    def workload(self, name: str, config_version: str) -> Object:
        template = {"metadata": {"labels": self._pod_labels(name)}, "spec": self._pod(name)}
        spec: Object = {"replicas": 1, "template": template}
        if self.release == "2.13":
            spec |= {
                "selector": self.selector(name),
                "strategy": {"type": "Recreate", "recreateParams": {"timeoutSeconds": 600}},
                "triggers": [{"type": "ConfigChange"}],
            }
        else:
            template["metadata"]["annotations"] = {CONFIG_VERSION: config_version}
            spec |= {"selector": {"matchLabels": self.selector(name)}, "strategy": {"type": "Recreate"}}
        return named(self.workload_kind, name, {"spec": spec}, labels=labels_of(name))

    def _pod_labels(self, workload: str) -> dict[str, str]:
        metering = {"com.company": "Red_Hat", "rht.comp": "3scale", "rht.subcomp_t": "application"}
        return {**labels_of(workload), **self.selector(workload), **metering, "rht.subcomp": workload}

    def _pod(self, workload: str) -> Object:
        items = [{"key": "redis.conf", "path": "redis.conf"}]
        return {
            "serviceAccountName": "amp",
            "terminationGracePeriodSeconds": 30,
            "containers": [self._container(workload)],
            "volumes": [
                {"name": f"{workload}-storage", "persistentVolumeClaim": {"claimName": f"{workload}-storage"}},
                {"name": CONFIG_MAP, "configMap": {"name": CONFIG_MAP, "items": items}},
            ],
        }

    def _container(self, workload: str) -> Object:
        home = self.home(workload)
        config = home / "etc" / "redis.d"
        started: Object = {"env": [{"name": "REDIS_CONF", "value": f"{config}/redis.conf"}]}
        if self.release == "2.13":
            command = ["/opt/rh/rh-redis5/root/usr/bin/redis-server"]
            started = {"command": command, "args": [f"{config}/redis.conf", "--daemonize", "no"]}
        probe = {"exec": {"command": ["bash", "-c", PROBE]}}
        return started | {
            "name": workload,
            "image": IMAGES[self.release],
            "imagePullPolicy": "IfNotPresent",
            "ports": [{"containerPort": 6379, "protocol": "TCP"}],
            "readinessProbe": probe | {"periodSeconds": 10, "timeoutSeconds": 8},
            "livenessProbe": {"tcpSocket": {"port": 6379}, "initialDelaySeconds": 10, "periodSeconds": 10},
            "resources": {},
            "volumeMounts": [
                {"name": f"{workload}-storage", "mountPath": str(home / "data")},
                {"name": CONFIG_MAP, "mountPath": str(config)},
            ],
        }

    def _backend_secret(self) -> Object:
        data = {
            "REDIS_STORAGE_URL": "redis://backend-redis:6379/0",
            "REDIS_QUEUES_URL": "redis://backend-redis:6379/1",
            **{f"REDIS_{use}_SENTINEL_{what}": "" for use in ("STORAGE", "QUEUES") for what in ("HOSTS", "ROLE")},
        }
        return named("Secret", "backend-redis", {"stringData": data}, labels=labels("backend", ""))

    def _system_secret(self) -> Object:
        data = {"URL": "redis://system-redis:6379/1", "SENTINEL_HOSTS": "", "SENTINEL_ROLE": ""}
        if self.release == "2.13":
            data["NAMESPACE"] = ""
        return named("Secret", "system-redis", {"stringData": data}, labels=labels("system", ""))


def labels_of(workload: str) -> dict[str, str]:
    return labels(*workload.split("-", 1))


def labels(component: str, element: str) -> dict[str, str]:
    found = {"app": "3scale-api-management", "threescale_component": component}
    return found | ({"threescale_component_element": element} if element else {})


def named(kind: str, name: str, rest: Object, **metadata: dict[str, str]) -> Object:
    return {"kind": kind, "metadata": {"name": name, **metadata}, **rest}
