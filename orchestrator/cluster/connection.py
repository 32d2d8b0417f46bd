"""From a kubeconfig to one client: no global default, no hidden retries, nothing written back."""

from __future__ import annotations

import os
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import UsageWrong

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

DEFAULT: Final = "~/.kube/config"
REREADING: Final = threading.Lock()


@dataclass(frozen=True)
class Connection:
    """One cluster, one context, one namespace."""

    api: ApiClient
    server: str
    namespace: str
    kubeconfig: str  # its absolute path, or several as in $KUBECONFIG: a later process finds the same
    context: str

    @property
    def configuration(self) -> Configuration:
        settings: Configuration = self.api.configuration
        return settings


def connect(kubeconfig: str = "", context: str = "", namespace: str = "") -> Connection:
    """Read a kubeconfig (kubectl's own search when none is named). Raises UsageWrong; sends nothing yet."""
    files = searched(kubeconfig)
    api, chosen = client(files, context)
    return Connection(
        api=api,
        server=api.configuration.host,
        namespace=namespace or chosen["context"].get("namespace") or "default",
        kubeconfig=files,
        context=chosen["name"],
    )


def searched(named: str) -> str:
    """Where kubectl looks: the file that is named, else those of $KUBECONFIG, else the one in the home directory."""
    files = [named] if named else (os.environ.get("KUBECONFIG") or DEFAULT).split(os.pathsep)
    return os.pathsep.join(str(Path(file).expanduser().resolve()) for file in files if file)


def reread(connection: Connection, refused: Configuration) -> bool:
    """Take the kubeconfig's credentials afresh; whether that was done. `refused` are those that no longer count.

    Another lane may have done it meanwhile: then its credentials are tried first.
    """
    with REREADING:
        if connection.api.configuration is not refused:
            return True
        try:
            fresh, _ = client(connection.kubeconfig, connection.context)
        except UsageWrong:
            return False
        if fresh.configuration.host != connection.server:
            return False  # another cluster is not ours, whatever it is called
        connection.api.rest_client = fresh.rest_client
        connection.api.configuration = fresh.configuration
        return True


def client(kubeconfig: str, context: str) -> tuple[ApiClient, dict[str, Any]]:
    """A client without hidden retries, and the context that it was made from."""
    import urllib3
    import yaml
    from kubernetes import config
    from kubernetes.client import Configuration

    settings = Configuration()
    try:
        contexts, active = config.list_kube_config_contexts(  # type: ignore[no-untyped-call]
            config_file=kubeconfig
        )
        chosen = next((c for c in contexts if c["name"] == context), None) if context else active
        if chosen is None:
            raise UsageWrong(f"the kubeconfig has no context {context}", hint="kubectl config get-contexts")
        api: ApiClient = config.new_client_from_config(  # type: ignore[no-untyped-call]
            config_file=kubeconfig, context=chosen["name"], persist_config=False,
            client_configuration=settings,
        )
    except (config.ConfigException, yaml.YAMLError, OSError, LookupError, TypeError, AttributeError, ValueError) as error:
        is_shapeless = isinstance(error, yaml.YAMLError | TypeError | AttributeError | LookupError)
        why = "it is no kubeconfig: that is a YAML mapping with clusters, users and contexts" if is_shapeless else str(error).splitlines()[0]
        raise UsageWrong(f"{kubeconfig} cannot be used: {why}", hint="restore plan --kubeconfig FILE BUNDLE") from error
    settings.retries = urllib3.Retry(0, respect_retry_after_header=False)  # retries are facts, and ours
    api.rest_client = type(api.rest_client)(settings)
    return api, chosen


def authorization(settings: Configuration) -> dict[str, str]:
    """The headers that a WebSocket upgrade needs; a token that is refreshed is read afresh."""
    if settings.refresh_api_key_hook is not None:
        settings.refresh_api_key_hook(settings)
    key = settings.get_api_key_with_prefix("authorization") or settings.get_api_key_with_prefix("BearerToken")
    if key:
        return {"Authorization": key}
    if settings.username:
        return {"Authorization": settings.get_basic_auth_token() or ""}
    return {}


def tls(settings: Configuration) -> ssl.SSLContext:
    """Verified, unless the kubeconfig itself says insecure-skip-tls-verify."""
    context = ssl.create_default_context(cafile=settings.ssl_ca_cert or None)
    if settings.ca_cert_data:
        data = settings.ca_cert_data
        context.load_verify_locations(cadata=data if isinstance(data, str) else data.decode())
    if not settings.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    return context
