"""A running Redis is told to save again, by a client that reaches it through its pod: a real redis-server."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from orchestrator import effects as fx
from orchestrator import events as ev
from tests.bundle.servers import redis_server
from tests.cluster.pods import Live, place, until


def test_a_server_that_was_started_without_saving_saves_and_appends(live: Live, tmp_path: Path) -> None:
    with redis_server(tmp_path, "--save", "", "--appendonly", "no") as server:
        client = tmp_path / "bin" / "redis-cli"
        client.parent.mkdir()
        client.write_text(f'#!/bin/sh\nexec {shutil.which("redis-cli")} -s {server.socket} "$@"\n')
        client.chmod(0o755)
        pod = live.pod("saving", {"PATH": f"{client.parent}:{os.environ['PATH']}"})
        live.sh(pod, "redis-cli SET kept 1")
        told = fx.SwitchSavingOn(**place(pod, "saving"), save="900 1 300 10", appendonly="yes")
        assert [type(fact) for fact in live.perform(told)] == [ev.SavingSwitchedOn]
        until(lambda: "aof_rewrite_in_progress:0" in live.sh(pod, "redis-cli INFO persistence"))
        assert live.sh(pod, "redis-cli CONFIG GET save").split("\n")[1] == "900 1 300 10"
        assert live.sh(pod, "redis-cli CONFIG GET appendonly").split("\n")[1] == "yes"
        assert list(tmp_path.glob("appendonly*")), "and what it holds is in its AOF"
