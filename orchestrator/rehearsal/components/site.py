"""Where and what to install, and what the objects of all parts have in common: names, labels, selectors.

Source: the 3scale operator's `pkg/3scale/amp/component` of the releases 2.11 to 2.15, read for names and values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from orchestrator.rehearsal.objects import Object

Release = Literal["2.11", "2.12", "2.13", "2.14", "2.15"]
RELEASES: tuple[Release, ...] = get_args(Release)
Database = Literal["mysql", "postgresql"]
DATABASES: tuple[Database, ...] = get_args(Database)
Scope = Literal["redis", "whole"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

APP_LABEL = "3scale-api-management"
REGISTRY = "registry.redhat.io/3scale-amp2"
ELEMENTS = {"zync": ("zync", "zync"), "zync-que": ("zync", "zync-que")}
WAIT_TO_LISTEN = ["sh", "-c", "until [ -s listening ]; do sleep 0.05; done"]
"""Our stand-ins write that file into their directory once they listen."""
INIT_PAUSE = {"name": "SLEEP_SECONDS", "value": "0.25"}
"""Between two looks of an init container; the operator has 1 s there."""

# A rehearsal shares its machine with the tests that load it: a server is not killed for one slow second.
PATIENT: Object = {"timeoutSeconds": 10, "failureThreshold": 6}


@dataclass(frozen=True)
class Site:
    """`root` is the cluster's directory, absolute and without links."""

    release: Release
    namespace: str
    root: Path
    database: Database = "mysql"
    wildcard_domain: str = "apps.rehearsal.example"
    tenant: str = "3scale"

    @property
    def has_deployments(self) -> bool:
        """From 2.15 on the workloads are Deployments, before they are DeploymentConfigs."""
        return self.release == "2.15"

    @property
    def has_searchd(self) -> bool:
        """From 2.14 on the search is a workload with a claim of its own; before it was system-sphinx."""
        return self.release in ("2.14", "2.15")

    @property
    def workload_kind(self) -> str:
        return "Deployment" if self.has_deployments else "DeploymentConfig"

    @property
    def system_database(self) -> str:
        """The workload of the system database."""
        return f"system-{self.database}"

    def home(self, workload: str) -> Path:
        """What HOME is in the image (/var/lib/redis, /var/lib/mysql, …): the directory above the data."""
        return self.root / "mnt" / workload

    def selector(self, workload: str) -> dict[str, str]:
        return {"deployment" if self.has_deployments else "deploymentConfig": workload}

    def image(self, product: str) -> str:
        return f"{REGISTRY}/{product}-rhel8:3scale{self.release}"


@dataclass(frozen=True)
class Pod:
    """What a pod template of a workload consists of, besides its labels."""

    containers: Sequence[Object]
    init: Sequence[Object] = ()
    volumes: Sequence[Object] = ()
    account: str = "amp"
    annotations: Mapping[str, str] | None = None

    def spec(self) -> Object:
        spec: Object = {
            "serviceAccountName": self.account,
            "terminationGracePeriodSeconds": 30,
            "containers": list(self.containers),
        }
        if self.init:
            spec["initContainers"] = list(self.init)
        return spec | ({"volumes": list(self.volumes)} if self.volumes else {})


def workload(site: Site, name: str, pod: Pod, *, recreate: bool = False, hooks: Object | None = None) -> Object:
    """A DeploymentConfig or a Deployment. `hooks` are the `pre` and `post` of a DeploymentConfig's rollout."""
    template: Object = {"metadata": {"labels": pod_labels(site, name)}, "spec": pod.spec()}
    if pod.annotations:
        template["metadata"]["annotations"] = dict(pod.annotations)
    spec: Object = {"replicas": 1, "template": template}
    if site.has_deployments:
        strategy: Object = {"type": "Recreate" if recreate else "RollingUpdate"}
        spec |= {"selector": {"matchLabels": site.selector(name)}, "strategy": strategy}
    else:
        kind = "recreate" if recreate else "rolling"
        strategy = {"type": kind.capitalize(), f"{kind}Params": {"timeoutSeconds": 1200 if hooks else 600, **(hooks or {})}}
        spec |= {"selector": site.selector(name), "strategy": strategy, "triggers": [{"type": "ConfigChange"}]}
    return named(site.workload_kind, name, {"spec": spec}, labels=labels_of(name))


def pod_labels(site: Site, name: str) -> dict[str, str]:
    metering = {"com.company": "Red_Hat", "rht.comp": "3scale", "rht.subcomp_t": "application"}
    return {**labels_of(name), **site.selector(name), **metering, "rht.subcomp": name}


def service(site: Site, name: str, *ports: tuple[str, int], of: str = "") -> Object:
    """`of` is the workload behind the service where that has another name."""
    listed = [{"name": key, "port": port, "protocol": "TCP", "targetPort": port} for key, port in ports]
    spec = {"ports": listed, "selector": site.selector(of or name)}
    return named("Service", name, {"spec": spec}, labels=labels_of(of or name))


def claim(name: str, workload_name: str, *, shared: bool = False, size: str = "1Gi") -> Object:
    spec = {
        "accessModes": ["ReadWriteMany" if shared else "ReadWriteOnce"],
        "resources": {"requests": {"storage": size}},
    }
    return named("PersistentVolumeClaim", name, {"spec": spec}, labels=labels_of(workload_name))


def claim_volume(name: str, claim_name: str) -> Object:
    return {"name": name, "persistentVolumeClaim": {"claimName": claim_name}}


def config_volume(name: str, config_map: str, *keys: str) -> Object:
    items = {"items": [{"key": key, "path": key} for key in keys]} if keys else {}
    return {"name": name, "configMap": {"name": config_map, **items}}


def mount(volume: str, path: Path, **more: Any) -> Object:
    return {"name": volume, "mountPath": str(path), **more}


def value(name: str, text: str) -> Object:
    return {"name": name, "value": text}


def from_secret(name: str, secret: str, key: str = "") -> Object:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key or name}}}


def from_config(name: str, config_map: str) -> Object:
    return {"name": name, "valueFrom": {"configMapKeyRef": {"name": config_map, "key": name}}}


def listening_probe() -> Object:
    """Ready as soon as the program listens, so that a rehearsal doesn't spend its time between two probes."""
    return {"exec": {"command": WAIT_TO_LISTEN}, "periodSeconds": 10, "timeoutSeconds": 9, "failureThreshold": 3}


def ports(*numbers: tuple[str, int]) -> list[Object]:
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in numbers]


def labels_of(workload_name: str) -> dict[str, str]:
    return labels(*ELEMENTS.get(workload_name, tuple(workload_name.split("-", 1))))


def labels(component: str, element: str = "") -> dict[str, str]:
    found = {"app": APP_LABEL, "threescale_component": component}
    return found | ({"threescale_component_element": element} if element else {})


def named(kind: str, name: str, rest: Object, **metadata: dict[str, str]) -> Object:
    return {"kind": kind, "metadata": {"name": name, **metadata}, **rest}
