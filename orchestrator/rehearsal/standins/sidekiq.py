"""Stands for system-sidekiq: takes the jobs of queue:zync and tells zync of them; other queues it leaves alone."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from orchestrator.rehearsal.resp import RedisClient, RedisError
from orchestrator.rehearsal.standins.services import Unreachable, redis, request
from orchestrator.rehearsal.standins.serving import Ended
from orchestrator.rehearsal.standins.zync_events import QUEUE, WORKER

LIST = f"queue:{QUEUE}"
WAIT_SECONDS = 1
AGAIN_SECONDS = 1.0


def main(arguments: Sequence[str]) -> int:
    """Ends between two jobs: one that is taken is told of, or goes back."""
    ended = Ended()
    while not ended:
        try:
            with redis(os.environ["REDIS_URL"]) as client:
                while not ended:
                    _work(client)
        except (OSError, RedisError, Unreachable) as error:
            sys.stderr.write(f"{error}\n")
            time.sleep(AGAIN_SECONDS)
    return 0


def _work(client: RedisClient) -> None:
    """One job. One that zync does not take goes back to the front of the line, to be tried again."""
    found = client.call("BRPOP", LIST, WAIT_SECONDS)
    if found is None:
        return
    text: bytes = found[1]
    data = notification_of(text)
    if data is None:
        sys.stderr.write("a job that is not for zync was dropped\n")
        return
    try:
        status, _ = request("PUT", "zync", "/notification", json.dumps(data))
    except Unreachable:
        status = 0
    if status != 200:
        client.call("RPUSH", LIST, text)
        time.sleep(AGAIN_SECONDS)


def notification_of(text: bytes) -> dict[str, Any] | None:
    """What a job tells zync; None for a job of another kind."""
    try:
        job = json.loads(text)
        data = job["args"][1]
        return data if job["class"] == WORKER and isinstance(data, dict) else None
    except (ValueError, KeyError, IndexError, TypeError):
        return None
