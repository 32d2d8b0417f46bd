"""GET: one object, a list (also in pages, also of a past version)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

from aiohttp import web

from orchestrator.rehearsal.apierrors import ApiError, bad_request, expired
from orchestrator.rehearsal.calls import Call, show, show_list
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.options import ListOptions, list_options
from orchestrator.rehearsal.selectors import selects
from orchestrator.rehearsal.store import Key, Store, key_of


def get(store: Store, call: Call) -> web.Response:
    """The object, whatever version the client would be content with."""
    list_options(call.query, watch=False)
    call.require_form()
    return show(call, store.peek(call.rt, call.namespace, call.name))


def list_objects(store: Store, call: Call) -> web.Response:
    options = list_options(call.query, watch=False)
    call.require_form()
    matches = selects(call.rt, options.labels, options.fields)
    after: Key | None = None
    version = store.version
    if options.token:
        version, after = _read_token(options.token)
    elif options.match == "Exact" and options.version is not None:
        version = options.version
    check_version(store, options.version)
    found = (obj for obj in _objects(store, call, version) if after is None or key_of(obj) > after)
    return show_list(call, *_page(options, version, (obj for obj in found if matches(obj))))


def _objects(store: Store, call: Call, version: int) -> Iterator[Object]:
    if version == store.version:
        return store.scan(call.rt, call.namespace or None)
    if not store.history.reaches(version):
        raise expired(f"The provided continue parameter is too old: too old resource version: {version}")
    return store.scan_at(call.rt, call.namespace or None, version)


def _page(options: ListOptions, version: int, found: Iterator[Object]) -> tuple[list[Object], Object]:
    metadata: Object = {"resourceVersion": str(version)}
    if not options.limit:
        return list(found), metadata
    objects = [obj for _, obj in zip(range(options.limit), found, strict=False)]
    rest = sum(1 for _ in found)
    if rest:
        metadata["continue"] = _write_token(version, key_of(objects[-1]))
        if not options.labels and not options.fields:
            metadata["remainingItemCount"] = rest
    return objects, metadata


def check_version(store: Store, version: int | None) -> None:
    """A version from the future is a version of another cluster: 504, as the server has it."""
    if version is not None and version > store.version:
        details = {
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        }
        text = f"Too large resource version: {version}, current: {store.version}"
        raise ApiError(504, "Timeout", text, details)


def _write_token(version: int, key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, *key]).encode()).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, Key]:
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(version), (str(namespace), str(name))
    except ValueError:
        problem = "invalid character '\\u0081' looking for beginning of value"
        raise bad_request(f"invalid continue token: continue key is not valid: {problem}") from None
