"""Deployments on real pods: what is up at any moment of a rollout, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.rehearsal.pods_cluster import WAITING, Cluster, on_cluster

REVISION = "deployment.kubernetes.io/revision"

Object = dict[str, Any]


def deployment(cluster: Cluster, name: str, replicas: int = 1, **spec: Any) -> None:
    container = {"name": "main", "image": "any", "command": WAITING}
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 5, "containers": [container]},
    }
    selector = {"matchLabels": {"app": name}}
    cluster.create(
        "Deployment", name, spec={"replicas": replicas, "selector": selector, "template": template, **spec}
    )


def set_env(cluster: Cluster, name: str, value: str) -> None:
    def change(found: Object) -> None:
        found["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "V", "value": value}]

    cluster.change("Deployment", name, change)


def is_rolled_out(found: Object) -> bool:
    status, wanted = found.get("status") or {}, found["spec"]["replicas"]
    counts = [status.get(key, 0) for key in ("updatedReplicas", "replicas", "availableReplicas")]
    return status.get("observedGeneration") == found["metadata"]["generation"] and counts == [wanted] * 3


def most_pods_at_once(cluster: Cluster, since: int) -> int:
    """The largest number of pods that existed together since that event, processes on their way out included."""
    present: set[str] = set()
    most = 0
    for index, event in enumerate(cluster.events):
        if event.rt.kind != "Pod":
            continue
        uid = event.object["metadata"]["uid"]
        (present.discard if event.type == "DELETED" else present.add)(uid)
        most = max(most, len(present)) if index >= since else most
    return most


def test_recreate_never_has_two_pods(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        deployment(cluster, "d", strategy={"type": "Recreate"})
        await cluster.until("Deployment", "d", is_rolled_out)
        for value in ("1", "2", "3"):
            set_env(cluster, "d", value)
            await cluster.until("Deployment", "d", is_rolled_out)
        assert most_pods_at_once(cluster, 0) == 1
        assert len(cluster.list("ReplicaSet")) == 4

    on_cluster(tmp_path, scenario)


def test_a_rolling_update_surges_and_stays_available(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        deployment(cluster, "d", 2)
        await cluster.until("Deployment", "d", is_rolled_out)
        since = len(cluster.events)
        set_env(cluster, "d", "1")
        await cluster.until("Deployment", "d", is_rolled_out)
        written = [event.object for event in cluster.events[since:] if event.rt.kind == "Deployment"]
        assert min(found["status"].get("availableReplicas", 0) for found in written) == 2
        assert max(found["status"]["replicas"] for found in written) == 3

    on_cluster(tmp_path, scenario)


def test_the_way_back_revives_the_replica_set_of_that_template(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        deployment(cluster, "d", strategy={"type": "Recreate"})
        await cluster.until("Deployment", "d", is_rolled_out)
        first = cluster.list("ReplicaSet")[0]["metadata"]["name"]
        set_env(cluster, "d", "1")
        await cluster.until("Deployment", "d", is_rolled_out)

        def back(found: Object) -> None:
            del found["spec"]["template"]["spec"]["containers"][0]["env"]

        cluster.change("Deployment", "d", back)
        found = await cluster.until("Deployment", "d", is_rolled_out)
        assert found["metadata"]["annotations"][REVISION] == "3"
        revived = cluster.get("ReplicaSet", first)
        assert revived["spec"]["replicas"] == 1
        assert len(cluster.list("ReplicaSet")) == 2

    on_cluster(tmp_path, scenario)


def test_a_rollout_overtaken_by_the_next_ends_with_the_latest_template(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        deployment(cluster, "d", 2)
        for value in ("1", "2", "3"):
            set_env(cluster, "d", value)
        await cluster.until("Deployment", "d", is_rolled_out)
        values = [
            pod["spec"]["containers"][0]["env"][0]["value"]
            for pod in cluster.list("Pod")
            if "deletionTimestamp" not in pod["metadata"]
        ]
        assert values == ["3", "3"]

    on_cluster(tmp_path, scenario)


def test_history_is_kept_to_its_limit(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        deployment(cluster, "d", revisionHistoryLimit=1)
        for value in ("1", "2", "3"):
            set_env(cluster, "d", value)
            await cluster.until("Deployment", "d", is_rolled_out)
        await cluster.settled(lambda: len(cluster.list("ReplicaSet")) == 2)

    on_cluster(tmp_path, scenario)


def test_scaling_to_nothing_ends_every_pod_and_stays_available(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        deployment(cluster, "d", 2)
        await cluster.until("Deployment", "d", is_rolled_out)
        cluster.change("Deployment", "d", lambda found: found["spec"].update(replicas=0))
        found = await cluster.until("Deployment", "d", is_rolled_out)
        await cluster.settled(lambda: not cluster.list("Pod"))
        conditions = {entry["type"]: entry["status"] for entry in found["status"]["conditions"]}
        assert conditions == {"Available": "True", "Progressing": "True"}

    on_cluster(tmp_path, scenario)


def test_a_job_that_fails_too_often_is_failed(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        container = {"name": "main", "image": "any", "command": ["/bin/false"]}
        template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
        cluster.create("Job", "j", spec={"backoffLimit": 2, "template": template})
        found = await cluster.until("Job", "j", lambda job: "Failed" in _true_conditions(job))
        assert found["status"]["failed"] == 3
        assert _true_conditions(found)["Failed"] == "BackoffLimitExceeded"

    on_cluster(tmp_path, scenario)


def test_a_job_of_several_completions_runs_as_many_at_once_as_it_may(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        container = {"name": "main", "image": "any", "command": ["/bin/sh", "-c", "sleep 0.1"]}
        template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
        cluster.create("Job", "j", spec={"completions": 5, "parallelism": 2, "template": template})
        found = await cluster.until("Job", "j", lambda job: "Complete" in _true_conditions(job))
        assert found["status"]["succeeded"] == 5
        active = [
            event.object.get("status", {}).get("active", 0)
            for event in cluster.events
            if event.rt.kind == "Job"
        ]
        assert max(active) == 2
        assert len(cluster.list("Pod")) == 5

    on_cluster(tmp_path, scenario)


def _true_conditions(job: Object) -> dict[str, str]:
    conditions = (job.get("status") or {}).get("conditions") or []
    return {entry["type"]: entry["reason"] for entry in conditions if entry["status"] == "True"}
