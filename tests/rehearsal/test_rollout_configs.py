"""DeploymentConfigs: numbered rollouts, what triggers, cancels and fails them, and their hooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.rehearsal.pods_cluster import NAMESPACE, WAITING, Cluster, on_cluster

PHASE = "openshift.io/deployment.phase"

Object = dict[str, Any]


def config(
    cluster: Cluster, name: str, replicas: int = 1, command: list[str] | None = None, **spec: Any
) -> None:
    container = {"name": "main", "image": "any", "command": command or WAITING}
    template = {
        "metadata": {"labels": {"deploymentConfig": name}},
        "spec": {"terminationGracePeriodSeconds": 5, "containers": [container]},
    }
    fields = {"replicas": replicas, "selector": {"deploymentConfig": name}, "template": template, **spec}
    cluster.create("DeploymentConfig", name, spec=fields)


def set_command(cluster: Cluster, name: str, command: list[str]) -> None:
    def change(found: Object) -> None:
        found["spec"]["template"]["spec"]["containers"][0]["command"] = command

    cluster.change("DeploymentConfig", name, change)


def phases(cluster: Cluster) -> dict[str, str]:
    return {
        found["metadata"]["name"]: found["metadata"]["annotations"][PHASE]
        for found in cluster.list("ReplicationController")
    }


async def ended(cluster: Cluster, name: str, phase: str = "Complete") -> None:
    await cluster.settled(lambda: phases(cluster).get(name) == phase)


async def instantiate(cluster: Cluster, name: str, **request: Any) -> tuple[int, Object]:
    path = f"/apis/apps.openshift.io/v1/namespaces/{NAMESPACE}/deploymentconfigs/{name}/instantiate"
    body = {"kind": "DeploymentRequest", "apiVersion": "apps.openshift.io/v1", "name": name, "latest": True}
    async with cluster.http() as session, session.post(path, json={**body, **request}) as response:
        return response.status, await response.json()


def test_the_first_rollout_comes_by_itself(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        config(cluster, "c")
        await ended(cluster, "c-1")
        found = await cluster.until(
            "DeploymentConfig", "c", lambda found: found["status"].get("availableReplicas") == 1
        )
        assert found["status"]["latestVersion"] == 1
        assert found["status"]["details"]["causes"] == [{"type": "ConfigChange"}]
        pod = cluster.list("Pod")[0]
        assert {"deploymentconfig": "c", "deployment": "c-1"}.items() <= pod["metadata"]["labels"].items()

    on_cluster(tmp_path, scenario)


def test_a_changed_template_rolls_out_and_a_changed_scale_does_not(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        config(cluster, "c", strategy={"type": "Recreate"})
        await ended(cluster, "c-1")
        cluster.change("DeploymentConfig", "c", lambda found: found["spec"].update(replicas=2))
        await cluster.until(
            "DeploymentConfig", "c", lambda found: found["status"].get("availableReplicas") == 2
        )
        assert phases(cluster) == {"c-1": "Complete"}
        set_command(cluster, "c", ["sleep", "600"])
        await ended(cluster, "c-2")
        assert cluster.get("ReplicationController", "c-1")["spec"]["replicas"] == 0
        assert cluster.get("ReplicationController", "c-2")["spec"]["replicas"] == 2

    on_cluster(tmp_path, scenario)


def test_recreate_waits_for_the_last_process_of_the_old_rollout(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        up, mark, saw = tmp_path / "up", tmp_path / "ended", tmp_path / "saw"
        slow = f"trap 'sleep 0.3; touch {mark}; exit 0' TERM; echo up > {up}; while :; do sleep 0.05; done"
        config(cluster, "c", command=["/bin/bash", "-c", slow], strategy={"type": "Recreate"})
        await cluster.file(up)
        await ended(cluster, "c-1")
        set_command(cluster, "c", ["sh", "-c", f"ls {mark} > {saw}; exec sleep 600"])
        assert (await cluster.file(saw)).strip() == str(mark)

    on_cluster(tmp_path, scenario)


def test_without_the_trigger_only_instantiate_rolls_out(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        config(cluster, "c", triggers=[])
        status, answer = await instantiate(cluster, "c", force=True)
        assert (status, answer["status"]["latestVersion"]) == (201, 1)
        await ended(cluster, "c-1")
        set_command(cluster, "c", ["sleep", "600"])
        status, answer = await instantiate(cluster, "c", force=True)
        assert (status, answer["status"]["latestVersion"]) == (201, 2)
        assert answer["status"]["details"]["causes"] == [{"type": "Manual"}]
        await ended(cluster, "c-2")

    on_cluster(tmp_path, scenario)


def test_instantiate_refuses_as_openshift_does(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        config(cluster, "c")
        await ended(cluster, "c-1")
        status, answer = await instantiate(cluster, "c")
        assert (status, answer["code"]) == (201, 204)
        cluster.change("DeploymentConfig", "c", lambda found: found["spec"].update(paused=True))
        status, answer = await instantiate(cluster, "c", force=True)
        assert (status, answer["reason"]) == (422, "Invalid")
        assert "is paused - unpause to request a new deployment" in answer["message"]
        assert (await instantiate(cluster, "none", force=True))[0] == 404
        assert phases(cluster) == {"c-1": "Complete"}

    on_cluster(tmp_path, scenario)


def test_a_newer_rollout_cancels_the_one_under_way(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        config(cluster, "c")
        await ended(cluster, "c-1")
        cluster.change("DeploymentConfig", "c", _stuck)
        await ended(cluster, "c-2", "Running")
        set_command(cluster, "c", ["sleep", "600"])
        cluster.change("DeploymentConfig", "c", _unstuck)
        await cluster.settled(
            lambda: list(phases(cluster).values())[-1] == "Complete" and len(phases(cluster)) > 2
        )
        assert phases(cluster)["c-2"] == "Failed"
        cancelled = cluster.get("ReplicationController", "c-2")
        assert cancelled["metadata"]["annotations"]["openshift.io/deployment.cancelled"] == "true"
        assert cancelled["spec"]["replicas"] == 0

    on_cluster(tmp_path, scenario)


def test_a_rollout_that_takes_too_long_fails_and_the_old_one_serves_on(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        config(cluster, "c", strategy={"type": "Recreate", "recreateParams": {"timeoutSeconds": 2}})
        await ended(cluster, "c-1")
        cluster.change("DeploymentConfig", "c", _stuck)
        await ended(cluster, "c-2", "Failed")
        await cluster.until(
            "DeploymentConfig", "c", lambda found: found["status"].get("availableReplicas") == 1
        )
        assert cluster.get("ReplicationController", "c-1")["spec"]["replicas"] == 1
        conditions = {
            entry["type"]: entry for entry in cluster.get("DeploymentConfig", "c")["status"]["conditions"]
        }
        assert conditions["Progressing"]["reason"] == "ProgressDeadlineExceeded"

    on_cluster(tmp_path, scenario)


def test_people_can_cancel_a_rollout(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        config(cluster, "c")
        await ended(cluster, "c-1")
        cluster.change("DeploymentConfig", "c", _stuck)
        await ended(cluster, "c-2", "Running")

        def cancel(found: Object) -> None:
            found["metadata"]["annotations"]["openshift.io/deployment.cancelled"] = "true"

        cluster.change("ReplicationController", "c-2", cancel)
        await ended(cluster, "c-2", "Failed")
        await cluster.until(
            "ReplicationController", "c-1", lambda found: found["status"].get("availableReplicas") == 1
        )

    on_cluster(tmp_path, scenario)


def test_a_paused_config_scales_but_rolls_out_only_later(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        config(cluster, "c")
        await ended(cluster, "c-1")
        cluster.change("DeploymentConfig", "c", lambda found: found["spec"].update(paused=True))
        set_command(cluster, "c", ["sleep", "600"])
        cluster.change("DeploymentConfig", "c", lambda found: found["spec"].update(replicas=2))
        await cluster.until(
            "DeploymentConfig", "c", lambda found: found["status"].get("availableReplicas") == 2
        )
        assert phases(cluster) == {"c-1": "Complete"}
        cluster.change("DeploymentConfig", "c", lambda found: found["spec"].update(paused=False))
        await ended(cluster, "c-2")

    on_cluster(tmp_path, scenario)


def test_hooks_run_before_and_after_every_rollout(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        said = tmp_path / "said"
        hooks = {moment: _hook(f"echo {moment} $V >> {said}") for moment in ("pre", "post")}
        config(cluster, "c", strategy={"type": "Rolling", "rollingParams": hooks})
        await ended(cluster, "c-1")
        await instantiate(cluster, "c", force=True)
        await ended(cluster, "c-2")
        assert said.read_text().splitlines() == ["pre of-hook", "post of-hook"] * 2
        cluster.change("DeploymentConfig", "c", lambda found: found["spec"].update(replicas=2))
        await cluster.until(
            "DeploymentConfig", "c", lambda found: found["status"].get("availableReplicas") == 2
        )
        assert len(said.read_text().splitlines()) == 4

    on_cluster(tmp_path, scenario)


def test_a_failing_hook_is_retried_or_ends_the_rollout_by_its_policy(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        tries = tmp_path / "tries"
        stubborn = _hook(f"echo x >> {tries}; test $(wc -l < {tries}) -ge 3", "Retry")
        config(cluster, "retry", strategy={"type": "Rolling", "rollingParams": {"pre": stubborn}})
        await ended(cluster, "retry-1")
        assert tries.read_text().count("x") == 3
        config(
            cluster, "abort", strategy={"type": "Rolling", "rollingParams": {"pre": _hook("exit 1", "Abort")}}
        )
        await ended(cluster, "abort-1", "Failed")
        assert cluster.get("ReplicationController", "abort-1")["spec"]["replicas"] == 0

    on_cluster(tmp_path, scenario)


def _hook(command: str, policy: str = "Abort") -> Object:
    execution = {
        "containerName": "main",
        "command": ["sh", "-c", command],
        "env": [{"name": "V", "value": "of-hook"}],
    }
    return {"failurePolicy": policy, "execNewPod": execution}


def _stuck(found: Object) -> None:
    found["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.invalid/none:1"


def _unstuck(found: Object) -> None:
    found["spec"]["template"]["spec"]["containers"][0]["image"] = "any"
