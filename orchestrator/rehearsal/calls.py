"""One request on its way through the server, and the shape of its answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from orchestrator.rehearsal.apierrors import ApiError
from orchestrator.rehearsal.negotiation import Form, negotiate
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.paths import Target
from orchestrator.rehearsal.rbac import User
from orchestrator.rehearsal.tables import metadata_only, table
from orchestrator.rehearsal.types import ResourceType


@dataclass(frozen=True)
class Call:
    """A request that is known to be about `rt`, by somebody who may do it."""

    request: web.Request
    target: Target
    rt: ResourceType
    user: User

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query

    @property
    def namespace(self) -> str:
        return self.target.namespace if self.rt.namespaced else ""

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def form(self) -> Form:
        return negotiate(self.request.headers.get("Accept", ""))

    def require_form(self) -> None:
        """Refuses a client that accepts nothing this server has (406), before anything is looked for."""
        negotiate(self.request.headers.get("Accept", ""))

    @property
    def dry_runs(self) -> list[str]:
        return self.request.query.getall("dryRun", [])

    async def body(self) -> bytes:
        return await self.request.read()


def encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def answer(value: Any, status: int = 200, warnings: Iterable[str] = ()) -> web.Response:
    """JSON, with one Warning header for each warning."""
    response = web.Response(status=status, body=encode(value), content_type="application/json")
    for text in warnings:
        printable = "".join(sign if sign.isprintable() else " " for sign in text)
        quoted = printable.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


def refusal(error: ApiError) -> web.Response:
    response = answer(error.body(), error.status)
    retry = (error.details or {}).get("retryAfterSeconds")
    if retry is not None:
        response.headers["Retry-After"] = str(retry)
    return response


def show(call: Call, obj: Object, status: int = 200, warnings: Iterable[str] = ()) -> web.Response:
    """One object in the form the client asked for."""
    if call.form is Form.TABLE:
        metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
        return answer(table(call.rt, [obj], metadata, call.query.get("includeObject", "")), status, warnings)
    return answer(metadata_only(obj) if call.form is Form.METADATA else obj, status, warnings)


def show_list(call: Call, objects: Iterable[Object], metadata: Object) -> web.Response:
    """A list in the form the client asked for."""
    rt = call.rt
    if call.form is Form.TABLE:
        return answer(table(rt, objects, metadata, call.query.get("includeObject", "")))
    if call.form is Form.METADATA:
        kind, api_version = "PartialObjectMetadataList", "meta.k8s.io/v1"
        items = [metadata_only(obj) for obj in objects]
    else:
        kind, api_version, items = f"{rt.kind}List", rt.api_version, list(_items(rt, objects))
    return answer({"kind": kind, "apiVersion": api_version, "metadata": metadata, "items": items})


def _items(rt: ResourceType, objects: Iterable[Object]) -> Iterator[Object]:
    """Items of built-in lists leave out what the list says for all of them."""
    for obj in objects:
        yield (
            obj
            if rt.custom
            else {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}
        )
