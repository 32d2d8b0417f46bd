"""What a container finds around it: environment, volumes, its recipe, its port, and the probes that look at it."""

from __future__ import annotations

import asyncio
import base64
import sys
from pathlib import Path

import pytest

from orchestrator.rehearsal.environments import expand
from orchestrator.rehearsal.images import ContainerContext, Launch
from tests.rehearsal.pods_cluster import Cluster, container_status, on_cluster


def test_the_environment_is_the_spec_s_and_not_the_cluster_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_CLUSTER", "leaked")

    async def scenario(cluster: Cluster) -> None:
        cluster.create("Secret", "s", data={"pw": base64.b64encode(b"hush").decode()})
        cluster.create("ConfigMap", "c", data={"A": "1", "B": "2"})
        seen = tmp_path / "env"
        container = {
            "envFrom": [{"prefix": "C_", "configMapRef": {"name": "c"}}],
            "env": [
                {"name": "PW", "valueFrom": {"secretKeyRef": {"name": "s", "key": "pw"}}},
                {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "URL", "value": "x://$(PW)@$(UNKNOWN)"},
                {
                    "name": "NONE",
                    "valueFrom": {"configMapKeyRef": {"name": "no", "key": "k", "optional": True}},
                },
            ],
        }
        cluster.pod(
            "p",
            "/bin/sh",
            "-c",
            f"env > {seen}.part; mv {seen}.part {seen}; exec sleep 600",
            container=container,
        )
        found = dict(line.partition("=")[::2] for line in (await cluster.file(seen)).splitlines())
        expected = {"PW": "hush", "ME": "p", "C_A": "1", "C_B": "2", "URL": "x://hush@$(UNKNOWN)"}
        assert expected.items() <= found.items()
        assert not {"OF_THE_CLUSTER", "NONE"} & found.keys()

    on_cluster(tmp_path, scenario)


def test_references_in_values_are_expanded_as_in_a_pod() -> None:
    assert expand("$(A)-$$(A)-$(B)", {"A": "1"}) == "1-$(A)-$(B)"


def test_a_container_waits_for_the_config_map_it_needs(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        reference = {"name": "V", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "v"}}}
        cluster.pod("p", container={"env": [reference]})
        waiting = "CreateContainerConfigError"
        await cluster.until(
            "Pod",
            "p",
            lambda pod: container_status(pod).get("state", {}).get("waiting", {}).get("reason") == waiting,
        )
        cluster.create("ConfigMap", "late", data={"v": "1"})
        await cluster.running("p")

    on_cluster(tmp_path, scenario)


def test_volumes_are_files_where_the_spec_says(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        where = cluster.root / "mnt"
        cluster.create("ConfigMap", "c", data={"redis.conf": "save 1 1", "left-out": "x"})
        volumes = [
            {
                "name": "conf",
                "configMap": {"name": "c", "items": [{"key": "redis.conf", "path": "etc/r.conf"}]},
            },
            {"name": "scratch", "emptyDir": {}},
        ]
        mounts = [
            {"name": "conf", "mountPath": str(where / "conf")},
            {"name": "scratch", "mountPath": str(where / "deep"), "subPath": "a/b"},
        ]
        cluster.pod("p", volumes=volumes, container={"volumeMounts": mounts})
        await cluster.running("p")
        mounted = where / "conf" / "etc" / "r.conf"
        assert mounted.read_text() == "save 1 1"
        assert mounted.stat().st_mode & 0o777 == 0o600
        assert [entry.name for entry in (where / "conf").iterdir()] == ["etc"]
        assert (where / "deep").readlink().parts[-3:] == ("scratch", "a", "b")
        cluster.delete("Pod", "p")
        await cluster.gone("Pod", "p")

    on_cluster(tmp_path, scenario)


def test_a_claim_survives_its_pods(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        path = cluster.root / "data"
        volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "claim"}}]
        container = {"volumeMounts": [{"name": "v", "mountPath": str(path)}]}
        cluster.pod(
            "one",
            "/bin/sh",
            "-c",
            f"echo kept > {path}/f; exec sleep 600",
            volumes=volumes,
            container=container,
        )
        conditions = await cluster.until(
            "Pod", "one", lambda pod: bool((pod.get("status") or {}).get("conditions"))
        )
        assert conditions["status"]["conditions"][0]["reason"] == "Unschedulable"
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        cluster.create("PersistentVolumeClaim", "claim", spec=spec)
        await cluster.running("one")
        assert await cluster.file(path / "f") == "kept\n"
        cluster.delete("Pod", "one")
        await cluster.gone("Pod", "one")
        copied = tmp_path / "copied"
        cluster.pod(
            "two",
            "/bin/sh",
            "-c",
            f"cp {path}/f {copied}; exec sleep 600",
            volumes=volumes,
            container=container,
        )
        assert await cluster.file(copied) == "kept\n"
        assert cluster.get("PersistentVolumeClaim", "claim")["status"]["phase"] == "Bound"

    on_cluster(tmp_path, scenario)


