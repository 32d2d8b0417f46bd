"""From a request on the wire to an answer: the one place where every request passes.

It asks who wants something (auth), whether they may (rbac), what it is about (paths, types), and hands it to
whoever does it (reading, watch, writing, reviews, or a handler that was plugged in).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from orchestrator.rehearsal import reading, scale
from orchestrator.rehearsal.apierrors import (
    ApiError,
    bad_request,
    forbidden,
    method_not_allowed,
    no_such_path,
    not_found,
)
from orchestrator.rehearsal.auth import Tokens
from orchestrator.rehearsal.bodies import decode, too_large
from orchestrator.rehearsal.calls import Call, answer, refusal, show
from orchestrator.rehearsal.discovery import Discovery
from orchestrator.rehearsal.negotiation import AGGREGATED, accepts_aggregated
from orchestrator.rehearsal.paths import Target, read_target
from orchestrator.rehearsal.rbac import AUTHENTICATED, User, Wish, allowed
from orchestrator.rehearsal.reviews import review, token_request
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import TYPES, ResourceType, as_kubernetes
from orchestrator.rehearsal.watch import watch
from orchestrator.rehearsal.writing import Writer

Handler = Callable[[web.Request, str, str], Awaitable[web.StreamResponse]]
HEALTH = ("/healthz", "/livez", "/readyz")
NOTICE_SECONDS = 5.0
LONG_SUBRESOURCES = ("attach", "eviction", "exec", "instantiate", "log")
log = logging.getLogger(__name__)


class Api:
    """Answers requests out of a store."""

    def __init__(
        self, store: Store, tokens: Tokens, *, openshift: bool, on_request: Callable[[], None]
    ) -> None:
        self.store = store
        self.tokens = tokens
        self._types = {
            (rt.group, rt.version, rt.plural): rt for rt in (TYPES if openshift else as_kubernetes())
        }
        self._discovery = Discovery(tuple(self._types.values()))
        self._writer = Writer(store, openshift=openshift)
        self._on_request = on_request
        self._open_requests = 0
        self.handlers: dict[str, Handler] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The one entrance. Every failure leaves as a Status object."""
        self._on_request()
        self._open_requests += 1
        try:
            return await self._answer(request)
        except ApiError as error:
            return refusal(error)
        except web.HTTPRequestEntityTooLarge:
            return refusal(too_large())
        except (asyncio.CancelledError, ConnectionResetError):
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return refusal(ApiError(500, "InternalError", "an error on the server has prevented the request"))
        finally:
            self._open_requests -= 1

    async def notice_open_requests(self) -> None:
        """Goes on telling that the cluster is used while a watch or an exec is open. Ends when cancelled."""
        while True:
            await asyncio.sleep(NOTICE_SECONDS)
            if self._open_requests:
                self._on_request()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        user = self._user(request)
        target = read_target(request.method, request.path, request.query)
        self._authorize(user, target)
        if not target.resource:
            return self._plain(request, target)
        rt = self._types.get((target.group, target.version, target.resource))
        if rt is None or not _fits(rt, target):
            raise no_such_path()
        call = Call(request, target, rt, user)
        return await (self._subresource(call) if target.subresource else self._object(call))

    def _user(self, request: web.Request) -> User:
        """Who asks: the bearer of the token, or whom the bearer may and wants to impersonate."""
        user = self.tokens.user(request.headers.get("Authorization", ""))
        name = request.headers.get("Impersonate-User")
        if name is None:
            return user
        groups = request.headers.getall("Impersonate-Group", [])
        for kind, other in [("users", name), *(("groups", group) for group in groups)]:
            self._authorize(user, Target(request.path, "impersonate", resource=kind, name=other))
        return User(name, (*groups, AUTHENTICATED))

    def _authorize(self, user: User, target: Target) -> None:
        wish = Wish(
            target.verb, target.group, target.resource, target.subresource, target.namespace, target.name, target.path
        )  # fmt: skip
        if allowed(self.store, user, wish):
            return
        if not target.resource:
            text = f'forbidden: User "{user.name}" cannot {target.verb} path "{target.path}"'
            raise ApiError(403, "Forbidden", text, {})
        where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
        what = f'{target.verb} resource "{wish.full_resource}" in API group "{target.group}" {where}'
        raise forbidden(_named(target), target.name, f'User "{user.name}" cannot {what}')

    def _plain(self, request: web.Request, target: Target) -> web.Response:
        """Paths that name no resource: health and discovery."""
        document = self._discovery.find(target.path)
        if target.path not in HEALTH and document is None:
            raise no_such_path()
        if request.method != "GET":
            raise method_not_allowed()
        if target.path in HEALTH:
            return web.Response(text="ok")
        if target.path in self._discovery.aggregated and accepts_aggregated(
            request.headers.get("Accept", "")
        ):
            response = answer(self._discovery.aggregated[target.path])
            response.headers["Content-Type"] = AGGREGATED
            response.headers["Vary"] = "Accept"
            return response
        response = answer(document)
        if target.path == "/openapi/v3":
            response.headers["Content-Type"] = "text/plain; charset=utf-8"
        return response

    async def _object(self, call: Call) -> web.StreamResponse:
        verb = call.target.verb
        if call.rt.verbs == ("create",):
            return await self._review(call)
        self._check_verb(call)
        if verb == "get":
            return reading.get(self.store, call)
        if verb == "list":
            return reading.list_objects(self.store, call)
        if verb == "watch":
            return await watch(self.store, call)
        writes = {
            "create": self._writer.create,
            "update": self._writer.replace,
            "patch": self._writer.patch,
            "delete": self._writer.delete,
            "deletecollection": self._writer.delete_all,
        }
        return await writes[verb](call)

    def _check_verb(self, call: Call) -> None:
        """405 for what a collection or a single object does not offer."""
        verb, name = call.target.verb, call.name
        if verb not in call.rt.verbs:
            raise method_not_allowed()
        if call.rt.custom and verb in ("update", "patch") and not name:
            raise bad_request("name must be provided")
        misplaced = (verb == "create" and name and not call.rt.custom) or (
            verb in ("update", "patch") and not name
        )
        nowhere = call.rt.namespaced and not call.namespace and verb not in ("list", "watch")
        if misplaced or nowhere or call.request.method == "HEAD":
            raise method_not_allowed()

    async def _review(self, call: Call) -> web.Response:
        if call.target.verb != "create" or call.name:
            raise method_not_allowed()
        body = decode(await call.body(), call.request.headers.get("Content-Type", "")).value
        answered = review(call.rt, self.store, self.tokens, call.user, call.namespace, body or {})
        return answer(answered, 201)

    async def _subresource(self, call: Call) -> web.StreamResponse:
        subresource, method = call.target.subresource, call.request.method
        if subresource not in call.rt.subresources:
            raise not_found(call.rt, call.name) if call.rt.custom else no_such_path()
        if subresource in LONG_SUBRESOURCES:
            return await self._plugged_in(call)
        if subresource == "token":
            return await self._token(call)
        if method == "PUT":
            return await self._writer.replace(call)
        if method == "PATCH":
            return await self._writer.patch(call)
        if method != "GET":
            raise method_not_allowed()
        obj = self.store.peek(call.rt, call.namespace, call.name)
        return answer(scale.scale_of(obj)) if subresource == "scale" else show(call, obj)

    async def _plugged_in(self, call: Call) -> web.StreamResponse:
        self.store.peek(call.rt, call.namespace, call.name)
        handler = self.handlers.get(f"{call.rt.plural}/{call.target.subresource}")
        if handler is None:
            raise no_such_path()
        methods = {"log": ("GET",), "exec": ("GET", "POST"), "attach": ("GET", "POST")}
        if call.request.method not in methods.get(call.target.subresource, ("POST",)):
            raise method_not_allowed()
        return await handler(call.request, call.namespace, call.name)

    async def _token(self, call: Call) -> web.Response:
        if call.request.method != "POST":
            raise method_not_allowed()
        body = decode(await call.body(), call.request.headers.get("Content-Type", "")).value
        return answer(token_request(self.tokens, call.namespace, call.name, body or {}), 201)


def _fits(rt: ResourceType, target: Target) -> bool:
    """Whether the path names the resource where it lives: in a namespace or outside."""
    if rt.kind == "Namespace":
        return not target.namespace or target.namespace == target.name
    if not rt.namespaced:
        return not target.namespace
    return bool(target.namespace) or not target.name


def _named(target: Target) -> ResourceType:
    """A stand-in to name a resource in a message, whether or not there is one."""
    return ResourceType(
        target.group, target.version, "", target.resource, "", (), True, frozenset(), (), custom=False
    )  # fmt: skip
