"""Starts a line in front of a cluster, finds it again by its file in the cluster's root, and speaks to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.rehearsal import lifecycle
from orchestrator.rehearsal.lifecycle import RehearsalFailed, started_ticks, wait_for_end
from orchestrator.rehearsal.line.faults import Ending, Faults

LINE_FILE: Final = "line.json"
LOG_FILE: Final = "line.log"
KUBECONFIG_FILE: Final = "kubeconfig-line"
READY_SECONDS: Final = 15.0
ANSWER_SECONDS: Final = 10.0
STOP_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Told:
    """The counters of a line. Lost bytes went into it and never came out; `by_connection` is their detail."""

    up_bytes: int
    down_bytes: int
    lost_up_bytes: int
    lost_down_bytes: int
    connections: int
    refused: int
    cuts: int
    resets: int
    stalls: int
    by_connection: list[dict[str, Any]]
    faults: Faults

    @property
    def sent_bytes(self) -> int:
        """What the clients have sent; where connections ended, also what the line took and the cluster never saw."""
        return self.up_bytes + self.lost_up_bytes

    def __str__(self) -> str:
        mib = 1024 * 1024
        return (
            f"{self.up_bytes / mib:.1f} MiB up, {self.down_bytes / mib:.1f} MiB down over {self.connections} "
            f"connections; {self.cuts} cuts, {self.resets} resets, {self.stalls} stalls"
        )


@dataclass(frozen=True)
class Line:
    """A line that runs. `kubeconfig` leads through it to the cluster in `root`."""

    root: Path
    kubeconfig: Path
    port: int
    seed: int
    pid: int
    control_port: int
    key: str

    def told(self) -> Told:
        return self.ask({"do": "tell"})

    def change(self, faults: Faults) -> Told:
        """Other faults from now on."""
        return self.ask({"do": "change", "faults": asdict(faults)})

    def cut(self, ending: Ending | None = None) -> Told:
        """Cut every connection now; how, by the seed unless it is said."""
        return self.ask({"do": "cut", "ending": ending})

    def stall(self, seconds: float) -> Told:
        """Let nothing pass for so long; 0 ends a stall."""
        return self.ask({"do": "stall", "seconds": seconds})

    def ask(self, request: dict[str, object]) -> Told:
        with socket.create_connection(("127.0.0.1", self.control_port), ANSWER_SECONDS) as control:
            control.sendall(json.dumps({**request, "key": self.key}).encode() + b"\n")
            answer = json.loads(control.makefile("rb").read())
        return Told(**{**answer, "faults": Faults(**answer["faults"])})


def start(root: Path, faults: Faults, seed: int) -> Line:
    """A line to the cluster in `root`; one that runs there already gets these faults, and keeps its seed.

    It ends with the cluster, or with this process where the cluster has no `cluster.json`. It has the port of
    the line before it, if there was one: a run that was begun on that line finds this one.
    """
    root = root.resolve()
    if (running := find(root)) is not None:
        running.change(faults)
        return running
    cluster = lifecycle.described(root)
    words = {
        "--root": root, "--faults": json.dumps(asdict(faults)), "--seed": seed,
        "--port": (noted(root) or {}).get("port", 0), "--owner": cluster["pid"] if cluster else os.getpid(),
    }  # fmt: skip
    arguments = [str(word) for pair in words.items() for word in pair]
    return awaited(root, lifecycle.spawned(root, arguments, "orchestrator.rehearsal.line", LOG_FILE))


def awaited(root: Path, process: subprocess.Popen[bytes]) -> Line:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if (found := find(root)) and found.pid == process.pid:
            return found
        time.sleep(lifecycle.POLL_SECONDS)
    process.terminate()
    raise RehearsalFailed(f"the line did not come up: {lifecycle.last_line(root / LOG_FILE)} (see {root / LOG_FILE})")


def find(root: Path) -> Line | None:
    """The line to the cluster in `root`, if one runs."""
    said = noted(root)
    if said is None or started_ticks(said["pid"]) != said["started_ticks"]:
        return None
    root = root.resolve()
    fields = {name: said[name] for name in ("port", "seed", "pid", "control_port", "key")}
    return Line(root, root / KUBECONFIG_FILE, **fields)


def stop(root: Path) -> bool:
    """Ends the line to the cluster in `root`; False when none runs."""
    said = noted(root)
    if said is None or find(root) is None:
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(said["pid"], number)
        if wait_for_end(said["pid"], said["started_ticks"], STOP_SECONDS):
            return True
    raise RehearsalFailed(f"the line in {root} (pid {said['pid']}) does not end")


def noted(root: Path) -> dict[str, Any] | None:
    try:
        said: dict[str, Any] = json.loads((root / LINE_FILE).read_text())
    except (OSError, ValueError):
        return None
    return said


def written(path: Path, text: str) -> None:
    """Complete or not at all, and for its owner alone."""
    partial = path.with_suffix(".part")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    partial.replace(path)
