"""Pods from start to end: status, signals, restarts, init containers, and what dies with a container."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.rehearsal.pods_cluster import Cluster, container_status, is_alive, on_cluster


def test_a_running_pod_has_a_complete_status(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.pod("p")
        pod = await cluster.running("p")
        status = pod["status"]
        assert status["phase"] == "Running"
        assert status["podIP"] == "127.0.0.1"
        assert pod["spec"]["nodeName"] == "rehearsal"
        container = container_status(pod)
        assert container["containerID"].startswith("rehearsal://")
        assert container["imageID"]
        assert container["started"] is True
        assert "startedAt" in container["state"]["running"]
        reasons = [event["reason"] for event in cluster.list("Event")]
        assert sorted(reasons) == ["Created", "Pulled", "Scheduled", "Started"]

    on_cluster(tmp_path, scenario)


def test_a_pod_is_purged_only_when_its_process_has_ended(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        up, mark = tmp_path / "up", tmp_path / "ended"
        trap = f"trap 'sleep 0.3; echo bye > {mark}; exit 0' TERM"
        cluster.pod("p", "/bin/bash", "-c", f"{trap}; echo up > {up}; while :; do sleep 0.05; done")
        await cluster.file(up)
        cluster.delete("Pod", "p")
        pod = cluster.get("Pod", "p")
        assert "deletionTimestamp" in pod["metadata"]
        await cluster.gone("Pod", "p")
        assert mark.read_text() == "bye\n"

    on_cluster(tmp_path, scenario)


def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        up, told = tmp_path / "up", tmp_path / "told"
        command = f"trap 'echo told > {told}' TERM; echo $BASHPID > {up}; while :; do sleep 0.05; done"
        cluster.pod("p", "/bin/bash", "-c", command, terminationGracePeriodSeconds=1)
        pid = int(await cluster.file(up))
        cluster.delete("Pod", "p")
        assert await cluster.file(told) == "told\n"
        assert is_alive(pid)
        await cluster.gone("Pod", "p")
        assert not is_alive(pid)

    on_cluster(tmp_path, scenario)


def test_what_a_container_started_dies_with_its_main_process(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        pid_file = tmp_path / "detached"
        # A doubled dollar sign is a single one once the pod expands its command.
        command = f"setsid sh -c 'echo $$$$ > {pid_file}; sleep 600' & exec sleep 600"
        cluster.pod("p", "/bin/bash", "-c", command)
        await cluster.running("p")
        pid = int(await cluster.file(pid_file))
        assert is_alive(pid)
        cluster.delete("Pod", "p")
        await cluster.gone("Pod", "p")
        assert not is_alive(pid)

    on_cluster(tmp_path, scenario)


def test_the_directory_of_a_pod_goes_with_it(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        pod = cluster.pod("p")
        await cluster.running("p")
        directory = cluster.root / "pods" / pod["metadata"]["uid"]
        assert directory.stat().st_mode & 0o777 == 0o700
        cluster.delete("Pod", "p")
        await cluster.gone("Pod", "p")
        async with asyncio.timeout(10):
            while directory.exists():
                await asyncio.sleep(0.01)

    on_cluster(tmp_path, scenario)


def test_a_container_that_dies_is_restarted_with_its_history(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.pod("p", "/bin/bash", "-c", "echo once more; exit 4")
        pod = await cluster.until("Pod", "p", lambda pod: container_status(pod).get("restartCount", 0) >= 2)
        await cluster.until(
            "Pod",
            "p",
            lambda pod: container_status(pod)["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff",
        )
        last = container_status(pod)["lastState"]["terminated"]
        assert (last["exitCode"], last["reason"]) == (4, "Error")
        assert pod["status"]["phase"] == "Running"

    on_cluster(tmp_path, scenario)


def test_restart_policy_never_ends_the_pod(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.pod("good", "/bin/true", restartPolicy="Never")
        cluster.pod("bad", "/bin/false", restartPolicy="Never")
        good = await cluster.until("Pod", "good", lambda pod: pod["status"]["phase"] == "Succeeded")
        bad = await cluster.until("Pod", "bad", lambda pod: pod["status"]["phase"] == "Failed")
        assert container_status(good)["state"]["terminated"]["reason"] == "Completed"
        assert container_status(bad)["restartCount"] == 0

    on_cluster(tmp_path, scenario)


def test_a_command_that_is_not_there_is_a_start_error(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.pod("p", "/no/such/program", restartPolicy="Never")
        pod = await cluster.until("Pod", "p", lambda pod: pod["status"]["phase"] == "Failed")
        terminated = container_status(pod)["state"]["terminated"]
        assert (terminated["reason"], terminated["exitCode"]) == ("StartError", 128)
        assert "/no/such/program" in terminated["message"]

    on_cluster(tmp_path, scenario)


def test_init_containers_run_in_order_before_the_others(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        seen, up = tmp_path / "seen", tmp_path / "up"
        init = [_writer(name, seen) for name in ("first", "second")]
        cluster.pod(
            "p", "/bin/sh", "-c", f"echo main >> {seen}; echo > {up}; exec sleep 600", initContainers=init
        )
        pod = await cluster.running("p")
        await cluster.file(up)
        assert seen.read_text().split() == ["first", "second", "main"]
        assert [entry["ready"] for entry in pod["status"]["initContainerStatuses"]] == [True, True]

    on_cluster(tmp_path, scenario)


def test_an_init_container_that_fails_keeps_the_others_from_starting(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        init = [{"name": "i", "image": "any", "command": ["/bin/false"]}]
        cluster.pod("p", initContainers=init, restartPolicy="Never")
        pod = await cluster.until("Pod", "p", lambda pod: pod["status"]["phase"] == "Failed")
        assert container_status(pod)["state"]["waiting"]["reason"] == "PodInitializing"

    on_cluster(tmp_path, scenario)


def test_a_forced_delete_leaves_no_process(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        pod = cluster.pod("p", "/bin/bash", "-c", "trap '' TERM; while :; do sleep 0.1; done")
        await cluster.running("p")
        pid = int(await cluster.file(cluster.directory(pod) / "main.pid"))
        cluster.delete("Pod", "p", grace_seconds=0)
        assert cluster.find("Pod", "p") is None
        async with asyncio.timeout(10):
            while is_alive(pid):
                await asyncio.sleep(0.01)

    on_cluster(tmp_path, scenario)


def _writer(name: str, seen: Path) -> dict[str, object]:
    return {"name": name, "image": "any", "command": ["/bin/sh", "-c", f"sleep 0.1; echo {name} >> {seen}"]}
