"""One pod from its scheduling to its end: volumes, then init containers, then the others, then nothing left.

It writes the pod's status; removing the object is for the kubelet, who knows why the pod ended.
"""

from __future__ import annotations

import asyncio
import logging

from orchestrator.rehearsal.containers import Container
from orchestrator.rehearsal.launching import Surroundings
from orchestrator.rehearsal.objects import Object, timestamp
from orchestrator.rehearsal.podstatus import pod_status
from orchestrator.rehearsal.types import resource_type
from orchestrator.rehearsal.volumes import Links, MountError, prepare_volumes, remove_directory

POD = resource_type("Pod")
MOUNT_RETRY_SECONDS = 0.5

log = logging.getLogger(__name__)


class PodRunner:
    """One pod from its scheduling to its end."""

    def __init__(self, around: Surroundings, links: Links) -> None:
        self.pod = around.pod
        self.stopping = asyncio.Event()
        self._around = around
        self._failure: str | None = None
        self._unsaved = False
        self._links = links
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

    async def clean_up(self) -> None:
        """Removes what the pod had on this machine, once its last process has ended; claims stay."""
        for container in (*self.init, *self.main):
            await container.ended()
        self._links.remove(self.pod["metadata"]["uid"])
        await asyncio.to_thread(remove_directory, self._around.directory)

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
            self._links.add(self.pod["metadata"]["uid"], container.mounts())

    async def _initialised(self) -> bool:
        """Runs the init containers one after the other; False when one has failed for good."""
        for container in self.init:
            code = await container.run(lambda code: code != 0 and self._restarts(1))
            if code != 0 or self.stopping.is_set():
                return False
        return True


async def _until(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
