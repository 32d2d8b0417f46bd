"""The objects of an installation, as data."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.rehearsal.installation import REDIS_WORKLOADS, RELEASES, Installation, Release, labels_of
from orchestrator.rehearsal.objects import Object

ROOT = Path("/somewhere/root")


@pytest.fixture(params=RELEASES)
def installation(request: pytest.FixtureRequest) -> Installation:
    return Installation(request.param, "threescale", ROOT)


def workloads(installation: Installation) -> list[Object]:
    return [obj for obj in installation.belongings("77") if obj["kind"] in ("Deployment", "DeploymentConfig")]


def test_both_databases_are_there_with_claim_and_service(installation: Installation) -> None:
    objects = [(obj["kind"], obj["metadata"]["name"]) for obj in installation.belongings("77")]
    for name in REDIS_WORKLOADS:
        assert (installation.workload_kind, name) in objects
        assert ("PersistentVolumeClaim", f"{name}-storage") in objects
        assert ("Service", name) in objects


def test_pods_carry_what_selects_them(installation: Installation) -> None:
    for workload in workloads(installation):
        name, spec = workload["metadata"]["name"], workload["spec"]
        found = spec["template"]["metadata"]["labels"]
        selector = spec["selector"].get("matchLabels", spec["selector"])
        assert selector == installation.selector(name)
        assert {**selector, **labels_of(name)}.items() <= found.items()
        assert spec["strategy"]["type"] == "Recreate"


def test_every_mount_has_its_volume_and_lies_in_the_root(installation: Installation) -> None:
    for workload in workloads(installation):
        spec = workload["spec"]["template"]["spec"]
        mounts = {mount["name"]: Path(mount["mountPath"]) for mount in spec["containers"][0]["volumeMounts"]}
        assert mounts.keys() == {volume["name"] for volume in spec["volumes"]}
        assert all(path.is_relative_to(ROOT / "mnt" / workload["metadata"]["name"]) for path in mounts.values())


@pytest.mark.parametrize(("release", "kind", "label", "version"), [
    ("2.13", "DeploymentConfig", "deploymentConfig", None), ("2.15", "Deployment", "deployment", "77"),
])  # fmt: skip
def test_what_tells_the_releases_apart(release: Release, kind: str, label: str, version: str | None) -> None:
    installation = Installation(release, "threescale", ROOT)
    annotations = installation.apimanager()["metadata"]["annotations"]
    assert annotations["apps.3scale.net/apimanager-threescale-version"].startswith(release)
    for workload in workloads(installation):
        template = workload["spec"]["template"]["metadata"]
        assert workload["kind"] == kind
        assert template["labels"][label] == workload["metadata"]["name"]
        assert template.get("annotations", {}).get("redisConfigMapResourceVersion") == version
    assert ("rename-command" in installation.redis_conf()) == (release == "2.15")
    assert ("NAMESPACE" in installation.secrets()[1]["stringData"]) == (release == "2.13")
