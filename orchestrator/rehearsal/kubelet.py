"""The node: pods as real processes, one runner for each.

A pod is scheduled when it appears, runs in a directory of its own, and is purged from the store only when
its last process is gone. What a pod is and how it fares is written to the store like any kubelet does;
nothing else of the cluster is touched from here.

What a container runtime adds is missing: no file system, network or limits of a pod's own, and no postStart
or preStop hooks.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from orchestrator.rehearsal.containers import Container
from orchestrator.rehearsal.environments import NODE_NAME, POD_ADDRESS
from orchestrator.rehearsal.history import Event
from orchestrator.rehearsal.images import Recipe
from orchestrator.rehearsal.launching import Surroundings
from orchestrator.rehearsal.objects import Object, timestamp
from orchestrator.rehearsal.podrunner import POD, PodRunner
from orchestrator.rehearsal.podstatus import merged_condition, unschedulable_status
from orchestrator.rehearsal.processes import Processes
from orchestrator.rehearsal.recorder import Recorder
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type
from orchestrator.rehearsal.volumes import Links, make_directory

CLAIM = resource_type("PersistentVolumeClaim")
PORTS = range(20_000, 32_000)
"""Below the ports that outgoing connections take."""
STOP_SECONDS = 5.0
NODE_LABELS = {"kubernetes.io/hostname": NODE_NAME, "kubernetes.io/os": "linux"}


class Kubelet:
    """Schedules and runs the pods of the cluster."""

    def __init__(self, store: Store, root: Path, recipes: Sequence[tuple[str, Recipe]]) -> None:
        self._store = store
        self._root = root
        self._recipes = recipes
        self._processes = Processes()
        self._recorder = Recorder(store, "kubelet")
        self._scheduler = Recorder(store, "default-scheduler")
        self._runners: dict[str, PodRunner] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ports: set[int] = set()
        self._links = Links(root)

    def start(self) -> None:
        self._store.subscribe(self._notice)
        for pod in self._store.scan(POD, None):
            self._schedule_soon(pod)

    async def stop(self) -> None:
        """Ends every pod: SIGTERM, a short grace, SIGKILL. The objects stay as they are."""
        self._store.unsubscribe(self._notice)
        for runner in self._runners.values():
            runner.stop(STOP_SECONDS)
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._processes.close()

    def container(self, pod: Object, name: str) -> Container | None:
        """The container of that pod, if this node runs or ran it."""
        runner = self._runners.get(pod["metadata"]["uid"])
        return runner.find(name) if runner else None

    # What the store tells

    def _notice(self, event: Event) -> None:
        if event.rt == CLAIM and event.type == "ADDED":
            self._schedule_waiting(event.object["metadata"]["namespace"])
        if event.rt != POD:
            return
        runner = self._runners.get(event.object["metadata"]["uid"])
        if event.type == "DELETED":
            self._gone(event.object, runner)
        elif runner and "deletionTimestamp" in event.object["metadata"]:
            runner.stop(event.object["metadata"].get("deletionGracePeriodSeconds", 0))
        elif not runner and event.type == "ADDED":
            self._schedule_soon(event.object)

    def _gone(self, pod: Object, runner: PodRunner | None) -> None:
        """The object is gone: by our own purge, by force, or because the pod had ended before."""
        if runner is None:
            return
        runner.stop(0)
        del self._runners[pod["metadata"]["uid"]]
        self._in_background(runner.clean_up())

    def _schedule_waiting(self, namespace: str) -> None:
        for pod in self._store.scan(POD, namespace):
            if not pod["spec"].get("nodeName"):
                self._schedule_soon(pod)

    def _schedule_soon(self, pod: Object) -> None:
        metadata = pod["metadata"]
        loop = asyncio.get_running_loop()
        loop.call_soon(self._schedule, metadata["namespace"], metadata["name"], metadata["uid"])

    # Scheduling

    def _schedule(self, namespace: str, name: str, uid: str) -> None:
        pod = self._store.find(POD, namespace, name)
        if pod is None or pod["metadata"]["uid"] != uid or uid in self._runners:
            return
        why = self._unfit(pod)
        if why:
            self._leave_pending(pod, why)
            return
        self._store.change(POD, namespace, name, _bind)
        bound = self._store.change(POD, namespace, name, _scheduled, subresource="status")
        if bound is None:
            return
        self._scheduler.normal(bound, "Scheduled", f"Successfully assigned {namespace}/{name} to {NODE_NAME}")
        self._run(bound)

    def _unfit(self, pod: Object) -> str | None:
        """Why the only node cannot take the pod, or None."""
        selector = pod["spec"].get("nodeSelector") or {}
        if any(NODE_LABELS.get(key) != value for key, value in selector.items()):
            return "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
        for volume in pod["spec"].get("volumes") or []:
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if claim and self._store.find(CLAIM, pod["metadata"]["namespace"], claim) is None:
                return f'0/1 nodes are available: persistentvolumeclaim "{claim}" not found.'
        return None

    def _leave_pending(self, pod: Object, why: str) -> None:
        def write(stored: Object) -> None:
            stored["status"] = unschedulable_status(stored, why, timestamp())

        metadata = pod["metadata"]
        self._store.change(POD, metadata["namespace"], metadata["name"], write, subresource="status")
        self._scheduler.warning(pod, "FailedScheduling", why)

    # Running

    def _run(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        around = Surroundings(
            store=self._store,
            processes=self._processes,
            recorder=self._recorder,
            recipes=self._recipes,
            root=self._root,
            pod=pod,
            directory=make_directory(self._root / "pods" / uid),
            volumes={},
            port=self._free_port(),
        )
        runner = PodRunner(around, self._links)
        self._runners[uid] = runner
        self._in_background(self._ran(runner, around.port))

    async def _ran(self, runner: PodRunner, port: int) -> None:
        try:
            await runner.run()
        finally:
            self._ports.discard(port)
        metadata = runner.pod["metadata"]
        stored = self._store.find(POD, metadata["namespace"], metadata["name"])
        if (
            stored
            and stored["metadata"]["uid"] == metadata["uid"]
            and "deletionTimestamp" in stored["metadata"]
        ):
            self._store.purge(POD, metadata["namespace"], metadata["name"])

    def _free_port(self) -> int:
        """A loopback port nobody listens on and no other pod was given."""
        while True:
            port = random.choice(PORTS)
            with socket.socket() as probe:
                if port not in self._ports and probe.connect_ex((POD_ADDRESS, port)) != 0:
                    self._ports.add(port)
                    return port

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        running = asyncio.create_task(work)
        self._tasks.add(running)
        running.add_done_callback(self._tasks.discard)


def _bind(pod: Object) -> None:
    pod["spec"]["nodeName"] = NODE_NAME


def _scheduled(pod: Object) -> None:
    status = pod.setdefault("status", {"phase": "Pending"})
    status["conditions"] = [merged_condition([], {"type": "PodScheduled", "status": "True"}, timestamp())]
    status["startTime"] = timestamp()
