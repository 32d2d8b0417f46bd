"""The node: pods as real processes, one runner for each.

A pod is scheduled when it appears, runs in a directory of its own, and is purged from the store only when
its last process is gone. What a pod is and how it fares is written to the store like any kubelet does;
nothing else of the cluster is touched from here.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from orchestrator.rehearsal.containers import Container, Surroundings
from orchestrator.rehearsal.environments import NODE_NAME, POD_ADDRESS
from orchestrator.rehearsal.history import Event
from orchestrator.rehearsal.images import Recipe
from orchestrator.rehearsal.objects import Object, timestamp
from orchestrator.rehearsal.podstatus import merged_condition, pod_status, unschedulable_status
from orchestrator.rehearsal.processes import Processes
from orchestrator.rehearsal.recorder import Recorder
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type
from orchestrator.rehearsal.volumes import (
    MountError,
    link_mounts,
    make_directory,
    prepare_volumes,
    remove_directory,
    unlink_mounts,
)

POD = resource_type("Pod")
CLAIM = resource_type("PersistentVolumeClaim")
PORTS = range(20_000, 32_000)
"""Below the ports that outgoing connections take."""
MOUNT_RETRY_SECONDS = 0.5
STOP_SECONDS = 5.0
NODE_LABELS = {"kubernetes.io/hostname": NODE_NAME, "kubernetes.io/os": "linux"}

log = logging.getLogger(__name__)


class PodRunner:
    """One pod from its scheduling to its end."""

    def __init__(self, around: Surroundings) -> None:
        self.pod = around.pod
        self.stopping = asyncio.Event()
        self._around = around
        self._failure: str | None = None
        self._unsaved = False
        self._links: dict[Path, Path] = {}
        spec = around.pod["spec"]
        self.init = [self._container(entry, "PodInitializing") for entry in spec.get("initContainers") or []]
        waiting = "PodInitializing" if self.init else "ContainerCreating"
        self.main = [self._container(entry, waiting) for entry in spec["containers"]]

    def find(self, name: str) -> Container | None:
        return next((found for found in (*self.main, *self.init) if found.name == name), None)

    def stop(self, grace_seconds: float) -> None:
        """Asks every container to end; may be called again with a shorter grace."""
        self.stopping.set()
        for container in (*self.init, *self.main):
            container.stop(grace_seconds)

    async def run(self) -> None:
        """Returns when no process of the pod is left and its last status is written."""
        try:
            if await self._mounted() and await self._initialised():
                await asyncio.gather(*(container.run(self._restarts) for container in self.main))
        except Exception:
            log.exception("pod %s", self.pod["metadata"]["name"])
            self._failure = "KubeletError"
        self.save()

    def save(self) -> None:
        """Writes the status of the pod, as it is now, to the store."""
        self._unsaved = False
        metadata = self.pod["metadata"]
        init = [container.status() for container in self.init]
        main = [container.status() for container in self.main]

        def write(pod: Object) -> None:
            if pod["metadata"]["uid"] == metadata["uid"]:
                pod["status"] = pod_status(pod, init, main, timestamp(), self._failure)

        self._around.store.change(POD, metadata["namespace"], metadata["name"], write, subresource="status")

    def clean_up(self) -> None:
        """Removes what the pod had on this machine; claims stay."""
        unlink_mounts(self._links)
        remove_directory(self._around.directory)

    def _container(self, spec: Object, reason: str) -> Container:
        container = Container(self._around, spec, self._changed)
        container.waiting(reason)
        return container

    def _changed(self) -> None:
        """Changes of one turn of the loop are written together."""
        if not self._unsaved:
            self._unsaved = True
            asyncio.get_running_loop().call_soon(self._save_if_unsaved)

    def _save_if_unsaved(self) -> None:
        if self._unsaved:
            self.save()

    def _restarts(self, exit_code: int) -> bool:
        policy = self.pod["spec"].get("restartPolicy", "Always")
        return policy == "Always" or (policy == "OnFailure" and exit_code != 0)

    async def _mounted(self) -> bool:
        """Waits until every volume can be had; False when the pod is stopped before."""
        around = self._around
        while not self.stopping.is_set():
            try:
                around.volumes.update(prepare_volumes(around.store, around.root, self.pod, around.directory))
            except MountError as error:
                around.recorder.warning(self.pod, "FailedMount", f"MountVolume.SetUp failed: {error}")
                await _until(self.stopping, MOUNT_RETRY_SECONDS)
            else:
                self._link()
                return True
        return False

    def _link(self) -> None:
        for container in (*self.init, *self.main):
            mounts = container.mounts()
            self._links.update((link, link.readlink()) for link in link_mounts(self._around.root, mounts))

    async def _initialised(self) -> bool:
        """Runs the init containers one after the other; False when one has failed for good."""
        for container in self.init:
            code = await container.run(lambda code: code != 0 and self._restarts(1))
            if code != 0 or self.stopping.is_set():
                return False
        return True


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
        self._in_background(self._cleaned(runner))

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
        runner = PodRunner(around)
        self._runners[uid] = runner
        self._in_background(self._ran(runner, around.port))

    async def _ran(self, runner: PodRunner, port: int) -> None:
        try:
            await runner.run()
        finally:
            self._ports.discard(port)
        metadata = runner.pod["metadata"]
        stored = self._store.find(POD, metadata["namespace"], metadata["name"])
        if stored and stored["metadata"]["uid"] == metadata["uid"] and "deletionTimestamp" in stored["metadata"]:
            self._store.purge(POD, metadata["namespace"], metadata["name"])

    async def _cleaned(self, runner: PodRunner) -> None:
        """Waits for the last process before the directory goes."""
        for container in (*runner.init, *runner.main):
            await container.ended()
        await asyncio.to_thread(runner.clean_up)

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


async def _until(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
