"""Requests with plain dictionaries, and the one place where the client's errors become ours.

The typed API classes cost a second of import and refuse incomplete objects; this is the client's own
`call_api` beneath them. Every request has a time-out. A mutating request whose answer never came has an
unknown outcome: it is never sent again from here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.cluster.connection import Connection
from orchestrator.errors import ClusterRefused, ClusterUnreachable, OutcomeUnknown, RestoreError

TIMEOUT_SECONDS = (5.0, 30.0)  # to connect, between two bytes
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"

Object = dict[str, Any]


class Conflict(ClusterUnreachable):
    """409, or a patch whose `test` failed: the object changed meanwhile. Look again."""


class Rest:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def find(self, path: str, query: Mapping[str, str] | None = None) -> Object | None:
        """GET; None for 404."""
        return self.send("GET", path, query=query, absent_is_none=True)

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        return self.send("GET", path, query=query) or {}

    def patch(self, path: str, body: object, content_type: str) -> Object:
        return self.send("PATCH", path, body=body, content_type=content_type) or {}

    def guarded_patch(self, path: str, patch: Sequence[Object], what: str) -> Object:
        """A JSON patch that begins with a `test`; Conflict when the test failed: somebody was quicker."""
        try:
            return self.patch(path, patch, JSON_PATCH)
        except ClusterRefused as error:
            if "(422" in error.message:
                raise Conflict(f"{what} changed meanwhile") from error
            raise

    def post(self, path: str, body: object) -> Object:
        return self.send("POST", path, body=body) or {}

    def put(self, path: str, body: object) -> Object:
        return self.send("PUT", path, body=body) or {}

    def delete(self, path: str, uid: str, *, propagation: str = "Background") -> bool:
        """Delete the object of that uid; False when it is gone. Another one under its name is a Conflict."""
        body = {
            "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid},
            "propagationPolicy": propagation,
        }
        return self.send("DELETE", path, body=body, absent_is_none=True) is not None

    def send(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None,
        content_type: str = "application/json", absent_is_none: bool = False,
    ) -> Object | None:
        status, text = self.exchange(method, path, query or {}, body, content_type)
        if 200 <= status < 300:
            return self.parsed(text, method)
        if status == 404 and absent_is_none:
            return None
        raise refused(status, text, method, path)

    def exchange(
        self, method: str, path: str, query: Mapping[str, str], body: object, content_type: str
    ) -> tuple[int, str]:
        import urllib3
        from kubernetes.client.exceptions import ApiException

        api = self.connection.api
        headers = {"Accept": "application/json", "Content-Type": content_type}
        request = api.param_serialize(
            method, path, query_params=list(query.items()), header_params=headers, body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = api.call_api(*request, _request_timeout=TIMEOUT_SECONDS)
            answer.read()  # type: ignore[no-untyped-call]
            return answer.status, (answer.data or b"").decode("utf-8", "replace")
        except ApiException as error:
            if error.status:
                return error.status, str(error.body or "")
            raise cut_off(error, method, self.connection.server) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise cut_off(error, method, self.connection.server) from error

    def parsed(self, text: str, method: str) -> Object:
        try:
            value = json.loads(text)
        except ValueError as error:
            raise cut_off(error, method, self.connection.server) from error
        return value if isinstance(value, dict) else {}


def cut_off(error: Exception, method: str, server: str) -> ClusterUnreachable:
    """Nobody answered. What was never sent is temporary; what may have been sent is unknown."""
    import urllib3

    reason = getattr(error, "reason", None) or error
    never_sent = isinstance(
        reason,
        urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
        | urllib3.exceptions.SSLError,
    )
    kind = ClusterUnreachable if method == "GET" or never_sent else OutcomeUnknown
    return kind(f"{server} does not answer: {in_words(reason)}", hint=f"curl -k {server}/healthz")


def in_words(reason: object) -> str:
    """The last, most telling part of a client library's message."""
    text = str(reason)
    for said, words in (
        ("CERTIFICATE_VERIFY_FAILED", "its TLS certificate is not the one that the kubeconfig trusts"),
        ("doesn't match", "its TLS certificate is made out to another name"),
        ("Connection refused", "connection refused"),
        ("Name or service not known", "its name is not known"),
        ("timed out", "timed out"),
        ("WRONG_VERSION_NUMBER", "it does not speak TLS"),
    ):
        if said in text:
            return words
    return text.rsplit(": ", 1)[-1][:200]


def refused(status: int, text: str, method: str, path: str) -> RestoreError:
    """The server's own words, with what may be done about them."""
    try:
        said = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        said = text.strip().splitlines()[0][:200] if text.strip() else f"{method} {path}"
    if status == 401:
        return ClusterRefused(
            f"the cluster did not accept the credentials of the kubeconfig ({said})", hint="kubectl auth whoami"
        )
    if status == 403:
        return ClusterRefused(f"the cluster does not allow this: {said}", hint="kubectl auth can-i --list")
    if status == 409:
        return Conflict(f"it changed meanwhile: {said}")
    if status == 429 or status >= 500:
        return ClusterUnreachable(f"the cluster cannot answer now ({status}: {said})")
    return ClusterRefused(f"the cluster refused {method} {path} ({status}: {said})")
