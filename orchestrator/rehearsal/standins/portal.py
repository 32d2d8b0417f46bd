"""Stands for the web servers of system-app, backend-listener and apicast: their status pages.

The containers of a pod share one port here. Of system-app's three, system-master listens for all.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

from orchestrator.rehearsal.standins.serving import LISTENING, serve

PAGES = {"/status": "ok\n", "/check.txt": "ok\n", "/status/ready": "ready\n", "/status/live": "live\n"}
PORTALS = ("system-master", "system-provider", "system-developer")


def main(arguments: Sequence[str]) -> int:
    container = os.environ["REHEARSAL_CONTAINER_NAME"]
    if container in PORTALS[1:]:
        return _beside_master()
    serve(PORTALS if container == "system-master" else (container,), _answer)
    return 0


def _answer(method: str, path: str, body: str) -> tuple[int, str]:
    if method not in ("GET", "HEAD"):
        return 405, ""
    if path == "/internal/status":
        return 200, '{"status": "ok", "version": {"backend": "rehearsal"}}\n'
    return (200, PAGES[path]) if path in PAGES else (404, "")


def _beside_master() -> int:
    LISTENING.write_text("yes\n")
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    while True:
        time.sleep(3600)
