"""The cluster's certificate authority and the kubeconfig that trusts it."""

from __future__ import annotations

import base64
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
import yaml


@dataclass(frozen=True)
class Certificates:
    """A server's TLS context, and the authority its clients need to know."""

    server: ssl.SSLContext
    authority_pem: bytes


def make_certificates() -> Certificates:
    """A new authority with elliptic-curve keys, and a certificate for the loopback address."""
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert("127.0.0.1", "localhost", key_type=trustme.KeyType.ECDSA).configure_cert(context)
    return Certificates(context, authority.cert_pem.bytes())


def write_kubeconfig(
    path: Path, url: str, authority_pem: bytes, token: str, namespace: str = "default"
) -> None:
    """Writes a kubeconfig that only its owner can read, complete or not at all."""
    partial = path.with_suffix(".part")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        yaml.safe_dump(kubeconfig(url, authority_pem, token, namespace), file)
    partial.replace(path)


def kubeconfig(url: str, authority_pem: bytes, token: str, namespace: str) -> dict[str, Any]:
    name = "rehearsal"
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(authority_pem).decode()}
    context = {"cluster": name, "user": name, "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": context}],
        "current-context": name,
    }
