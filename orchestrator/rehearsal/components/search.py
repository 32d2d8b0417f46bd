"""The search of system: system-sphinx up to 2.13, system-searchd with a claim from 2.14 on."""

from __future__ import annotations

from orchestrator.rehearsal.components.apicast import MASTER_CHECK
from orchestrator.rehearsal.components.porta import porta_container, porta_environment
from orchestrator.rehearsal.components.site import (
    INIT_PAUSE,
    Pod,
    Site,
    claim,
    claim_volume,
    labels_of,
    listening_probe,
    mount,
    named,
    ports,
    service,
    workload,
)
from orchestrator.rehearsal.objects import Object

SEARCHD, SPHINX = "system-searchd", "system-sphinx"
REINDEX_JOB = "system-searchd-manticore-reindex"


def search_workload(site: Site) -> str:
    return SEARCHD if site.has_searchd else SPHINX


def search_objects(site: Site) -> list[Object]:
    return _searchd(site) if site.has_searchd else _sphinx(site)


def reindex_job(site: Site) -> Object:
    """2.15 makes it once, when searchd is ready; who deletes it gets another."""
    container = porta_container(site, REINDEX_JOB, ["bash", "-c", "bundle exec rake searchd:optimal_index"])
    spec = {"restartPolicy": "Never", "serviceAccountName": "amp", "containers": [container]}
    job = {"completions": 1, "template": {"metadata": {"labels": labels_of(SEARCHD)}, "spec": spec}}
    return named("Job", REINDEX_JOB, {"spec": job}, labels=labels_of(SEARCHD))


def _searchd(site: Site) -> list[Object]:
    claim_name = "system-searchd-manticore" if site.has_deployments else "system-searchd"
    container = {
        "name": SEARCHD,
        "image": site.image("searchd"),
        "imagePullPolicy": "IfNotPresent",
        "args": ["searchd"],
        "ports": ports(("searchd", 9306)),
        "readinessProbe": listening_probe(),
        "resources": {},
        "volumeMounts": [mount("system-searchd-database", site.home(SEARCHD) / "data")],
    }
    volumes = [claim_volume("system-searchd-database", claim_name)]
    return [
        service(site, SEARCHD, ("searchd", 9306)),
        claim(claim_name, SEARCHD),
        workload(site, SEARCHD, Pod([container], volumes=volumes), recreate=True),
    ]


def _sphinx(site: Site) -> list[Object]:
    """`<root>/mnt/system-sphinx/sphinx` stands for /opt/system/db/sphinx."""
    waiting = {
        "name": "system-master-svc",
        "image": site.image("system"),
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", MASTER_CHECK],
        "env": [INIT_PAUSE],
    }
    container = porta_container(site, SPHINX, ["rake", "openshift:thinking_sphinx:start"]) | {
        "env": porta_environment(site),
        "ports": ports(("sphinx", 9306)),
        "readinessProbe": listening_probe(),
        "volumeMounts": [mount("system-sphinx-database", site.home(SPHINX) / "sphinx")],
    }
    volumes = [{"name": "system-sphinx-database", "emptyDir": {}}]
    return [
        service(site, SPHINX, ("sphinx", 9306)),
        workload(site, SPHINX, Pod([container], init=[waiting], volumes=volumes)),
    ]
