"""The log of a container: the file its standard output and error go to.

One file for each start of the container. Lines carry no time of their own, so sinceSeconds only tells a
log that was written to since from one that was not.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from aiohttp import web

from orchestrator.rehearsal.apierrors import bad_request
from orchestrator.rehearsal.containers import Container
from orchestrator.rehearsal.execs import chosen_container
from orchestrator.rehearsal.kubelet import Kubelet
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.podrunner import POD
from orchestrator.rehearsal.store import Store

FOLLOW_SECONDS = 0.1
PIECE_BYTES = 64 * 1024


async def serve_log(
    store: Store, kubelet: Kubelet, request: web.Request, namespace: str, name: str
) -> web.StreamResponse:
    """The handler of `pods/log`: container, previous, tailLines, limitBytes, sinceSeconds, follow."""
    pod = store.get(POD, namespace, name)
    container_name = chosen_container(pod, request.query.get("container", ""))
    if not pod["spec"].get("nodeName"):
        return web.Response(status=204)
    container = kubelet.container(pod, container_name)
    path = _log_file(pod, container_name, container, request)
    start, content = _chosen(path, request)
    if request.query.get("follow") in ("true", "1") and container is not None:
        return await _follow(request, container, path, start, content)
    return web.Response(body=content, content_type="text/plain")


def _log_file(pod: Object, name: str, container: Container | None, request: web.Request) -> Path:
    previous = request.query.get("previous") in ("true", "1")
    path = container.log_file(previous=previous) if container else None
    if path is not None and path.exists():
        return path
    pod_name = pod["metadata"]["name"]
    if previous:
        raise bad_request(f'previous terminated container "{name}" in pod "{pod_name}" not found')
    waiting = container.status()["state"].get("waiting", {}) if container else {}
    reason = waiting.get("reason", "ContainerCreating")
    if reason in ("ErrImagePull", "ImagePullBackOff"):
        reason = "trying and failing to pull image"
    raise bad_request(f'container "{name}" in pod "{pod_name}" is waiting to start: {reason}')


def _chosen(path: Path, request: web.Request) -> tuple[int, bytes]:
    """Where the file ends now, and what of it was asked for."""
    content = path.read_bytes()
    end = len(content)
    since = _number(request, "sinceSeconds")
    if since is not None and time.time() - path.stat().st_mtime > since:
        content = b""
    tail = _number(request, "tailLines")
    if tail is not None:
        content = b"".join(content.splitlines(keepends=True)[-tail:] if tail else [])
    limit = _number(request, "limitBytes")
    return end, content if limit is None else content[:limit]


async def _follow(
    request: web.Request, container: Container, path: Path, position: int, content: bytes
) -> web.StreamResponse:
    """Sends what is there, and what comes, until the process that writes it has ended."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    with path.open("rb") as file:
        file.seek(position)
        while True:
            if content:
                await response.write(content)
            ended = not container.running or container.log_file() != path
            content = file.read(PIECE_BYTES)
            if not content and ended:
                return response
            if not content:
                await asyncio.sleep(FOLLOW_SECONDS)


def _number(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f"{name}: invalid value {text!r}") from None
