"""The custom resource: what a user writes, what the operator adds, and where replicas are said."""

from __future__ import annotations

from orchestrator.rehearsal.components.backend import listener_host
from orchestrator.rehearsal.components.site import APP_LABEL, Site, named
from orchestrator.rehearsal.objects import Object, copy_json

APIMANAGER = "apimanager"
OPERATOR_VERSIONS = {"2.11": "0.8.1", "2.12": "0.9.0", "2.13": "0.10.1", "2.14": "0.11.3", "2.15": "0.12.5"}
PRODUCT_VERSIONS = {release: release for release in OPERATOR_VERSIONS} | {"2.15": "2.15.5"}
REPLICAS = {
    "system-app": ("system", "appSpec"), "system-sidekiq": ("system", "sidekiqSpec"),
    "backend-listener": ("backend", "listenerSpec"), "backend-worker": ("backend", "workerSpec"),
    "backend-cron": ("backend", "cronSpec"), "zync": ("zync", "appSpec"), "zync-que": ("zync", "queSpec"),
    "apicast-staging": ("apicast", "stagingSpec"), "apicast-production": ("apicast", "productionSpec"),
}  # fmt: skip
"""Workload -> where the APIManager's spec may say `replicas`; the databases have no such place."""


def apimanager(site: Site) -> Object:
    """As after the operator's first look at it."""
    spec: Object = {"wildcardDomain": site.wildcard_domain, "tenantName": site.tenant}
    if site.database == "postgresql":
        spec["system"] = {"database": {"postgresql": {}}}
    obj = named("APIManager", APIMANAGER, {"spec": spec})
    set_defaults(obj, site)
    return obj


def set_defaults(obj: Object, site: Site) -> None:
    """Empty objects where a part says nothing; up to 2.12 also `replicas: 1` for all that have some."""
    annotations = obj["metadata"].setdefault("annotations", {})
    annotations.setdefault("apps.3scale.net/apimanager-threescale-version", PRODUCT_VERSIONS[site.release])
    annotations.setdefault("apps.3scale.net/threescale-operator-version", OPERATOR_VERSIONS[site.release])
    spec = obj["spec"]
    spec.setdefault("appLabel", APP_LABEL)
    spec.setdefault("tenantName", "3scale")
    spec.setdefault("resourceRequirementsEnabled", False)
    for part, field in REPLICAS.values():
        there = spec.get(part) or {}
        spec[part] = there | {field: there.get(field) or {}}
        if site.release in ("2.11", "2.12"):
            spec[part][field].setdefault("replicas", 1)
    search = "searchdSpec" if site.has_searchd else "sphinxSpec"
    spec["system"] = {search: {}} | spec["system"]


def wanted_replicas(spec: Object, workload: str) -> int | None:
    """What the APIManager says; None when it says nothing, and then the operator leaves them alone."""
    part, field = REPLICAS.get(workload, ("", ""))
    found = ((spec.get(part) or {}).get(field) or {}).get("replicas")
    return None if found is None else int(found)


def default_hosts(site: Site) -> list[str]:
    """The six hosts without whose admitted routes an installation is not Available."""
    tenant, domain = site.tenant, site.wildcard_domain
    return [
        listener_host(site), f"api-{tenant}-apicast-production.{domain}", f"api-{tenant}-apicast-staging.{domain}",
        f"master.{domain}", f"{tenant}.{domain}", f"{tenant}-admin.{domain}",
    ]  # fmt: skip


def as_written(obj: Object) -> Object:
    """A copy that a user could have written: kind, name, labels, annotations and spec."""
    metadata = {key: copy_json(obj["metadata"][key]) for key in ("name", "labels", "annotations") if key in obj["metadata"]}
    return {"apiVersion": "apps.3scale.net/v1alpha1", "kind": "APIManager", "metadata": metadata, "spec": copy_json(obj["spec"])}
