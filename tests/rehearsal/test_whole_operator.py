"""Whole installations with their operator: what it puts back, what it leaves, and what stops it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.rehearsal.apimanagerstatus import PREFLIGHTS_FAIL
from orchestrator.rehearsal.components.system import GENERATION, POST_JOB, PRE_JOB
from orchestrator.rehearsal.installation import OPERATOR, Installation
from orchestrator.rehearsal.lifecycle import Rehearsed
from tests.rehearsal.redis_clusters import kubectl, roll_out, until
from tests.rehearsal.whole_clusters import (
    MERGE,
    condition,
    found,
    get,
    patch_apimanager,
    pods_of,
    replicas,
    say_replicas,
    scale,
    wait_for_replicas,
    whole,
)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    with whole(tmp_path_factory.mktemp("old"), "2.13") as running:
        yield running


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    with whole(tmp_path_factory.mktemp("new"), "2.15") as running:
        yield running


@pytest.fixture(params=["old", "new"])
def cluster(request: pytest.FixtureRequest) -> Rehearsed:
    running: Rehearsed = request.getfixturevalue(request.param)
    return running


def job_of(cluster: Rehearsed, name: str) -> dict[str, Any]:
    return found(cluster, "job", name) or {"metadata": {"uid": "", "annotations": {}}}


def is_complete(job: dict[str, Any]) -> bool:
    conditions = job.get("status", {}).get("conditions", [])
    return any(one["type"] == "Complete" and one["status"] == "True" for one in conditions)


def hooks_are_through(cluster: Rehearsed) -> bool:
    """Both Jobs are complete and those of the Deployment as it is now."""
    generation = str(get(cluster, "deployment", "system-app")["metadata"]["generation"])
    jobs = [job_of(cluster, name) for name in (PRE_JOB, POST_JOB)]
    return all(is_complete(job) and job["metadata"]["annotations"][GENERATION] == generation for job in jobs)


def after_a_look(cluster: Rehearsed) -> None:
    """Returns when the operator has had its turn: it has put a label back that somebody took away."""
    kind = "deployment" if cluster.release == "2.15" else "dc"
    kubectl(cluster, "label", kind, "backend-redis", "threescale_component-")
    until(lambda: "threescale_component" in get(cluster, kind, "backend-redis")["metadata"]["labels"])


# ---- what there is -------------------------------------------------------------------------------


def test_all_of_it_is_ready_and_available(cluster: Rehearsed) -> None:
    expected = Installation("2.15" if cluster.release == "2.15" else "2.13", "x", Path("/"), scope="whole").workloads()
    until(lambda: condition(cluster, "Available") == "True")
    status = get(cluster, "apimanagers")["items"][0]["status"]
    assert status["deployments"] == {"ready": list(expected)}
    assert (condition(cluster, "Preflights") == "True") == (cluster.release == "2.15")
    for name in expected:
        assert replicas(cluster, name) == (1, 1), name


# ---- replicas ------------------------------------------------------------------------------------


def test_replicas_that_the_resource_names_are_put_back(cluster: Rehearsed) -> None:
    say_replicas(cluster, "backend", "workerSpec", 2)
    wait_for_replicas(cluster, "backend-worker", 2)
    scale(cluster, "backend-worker", 0)
    wait_for_replicas(cluster, "backend-worker", 2)
    say_replicas(cluster, "backend", "workerSpec", 0)
    wait_for_replicas(cluster, "backend-worker", 0)
    say_replicas(cluster, "backend", "workerSpec", None)
    after_a_look(cluster)
    assert replicas(cluster, "backend-worker") == (0, 0)
    scale(cluster, "backend-worker", 1)
    wait_for_replicas(cluster, "backend-worker", 1)


def test_replicas_that_it_does_not_name_stay(cluster: Rehearsed) -> None:
    for name in ("backend-cron", "system-memcache"):
        scale(cluster, name, 0)
        wait_for_replicas(cluster, name, 0)
    after_a_look(cluster)
    assert [replicas(cluster, name) for name in ("backend-cron", "system-memcache")] == [(0, 0), (0, 0)]
    for name in ("backend-cron", "system-memcache"):
        scale(cluster, name, 1)
        wait_for_replicas(cluster, name, 1)


def test_it_is_available_while_system_app_is_stopped(cluster: Rehearsed) -> None:
    say_replicas(cluster, "system", "appSpec", 0)
    until(lambda: pods_of(cluster, "system-app") == [])
    until(lambda: get(cluster, "apimanagers")["items"][0]["status"]["deployments"].get("stopped") == ["system-app"])
    until(lambda: condition(cluster, "Available") == "True")
    say_replicas(cluster, "system", "appSpec", 1)
    wait_for_replicas(cluster, "system-app", 1)
    say_replicas(cluster, "system", "appSpec", None)


def test_sidekiq_waits_for_system_app(old: Rehearsed) -> None:
    scale(old, "system-app", 0)
    until(lambda: pods_of(old, "system-app") == [])
    until(lambda: not (old.root / "services" / "system-master").exists())
    before = pods_of(old, "system-sidekiq")[0]["metadata"]["name"]
    kubectl(old, "delete", "pod", before)

    def waiting() -> str:
        pods = [pod for pod in pods_of(old, "system-sidekiq") if pod["metadata"]["name"] != before]
        states = [pod.get("status", {}).get("initContainerStatuses", [{}])[0].get("state", {}) for pod in pods]
        return next(iter(states[0]), "") if states else ""

    until(lambda: waiting() == "running")
    assert replicas(old, "system-sidekiq")[1] == 0
    scale(old, "system-app", 1)
    wait_for_replicas(old, "system-app", 1)
    wait_for_replicas(old, "system-sidekiq", 1)


def test_sphinx_indexes_anew_at_each_start(old: Rehearsed) -> None:
    file = old.root / "mnt" / "system-sphinx" / "sphinx" / "index.json"
    first = json.loads(file.read_text())
    assert first["accounts"] >= 2
    file.write_text("{}")
    roll_out(old, "system-sphinx")
    until(lambda: file.exists() and json.loads(file.read_text()) == first)


# ---- other objects -------------------------------------------------------------------------------


def test_missing_keys_of_a_secret_come_back_and_others_stay(new: Rehearsed) -> None:
    patch = {"data": {"SECRET_KEY_BASE": "bWluZQ==", "USER_SESSION_TTL": None, "no-text": "AP8="}}
    kubectl(new, "patch", "secret", "system-app", *MERGE, json.dumps(patch))
    after_a_look(new)
    data = get(new, "secret", "system-app")["data"]
    assert data == {"SECRET_KEY_BASE": "bWluZQ==", "USER_SESSION_TTL": "", "no-text": "AP8="}


def test_of_the_configmaps_only_that_of_apicast_is_put_back(new: Rehearsed) -> None:
    kubectl(new, "patch", "cm", "apicast-environment", *MERGE, '{"data": {"OPENSSL_VERIFY": "true", "MINE": "x"}}')
    kubectl(new, "patch", "cm", "system-environment", *MERGE, '{"data": {"THREESCALE_SUPERDOMAIN": "other.example"}}')
    after_a_look(new)
    data = get(new, "cm", "apicast-environment")["data"]
    assert (data["OPENSSL_VERIFY"], data["MINE"]) == ("false", "x")
    assert get(new, "cm", "system-environment")["data"]["THREESCALE_SUPERDOMAIN"] == "other.example"
    kubectl(new, "patch", "cm", "system-environment", *MERGE, '{"data": {"THREESCALE_SUPERDOMAIN": "apps.rehearsal.example"}}')


# ---- hooks ---------------------------------------------------------------------------------------


def test_a_rollout_runs_the_hooks_of_a_deploymentconfig(old: Rehearsed) -> None:
    version = get(old, "dc", "system-app")["status"]["latestVersion"] + 1
    roll_out(old, "system-app")
    until(lambda: (found(old, "rc", f"system-app-{version}") or {"metadata": {"annotations": {}}})["metadata"]["annotations"].get("openshift.io/deployment.phase") == "Complete")
    for moment in ("pre", "post"):
        assert get(old, "pod", f"system-app-{version}-hook-{moment}")["status"]["phase"] == "Succeeded"


def test_scaling_system_app_runs_both_jobs_again(new: Rehearsed) -> None:
    until(lambda: hooks_are_through(new))
    before = {name: job_of(new, name)["metadata"]["uid"] for name in (PRE_JOB, POST_JOB)}
    scale(new, "system-app", 2)
    until(lambda: hooks_are_through(new) and all(job_of(new, name)["metadata"]["uid"] != before[name] for name in before))
    scale(new, "system-app", 1)
    wait_for_replicas(new, "system-app", 1)
    until(lambda: hooks_are_through(new))


def test_a_failed_job_stops_system_and_what_follows_until_it_is_deleted(new: Rehearsed) -> None:
    until(lambda: hooks_are_through(new))
    scale(new, OPERATOR, 0)
    wait_for_replicas(new, OPERATOR, 0)
    job = get(new, "job", PRE_JOB)
    kubectl(new, "delete", "job", PRE_JOB)
    failing = {
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": PRE_JOB, "annotations": {GENERATION: "0"}, "labels": job["metadata"]["labels"]},
        "spec": {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [
            {"name": PRE_JOB, "image": "x/y", "command": ["false"]},
        ]}}},
    }  # fmt: skip
    file = new.root / "failing.json"
    file.write_text(json.dumps(failing))
    kubectl(new, "create", "-f", str(file))
    until(lambda: any(one["type"] == "Failed" for one in job_of(new, PRE_JOB).get("status", {}).get("conditions", [])))
    scale(new, OPERATOR, 1)
    wait_for_replicas(new, OPERATOR, 1)
    patch_apimanager(new, {"spec": {"system": {"appSpec": {"replicas": 2}}, "zync": {"appSpec": {"replicas": 2}},
                                    "backend": {"cronSpec": {"replicas": 2}}}})  # fmt: skip
    wait_for_replicas(new, "backend-cron", 2)
    after_a_look(new)
    assert [replicas(new, name)[0] for name in ("system-app", "zync")] == [1, 1]
    kubectl(new, "delete", "job", PRE_JOB)
    for name in ("system-app", "zync"):
        wait_for_replicas(new, name, 2)
    patch_apimanager(new, {"spec": {"system": {"appSpec": {"replicas": 1}}, "zync": {"appSpec": {"replicas": 1}},
                                    "backend": {"cronSpec": {"replicas": 1}}}})  # fmt: skip
    for name in ("system-app", "zync", "backend-cron"):
        wait_for_replicas(new, name, 1)
    until(lambda: hooks_are_through(new))


# ---- what stops the operator ---------------------------------------------------------------------


def test_without_its_pod_nothing_is_put_back(new: Rehearsed) -> None:
    say_replicas(new, "backend", "workerSpec", 1)
    wait_for_replicas(new, "backend-worker", 1)
    scale(new, OPERATOR, 0)
    until(lambda: get(new, "pods", labels="control-plane=controller-manager")["items"] == [])
    scale(new, "backend-worker", 0)
    wait_for_replicas(new, "backend-worker", 0)
    kubectl(new, "label", "deployment", "backend-worker", "seen=yes")
    assert replicas(new, "backend-worker") == (0, 0)
    scale(new, OPERATOR, 1)
    wait_for_replicas(new, "backend-worker", 1)


def test_failing_preflights_stop_it(new: Rehearsed) -> None:
    patch_apimanager(new, {"metadata": {"annotations": {PREFLIGHTS_FAIL: "mysql is too old"}}})
    until(lambda: condition(new, "Preflights") == "False")
    message = next(one["message"] for one in get(new, "apimanagers")["items"][0]["status"]["conditions"] if one["type"] == "Preflights")
    assert message == "Preflights failed - mysql is too old - re-running preflights in 10 minutes"
    scale(new, "backend-worker", 0)
    wait_for_replicas(new, "backend-worker", 0)
    patch_apimanager(new, {"metadata": {"annotations": {PREFLIGHTS_FAIL: None}}})
    wait_for_replicas(new, "backend-worker", 1)


def test_a_searchd_that_is_not_ready_stops_what_follows(new: Rehearsed) -> None:
    image = get(new, "deployment", "system-searchd")["spec"]["template"]["spec"]["containers"][0]["image"]
    kubectl(new, "set", "image", "deployment/system-searchd", "system-searchd=nowhere.invalid/searchd")
    until(lambda: replicas(new, "system-searchd") == (1, 0))
    patch_apimanager(new, {"spec": {"apicast": {"stagingSpec": {"replicas": 2}}, "backend": {"cronSpec": {"replicas": 2}}}})
    wait_for_replicas(new, "backend-cron", 2)
    after_a_look(new)
    assert replicas(new, "apicast-staging")[0] == 1
    kubectl(new, "set", "image", "deployment/system-searchd", f"system-searchd={image}")
    wait_for_replicas(new, "apicast-staging", 2)


def test_a_deleted_reindex_job_is_made_again(new: Rehearsed) -> None:
    name = "system-searchd-manticore-reindex"
    before = job_of(new, name)["metadata"]["uid"]
    kubectl(new, "delete", "job", name)
    until(lambda: job_of(new, name)["metadata"]["uid"] not in ("", before) and is_complete(job_of(new, name)))


