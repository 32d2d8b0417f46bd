"""The Secrets, ConfigMaps and the APIManager of an installation: which there are, with which keys. Pure.

`oc get -o json` prints an object with what ties it to the cluster it was taken from. Created with that, it is
refused, or collected as garbage a moment later, since its owner is gone: `sanitised` leaves it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final, NamedTuple

Json = dict[str, Any]


class Expected(NamedTuple):
    """An object that an installation has. is_of_guide: the guide restores it; it forgets the others."""

    kind: str
    keys: tuple[str, ...]
    is_of_guide: bool = True


def secret(keys: str, *, is_of_guide: bool = True) -> Expected:
    return Expected("Secret", tuple(keys.split()), is_of_guide)


def configmap(keys: str, *, is_of_guide: bool = True) -> Expected:
    return Expected("ConfigMap", tuple(keys.split()), is_of_guide)


# The keys are those that every release from 2.11 to 2.15 has.
EXPECTED: Final[Mapping[str, Expected]] = {
    "system-smtp": secret("address username password domain port authentication openssl.verify.mode"),
    "system-seed": secret(
        "MASTER_DOMAIN MASTER_ACCESS_TOKEN MASTER_USER MASTER_PASSWORD ADMIN_ACCESS_TOKEN ADMIN_USER ADMIN_PASSWORD "
        "ADMIN_EMAIL TENANT_NAME"
    ),
    "system-database": secret("URL DB_USER DB_PASSWORD"),
    "backend-internal-api": secret("username password"),
    "system-events-hook": secret("URL PASSWORD"),
    "system-app": secret("SECRET_KEY_BASE"),
    "system-recaptcha": secret("PUBLIC_KEY PRIVATE_KEY"),
    "system-redis": secret("URL SENTINEL_HOSTS SENTINEL_ROLE"),
    "zync": secret("SECRET_KEY_BASE DATABASE_URL ZYNC_DATABASE_PASSWORD ZYNC_AUTHENTICATION_TOKEN"),
    "system-master-apicast": secret("PROXY_CONFIGS_ENDPOINT ACCESS_TOKEN"),
    "system-environment": configmap(
        "RAILS_ENV FORCE_SSL THREESCALE_SUPERDOMAIN PROVIDER_PLAN APICAST_REGISTRY_URL RAILS_LOG_TO_STDOUT RAILS_LOG_LEVEL "
        "THREESCALE_SANDBOX_PROXY_OPENSSL_VERIFY_MODE SSL_CERT_DIR"
    ),
    "apicast-environment": configmap("APICAST_MANAGEMENT_API OPENSSL_VERIFY APICAST_RESPONSE_CODES"),
    "backend-redis": secret("REDIS_STORAGE_URL REDIS_QUEUES_URL", is_of_guide=False),
    "backend-listener": secret("service_endpoint route_endpoint", is_of_guide=False),
    "system-memcache": secret("SERVERS", is_of_guide=False),
    "backend-environment": configmap("RACK_ENV", is_of_guide=False),
    "mysql-extra-conf": configmap("", is_of_guide=False),
    "mysql-main-conf": configmap("", is_of_guide=False),
    "redis-config": configmap("redis.conf", is_of_guide=False),
    "system": configmap("zync.yml rolling_updates.yml service_discovery.yml", is_of_guide=False),
}
OF_MYSQL_ONLY: Final = ("mysql-extra-conf", "mysql-main-conf")

STALE_METADATA: Final = (
    "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink",
    "managedFields", "ownerReferences", "namespace",
)  # fmt: skip
STALE_ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"


def sanitised(document: Json) -> tuple[Json, tuple[str, ...]]:
    """The object as it can be created on any cluster, and the paths of what was left out."""
    kept = deepcopy(document)
    paths: list[str] = []
    metadata = kept.get("metadata")
    if isinstance(metadata, dict):
        for field in STALE_METADATA:
            if field in metadata:
                del metadata[field]
                paths.append(f"metadata.{field}")
        annotations = metadata.get("annotations")
        if isinstance(annotations, dict) and STALE_ANNOTATION in annotations:
            del annotations[STALE_ANNOTATION]
            paths.append(f"metadata.annotations[{STALE_ANNOTATION}]")
    if "status" in kept:
        del kept["status"]
        paths.append("status")
    return kept, tuple(paths)
