"""One container of a pod: its process, what became of the earlier ones, and what probes say of it.

The life of a container is one loop: launch, wait for the end, sweep what is left, restart or stop. The
main process gets the signals; everything else of the container dies with it, also what execs started.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import secrets
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.rehearsal.environments import ConfigError
from orchestrator.rehearsal.health import Health
from orchestrator.rehearsal.images import Launch, pull_error
from orchestrator.rehearsal.launching import Surroundings, note_main_process, prepare_launch
from orchestrator.rehearsal.objects import Object, timestamp
from orchestrator.rehearsal.processes import Process
from orchestrator.rehearsal.volumes import container_mounts

CONFIG_RETRY_SECONDS = 0.5
BACK_OFF_SECONDS = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Before the first restart, the second, …; a real kubelet begins with 10 s and ends with five minutes."""
FORGIVEN_AFTER_SECONDS = 10
START_FAILED = 128

log = logging.getLogger(__name__)


class Container:
    """`changed` is called after each change of `status()`."""

    def __init__(self, around: Surroundings, spec: Object, changed: Callable[[], None]) -> None:
        self.name = str(spec["name"])
        self.launched: Launch | None = None
        self.stopping = asyncio.Event()
        self._around = around
        self._spec = spec
        self._changed = changed
        self._directory: Path = around.directory / "containers" / self.name
        self._process: Process | None = None
        self._id = ""
        self._state: dict[str, Any] = {"waiting": {"reason": "ContainerCreating"}}
        self._last_state: dict[str, Any] = {}
        self._restarts = 0
        self._failures = 0
        self._health = Health(spec, changed, self._unhealthy)
        self._killing: asyncio.TimerHandle | None = None

    # What others ask

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    async def ended(self) -> None:
        """Returns when no main process is running."""
        if self._process is not None:
            await self._process.wait()

    def status(self) -> dict[str, Any]:
        """The entry of `containerStatuses`."""
        known = bool(self._id)
        digest = hashlib.sha256(self._spec["image"].encode()).hexdigest()
        status = {
            "name": self.name,
            "state": self._state,
            "lastState": self._last_state,
            "ready": self._health.ready,
            "restartCount": self._restarts,
            "image": self._spec["image"],
            "imageID": f"rehearsal://sha256:{digest}" if known else "",
            "started": self._health.started,
        }
        return status | ({"containerID": f"rehearsal://{self._id}"} if known else {})

    def log_file(self, *, previous: bool = False) -> Path:
        """The log of the present or latest process, or of the one before; it may not exist."""
        return self._directory / f"{self._restarts - (1 if previous else 0)}.log"

    def mounts(self) -> dict[str, Path]:
        return container_mounts(self._spec, self._around.volumes)

    def waiting(self, reason: str, message: str = "") -> None:
        """Not running, for a reason people look up; an earlier end becomes the last state."""
        self._end_becomes_past()
        self._state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
        self._changed()

    # Its life

    async def run(self, restarts: Callable[[int], bool]) -> int:
        """Runs until stopped, or until it ended and `restarts(exit_code)` says no; returns the exit code."""
        while not self.stopping.is_set():
            code = await self._once()
            if code is None:
                await self._pause(CONFIG_RETRY_SECONDS)
            elif self.stopping.is_set() or not restarts(code):
                return code
            else:
                await self._back_off()
        return START_FAILED

    def stop(self, grace_seconds: float) -> None:
        """The stop signal now and SIGKILL after the grace; called again, a shorter grace counts."""
        first = not self.stopping.is_set()
        self.stopping.set()
        if not self.running or self._process is None:
            return
        if first:
            self._event("normal", "Killing", f"Stopping container {self.name}")
            self._ask_to_end(self._process)
        if self._killing:
            self._killing.cancel()
        self._killing = asyncio.get_running_loop().call_later(grace_seconds, self._kill)

    async def execute(self, argv: Sequence[str]) -> int:
        """Runs a command in the container, without streams; 126 when it cannot be started."""
        try:
            process = self.spawn(argv)
        except OSError:
            return 126
        try:
            return await process.wait()
        finally:
            process.signal(signal.SIGKILL)

    def spawn(self, argv: Sequence[str], **streams: Any) -> Process:
        """Starts a further process in the container's directory, environment and fate."""
        launched = self.launched
        if launched is None:
            raise FileNotFoundError(f'container not found ("{self.name}")')
        around = self._around.processes
        environment, directory = launched.environment, launched.directory
        return around.spawn(self._id, argv, environment=environment, directory=directory, **streams)

    # Within

    async def _once(self) -> int | None:
        """One process from start to end: its exit code, or None when it could not be tried yet."""
        try:
            self.launched = self._prepared()
        except ConfigError as error:
            self.waiting("CreateContainerConfigError", str(error))
            return None
        except (
            Exception
        ) as error:  # a recipe is foreign code: whatever it raises concerns its container alone
            log.exception("container %s", self.name)
            self.waiting("CreateContainerError", str(error))
            return None
        if self.launched is None:
            return None
        began = time.monotonic()
        self._end_becomes_past()
        if self._last_state:
            self._restarts += 1
            self._failures += 1
        try:
            self._process = self._started_process(self.launched)
        except OSError as error:
            return self._ended(START_FAILED, timestamp(), "StartError", str(error))
        code = await self._watched(self._process)
        await self._around.processes.sweep(self._id, self._process.pid)
        if time.monotonic() - began > FORGIVEN_AFTER_SECONDS:
            self._failures = 0
        return self._ended(code, self._state["running"]["startedAt"])

    def _prepared(self) -> Launch | None:
        """How to launch it this time; None while the image cannot be pulled."""
        image = self._spec["image"]
        why = pull_error(image)
        if why:
            self._report_pull_failure(why)
            return None
        self._event("normal", "Pulled", f'Container image "{image}" already present on machine')
        return prepare_launch(self._around, self._spec, self._directory)

    def _started_process(self, launch: Launch) -> Process:
        self._id = secrets.token_hex(32)
        self._event("normal", "Created", f"Created container: {self.name}")
        log_file = os.open(self.log_file(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = self.spawn(launch.argv, stdout=log_file, stderr=log_file)
        finally:
            os.close(log_file)
        note_main_process(self._directory, process.pid)
        self._event("normal", "Started", f"Started container {self.name}")
        self._state = {"running": {"startedAt": timestamp()}}
        return process

    async def _watched(self, process: Process) -> int:
        """Waits for the end of the main process, with the probes running beside it."""
        self._health.begin(self._around.port, self.execute, partial(self._end, process))
        self._changed()
        code = await process.wait()
        await self._health.end()
        return code

    def _end(self, process: Process) -> None:
        """Ends a process that is not alive: the stop signal, and SIGKILL after the grace of the pod."""
        self._ask_to_end(process)
        grace_seconds = self._around.pod["spec"].get("terminationGracePeriodSeconds", 30)
        asyncio.get_running_loop().call_later(grace_seconds, process.signal, signal.SIGKILL)

    def _ask_to_end(self, process: Process) -> None:
        process.signal(self.launched.stop_signal if self.launched else signal.SIGTERM)

    def _end_becomes_past(self) -> None:
        if "terminated" in self._state:
            self._last_state = self._state

    def _ended(self, code: int, started_at: str, reason: str = "", message: str = "") -> int:
        terminated: dict[str, Any] = {
            "exitCode": code,
            "reason": reason or ("Completed" if code == 0 else "Error"),
            "startedAt": started_at,
            "finishedAt": timestamp(),
            "containerID": f"rehearsal://{self._id}",
        }
        if message:
            terminated["message"] = message
            self._event("warning", "Failed", f"Error: failed to start container: {message}")
        self._state = {"terminated": terminated}
        self.launched = None
        if self._killing:
            self._killing.cancel()
        self._changed()
        return code

    async def _back_off(self) -> None:
        delay = BACK_OFF_SECONDS[min(self._failures, len(BACK_OFF_SECONDS) - 1)]
        if not delay:
            return
        message = f"back-off {delay}s restarting failed container={self.name}"
        self._event("warning", "BackOff", f"Back-off restarting failed container {self.name}")
        self.waiting("CrashLoopBackOff", message)
        await self._pause(delay)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            return

    def _report_pull_failure(self, why: str) -> None:
        image = self._spec["image"]
        self._event("warning", "Failed", f'Failed to pull image "{image}": {why}')
        if self._state.get("waiting", {}).get("reason") == "ErrImagePull":
            self.waiting("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {why}')
        elif self._state.get("waiting", {}).get("reason") != "ImagePullBackOff":
            self.waiting("ErrImagePull", why)

    def _unhealthy(self, kind: str, why: str) -> None:
        self._event("warning", "Unhealthy", f"{kind} probe failed: {why}")

    def _kill(self) -> None:
        if self._process is not None:
            self._process.signal(signal.SIGKILL)
            self._around.processes.strike(self._id)

    def _event(self, severity: str, reason: str, message: str) -> None:
        record = self._around.recorder.warning if severity == "warning" else self._around.recorder.normal
        record(self._around.pod, reason, message, f"spec.containers{{{self.name}}}")
