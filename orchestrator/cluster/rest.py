"""Requests with plain dictionaries; what goes wrong is told in the words of faults.

The typed API classes cost a second of import and refuse incomplete objects; this is the client's own
`call_api` beneath them. Every request has a time-out. A mutating request whose answer never came has an
unknown outcome: it is never sent again from here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.cluster.connection import Connection, reread
from orchestrator.cluster.faults import (
    ATTEMPTS_MAX,
    MUTATING,
    Conflict,
    asked_to_wait_seconds,
    cut_off,
    refused,
)
from orchestrator.errors import ClusterRefused
from orchestrator.fencing import Fence

TIMEOUT_SECONDS = (5.0, 30.0)  # to connect, between two bytes
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"

Object = dict[str, Any]


class Rest:
    def __init__(self, connection: Connection, fence: Fence | None = None) -> None:
        """fence: asked before each request that may change something."""
        self.connection = connection
        self.fence = fence or Fence()

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

    def change(self, path: str, patch: Callable[[Object], Sequence[Object]], what: str) -> Object:
        """A JSON patch for the object as it is read here, and for no later one; what it was, or became.

        Read, then the fence, then sent: whoever was stopped in between changes nothing that was touched since, even
        where it looks the same again. `patch` raises Conflict for an object that is not as it was seen.
        """
        for is_last in (False, False, True):
            if (found := self.find(path)) is None:
                raise ClusterRefused(f"there is no {what} any more")
            if not (wanted := patch(found)):
                return found
            version = found["metadata"]["resourceVersion"]
            test = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
            try:
                return self.guarded_patch(path, [test, *wanted], what)
            except Conflict as conflict:
                now = self.find(path)
                if now and now["metadata"]["resourceVersion"] == version and isinstance(conflict.__cause__, ClusterRefused):
                    raise conflict.__cause__ from None  # not the test: the value is not valid
                if is_last:
                    raise
        raise AssertionError("the last try returns or raises")

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
        """Status and body. What was refused unheard (429, 401) is sent again from here, and nothing else is."""
        for attempt in range(ATTEMPTS_MAX):
            api = self.connection.api
            if method in MUTATING:
                self.fence.check()
            status, headers, text = self._once(method, path, query, body, content_type)
            pause_seconds = asked_to_wait_seconds(status, headers)
            if pause_seconds is not None and attempt < ATTEMPTS_MAX - 1:
                time.sleep(pause_seconds)
            elif not (status == 401 and attempt == 0 and reread(self.connection, api.configuration)):
                break
        return status, text

    def _once(
        self, method: str, path: str, query: Mapping[str, str], body: object, content_type: str
    ) -> tuple[int, Mapping[str, str], str]:
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
            headers = dict(answer.getheaders() or {})  # type: ignore[no-untyped-call]
            return answer.status, headers, (answer.data or b"").decode("utf-8", "replace")
        except ApiException as error:
            if error.status:
                return error.status, error.headers or {}, str(error.body or "")
            raise cut_off(error, method, self.connection.server) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise cut_off(error, method, self.connection.server) from error

    def parsed(self, text: str, method: str) -> Object:
        try:
            value = json.loads(text)
        except ValueError as error:
            raise cut_off(error, method, self.connection.server) from error
        return value if isinstance(value, dict) else {}


__all__ = ["JSON_PATCH", "MERGE_PATCH", "Conflict", "Object", "Rest"]
