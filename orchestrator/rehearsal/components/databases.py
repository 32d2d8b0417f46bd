"""The system database, MySQL or PostgreSQL.

MYSQL_ROOT_PASSWORD is a literal, taken from the Secret's URL when the workload is made: nobody changes it
afterwards, as with the real operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from orchestrator.rehearsal.components.site import (
    PATIENT,
    Pod,
    Site,
    claim,
    claim_volume,
    config_volume,
    from_secret,
    mount,
    ports,
    service,
    value,
    workload,
)
from orchestrator.rehearsal.objects import Object

MYSQL_IMAGES = {"2.11": "registry.redhat.io/rhscl/mysql-57-rhel7:5.7"}
MYSQL_IMAGE = "registry.redhat.io/rhel8/mysql-80:1"
POSTGRESQL_IMAGE = "registry.redhat.io/rhscl/postgresql-10-rhel7:1"
SECRET = "system-database"
MYSQL_PROBE = """\
export MYSQL_PWD="$MYSQL_PASSWORD"
until mysql -h127.0.0.1 -u"$MYSQL_USER" -D "$MYSQL_DATABASE" -e 'SELECT 1' >/dev/null 2>&1; do sleep 0.1; done"""
POSTGRESQL_PROBE = """until psql -q -d "$POSTGRESQL_DATABASE" -c 'SELECT 1' >/dev/null 2>&1; do sleep 0.1; done"""


def database_objects(site: Site, url: str) -> list[Object]:
    """`url` is that of the Secret system-database."""
    found = urlsplit(url)
    if site.database == "mysql":
        literals = [value("MYSQL_DATABASE", found.path.strip("/")), value("MYSQL_ROOT_PASSWORD", found.password or "")]
        return _mysql(site, literals)
    return _postgresql(site, [value("POSTGRESQL_DATABASE", found.path.strip("/"))])


def database_probe(script: str) -> Mapping[str, object]:
    """Looks until the server answers, for less than the server needs to give up."""
    return {"exec": {"command": ["bash", "-c", script]}, "periodSeconds": 10, "timeoutSeconds": 30}


def _mysql(site: Site, literals: list[Object]) -> list[Object]:
    name, home = "system-mysql", site.home("system-mysql")
    container = {
        "name": name,
        "image": MYSQL_IMAGES.get(site.release, MYSQL_IMAGE),
        "imagePullPolicy": "IfNotPresent",
        "ports": ports(("mysql", 3306)),
        "env": [from_secret("MYSQL_USER", SECRET, "DB_USER"), from_secret("MYSQL_PASSWORD", SECRET, "DB_PASSWORD"),
                *literals, value("MYSQL_LOWER_CASE_TABLE_NAMES", "1"),
                value("MYSQL_DEFAULTS_FILE", str(home / "my-extra" / "my.cnf"))],
        "readinessProbe": database_probe(MYSQL_PROBE),
        "livenessProbe": {"tcpSocket": {"port": 3306}, "initialDelaySeconds": 30, "periodSeconds": 10} | PATIENT,
        "resources": {},
        "volumeMounts": [mount("mysql-storage", home / "data"), mount("mysql-extra-conf", home / "my-extra.d"),
                         mount("mysql-main-conf", home / "my-extra")],
    }  # fmt: skip
    volumes = [claim_volume("mysql-storage", "mysql-storage"), config_volume("mysql-extra-conf", "mysql-extra-conf"),
               config_volume("mysql-main-conf", "mysql-main-conf")]  # fmt: skip
    return [
        service(site, name, ("system-mysql", 3306)),
        claim("mysql-storage", name),
        workload(site, name, Pod([container], volumes=volumes), recreate=True),
    ]


def _postgresql(site: Site, literals: list[Object]) -> list[Object]:
    name = "system-postgresql"
    container = postgresql_container(site, name, name, "postgresql-data", [
        from_secret("POSTGRESQL_USER", SECRET, "DB_USER"), from_secret("POSTGRESQL_PASSWORD", SECRET, "DB_PASSWORD"), *literals,
    ])  # fmt: skip
    return [
        service(site, name, ("system-postgresql", 5432)),
        claim("postgresql-data", name),
        workload(site, name, Pod([container], volumes=[claim_volume("postgresql-data", "postgresql-data")]), recreate=True),
    ]


def postgresql_container(site: Site, workload_name: str, name: str, volume: str, env: list[Object]) -> Object:
    return {
        "name": name,
        "image": POSTGRESQL_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "ports": ports(("postgresql", 5432)),
        "env": env,
        "readinessProbe": database_probe(POSTGRESQL_PROBE),
        "livenessProbe": {"tcpSocket": {"port": 5432}, "initialDelaySeconds": 30, "periodSeconds": 10} | PATIENT,
        "resources": {},
        "volumeMounts": [mount(volume, site.home(workload_name) / "data")],
    }
