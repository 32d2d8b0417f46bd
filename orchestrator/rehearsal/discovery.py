"""What this server says it can do: versions, groups, resources, and the generated OpenAPI paths.

Everything follows from the table of kinds; the documents are built once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from orchestrator.rehearsal.types import SUBRESOURCE_VERBS, ResourceType, group_versions

VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0+rehearsal",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "rehearsal/python",
}
SUBRESOURCE_TYPES = {
    "scale": ("autoscaling", "v1", "Scale", SUBRESOURCE_VERBS),
    "exec": ("", "", "PodExecOptions", ("create", "get")),
    "attach": ("", "", "PodAttachOptions", ("create", "get")),
    "log": ("", "", "Pod", ("get",)),
    "eviction": ("policy", "v1", "Eviction", ("create",)),
    "token": ("authentication.k8s.io", "v1", "TokenRequest", ("create",)),
    "instantiate": ("apps.openshift.io", "v1", "DeploymentRequest", ("create",)),
}

Document = dict[str, Any]


class Discovery:
    """The documents of one table of kinds."""

    def __init__(self, types: tuple[ResourceType, ...]) -> None:
        self._types = types
        self._groups = list(dict.fromkeys(rt.group for rt in types if rt.group))
        self._documents = dict(self._build())
        self.aggregated = {"/api": self._aggregated([""]), "/apis": self._aggregated(self._groups)}

    def find(self, path: str) -> Document | None:
        """The document at a path (`/apis/apps/v1`), or None."""
        return self._documents.get(path.rstrip("/") or "/")

    def _build(self) -> Iterator[tuple[str, Document]]:
        yield "/version", VERSION
        yield "/api", {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        yield (
            "/apis",
            {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [self._group(name) for name in self._groups],
            },
        )
        for name in self._groups:
            yield f"/apis/{name}", {"kind": "APIGroup", "apiVersion": "v1", **self._group(name)}
        for api_version in group_versions(self._types):
            yield f"/{_prefix(api_version)}", self._resources(api_version)
            yield f"/openapi/v3/{_prefix(api_version)}", self._openapi(api_version)
        yield (
            "/openapi/v3",
            {"paths": {_prefix(name): _openapi_entry(name) for name in group_versions(self._types)}},
        )
        yield "/", {"paths": self._paths()}

    def _paths(self) -> list[str]:
        versions = [f"/{_prefix(name)}" for name in group_versions(self._types)]
        groups = [f"/apis/{name}" for name in self._groups]
        others = ["/api", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]
        return sorted({*versions, *groups, *others})

    def _group(self, name: str) -> Document:
        versions = [
            {"groupVersion": api_version, "version": api_version.rpartition("/")[2]}
            for api_version in group_versions(self._types)
            if api_version.rpartition("/")[0] == name
        ]
        return {"name": name, "versions": versions, "preferredVersion": versions[0]}

    def _of(self, api_version: str) -> Iterator[ResourceType]:
        return (rt for rt in self._types if rt.api_version == api_version)

    def _resources(self, api_version: str) -> Document:
        resources = [entry for rt in self._of(api_version) for entry in _entries(rt)]
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": api_version,
            "resources": resources,
        }

    def _aggregated(self, groups: Iterable[str]) -> Document:
        items = []
        for group in groups:
            versions = dict.fromkeys(rt.version for rt in self._types if rt.group == group)
            named = {"name": group} if group else {}
            items.append({"metadata": named | {"creationTimestamp": None}, "versions": [
                {"version": version, "freshness": "Current", "resources": [
                    _aggregated_entry(rt) for rt in self._types if (rt.group, rt.version) == (group, version)
                ]} for version in versions
            ]})  # fmt: skip
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": items,
        }

    def _openapi(self, api_version: str) -> Document:
        """Enough for a client to see that the server validates fields: one PATCH operation per kind.

        No request bodies: a client then builds strategic patches from its own types.
        """
        paths: Document = {}
        schemas: Document = {}
        for rt in self._of(api_version):
            gvk = {"group": rt.group, "version": rt.version, "kind": rt.kind}
            schemas[f"{rt.resource}.{rt.version}"] = {
                "type": "object",
                "x-kubernetes-group-version-kind": [gvk],
            }
            if "patch" in rt.verbs:
                middle = "namespaces/{namespace}/" if rt.namespaced else ""
                paths[f"/{_prefix(api_version)}/{middle}{rt.plural}/{{name}}"] = {
                    "patch": _patch_operation(gvk)
                }
        info = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
        return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _prefix(api_version: str) -> str:
    return f"apis/{api_version}" if "/" in api_version else f"api/{api_version}"


def _openapi_entry(api_version: str) -> Document:
    digest = hashlib.sha256(f"{VERSION['gitVersion']} {api_version}".encode()).hexdigest()
    return {"serverRelativeURL": f"/openapi/v3/{_prefix(api_version)}?hash={digest[:32]}"}


def _patch_operation(gvk: Document) -> Document:
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in ("dryRun", "fieldManager", "fieldValidation", "force")
    ]
    return {
        "parameters": parameters,
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": gvk,
    }


def _entries(rt: ResourceType) -> Iterator[Document]:
    entry: Document = {
        "name": rt.plural,
        "singularName": rt.singular,
        "namespaced": rt.namespaced,
        "kind": rt.kind,
        "verbs": list(rt.verbs),
    }
    if rt.short_names:
        entry["shortNames"] = list(rt.short_names)
    if rt.categories:
        entry["categories"] = list(rt.categories)
    yield entry
    for name, group, version, kind, verbs in _subresources(rt):
        where = {"group": group, "version": version} if group else {}
        yield {
            "name": f"{rt.plural}/{name}",
            "singularName": "",
            "namespaced": rt.namespaced,
            **where,
            "kind": kind,
            "verbs": list(verbs),
        }


def _subresources(rt: ResourceType) -> Iterator[tuple[str, str, str, str, tuple[str, ...]]]:
    for name in sorted(rt.subresources):
        yield name, *SUBRESOURCE_TYPES.get(name, ("", "", rt.kind, SUBRESOURCE_VERBS))


def _aggregated_entry(rt: ResourceType) -> Document:
    entry: Document = {
        "resource": rt.plural,
        "responseKind": _response_kind(rt, "", "", rt.kind),
        "scope": "Namespaced" if rt.namespaced else "Cluster",
        "singularResource": rt.singular,
        "verbs": list(rt.verbs),
    }
    if rt.short_names:
        entry["shortNames"] = list(rt.short_names)
    if rt.categories:
        entry["categories"] = list(rt.categories)
    if rt.subresources:
        entry["subresources"] = [
            {
                "subresource": name,
                "responseKind": _response_kind(rt, group, version, kind),
                "verbs": list(verbs),
            }
            for name, group, version, kind, verbs in _subresources(rt)
        ]
    return entry


def _response_kind(rt: ResourceType, group: str, version: str, kind: str) -> Document:
    """Built-in kinds leave group and version to the document around them; custom ones spell them out."""
    if rt.custom and not group:
        group, version = rt.group, rt.version
    return {"group": group, "version": version, "kind": kind}
