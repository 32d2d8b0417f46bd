"""The objects of a whole installation, as data: what each release has, and what hangs together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.rehearsal.components.apicast import apicast_objects
from orchestrator.rehearsal.components.apimanager import REPLICAS, wanted_replicas
from orchestrator.rehearsal.components.backend import backend_objects
from orchestrator.rehearsal.components.configmaps import (
    apicast_environment,
    backend_configs,
    mysql_configs,
    system_configs,
)
from orchestrator.rehearsal.components.databases import database_objects
from orchestrator.rehearsal.components.search import reindex_job, search_objects
from orchestrator.rehearsal.components.secrets import all_secrets
from orchestrator.rehearsal.components.system import (
    PRE_JOB,
    app_workload,
    hook_job,
    memcache_objects,
    sidekiq_workload,
    system_services,
)
from orchestrator.rehearsal.components.zync import zync_objects
from orchestrator.rehearsal.installation import DATABASES, RELEASES, Database, Installation, Release
from orchestrator.rehearsal.objects import Object

ROOT = Path("/somewhere/root")
URLS = {"mysql": "mysql2://root:secret@system-mysql/system", "postgresql": "postgresql://system:secret@system-postgresql/system"}
RECREATED = {"system-mysql", "system-postgresql", "system-redis", "backend-redis", "zync-database", "system-searchd"}


@pytest.fixture(params=[(release, database) for release in RELEASES for database in DATABASES], ids=lambda pair: "-".join(pair))
def site(request: pytest.FixtureRequest) -> Installation:
    release, database = request.param
    return Installation(release, "threescale", ROOT, database, scope="whole")


def configs(site: Installation) -> list[Object]:
    return [*system_configs(site), *backend_configs(), *mysql_configs(), apicast_environment({}), site.config_map()]


def everything(site: Installation) -> list[Object]:
    found = [*site.belongings("77"), *database_objects(site, URLS[site.database]), *backend_objects(site)]
    found += [*memcache_objects(site), *search_objects(site), *system_services(site), app_workload(site), sidekiq_workload(site)]
    found += [*zync_objects(site), *apicast_objects(site, {}), *configs(site), *all_secrets(site, {}, lambda: "made-up")]
    if site.has_deployments:
        found += [hook_job(site, PRE_JOB, 1), reindex_job(site)]
    return found


def workloads(site: Installation) -> dict[str, Object]:
    return {obj["metadata"]["name"]: obj for obj in everything(site) if obj["kind"] == site.workload_kind}


def pod_specs(site: Installation) -> dict[str, dict[str, Any]]:
    return {
        f"{obj['kind']} {obj['metadata']['name']}": obj["spec"]["template"]["spec"]
        for obj in everything(site)
        if obj["kind"] in ("Deployment", "DeploymentConfig", "Job")
    }


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [*spec.get("initContainers", []), *spec["containers"]]


def test_every_workload_of_the_status_has_its_object(site: Installation) -> None:
    assert workloads(site).keys() == set(site.workloads())


def test_each_object_is_there_once(site: Installation) -> None:
    names = [(obj["kind"], obj["metadata"]["name"]) for obj in everything(site)]
    assert len(names) == len(set(names))


def test_a_pod_finds_every_key_that_it_names(site: Installation) -> None:
    objects = everything(site)
    keys = {("Secret", obj["metadata"]["name"]): set(obj["stringData"]) for obj in objects if obj["kind"] == "Secret"}
    keys |= {("ConfigMap", obj["metadata"]["name"]): set(obj["data"]) for obj in objects if obj["kind"] == "ConfigMap"}
    for where, spec in pod_specs(site).items():
        for container in containers(spec):
            for entry in container.get("env", []):
                source = entry.get("valueFrom", {})
                for kind, field in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
                    if field in source:
                        assert source[field]["key"] in keys[kind, source[field]["name"]], (where, entry)


def test_every_mount_has_a_volume_that_exists_and_lies_in_the_root(site: Installation) -> None:
    names = {(obj["kind"], obj["metadata"]["name"]) for obj in everything(site)}
    for where, spec in pod_specs(site).items():
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        for volume in volumes.values():
            claim, config = volume.get("persistentVolumeClaim"), volume.get("configMap")
            assert claim is None or ("PersistentVolumeClaim", claim["claimName"]) in names, where
            assert config is None or ("ConfigMap", config["name"]) in names, where
        for container in containers(spec):
            for mount in container.get("volumeMounts", []):
                assert mount["name"] in volumes, where
                assert Path(mount["mountPath"]).is_relative_to(ROOT / "mnt"), where


def test_databases_and_searchd_are_recreated_and_the_rest_rolls(site: Installation) -> None:
    for name, obj in workloads(site).items():
        assert (obj["spec"]["strategy"]["type"] == "Recreate") == (name in RECREATED), name


@pytest.mark.parametrize(("release", "kind", "search", "claim"), [
    ("2.11", "DeploymentConfig", "system-sphinx", None), ("2.12", "DeploymentConfig", "system-sphinx", None),
    ("2.13", "DeploymentConfig", "system-sphinx", None), ("2.14", "DeploymentConfig", "system-searchd", "system-searchd"),
    ("2.15", "Deployment", "system-searchd", "system-searchd-manticore"),
])  # fmt: skip
def test_what_tells_the_releases_apart(release: Release, kind: str, search: str, claim: str | None) -> None:
    site = Installation(release, "threescale", ROOT, scope="whole")
    found = workloads(site)
    assert {obj["kind"] for obj in found.values()} == {kind}
    assert {"system-sphinx", "system-searchd"} & found.keys() == {search}
    claims = [obj["metadata"]["name"] for obj in search_objects(site) if obj["kind"] == "PersistentVolumeClaim"]
    assert claims == ([claim] if claim else [])
    rolling = found["system-app"]["spec"]["strategy"].get("rollingParams", {})
    assert {"pre", "post"} & rolling.keys() == ({"pre", "post"} if kind == "DeploymentConfig" else set())
    secrets = {obj["metadata"]["name"]: obj["stringData"] for obj in all_secrets(site, {}, lambda: "x")}
    assert ("NAMESPACE" in secrets["system-redis"]) == (release != "2.15")
    assert ("MESSAGE_BUS_URL" in secrets["system-redis"]) == (release == "2.11")


@pytest.mark.parametrize("database", DATABASES)
def test_the_storage_of_system_is_one_claim_for_app_and_sidekiq(database: Database) -> None:
    site = Installation("2.13", "threescale", ROOT, database, scope="whole")
    path = str(ROOT / "mnt" / "system" / "public" / "system")
    app, sidekiq = (workloads(site)[name]["spec"]["template"]["spec"] for name in ("system-app", "system-sidekiq"))
    mounts = {
        container["name"]: mount.get("readOnly", False)
        for container in (*app["containers"], *sidekiq["containers"])
        for mount in container["volumeMounts"]
        if mount["mountPath"] == path
    }
    assert mounts == {"system-master": False, "system-provider": False, "system-developer": True, "system-sidekiq": False}


def test_zync_keeps_its_data_in_its_pod() -> None:
    spec = workloads(Installation("2.14", "threescale", ROOT, scope="whole"))["zync-database"]["spec"]["template"]["spec"]
    assert spec["containers"][0]["name"] == "postgresql"
    assert spec["volumes"] == [{"name": "zync-database-data", "emptyDir": {}}]


def test_a_secret_keeps_what_it_has_and_the_rest_agrees_with_that() -> None:
    site = Installation("2.13", "threescale", ROOT, scope="whole")
    there = {"zync": {"ZYNC_DATABASE_PASSWORD": "kept"}, "system-database": {"URL": "mysql2://root:r@system-mysql/system"}}
    found = {obj["metadata"]["name"]: obj["stringData"] for obj in all_secrets(site, there, lambda: "made-up")}
    assert found["zync"]["ZYNC_DATABASE_PASSWORD"] == "kept"
    assert found["zync"]["DATABASE_URL"] == "postgresql://zync:kept@zync-database:5432/zync_production"
    assert found["system-database"]["URL"] == "mysql2://root:r@system-mysql/system"
    assert found["system-database"]["DB_PASSWORD"] == "made-up"


@pytest.mark.parametrize(("release", "replicas"), [("2.12", 1), ("2.13", None), ("2.15", None)])
def test_only_old_operators_write_replicas_into_the_resource(release: Release, replicas: int | None) -> None:
    spec = Installation(release, "threescale", ROOT, scope="whole").apimanager()["spec"]
    assert {wanted_replicas(spec, name) for name in REPLICAS} == {replicas}
    assert {wanted_replicas(spec, name) for name in ("system-mysql", "backend-redis", "zync-database")} == {None}
