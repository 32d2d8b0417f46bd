"""A request's method and URL, read as the API server reads them: who wants what of which object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True)
class Target:
    """What a request is about. For paths that name no resource, `resource` is empty."""

    path: str
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


def read_target(method: str, path: str, query: Mapping[str, str]) -> Target:
    """Splits the path; knows nothing of which resources there are."""
    parts = [part for part in path.split("/") if part]
    verb = VERBS.get(method, method.lower())
    if parts[:1] == ["api"] and len(parts) > 2:
        return _resource(path, verb, "", parts[1], parts[2:], query)
    if parts[:1] == ["apis"] and len(parts) > 3:
        return _resource(path, verb, parts[1], parts[2], parts[3:], query)
    return Target(path, method.lower())


def _resource(
    path: str, verb: str, group: str, version: str, rest: list[str], query: Mapping[str, str]
) -> Target:
    watch = wants_watch(query)
    if rest[0] == "watch" and len(rest) > 1:
        watch, rest, verb = True, rest[1:], "watch"
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        # What follows a namespace is a resource in it, except for the namespace's own subresources.
        rest = rest[2:] if len(rest) > 2 and rest[2] not in ("status", "finalize") else rest
    resource, name, subresource = (*rest, "", "")[:3]
    if len(rest) > 3:
        subresource = "/".join(rest[2:])
    if not name:
        verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
        verb = "watch" if verb == "list" and watch else verb
    return Target(path, verb, group, version, resource, namespace, name, subresource)


def wants_watch(query: Mapping[str, str]) -> bool:
    return query.get("watch", "").lower() in ("1", "true")
