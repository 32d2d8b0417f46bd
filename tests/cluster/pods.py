"""An embedded cluster as a process of its own, with pods that sleep, and a live client on it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from orchestrator.cluster.connection import connect
from orchestrator.cluster.live import LiveCluster
from orchestrator.effects import EffectBase
from orchestrator.events import EffectFact
from orchestrator.port import WorkloadSeen

NAMESPACE = "t"
PATIENCE_SECONDS = 30.0
PROCESS = Path(__file__).parents[1] / "rehearsal" / "cluster_process.py"
SLEEPING = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"]
Object = dict[str, Any]
T = TypeVar("T")


class Live:
    """A running cluster, and what the tests do on it."""

    def __init__(self, root: Path, bundle: Path, *, is_new: bool = True) -> None:
        self.root, self.bundle = root, bundle
        self.cluster = LiveCluster(connect(str(root / "kubeconfig"), "", NAMESPACE), bundle)
        self.rest = self.cluster.rest
        if is_new:
            self.rest.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})

    def pod(self, name: str, environment: Mapping[str, str] | None = None) -> WorkloadSeen:
        """A Deployment of one pod that sleeps."""
        entries = [{"name": key, "value": value} for key, value in (environment or {}).items()]
        container = {"name": "main", "image": "any", "command": SLEEPING, "env": entries}
        labels = {"app": name}
        template = {
            "metadata": {"labels": labels},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
        }
        body = {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": labels}, "template": template},
        }  # fmt: skip
        self.rest.post(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", body)
        return self.ready(name)

    def ready(self, name: str, other_than: str = "") -> WorkloadSeen:
        def look() -> WorkloadSeen | None:
            seen = self.cluster.workload("Deployment", name)
            return seen if seen and seen.is_complete and seen.container != other_than else None

        return until(look)

    def perform(self, effect: EffectBase) -> list[EffectFact]:
        return list(self.cluster.perform(effect, step="s", attempt=1))  # type: ignore[arg-type]

    def sh(self, workload: WorkloadSeen, script: str, *arguments: str) -> str:
        ran = self.cluster.in_pod(workload.pod, workload.container, ["sh", "-c", script, "test", *arguments])
        assert ran.code == 0, ran.complaint
        return ran.out.decode()


def place(workload: WorkloadSeen, name: str) -> dict[str, str]:
    """Where an in-pod effect takes place."""
    return {"kind": "Deployment", "workload": name, "pod": workload.pod, "container": workload.container}


@contextmanager
def running(root: Path, bundle: Path) -> Iterator[Live]:
    argv = [sys.executable, str(PROCESS), str(root)]
    paths = {"PYTHONPATH": str(PROCESS.parents[2])}
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env={**os.environ, **paths})
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        live = Live(root, bundle)
        with live.cluster:
            yield live
    finally:
        process.terminate()
        process.wait()


def until(look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
    return found


def busybox_path(directory: Path) -> str:
    """A PATH in which busybox's own applets come first, its shell among them."""
    directory.mkdir(exist_ok=True)
    for applet in subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout.split():
        link = directory / applet
        if not link.exists():
            link.symlink_to("/usr/bin/busybox")
    return f"{directory}:{os.environ['PATH']}"
