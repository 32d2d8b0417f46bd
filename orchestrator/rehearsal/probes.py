"""Probes: whether a container is started, ready and alive, asked as its spec says.

Exec probes run in the container; TCP and HTTP probes go to the pod's own port, which stands for all ports
the pod declares. A container without a probe passes at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Sequence

import aiohttp

from orchestrator.rehearsal.environments import POD_ADDRESS
from orchestrator.rehearsal.objects import Object

RunCommand = Callable[[Sequence[str]], Awaitable[int]]
"""Runs a command in the container and returns its exit code."""


async def watch_probe(spec: Object, port: int, run: RunCommand, report: Callable[[bool, str], None]) -> None:
    """Probes for ever, by the timing of `spec`; `report(passed, why)` after each threshold reached."""
    await asyncio.sleep(spec.get("initialDelaySeconds", 0))
    passes = failures = 0
    while True:
        why = await probe_once(spec, port, run)
        passes, failures = (passes + 1, 0) if why is None else (0, failures + 1)
        if passes >= spec.get("successThreshold", 1):
            report(True, "")
        if failures >= spec.get("failureThreshold", 3):
            report(False, why or "")
        await asyncio.sleep(spec.get("periodSeconds", 10))


async def probe_once(spec: Object, port: int, run: RunCommand) -> str | None:
    """None when the probe passed, else why not."""
    timeout_seconds = spec.get("timeoutSeconds", 1)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _ask(spec, port, run)
    except TimeoutError:
        return f"command timed out after {timeout_seconds}s"
    except (OSError, aiohttp.ClientError) as error:
        return str(error)


async def _ask(spec: Object, port: int, run: RunCommand) -> str | None:
    if "exec" in spec:
        code = await run(spec["exec"].get("command") or [])
        return None if code == 0 else f"command exited with {code}"
    if "httpGet" in spec:
        return await _get(spec["httpGet"], port)
    _, writer = await asyncio.open_connection(POD_ADDRESS, port)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return None


async def _get(spec: Object, port: int) -> str | None:
    scheme = spec.get("scheme", "HTTP").lower()
    headers = {header["name"]: header["value"] for header in spec.get("httpHeaders") or []}
    url = f"{scheme}://{POD_ADDRESS}:{port}/{spec.get('path', '').lstrip('/')}"
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            url, headers=headers, ssl=_unverified() if scheme == "https" else True, allow_redirects=False
        ) as response,
    ):
        passed = 200 <= response.status < 400
        return None if passed else f"HTTP probe failed with statuscode: {response.status}"


def _unverified() -> ssl.SSLContext:
    """A kubelet does not verify the certificates of the pods it probes."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
