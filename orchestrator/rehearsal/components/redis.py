"""backend-redis and system-redis: two workloads that share one ConfigMap."""

from __future__ import annotations

from orchestrator.rehearsal.components.site import (
    PATIENT,
    Pod,
    Site,
    claim,
    claim_volume,
    config_volume,
    labels,
    mount,
    named,
    service,
    value,
    workload,
)
from orchestrator.rehearsal.objects import Object

CONFIG_MAP = "redis-config"
REDIS_WORKLOADS = ("backend-redis", "system-redis")
CONFIG_VERSION = "redisConfigMapResourceVersion"
OLD_IMAGE = "registry.redhat.io/rhscl/redis-5-rhel7:5"
IMAGE = "registry.redhat.io/rhel8/redis-6:1"
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


def redis_conf(site: Site) -> str:
    if not site.has_deployments:
        return REDIS_CONF
    return REDIS_CONF + "\n" + "\n".join(RENAMED_COMMANDS) + "\n"


def config_map(site: Site) -> Object:
    return named("ConfigMap", CONFIG_MAP, {"data": {"redis.conf": redis_conf(site)}}, labels=labels("system", "redis"))


def redis_objects(site: Site, name: str, config_version: str) -> list[Object]:
    """`config_version` is the resourceVersion of the ConfigMap; 2.15 notes it on the pods."""
    return [claim(f"{name}-storage", name), service(site, name, ("redis", 6379)), redis_workload(site, name, config_version)]


def redis_workload(site: Site, name: str, config_version: str) -> Object:
    annotations = {CONFIG_VERSION: config_version} if site.has_deployments else None
    volumes = [claim_volume(f"{name}-storage", f"{name}-storage"), config_volume(CONFIG_MAP, CONFIG_MAP, "redis.conf")]
    pod = Pod([_container(site, name)], volumes=volumes, annotations=annotations)
    return workload(site, name, pod, recreate=True)


def _container(site: Site, name: str) -> Object:
    home = site.home(name)
    config = home / "etc" / "redis.d"
    started: Object = {"image": IMAGE, "env": [value("REDIS_CONF", f"{config}/redis.conf")]}
    if not site.has_searchd:
        command = ["/opt/rh/rh-redis5/root/usr/bin/redis-server"]
        started = {"image": OLD_IMAGE, "command": command, "args": [f"{config}/redis.conf", "--daemonize", "no"]}
    probe = {"exec": {"command": ["bash", "-c", PROBE]}}
    return started | {
        "name": name,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"containerPort": 6379, "protocol": "TCP"}],
        "readinessProbe": probe | {"periodSeconds": 10, "timeoutSeconds": 8},
        "livenessProbe": {"tcpSocket": {"port": 6379}, "initialDelaySeconds": 10, "periodSeconds": 10} | PATIENT,
        "resources": {},
        "volumeMounts": [mount(f"{name}-storage", home / "data"), mount(CONFIG_MAP, config)],
    }
