"""What all containers of the image of system (porta) share: its environment, image and volumes."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.rehearsal.components.site import (
    Site,
    claim_volume,
    config_volume,
    from_config,
    from_secret,
    mount,
    value,
)
from orchestrator.rehearsal.objects import Object

HOME = "system"
"""`<root>/mnt/system` stands for /opt/system."""
ENVIRONMENT_KEYS = (
    "RAILS_ENV", "FORCE_SSL", "THREESCALE_SUPERDOMAIN", "PROVIDER_PLAN", "APICAST_REGISTRY_URL", "RAILS_LOG_TO_STDOUT",
    "RAILS_LOG_LEVEL", "THINKING_SPHINX_PORT", "THREESCALE_SANDBOX_PROXY_OPENSSL_VERIFY_MODE", "SSL_CERT_DIR",
)  # fmt: skip
SECRET_KEYS = (
    ("SMTP_ADDRESS", "system-smtp", "address"), ("SMTP_USER_NAME", "system-smtp", "username"),
    ("SMTP_PASSWORD", "system-smtp", "password"), ("SMTP_DOMAIN", "system-smtp", "domain"),
    ("SMTP_PORT", "system-smtp", "port"), ("SMTP_AUTHENTICATION", "system-smtp", "authentication"),
    ("SMTP_OPENSSL_VERIFY_MODE", "system-smtp", "openssl.verify.mode"),
    ("DATABASE_URL", "system-database", "URL"),
    ("MASTER_DOMAIN", "system-seed", "MASTER_DOMAIN"), ("MASTER_USER", "system-seed", "MASTER_USER"),
    ("MASTER_PASSWORD", "system-seed", "MASTER_PASSWORD"), ("MASTER_ACCESS_TOKEN", "system-seed", "MASTER_ACCESS_TOKEN"),
    ("ADMIN_ACCESS_TOKEN", "system-seed", "ADMIN_ACCESS_TOKEN"), ("USER_LOGIN", "system-seed", "ADMIN_USER"),
    ("USER_PASSWORD", "system-seed", "ADMIN_PASSWORD"), ("USER_EMAIL", "system-seed", "ADMIN_EMAIL"),
    ("TENANT_NAME", "system-seed", "TENANT_NAME"),
    ("EVENTS_SHARED_SECRET", "system-events-hook", "PASSWORD"),
    ("RECAPTCHA_PUBLIC_KEY", "system-recaptcha", "PUBLIC_KEY"), ("RECAPTCHA_PRIVATE_KEY", "system-recaptcha", "PRIVATE_KEY"),
    ("SECRET_KEY_BASE", "system-app", "SECRET_KEY_BASE"), ("USER_SESSION_TTL", "system-app", "USER_SESSION_TTL"),
    ("REDIS_URL", "system-redis", "URL"), ("REDIS_SENTINEL_HOSTS", "system-redis", "SENTINEL_HOSTS"),
    ("REDIS_SENTINEL_ROLE", "system-redis", "SENTINEL_ROLE"),
    ("BACKEND_REDIS_URL", "backend-redis", "REDIS_STORAGE_URL"),
    ("BACKEND_REDIS_SENTINEL_HOSTS", "backend-redis", "REDIS_STORAGE_SENTINEL_HOSTS"),
    ("BACKEND_REDIS_SENTINEL_ROLE", "backend-redis", "REDIS_STORAGE_SENTINEL_ROLE"),
    ("MEMCACHE_SERVERS", "system-memcache", "SERVERS"),
    ("BACKEND_URL", "backend-listener", "service_endpoint"), ("BACKEND_PUBLIC_URL", "backend-listener", "route_endpoint"),
    ("CONFIG_INTERNAL_API_USER", "backend-internal-api", "username"),
    ("CONFIG_INTERNAL_API_PASSWORD", "backend-internal-api", "password"),
    ("APICAST_ACCESS_TOKEN", "system-master-apicast", "ACCESS_TOKEN"),
    ("ZYNC_AUTHENTICATION_TOKEN", "zync", "ZYNC_AUTHENTICATION_TOKEN"),
)  # fmt: skip


def porta_environment(site: Site) -> list[Object]:
    found = [from_config(key, "system-environment") for key in ENVIRONMENT_KEYS]
    found += [from_secret(*entry) for entry in SECRET_KEYS]
    if not site.has_deployments:
        found.append(from_secret("REDIS_NAMESPACE", "system-redis", "NAMESPACE"))
    return [*found, value("THINKING_SPHINX_ADDRESS", "system-searchd" if site.has_searchd else "system-sphinx")]


def porta_container(site: Site, name: str, args: Sequence[str]) -> Object:
    """A container of that image with its whole environment, and without volumes."""
    return {
        "name": name,
        "image": site.image("system"),
        "imagePullPolicy": "IfNotPresent",
        "args": list(args),
        "env": porta_environment(site),
        "resources": {},
    }


def porta_mounts(site: Site, workload: str, *, read_only: bool = False) -> list[Object]:
    storage = mount("system-storage", site.home(HOME) / "public" / "system")
    return [
        storage | ({"readOnly": True} if read_only else {}),
        mount("system-config", site.home(workload) / "system-extra-configs"),
    ]


def porta_volumes() -> list[Object]:
    return [
        claim_volume("system-storage", "system-storage"),
        config_volume("system-config", "system", "zync.yml", "rolling_updates.yml", "service_discovery.yml"),
    ]