def test_a_mount_path_stays_true_while_a_pod_needs_it(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        path = cluster.root / "data"
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        cluster.create("PersistentVolumeClaim", "claim", spec=spec)
        volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "claim"}}]
        container = {"volumeMounts": [{"name": "v", "mountPath": str(path)}]}
        directories = []
        for name in ("old", "new"):
            pod = cluster.pod(name, volumes=volumes, container=container)
            directories.append(cluster.root / "pods" / pod["metadata"]["uid"])
            await cluster.running(name)
        for name, directory, still in (("old", directories[0], True), ("new", directories[1], False)):
            cluster.delete("Pod", name)
            await cluster.gone("Pod", name)
            await _vanished(directory)
            assert path.is_symlink() is still

    on_cluster(tmp_path, scenario)


class HttpServer:
    """A recipe: a web server on the pod's port, and a client for it that knows the port."""

    def launch(self, ctx: ContainerContext) -> Launch:
        wrappers = ctx.directory / "bin"
        wrappers.mkdir(exist_ok=True)
        wrapper = wrappers / "my-port"
        wrapper.write_text(f"#!/bin/sh\necho {ctx.port}\n")
        wrapper.chmod(0o700)
        argv = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(ctx.port)]
        return Launch(argv, ctx.environment, ctx.directory, (wrappers,))


@pytest.mark.parametrize("probe", [{"tcpSocket": {"port": 80}}, {"httpGet": {"path": "/", "port": 80}}])
def test_network_probes_reach_the_pod_s_own_port(tmp_path: Path, probe: dict[str, object]) -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.pod("p", container={"image": "x/web:1", "readinessProbe": {**probe, "periodSeconds": 1}})
        await cluster.running("p")

    on_cluster(tmp_path, scenario, [("*/web:*", HttpServer())])


def test_wrappers_of_a_recipe_come_first_in_the_path_of_probes_too(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        probe = {"exec": {"command": ["sh", "-c", "test $(my-port) -ge 20000"]}, "periodSeconds": 1}
        cluster.pod("p", container={"image": "x/web:1", "readinessProbe": probe})
        await cluster.running("p")

    on_cluster(tmp_path, scenario, [("*/web:*", HttpServer())])


def test_readiness_follows_its_probe_both_ways(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        flag = tmp_path / "flag"
        probe = {"exec": {"command": ["test", "-e", str(flag)]}, "periodSeconds": 1, "failureThreshold": 1}
        cluster.pod("p", container={"readinessProbe": probe})
        pod = await cluster.until("Pod", "p", lambda pod: pod["status"]["phase"] == "Running")
        assert container_status(pod)["ready"] is False
        flag.touch()
        await cluster.running("p")
        flag.unlink()
        pod = await cluster.until("Pod", "p", lambda pod: container_status(pod)["ready"] is False)
        assert container_status(pod)["restartCount"] == 0

    on_cluster(tmp_path, scenario)


def test_a_container_that_is_not_alive_is_restarted(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        probe = {"exec": {"command": ["/bin/false"]}, "periodSeconds": 1, "failureThreshold": 1}
        cluster.pod("p", container={"livenessProbe": probe})
        await cluster.until("Pod", "p", lambda pod: container_status(pod).get("restartCount", 0) >= 1)

    on_cluster(tmp_path, scenario)


async def _vanished(path: Path) -> None:
    async with asyncio.timeout(10):
        while path.exists():
            await asyncio.sleep(0.01)


class BrokenOnce:
    """A recipe that fails the first time."""

    def __init__(self) -> None:
        self.calls = 0

    def launch(self, ctx: ContainerContext) -> Launch:
        self.calls += 1
        if self.calls == 1:
            raise ValueError("no binary")
        return Launch(["sleep", "600"], ctx.environment, ctx.directory)


def test_a_recipe_that_fails_concerns_its_container_alone(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        containers = [{"name": "good", "image": "any"}, {"name": "bad", "image": "x/broken"}]
        cluster.create("Pod", "p", spec={"containers": containers})
        await cluster.running("p")
        states = [
            event.object["status"].get("containerStatuses", [])
            for event in cluster.events
            if event.rt.kind == "Pod"
        ]
        reasons = {entry["state"].get("waiting", {}).get("message") for found in states for entry in found}
        assert "no binary" in reasons

    on_cluster(tmp_path, scenario, [("x/broken", BrokenOnce())])


def test_a_dead_container_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        up = tmp_path / "up"
        probe = {"exec": {"command": ["test", "!", "-e", str(up)]}, "periodSeconds": 1, "failureThreshold": 1}
        command = f"trap '' TERM; touch {up}; while :; do sleep 0.05; done"
        cluster.pod(
            "p",
            "/bin/bash",
            "-c",
            command,
            terminationGracePeriodSeconds=1,
            container={"livenessProbe": probe},
        )
        pod = await cluster.until("Pod", "p", lambda pod: container_status(pod).get("restartCount", 0) >= 1)
        assert container_status(pod)["lastState"]["terminated"]["exitCode"] == 137

    on_cluster(tmp_path, scenario)
