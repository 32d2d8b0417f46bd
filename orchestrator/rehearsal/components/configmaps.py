"""The ConfigMaps of an installation besides redis-config."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.rehearsal.components.site import Site, labels, named
from orchestrator.rehearsal.objects import Object

APICAST_ENVIRONMENT = "apicast-environment"
MYSQL_CHARSET = """\
[client]
default-character-set = utf8
[mysql]
default-character-set = utf8
[mysqld]
character-set-server = utf8
collation-server = utf8_unicode_ci
"""
MYSQL_MAIN = "!include /etc/my.cnf\n!includedir /etc/my-extra.d\n"
ROLLING_UPDATES = "production: {}\n"
SERVICE_DISCOVERY = "production:\n  enabled: false\n"
ZYNC = """\
production:
  endpoint: 'http://zync:8080'
  authentication:
    token: "<%= ENV.fetch('ZYNC_AUTHENTICATION_TOKEN') %>"
  connect_timeout: 5
  send_timeout: 5
  receive_timeout: 10
  root_url:
"""


def backend_configs() -> list[Object]:
    return [_config("backend-environment", {"RACK_ENV": "production"}, "backend")]


def mysql_configs() -> list[Object]:
    return [
        _config("mysql-extra-conf", {"mysql-charset.cnf": MYSQL_CHARSET}, "system", "mysql"),
        _config("mysql-main-conf", {"my.cnf": MYSQL_MAIN}, "system", "mysql"),
    ]


def system_configs(site: Site) -> list[Object]:
    environment = {
        "RAILS_ENV": "production",
        "FORCE_SSL": "true",
        "THREESCALE_SUPERDOMAIN": site.wildcard_domain,
        "PROVIDER_PLAN": "enterprise",
        "APICAST_REGISTRY_URL": "http://apicast-staging:8090/policies",
        "RAILS_LOG_TO_STDOUT": "true",
        "RAILS_LOG_LEVEL": "info",
        "THINKING_SPHINX_PORT": "9306",
        "THREESCALE_SANDBOX_PROXY_OPENSSL_VERIFY_MODE": "VERIFY_NONE",
        "SSL_CERT_DIR": "/etc/pki/tls/certs",
    }
    files = {"zync.yml": ZYNC, "rolling_updates.yml": ROLLING_UPDATES, "service_discovery.yml": SERVICE_DISCOVERY}
    return [_config("system", files, "system", "app"), _config("system-environment", environment, "system")]


def apicast_environment(spec: Mapping[str, object]) -> Object:
    """`spec` is the `apicast` of the APIManager: this ConfigMap follows it, whatever anybody else writes."""
    data = {
        "APICAST_MANAGEMENT_API": str(spec.get("managementAPI", "status")),
        "OPENSSL_VERIFY": str(spec.get("openSSLVerify", False)).lower(),
        "APICAST_RESPONSE_CODES": str(spec.get("responseCodes", True)).lower(),
    }
    return _config(APICAST_ENVIRONMENT, data, "apicast")


def _config(name: str, data: Mapping[str, str], component: str, element: str = "") -> Object:
    return named("ConfigMap", name, {"data": dict(data)}, labels=labels(component, element))
