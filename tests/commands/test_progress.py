"""On a terminal a table of lanes is drawn in place; in a pipe there is one line a step, and no control character."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

from orchestrator.rehearsal.lifecycle import Rehearsed
from tests.commands.program import REDIS, ROOT, environment, restore

DEADLINE_SECONDS = 240


def on_a_terminal(words: list[str], home: Path) -> tuple[int, str]:
    """`restore WORDS…` with a terminal of 120 columns for stdout and stderr: (exit code, all that it drew)."""
    ours, theirs = pty.openpty()
    variables = environment(home) | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(
        [sys.executable, "-m", "commands", *words], cwd=ROOT, env=variables, stdin=subprocess.DEVNULL,
        stdout=theirs, stderr=theirs,
    )
    os.close(theirs)
    drawn, deadline = bytearray(), time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 0.2)[0]:
            continue
        try:
            data = os.read(ours, 65536)
        except OSError:  # how Linux says that the last writer has closed
            break
        if not data:
            break
        drawn += data
    os.close(ours)
    return process.wait(timeout=60), drawn.decode("utf-8", "replace")


def test_a_run_draws_its_lanes_and_status_watches_it(filled: Rehearsed, bundle: Path, tmp_path: Path) -> None:
    words = ["run", str(bundle), *REDIS, "--kubeconfig", str(filled.kubeconfig), "-n", filled.namespace, "--yes"]
    code, drawn = on_a_terminal(words, tmp_path)
    assert code == 0, drawn
    for header in ("LANE", "STEPS", "NOW", "BYTES", "RATE", "ETA"):
        assert header in drawn
    assert "\x1b[" in drawn, "nothing was redrawn in place"
    assert "copy backend-redis-dump.rdb into the pod" in drawn
    run = str(json.loads(restore("runs", "-o", "json", home=tmp_path).stdout)[0]["run"])
    code, watched = on_a_terminal(["status", run, "--watch"], tmp_path)
    assert code == 0
    assert f"run {run}: finished" in watched
    back = restore("rollback", run, "--yes", home=tmp_path)
    assert back.returncode == 0, back.stderr
    assert "\x1b" not in back.stderr
    assert "restored  " in back.stderr
