"""What the files of one bundle must agree on, as far as it can be told offline.

A finding says that two values differ, never what they are: they are passwords. Only host names are shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from orchestrator.findings import BundleFile, Finding
from orchestrator.manifests import Manifest
from orchestrator.parts import APIMANAGER_FILE, DATABASES

EXAMPLES_MAX = 3
ENGINES = {"mysql2": "mysql", "mysql": "mysql", "postgresql": "postgresql", "postgres": "postgresql"}


def disagreements(manifests: Mapping[str, Manifest], dump: BundleFile | None) -> Iterator[Finding]:
    """`manifests` by the object's file name; `dump` is the system database's, if it was read."""
    yield from zync(manifests)
    yield from system_database(manifests, dump)
    yield from master_token(manifests)
    yield from tenant(manifests)
    yield from domains(manifests, dump)


def databases(manifests: Mapping[str, Manifest]) -> dict[str, str]:
    """The name of each part's database: as the installation's own URLs say, else the default."""
    system = url_of(value(manifests, "system-database.json", "URL"))
    zync_url = url_of(value(manifests, "zync.json", "DATABASE_URL"))
    named = {"system-database": database_of(system), "zync": database_of(zync_url)}
    return {part: named[part] or default for part, default in DATABASES.items()}


def zync(manifests: Mapping[str, Manifest]) -> Iterator[Finding]:
    given = value(manifests, "zync.json", "DATABASE_URL")
    password = value(manifests, "zync.json", "ZYNC_DATABASE_PASSWORD")
    url = url_of(given)
    if given and not is_database(url):
        yield warning("zync.json", "its DATABASE_URL is no URL of a database")
    elif url and password and unquote(url.password or "") != password:
        yield warning("zync.json", "the password in its DATABASE_URL is not its ZYNC_DATABASE_PASSWORD")


def system_database(manifests: Mapping[str, Manifest], dump: BundleFile | None) -> Iterator[Finding]:
    name = "system-database.json"
    given = value(manifests, name, "URL")
    if not given:
        return
    url = url_of(given)
    if url is None or not is_database(url):
        yield warning(name, "its URL is no URL of a database")
        return
    engine = ENGINES[url.scheme]
    if dump and dump.sql and dump.sql.engine != engine:
        yield warning(name, f"its URL is of {engine}, and {dump.name} is a dump of {dump.sql.engine}")
    if engine == "postgresql":  # with MySQL the URL is root's, and the other two are the application's
        for key, inside in (("DB_USER", url.username), ("DB_PASSWORD", url.password)):
            if (other := value(manifests, name, key)) and unquote(inside or "") != other:
                yield warning(name, f"its {key} is not the one in its URL")


def master_token(manifests: Mapping[str, Manifest]) -> Iterator[Finding]:
    name = "system-master-apicast.json"
    url, token = url_of(value(manifests, name, "PROXY_CONFIGS_ENDPOINT")), value(manifests, name, "ACCESS_TOKEN")
    if url and token and token not in (unquote(url.username or ""), unquote(url.password or "")):
        yield warning(name, "the token in its PROXY_CONFIGS_ENDPOINT is not its ACCESS_TOKEN")


def tenant(manifests: Mapping[str, Manifest]) -> Iterator[Finding]:
    if APIMANAGER_FILE not in manifests:
        return
    named = manifests[APIMANAGER_FILE].spec.get("tenantName") or "3scale"
    seeded = value(manifests, "system-seed.json", "TENANT_NAME")
    if seeded and seeded != named:
        yield warning("system-seed.json", f"its TENANT_NAME is not the tenant of {APIMANAGER_FILE}")


def domains(manifests: Mapping[str, Manifest], dump: BundleFile | None) -> Iterator[Finding]:
    """Host names stand in the database: a cluster with another domain needs them rewritten, which no restore does."""
    superdomain = value(manifests, "system-environment.json", "THREESCALE_SUPERDOMAIN")
    wildcard = ""
    if APIMANAGER_FILE in manifests:
        wildcard = manifests[APIMANAGER_FILE].spec.get("wildcardDomain") or ""
        if not isinstance(wildcard, str) or not wildcard:
            wildcard = ""
            yield Finding(severity="error", subject=APIMANAGER_FILE, message="has no spec.wildcardDomain")
    if superdomain and wildcard and superdomain != wildcard:
        message = f"its THREESCALE_SUPERDOMAIN is {superdomain}, the wildcardDomain of {APIMANAGER_FILE} is {wildcard}"
        yield warning("system-environment.json", message)
    domain = wildcard or superdomain
    if not domain:
        return
    route = url_of(value(manifests, "backend-listener.json", "route_endpoint"))
    if route and route.hostname and not is_below(route.hostname, domain):
        yield warning("backend-listener.json", f"its route_endpoint is on {route.hostname}, which is not below {domain}")
    if dump and dump.sql and dump.sql.hosts:
        others = [host for host in dump.sql.hosts if not is_below(host, domain)]
        if others:
            shown = ", ".join(others[:EXAMPLES_MAX]) + (", …" if others[EXAMPLES_MAX:] else "")
            message = f"{len(others)} of its {len(dump.sql.hosts)} host names are not below {domain}: {shown}"
            yield warning(dump.name, message)


def value(manifests: Mapping[str, Manifest], file: str, key: str) -> str:
    if file not in manifests:
        return ""
    return manifests[file].values.get(key, b"").decode("utf-8", "replace").strip()


def url_of(text: str) -> SplitResult | None:
    try:
        url = urlsplit(text)
        return url if url.scheme and url.hostname else None
    except ValueError:
        return None


def is_database(url: SplitResult | None) -> bool:
    return url is not None and url.scheme in ENGINES and bool(database_of(url))


def database_of(url: SplitResult | None) -> str:
    return unquote(url.path).strip("/") if url else ""


def is_below(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)


def warning(subject: str, message: str) -> Finding:
    return Finding(severity="warning", subject=subject, message=message)
