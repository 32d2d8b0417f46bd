"""Two processes resume one run at the same moment, many times: `python -m tests.commands.racing RUN ROUNDS DIRECTORY`.

Both are forked from this process, which has imported everything and starts no thread, wait for the same pipe to be
closed, and are the program itself from there on. The run is one that cannot move, so whoever gets it waits, and the
one that ends first was refused. The other is then asked to end by SIGINT. Prints a JSON line a round.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from commands.app import main

for slow in (
    "aiohttp", "apscheduler.executors.pool", "apscheduler.schedulers.background", "kubernetes.client", "kubernetes.config",
    "orchestrator.cluster.leases", "orchestrator.cluster.live", "orchestrator.foresight", "orchestrator.runs",
):  # fmt: skip
    importlib.import_module(slow)


def resuming(run: str, gate: tuple[int, int], report: Path) -> int:
    """A child that resumes the run when the gate is opened; returns its pid."""
    if child := os.fork():
        return child
    reading, writing = gate
    os.close(writing)
    file = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.read(reading, 1)
    sys.argv = ["restore", "resume", run]
    try:
        main()
    except SystemExit as end:
        os._exit(int(end.code or 0))
    finally:
        os._exit(99)


def race(run: str, directory: Path) -> dict[str, Any]:
    """Who was refused, with which code and words; who held the run, and how that one ended."""
    gate = os.pipe()
    reports = {resuming(run, gate, directory / name): directory / name for name in ("one", "other")}
    for end in gate:
        os.close(end)
    refused, status = os.wait()
    (holder,) = reports.keys() - {refused}
    os.kill(holder, signal.SIGINT)
    _, ended = os.waitpid(holder, 0)
    return {
        "refused": refused, "code": os.waitstatus_to_exitcode(status), "said": reports[refused].read_text(),
        "holder": holder, "holder_code": os.waitstatus_to_exitcode(ended), "holder_said": reports[holder].read_text(),
    }


if __name__ == "__main__":
    run, rounds, directory = sys.argv[1:]
    for _ in range(int(rounds)):
        sys.stdout.write(json.dumps(race(run, Path(directory))) + "\n")
        sys.stdout.flush()
