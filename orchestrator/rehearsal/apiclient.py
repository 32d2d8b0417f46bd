"""Asks the embedded cluster's API a few plain questions, for the rehearsal's own needs.

The product's client is elsewhere and speaks to any cluster; this one is here so that starting, filling and
comparing a rehearsal needs nothing but the standard library and a kubeconfig of ours.
"""

from __future__ import annotations

import base64
import json
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

TIMEOUT_SECONDS = 10.0
POLL_SECONDS = 0.05


class ApiClient:
    """Reads as the administrator whose token the kubeconfig has."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._server = cluster["server"]
        self._token = config["users"][0]["user"]["token"]
        self._context = ssl.create_default_context(cadata=authority)

    def get(self, path: str) -> dict[str, Any]:
        """The object or list at `path`. urllib.error.HTTPError where the server refuses."""
        headers = {"Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(self._server + path, headers=headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=self._context) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def ready_pod(self, namespace: str, labels: Mapping[str, str]) -> dict[str, Any]:
        """The ready pod with these labels, waiting a moment for a new one. LookupError when none comes."""
        selector = urllib.parse.quote(",".join(f"{name}={value}" for name, value in labels.items()))
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            pods: list[dict[str, Any]] = self.get(f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}")["items"]
            if found := next(filter(is_ready, pods), None):
                return found
            time.sleep(POLL_SECONDS)
        raise LookupError(f"no pod with {labels} is ready in {namespace}")


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = {one["type"]: one["status"] for one in pod.get("status", {}).get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
