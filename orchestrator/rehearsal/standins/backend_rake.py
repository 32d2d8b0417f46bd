"""Stands for `rake` in the image of backend: the check of both its databases before worker and cron start."""

from __future__ import annotations

import os
from collections.abc import Sequence

from orchestrator.rehearsal.standins.raking import run, say
from orchestrator.rehearsal.standins.services import redis


def main(arguments: Sequence[str]) -> int:
    return run({"connectivity:redis_storage_queue_check": check}, arguments)


def check(_: str = "") -> None:
    for key in ("CONFIG_REDIS_PROXY", "CONFIG_QUEUES_MASTER_NAME"):
        with redis(os.environ[key]) as client:
            client.call("PING")
    say("Connection to Redis OK")
