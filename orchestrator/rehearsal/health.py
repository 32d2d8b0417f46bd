"""Whether a container is started, ready and alive, as its probes have it.

Without a startup probe it is started at once, without a readiness probe it is ready once started. What to do
about a container that is not alive is for the container.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.probes import RunCommand, watch_probe


class Health:
    """`changed` is called when started or ready has changed, `unhealthy` with each failure and its kind."""

    def __init__(
        self, spec: Object, changed: Callable[[], None], unhealthy: Callable[[str, str], None]
    ) -> None:
        self.started = self.ready = False
        self._spec = spec
        self._changed = changed
        self._unhealthy = unhealthy
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, port: int, run: RunCommand, dead: Callable[[], None]) -> None:
        """Starts the probes of a process that has just started; `dead` is called when it has to end."""
        self.started = not self._spec.get("startupProbe")
        self.ready = self.started and not self._spec.get("readinessProbe")
        reports: dict[str, Callable[[bool, str], None]] = {
            "startupProbe": lambda passed, why: self._startup(passed, why, dead),
            "readinessProbe": self._readiness,
            "livenessProbe": lambda passed, why: self._liveness(passed, why, dead),
        }
        for kind, report in reports.items():
            if self._spec.get(kind):
                self._add(watch_probe(self._spec[kind], port, run, report))

    async def end(self) -> None:
        """Ends the probes; a process that is gone is neither started nor ready."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self.started = self.ready = False

    def _add(self, probing: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(probing))

    def _startup(self, passed: bool, why: str, dead: Callable[[], None]) -> None:
        if self.started:
            return
        if not passed:
            self._unhealthy("Startup", why)
            dead()
            return
        self.started = True
        self.ready = not self._spec.get("readinessProbe")
        self._changed()

    def _readiness(self, passed: bool, why: str) -> None:
        if not passed:
            self._unhealthy("Readiness", why)
        if self.started and self.ready != passed:
            self.ready = passed
            self._changed()

    def _liveness(self, passed: bool, why: str, dead: Callable[[], None]) -> None:
        if self.started and not passed:
            self._unhealthy("Liveness", why)
            dead()
