"""Stands for zync-que: takes the jobs that zync leaves and sees to it that each host has a Route.

It speaks to the API as its service account. A host that has a Route already gets no second one.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from orchestrator.rehearsal.standins.schema import JOB_CLASS
from orchestrator.rehearsal.standins.services import Unreachable
from orchestrator.rehearsal.standins.serving import Ended
from orchestrator.rehearsal.standins.sql import Database, SqlError

POLL_SECONDS = 1.0
AGAIN_SECONDS = 1.0
TIMEOUT_SECONDS = 10.0
JOBS = f"""\
SELECT job_id, replace(encode(convert_to(args::text, 'UTF8'), 'base64'), E'\\n', '') FROM que_jobs
WHERE job_class = '{JOB_CLASS}' AND finished_at IS NULL AND expired_at IS NULL AND run_at <= now() ORDER BY job_id LIMIT 50;"""
"""Arguments as base64, since JSON may hold the client's own separators."""


class Refused(Exception):
    """The API said no. The message is its answer."""


def work(database: Database) -> None:
    """Until SIGTERM, and then to the end of the jobs in hand."""
    ended = Ended()
    routes = Routes(Path(os.environ["REHEARSAL_ACCOUNT"]))
    while not ended:
        try:
            for job, arguments in database.run(JOBS):
                for wanted in wanted_routes(json.loads(base64.b64decode(arguments))[0]):
                    routes.ensure(wanted)
                database.run(f"UPDATE que_jobs SET finished_at = now(), state = 'finished' WHERE job_id = {int(job)};")
            time.sleep(POLL_SECONDS)
        except (SqlError, Unreachable, Refused, OSError, http.client.HTTPException) as error:
            sys.stderr.write(f"{error}\n")
            time.sleep(AGAIN_SECONDS)


class Routes:
    """The Routes of our namespace. `account` holds token, authority and namespace, as a pod finds them mounted."""

    def __init__(self, account: Path) -> None:
        self._account = account
        self._namespace = (account / "namespace").read_text()
        self._path = f"/apis/route.openshift.io/v1/namespaces/{self._namespace}/routes"

    def ensure(self, route: dict[str, Any]) -> None:
        found = self._call("GET", self._path)["items"]
        if all(one["spec"].get("host") != route["spec"]["host"] for one in found):
            self._call("POST", self._path, {**route, "metadata": {**route["metadata"], "ownerReferences": self._owner()}})

    def _owner(self) -> list[dict[str, Any]]:
        """The APIManager, at the root of what our own pod belongs to."""
        path = f"/apis/apps.3scale.net/v1alpha1/namespaces/{self._namespace}/apimanagers"
        return [
            {"apiVersion": one["apiVersion"], "kind": one["kind"], "name": one["metadata"]["name"], "uid": one["metadata"]["uid"]}
            for one in self._call("GET", path)["items"][:1]
        ]

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        context = ssl.create_default_context(cafile=str(self._account / "ca.crt"))
        port = int(os.environ["KUBERNETES_SERVICE_PORT"])
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS, context=context)
        try:
            headers = {"Authorization": f"Bearer {(self._account / 'token').read_text()}", "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body) if body else None, headers)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status >= 400:
            raise Refused(f"{method} {path}: {text}")
        found: dict[str, Any] = json.loads(text)
        return found


def wanted_routes(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The Routes of one note: where a provider's portals and a proxy's gateways are to be found."""
    if data["type"] == "Provider" and data["master"]:
        yield _route(data, "master", data["domain"], "system-master")
    elif data["type"] == "Provider":
        yield _route(data, "provider", data["domain"], "system-developer")
        yield _route(data, "provider", data["admin_domain"], "system-provider")
    else:
        for endpoint, target in (("sandbox_endpoint", "apicast-staging"), ("endpoint", "apicast-production")):
            host = urlsplit(data[endpoint]).hostname
            if host:  # a gateway that others run has none of ours
                yield _route(data, "api", host, target)


def _route(data: dict[str, Any], kind: str, host: str, target: str) -> dict[str, Any]:
    gid = f"gid://zync/{data['type']}/{data['id']}"
    labels = {
        "3scale.net/created-by": "zync",
        "3scale.net/tenant_id": str(data["tenant_id"]),
        "zync.3scale.net/record": base64.urlsafe_b64encode(gid.encode()).decode().rstrip("="),
        "zync.3scale.net/route-to": target,
        "zync.3scale.net/ingress": "proxy" if kind == "api" else "provider",
    }
    annotations = {"3scale.net/gid": gid, "zync.3scale.net/gid": gid, "zync.3scale.net/host": host}
    port = "gateway" if kind == "api" else "http"
    return {
        "apiVersion": "route.openshift.io/v1",
        "kind": "Route",
        "metadata": {"generateName": f"zync-3scale-{kind}-", "labels": labels, "annotations": annotations},
        "spec": {
            "host": host,
            "port": {"targetPort": port},
            "to": {"kind": "Service", "name": target, "weight": 100},
            "tls": {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"},
            "wildcardPolicy": "None",
        },
    }
