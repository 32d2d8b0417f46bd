"""Bearer tokens: the administrator's, and those of service accounts.

Tokens live in memory and end with the process. What a user may do is decided elsewhere.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchestrator.rehearsal.apierrors import ApiError
from orchestrator.rehearsal.rbac import AUTHENTICATED, MASTERS, UNAUTHENTICATED, User, account_name
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type

ADMINISTRATOR = User("system:admin", (MASTERS, AUTHENTICATED))
ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))
DEFAULT_TOKEN_SECONDS = 3600
LEAST_TOKEN_SECONDS = 600


@dataclass(frozen=True)
class Token:
    """A service account's token. `expires_at` is in seconds since the epoch."""

    text: str
    expires_at: float

    @property
    def expiration(self) -> str:
        return datetime.fromtimestamp(self.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class _Holder:
    namespace: str
    name: str
    uid: str
    expires_at: float


class Tokens:
    """Issues tokens and tells whose they are."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._holders: dict[str, _Holder] = {}
        self.administrator = secrets.token_urlsafe(32)

    def user(self, authorization: str) -> User:
        """Who sends this Authorization header; ApiError 401 for a token that is not (or no longer) valid."""
        scheme, _, text = authorization.partition(" ")
        if not authorization:
            return ANONYMOUS
        if scheme.lower() == "bearer" and secrets.compare_digest(text.encode(), self.administrator.encode()):
            return ADMINISTRATOR
        holder = self._holders.get(text)
        if scheme.lower() != "bearer" or holder is None or not self._is_valid(holder):
            raise ApiError(401, "Unauthorized", "Unauthorized")
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{holder.namespace}", AUTHENTICATED)
        return User(account_name(holder.namespace, holder.name), groups, holder.uid)

    def _is_valid(self, holder: _Holder) -> bool:
        account = self._store.find(resource_type("ServiceAccount"), holder.namespace, holder.name)
        return (
            account is not None
            and account["metadata"]["uid"] == holder.uid
            and time.time() < holder.expires_at
        )

    def issue(self, namespace: str, account: str, seconds: int = DEFAULT_TOKEN_SECONDS) -> Token:
        """A new token for the service account; ApiError 404 when there is none of that name."""
        found = self._store.peek(resource_type("ServiceAccount"), namespace, account)
        token = Token(secrets.token_urlsafe(48), time.time() + seconds)
        self._holders[token.text] = _Holder(namespace, account, found["metadata"]["uid"], token.expires_at)
        return token


def grant(store: Store, tokens: Tokens, namespace: str, account: str, rules: Sequence[dict[str, Any]]) -> str:
    """Makes a service account that may do what `rules` say in its namespace, and returns a token for it."""
    metadata = {"metadata": {"name": account}}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account}
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    store.create(resource_type("ServiceAccount"), namespace, metadata)
    store.create(resource_type("Role"), namespace, metadata | {"rules": list(rules)})
    store.create(resource_type("RoleBinding"), namespace, metadata | {"roleRef": role, "subjects": [subject]})
    return tokens.issue(namespace, account).text
