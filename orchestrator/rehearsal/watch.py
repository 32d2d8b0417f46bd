"""Watches: what happens to the objects a client selects, as a stream of events.

An object that begins or ceases to match the selector is ADDED or DELETED for that client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from aiohttp import web

from orchestrator.rehearsal.apierrors import expired
from orchestrator.rehearsal.calls import Call, encode
from orchestrator.rehearsal.history import Event
from orchestrator.rehearsal.negotiation import Form
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.options import ListOptions, list_options
from orchestrator.rehearsal.selectors import Predicate, selects
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.tables import metadata_only, table

DEFAULT_SECONDS = 1800.0
LOOK_SECONDS = 5.0
BOOKMARK_SECONDS = 60.0
MOST_WAITING = 10_000


async def watch(store: Store, call: Call) -> web.StreamResponse:
    """Streams until the client's timeoutSeconds are over or it goes away."""
    options = list_options(call.query, watch=True)
    watcher = Watcher(store, call, options, _selection(call, options))
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    store.subscribe(watcher.take)
    try:
        first = watcher.first()
        await response.prepare(call.request)
        with suppress(ConnectionResetError):
            await _send(response, first)
            if not watcher.broken:
                await _follow(call, response, watcher, options.timeout_seconds or DEFAULT_SECONDS)
            await response.write_eof()
    finally:
        store.unsubscribe(watcher.take)
    return response


def _selection(call: Call, options: ListOptions) -> Predicate:
    matches = selects(call.rt, options.labels, options.fields)
    name, namespace = call.name, call.namespace

    def chosen(obj: Any) -> bool:
        metadata = obj["metadata"]
        return (
            (not namespace or metadata.get("namespace") == namespace)
            and (not name or metadata["name"] == name)
            and matches(obj)
        )

    return chosen


async def _send(response: web.StreamResponse, events: list[Object]) -> None:
    if events:
        await response.write(b"".join(encode(event) + b"\n" for event in events))


async def _follow(call: Call, response: web.StreamResponse, watcher: Watcher, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    bookmark_at = loop.time() + BOOKMARK_SECONDS
    while (left := end - loop.time()) > 0 and not watcher.broken:
        events = await watcher.wait(min(left, LOOK_SECONDS))
        transport = call.request.transport
        if transport is None or transport.is_closing():
            return
        if watcher.options.bookmarks and loop.time() >= bookmark_at:
            events.append(watcher.bookmark())
            bookmark_at = loop.time() + BOOKMARK_SECONDS
        await _send(response, events)


class Watcher:
    """What one client has still to be told."""

    def __init__(self, store: Store, call: Call, options: ListOptions, chosen: Predicate) -> None:
        self._store = store
        self._rt = call.rt
        self._chosen = chosen
        self._form = call.form
        self._include = call.query.get("includeObject", "")
        self._waiting: list[Object] = []
        self._news = asyncio.Event()
        self._headed = False
        self.options = options
        self.broken = False

    def first(self) -> list[Object]:
        """What the client gets at once: the present objects, or what happened since its version."""
        since = self.options.version
        if not since or self.options.send_initial:
            objects = self._store.scan(self._rt, None)
            events = [self._event("ADDED", obj) for obj in objects if self._chosen(obj)]
            return [*events, self.bookmark(initial_end=True)] if self.options.send_initial else events
        if not self._store.history.reaches(since):
            self.broken = True
            error = expired(f"too old resource version: {since} ({self._store.version})")
            return [{"type": "ERROR", "object": error.body()}]
        return [event for happened in self._store.history.after(since) for event in self._told(happened)]

    def take(self, event: Event) -> None:
        if event.rt.resource != self._rt.resource:
            return
        self._waiting.extend(self._told(event))
        if len(self._waiting) > MOST_WAITING:
            self.broken = True
        if self._waiting:
            self._news.set()

    async def wait(self, seconds: float) -> list[Object]:
        """The events since the last call; waits for some, but not longer than `seconds`."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        self._news.clear()
        events, self._waiting = self._waiting, []
        return events

    def bookmark(self, *, initial_end: bool = False) -> Object:
        metadata: Object = {"resourceVersion": str(self._store.version)}
        if initial_end:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        obj = {"kind": self._rt.kind, "apiVersion": self._rt.api_version, "metadata": metadata}
        return {"type": "BOOKMARK", "object": obj}

    def _told(self, event: Event) -> Iterator[Object]:
        if event.rt.resource != self._rt.resource:
            return
        before = event.old is not None and self._chosen(event.old)
        after = event.type != "DELETED" and self._chosen(event.object)
        if after:
            yield self._event("MODIFIED" if before else "ADDED", event.object)
        elif before and event.old is not None:
            metadata = event.old["metadata"] | {"resourceVersion": str(event.version)}
            yield self._event("DELETED", event.old | {"metadata": metadata})

    def _event(self, kind: str, obj: Object) -> Object:
        if self._form is Form.TABLE:
            version = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            shown = table(self._rt, [obj], version, self._include, header=not self._headed)
            self._headed = True
        else:
            shown = metadata_only(obj) if self._form is Form.METADATA else obj
        return {"type": kind, "object": shown}
