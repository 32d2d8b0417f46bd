"""apicast-staging and apicast-production. The latter waits for system-master before it starts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from orchestrator.rehearsal.components.site import (
    INIT_PAUSE,
    Pod,
    Site,
    from_config,
    from_secret,
    listening_probe,
    ports,
    service,
    value,
    workload,
)
from orchestrator.rehearsal.objects import Object

STAGING, PRODUCTION = "apicast-staging", "apicast-production"
MASTER_STATUS = "http://system-master:3000/status"
MASTER_CHECK = f"until curl --output /dev/null --silent --fail --head {MASTER_STATUS}; do sleep $SLEEP_SECONDS; done"
CONFIG_HASH = "apps.3scale.net/env-configmap-hash"


def apicast_objects(site: Site, environment: Mapping[str, str]) -> list[Object]:
    """`environment` is what the ConfigMap apicast-environment says: another text rolls both out."""
    found = []
    for name in (STAGING, PRODUCTION):
        found += [service(site, name, ("gateway", 8080), ("management", 8090)), _workload(site, name, environment)]
    return found


def _workload(site: Site, name: str, environment: Mapping[str, str]) -> Object:
    container = {
        "name": name,
        "image": site.image("apicast-gateway"),
        "imagePullPolicy": "IfNotPresent",
        "args": ["apicast"],
        "ports": ports(("gateway", 8080), ("management", 8090), ("metrics", 9421)),
        "env": _environment(name),
        "readinessProbe": listening_probe(),
        "resources": {},
    }
    waiting = {
        "name": "system-master-svc",
        "image": site.image("system"),
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", MASTER_CHECK],
        "env": [INIT_PAUSE],
    }
    digest = hashlib.sha256(json.dumps(dict(environment), sort_keys=True).encode()).hexdigest()
    init = [waiting] if name == PRODUCTION else []
    return workload(site, name, Pod([container], init=init, annotations={CONFIG_HASH: digest[:16]}))


def _environment(name: str) -> list[Object]:
    deployment = "production" if name == PRODUCTION else "staging"
    return [
        from_secret("THREESCALE_PORTAL_ENDPOINT", "system-master-apicast", "PROXY_CONFIGS_ENDPOINT"),
        from_secret("BACKEND_ENDPOINT_OVERRIDE", "backend-listener", "service_endpoint"),
        *(from_config(key, "apicast-environment") for key in ("APICAST_MANAGEMENT_API", "OPENSSL_VERIFY", "APICAST_RESPONSE_CODES")),
        value("THREESCALE_DEPLOYMENT_ENV", deployment),
        value("APICAST_CONFIGURATION_LOADER", "boot" if name == PRODUCTION else "lazy"),
        value("APICAST_CONFIGURATION_CACHE", "300" if name == PRODUCTION else "0"),
    ]
