"""The Secrets of an installation: which keys, and what stands in one that nobody has set.

A Secret is made of what is already there and of defaults for the rest, as the operator does it: existing
values win, missing keys get a value that `invent` makes up. No value is ever a constant that somebody could
log in with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orchestrator.rehearsal.components.site import Site, labels, named
from orchestrator.rehearsal.objects import Object

Invent = Callable[[], str]
Values = Mapping[str, str]
SENTINELS = {f"REDIS_{use}_SENTINEL_{what}": "" for use in ("STORAGE", "QUEUES") for what in ("HOSTS", "ROLE")}


def redis_secrets(site: Site) -> list[Object]:
    """Those two that the Redis databases alone need."""
    return [
        secret("backend-redis", backend_redis(), "backend"),
        secret("system-redis", system_redis(site), "system"),
    ]


def all_secrets(site: Site, existing: Mapping[str, Values], invent: Invent) -> list[Object]:
    """Every Secret with all of its keys. `existing` is what is there now: name -> key -> value."""
    found = []
    for name, component in COMPONENTS.items():
        there = existing.get(name, {})
        found.append(secret(name, {**defaults(site, name, there, invent), **there}, component))
    return found


def secret(name: str, data: Values, component: str) -> Object:
    return named("Secret", name, {"stringData": dict(data)}, labels=labels(component))


def backend_redis() -> dict[str, str]:
    return {
        "REDIS_STORAGE_URL": "redis://backend-redis:6379/0",
        "REDIS_QUEUES_URL": "redis://backend-redis:6379/1",
        **SENTINELS,
    }


def system_redis(site: Site) -> dict[str, str]:
    data = {"URL": "redis://system-redis:6379/1", "SENTINEL_HOSTS": "", "SENTINEL_ROLE": ""}
    if site.release == "2.11":
        data |= {f"MESSAGE_BUS_{key}": "" for key in ("URL", "NAMESPACE", "SENTINEL_HOSTS", "SENTINEL_ROLE")}
    return data if site.has_deployments else data | {"NAMESPACE": ""}


COMPONENTS = {
    "backend-redis": "backend", "backend-internal-api": "backend", "backend-listener": "backend",
    "system-database": "system", "system-redis": "system", "system-smtp": "system", "system-seed": "system",
    "system-events-hook": "system", "system-app": "system", "system-recaptcha": "system",
    "system-memcache": "system", "system-master-apicast": "system", "zync": "zync",
}  # fmt: skip
"""Secret -> the part it belongs to."""


def defaults(site: Site, name: str, there: Values, invent: Invent) -> dict[str, str]:
    """What the operator would put into a Secret that holds `there`; values that depend on one another agree."""
    domain = site.wildcard_domain
    if name == "backend-redis":
        return backend_redis()
    if name == "system-redis":
        return system_redis(site)
    if name == "system-database":
        return _database(site, there, invent)
    if name == "zync":
        password = there.get("ZYNC_DATABASE_PASSWORD") or invent()
        return {
            "SECRET_KEY_BASE": invent(),
            "DATABASE_URL": f"postgresql://zync:{password}@zync-database:5432/zync_production",
            "ZYNC_DATABASE_PASSWORD": password,
            "ZYNC_AUTHENTICATION_TOKEN": invent(),
        }
    if name == "system-seed":
        return {
            "MASTER_DOMAIN": "master", "MASTER_ACCESS_TOKEN": invent(), "MASTER_USER": "master", "MASTER_PASSWORD": invent(),
            "ADMIN_ACCESS_TOKEN": invent(), "ADMIN_USER": "admin", "ADMIN_PASSWORD": invent(),
            "ADMIN_EMAIL": f"admin@{site.tenant}.{domain}", "TENANT_NAME": site.tenant,
        }  # fmt: skip
    if name == "system-master-apicast":
        token = there.get("ACCESS_TOKEN") or invent()
        endpoint = f"http://{token}@system-master:3000/master/api/proxy/configs"
        return {"PROXY_CONFIGS_ENDPOINT": endpoint, "ACCESS_TOKEN": token}
    if name == "system-smtp":
        keys = ("address", "username", "password", "domain", "port", "authentication", "openssl.verify.mode", "from_address")
        return dict.fromkeys(keys, "")
    plain = {
        "backend-internal-api": {"username": "3scale_api_user", "password": invent()},
        "backend-listener": {"service_endpoint": "http://backend-listener:3000", "route_endpoint": f"https://backend-{site.tenant}.{domain}"},
        "system-events-hook": {"URL": "http://system-master:3000/master/events/import", "PASSWORD": invent()},
        "system-app": {"SECRET_KEY_BASE": invent(), "USER_SESSION_TTL": ""},
        "system-recaptcha": {"PUBLIC_KEY": "", "PRIVATE_KEY": ""},
        "system-memcache": {"SERVERS": "system-memcache:11211"},
    }
    return plain[name]


def _database(site: Site, there: Values, invent: Invent) -> dict[str, str]:
    """In MySQL the URL is root's, and DB_USER another; in PostgreSQL both are the same user."""
    user = there.get("DB_USER") or ("mysql" if site.database == "mysql" else "system")
    password = there.get("DB_PASSWORD") or invent()
    if site.database == "mysql":
        url = f"mysql2://root:{invent()}@system-mysql/system"
    else:
        url = f"postgresql://{user}:{password}@system-postgresql/system"
    return {"URL": url, "DB_USER": user, "DB_PASSWORD": password}
