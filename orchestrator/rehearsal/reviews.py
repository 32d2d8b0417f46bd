"""The review kinds: questions about who somebody is and what they may do. Nothing of them is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.rehearsal.apierrors import ApiError, Cause, invalid_kind
from orchestrator.rehearsal.auth import DEFAULT_TOKEN_SECONDS, LEAST_TOKEN_SECONDS, Tokens
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.rbac import User, Wish, allowed, rules_for
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import ResourceType

GROUP = "authorization.k8s.io"


def review(
    rt: ResourceType, store: Store, tokens: Tokens, user: User, namespace: str, body: Object
) -> Object:
    """The review of kind `rt`, answered. ApiError 422 for one that asks nothing."""
    spec: Object = body.get("spec") or {}
    answered = _ANSWERS[rt.kind](store, tokens, user, spec)
    metadata = {"namespace": namespace} if namespace else {}
    return {
        "kind": rt.kind,
        "apiVersion": rt.api_version,
        "metadata": metadata,
        "spec": spec,
        "status": answered,
    }


def token_request(tokens: Tokens, namespace: str, account: str, body: Object) -> Object:
    """A token for a service account, with its expiry. ApiError 404 or 422."""
    spec = body.get("spec") or {}
    seconds = spec.get("expirationSeconds") or DEFAULT_TOKEN_SECONDS
    if seconds < LEAST_TOKEN_SECONDS:
        message = f"Invalid value: {seconds}: may not specify a duration less than 10 minutes"
        cause = Cause("FieldValueInvalid", message, "spec.expirationSeconds")
        raise invalid_kind("authentication.k8s.io", "TokenRequest", "", [cause])
    token = tokens.issue(namespace, account, seconds)
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": account, "namespace": namespace},
        "spec": {**spec, "audiences": spec.get("audiences") or ["rehearsal"], "expirationSeconds": seconds},
        "status": {"token": token.text, "expirationTimestamp": token.expiration},
    }


def _wish(spec: Mapping[str, Any]) -> Wish:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (resource is None) == (path is None):
        message = "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise invalid_kind(GROUP, "", "", [Cause("FieldValueInvalid", message, "spec.resourceAttributes")])
    if path is not None:
        return Wish(path.get("verb", ""), path=path.get("path", ""))
    fields = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Wish(**{field: (resource or {}).get(field, "") for field in fields})


def _own_access(store: Store, tokens: Tokens, user: User, spec: Object) -> Object:
    return {"allowed": allowed(store, user, _wish(spec))}


def _access(store: Store, tokens: Tokens, user: User, spec: Object) -> Object:
    subject = User(spec.get("user", ""), tuple(spec.get("groups") or ()))
    return {"allowed": allowed(store, subject, _wish(spec))}


def _own_rules(store: Store, tokens: Tokens, user: User, spec: Object) -> Object:
    rules = [dict(rule) for rule in rules_for(store, user, spec.get("namespace", ""))]
    return {
        "resourceRules": [rule for rule in rules if "resources" in rule],
        "nonResourceRules": [rule for rule in rules if "nonResourceURLs" in rule],
        "incomplete": False,
    }


def _identity(store: Store, tokens: Tokens, user: User, spec: Object) -> Object:
    return {"userInfo": _user_info(user)}


def _token(store: Store, tokens: Tokens, user: User, spec: Object) -> Object:
    try:
        holder = tokens.user(f"Bearer {spec.get('token', '')}")
    except ApiError:
        return {"user": {}, "error": "the token is not valid"}
    return {"authenticated": True, "user": _user_info(holder)}


def _user_info(user: User) -> Object:
    return {"username": user.name, "uid": user.uid, "groups": list(user.groups)}


_ANSWERS: dict[str, Callable[[Store, Tokens, User, Object], Object]] = {
    "SelfSubjectAccessReview": _own_access,
    "LocalSubjectAccessReview": _access,
    "SubjectAccessReview": _access,
    "SelfSubjectRulesReview": _own_rules,
    "SelfSubjectReview": _identity,
    "TokenReview": _token,
}
