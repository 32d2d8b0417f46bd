"""Who may do what: roles, bindings, and the few rights everybody has.

Pure over what the store holds. How a request proves who it is is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
PUBLIC_PATHS = ("/healthz", "/livez", "/readyz", "/version", "/version/")
DISCOVERY_PATHS = ("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *PUBLIC_PATHS)
SELF_REVIEWS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews")

Rule = Mapping[str, Any]
READ = ["get", "list", "watch"]
WRITE = ["create", "delete", "deletecollection", "patch", "update"]
WORKLOADS = [
    {"apiGroups": [""], "resources": [
        "configmaps", "endpoints", "events", "persistentvolumeclaims", "pods", "pods/log", "pods/status",
        "replicationcontrollers", "replicationcontrollers/scale", "serviceaccounts", "services",
    ]},
    {"apiGroups": ["apps", "batch", "autoscaling", "apps.openshift.io", "route.openshift.io"], "resources": ["*"]},
    {"apiGroups": ["apps.3scale.net"], "resources": ["apimanagers"]},  # as OLM has it for the kinds it installs
]  # fmt: skip
SECRETS = {"apiGroups": [""], "resources": ["secrets", "pods/exec", "pods/attach", "serviceaccounts/token"]}
LEASES = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
NAMESPACE_RBAC = {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"]}
EVERYTHING = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"nonResourceURLs": ["*"], "verbs": ["*"]},
]
CLUSTER_ROLES: Mapping[str, list[dict[str, Any]]] = {
    "cluster-admin": EVERYTHING,
    "view": [{**rule, "verbs": READ} for rule in WORKLOADS],
    "edit": [{**rule, "verbs": READ + WRITE} for rule in [*WORKLOADS, SECRETS, LEASES]],
    "admin": [{**rule, "verbs": READ + WRITE} for rule in [*WORKLOADS, SECRETS, LEASES, NAMESPACE_RBAC]],
}


@dataclass(frozen=True)
class User:
    name: str
    groups: tuple[str, ...]
    uid: str = ""


@dataclass(frozen=True)
class Wish:
    """What somebody wants to do: a verb on a resource, or on a path that names none."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def allowed(store: Store, user: User, wish: Wish) -> bool:
    if MASTERS in user.groups:
        return True
    if not wish.resource and _public(user, wish):
        return True
    if AUTHENTICATED in user.groups and wish.verb == "create" and wish.resource in SELF_REVIEWS:
        return True
    return any(grants(rule, wish) for rule in rules_for(store, user, wish.namespace))


def _public(user: User, wish: Wish) -> bool:
    paths = DISCOVERY_PATHS if AUTHENTICATED in user.groups else PUBLIC_PATHS
    return wish.verb in ("get", "head") and any(_path_matches(pattern, wish.path) for pattern in paths)


def rules_for(store: Store, user: User, namespace: str) -> Iterator[Rule]:
    """The rules that bind `user`, cluster-wide ones and those of the namespace."""
    for binding in store.scan(resource_type("ClusterRoleBinding"), None):
        if _binds(binding, user):
            yield from _role_rules(store, binding, "")
    if namespace:
        for binding in store.scan(resource_type("RoleBinding"), namespace):
            if _binds(binding, user):
                yield from _role_rules(store, binding, namespace)


def _binds(binding: Mapping[str, Any], user: User) -> bool:
    return any(_is_subject(subject, user, binding) for subject in binding.get("subjects") or [])


def _is_subject(subject: Mapping[str, Any], user: User, binding: Mapping[str, Any]) -> bool:
    kind, name = subject.get("kind"), subject.get("name", "")
    if kind == "ServiceAccount":
        namespace = subject.get("namespace") or binding["metadata"].get("namespace", "")
        return user.name == account_name(namespace, name)
    return name == user.name if kind == "User" else kind == "Group" and name in user.groups


def _role_rules(store: Store, binding: Mapping[str, Any], namespace: str) -> list[Rule]:
    reference = binding["roleRef"]
    kind = "Role" if reference.get("kind") == "Role" else "ClusterRole"
    role = store.find(resource_type(kind), namespace if kind == "Role" else None, reference["name"])
    return list((role or {}).get("rules") or [])


def grants(rule: Rule, wish: Wish) -> bool:
    if not _matches(rule.get("verbs"), wish.verb):
        return False
    if not wish.resource:
        return any(_path_matches(pattern, wish.path) for pattern in rule.get("nonResourceURLs") or [])
    names = rule.get("resourceNames") or []
    return (
        _matches(rule.get("apiGroups"), wish.group)
        and _resource_matches(rule.get("resources") or [], wish)
        and (not names or wish.name in names)
    )


def _matches(listed: Any, value: str) -> bool:
    return "*" in (listed or []) or value in (listed or [])


def _resource_matches(resources: list[str], wish: Wish) -> bool:
    return _matches(resources, wish.full_resource) or (
        bool(wish.subresource) and f"*/{wish.subresource}" in resources
    )


def _path_matches(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def account_name(namespace: str, name: str) -> str:
    return f"system:serviceaccount:{namespace}:{name}"
