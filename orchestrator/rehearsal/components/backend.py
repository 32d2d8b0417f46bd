"""backend-listener, backend-worker, backend-cron, and the route of the listener."""

from __future__ import annotations

from orchestrator.rehearsal.components.site import (
    INIT_PAUSE,
    Pod,
    Site,
    from_config,
    from_secret,
    labels_of,
    listening_probe,
    named,
    ports,
    service,
    value,
    workload,
)
from orchestrator.rehearsal.objects import Object

LISTENER, WORKER, CRON = "backend-listener", "backend-worker", "backend-cron"
QUEUE_CHECK = "until rake connectivity:redis_storage_queue_check; do sleep $SLEEP_SECONDS; done"


def backend_objects(site: Site) -> list[Object]:
    return [
        service(site, LISTENER, ("http", 3000)),
        listener_route(site),
        _workload(site, LISTENER, ["3scale_backend", "start"]),
        _workload(site, WORKER, ["3scale_backend_worker", "run"]),
        _workload(site, CRON, ["backend-cron"]),
    ]


def listener_host(site: Site) -> str:
    return f"backend-{site.tenant}.{site.wildcard_domain}"


def listener_route(site: Site) -> Object:
    spec = {
        "host": listener_host(site),
        "to": {"kind": "Service", "name": LISTENER, "weight": 100},
        "port": {"targetPort": "http"},
        "tls": {"termination": "edge", "insecureEdgeTerminationPolicy": "Allow"},
        "wildcardPolicy": "None",
    }
    return named("Route", "backend", {"spec": spec}, labels=labels_of(LISTENER))


def _workload(site: Site, name: str, args: list[str]) -> Object:
    container: Object = {
        "name": name,
        "image": site.image("backend"),
        "imagePullPolicy": "IfNotPresent",
        "args": args,
        "env": _environment(name),
        "resources": {},
    }
    if name == LISTENER:
        container |= {"ports": ports(("http", 3000)), "readinessProbe": listening_probe()}
    waiting = {
        "name": "backend-redis-svc",
        "image": site.image("backend"),
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", QUEUE_CHECK],
        "env": [*_environment(name), INIT_PAUSE],
    }
    return workload(site, name, Pod([container], init=() if name == LISTENER else [waiting]))


def _environment(name: str) -> list[Object]:
    found = [
        from_secret("CONFIG_REDIS_PROXY", "backend-redis", "REDIS_STORAGE_URL"),
        from_secret("CONFIG_REDIS_SENTINEL_HOSTS", "backend-redis", "REDIS_STORAGE_SENTINEL_HOSTS"),
        from_secret("CONFIG_REDIS_SENTINEL_ROLE", "backend-redis", "REDIS_STORAGE_SENTINEL_ROLE"),
        from_secret("CONFIG_QUEUES_MASTER_NAME", "backend-redis", "REDIS_QUEUES_URL"),
        from_secret("CONFIG_QUEUES_SENTINEL_HOSTS", "backend-redis", "REDIS_QUEUES_SENTINEL_HOSTS"),
        from_secret("CONFIG_QUEUES_SENTINEL_ROLE", "backend-redis", "REDIS_QUEUES_SENTINEL_ROLE"),
        from_config("RACK_ENV", "backend-environment"),
    ]
    if name == LISTENER:
        user = from_secret("CONFIG_INTERNAL_API_USER", "backend-internal-api", "username")
        password = from_secret("CONFIG_INTERNAL_API_PASSWORD", "backend-internal-api", "password")
        return [*found, value("PUMA_WORKERS", "16"), user, password]
    if name == WORKER:
        hook = from_secret("CONFIG_EVENTS_HOOK", "system-events-hook", "URL")
        return [*found, hook, from_secret("CONFIG_EVENTS_HOOK_SHARED_SECRET", "system-events-hook", "PASSWORD")]
    return found
