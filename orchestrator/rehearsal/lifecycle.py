"""Starts embedded clusters as processes of their own, finds them again, and stops them.

A cluster outlives whoever started it: a run that is killed finds it by its directory. A pid alone proves
nothing, so a cluster is known by its pid and the moment that process started. Nothing here imports the
server.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLUSTER_FILE = "cluster.json"
LOG_FILE = "cluster.log"
POLL_SECONDS = 0.02
READY_SECONDS = 120.0
STOP_SECONDS = 20.0


class RehearsalFailed(Exception):
    """The cluster did not come up, or could not be stopped. The message says why and where its log is."""


@dataclass(frozen=True)
class Rehearsed:
    """A cluster that runs."""

    root: Path
    kubeconfig: Path
    namespace: str
    release: str
    pid: int
    scope: str = "redis"
    database: str = "mysql"


def start(
    root: Path,
    release: str,
    *,
    namespace: str = "threescale",
    scope: str = "redis",
    database: str = "mysql",
    fresh: bool = False,
    idle_minutes: float = 60.0,
    operator_delay_seconds: float = 0.2,
) -> Rehearsed:
    """Starts a cluster in `root` and waits until its installation is ready; a running one is given back.

    `scope` is "redis" (the two Redis databases alone) or "whole" (all of 3scale), `database` the system database:
    "mysql" or "postgresql". With `fresh` the operator is there, and nothing that it would install.
    """
    root = prepared(root)
    running = find(root)
    if running is None:
        options = {
            "--root": root, "--release": release, "--namespace": namespace, "--idle-minutes": idle_minutes,
            "--operator-delay-seconds": operator_delay_seconds, "--scope": scope, "--database": database,
        }  # fmt: skip
        words = [str(word) for pair in options.items() for word in pair] + ["--fresh"] * fresh
        running = awaited(root, spawned(root, words))
    if (running.release, running.namespace, running.scope, running.database) != (release, namespace, scope, database):
        there = f"release {running.release} ({running.scope}, {running.database})"
        raise RehearsalFailed(f"a cluster with {there} runs in {root}; stop it first")
    return running


def find(root: Path) -> Rehearsed | None:
    """The cluster that runs in `root` and is ready, if there is one."""
    found = described(root)
    if found is None or not found["ready"]:
        return None
    root = root.resolve()
    return Rehearsed(
        root, root / "kubeconfig", found["namespace"], found["release"], found["pid"], found.get("scope", "redis"),
        found.get("database", "mysql"),
    )  # fmt: skip


def find_all(base: Path) -> list[Rehearsed]:
    """Every ready cluster whose root is a directory directly in `base`."""
    return [found for root in roots(base) if (found := find(root))]


def stop(root: Path) -> bool:
    """Stops the cluster in `root` and waits for its end; False when none runs."""
    found = described(root)
    if found is None:
        return False
    pid, ticks = found["pid"], found["started_ticks"]
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5.0)):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        if wait_for_end(pid, ticks, seconds):
            (root / CLUSTER_FILE).unlink(missing_ok=True)
            return True
    raise RehearsalFailed(f"the cluster in {root} (pid {pid}) does not end")


def stop_all(base: Path) -> int:
    """Stops every cluster whose root is a directory directly in `base`; returns how many."""
    return sum(stop(root) for root in roots(base))


def roots(base: Path) -> list[Path]:
    return sorted(file.parent for file in base.glob(f"*/{CLUSTER_FILE}"))


def prepared(root: Path) -> Path:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return root.resolve()


def spawned(
    root: Path, arguments: list[str], module: str = "orchestrator.rehearsal", log_file: str = LOG_FILE
) -> subprocess.Popen[bytes]:
    """The new process, in a session of its own, so that it outlives this one and its terminal."""
    log = os.open(root / log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
    finally:
        os.close(log)


def awaited(root: Path, process: subprocess.Popen[bytes]) -> Rehearsed:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if (found := find(root)) and found.pid == process.pid:
            return found
        if process.poll() is not None:
            raise RehearsalFailed(f"the cluster ended at once: {last_line(root / LOG_FILE)} (see {root / LOG_FILE})")
        time.sleep(POLL_SECONDS)
    process.terminate()
    raise RehearsalFailed(f"the cluster was not ready within {READY_SECONDS:.0f} s (see {root / LOG_FILE})")


def described(root: Path) -> dict[str, Any] | None:
    """What `cluster.json` says, if the process it names still runs."""
    try:
        found: dict[str, Any] = json.loads((root / CLUSTER_FILE).read_text())
        alive = started_ticks(found["pid"]) == found["started_ticks"]
    except (OSError, ValueError, KeyError):
        return None
    return found if alive else None


def wait_for_end(pid: int, ticks: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while started_ticks(pid) == ticks:
        if time.monotonic() > deadline:
            return False
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)  # where it is a child of ours
        time.sleep(POLL_SECONDS)
    return True


def last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def started_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot: with the pid, who it is. None when it is gone."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in ("Z", "X") else int(fields[19])
    return None
