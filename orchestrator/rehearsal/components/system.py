"""system-app with its hooks, system-sidekiq and system-memcache.

The hooks prepare the database before a rollout and write backend's storage after it: lifecycle hooks of the
DeploymentConfig up to 2.14, two Jobs of the operator in 2.15.
"""

from __future__ import annotations

from orchestrator.rehearsal.components.apicast import MASTER_CHECK
from orchestrator.rehearsal.components.porta import (
    porta_container,
    porta_environment,
    porta_mounts,
    porta_volumes,
)
from orchestrator.rehearsal.components.site import (
    INIT_PAUSE,
    Pod,
    Site,
    claim,
    labels_of,
    listening_probe,
    mount,
    named,
    ports,
    service,
    workload,
)
from orchestrator.rehearsal.objects import Object

APP, SIDEKIQ, MEMCACHE = "system-app", "system-sidekiq", "system-memcache"
PRE_JOB, POST_JOB = "system-app-pre", "system-app-post"
GENERATION = "system-app-deployment-generation"
APP_CONTAINERS = {"system-master": 3002, "system-provider": 3000, "system-developer": 3001}
COMMANDS = {
    PRE_JOB: "bundle exec rake boot openshift:deploy",
    POST_JOB: "bundle exec rake boot openshift:post_deploy",
}
SIDEKIQ_CHECK = f"until bundle exec rake boot:redis && {MASTER_CHECK.removeprefix('until ')}"


def memcache_objects(site: Site) -> list[Object]:
    container = {
        "name": "memcache",
        "image": site.image("memcached"),
        "imagePullPolicy": "IfNotPresent",
        "command": ["memcached", "-m", "64"],
        "ports": ports(("memcache", 11211)),
        "resources": {},
    }
    return [service(site, MEMCACHE, ("memcache", 11211)), workload(site, MEMCACHE, Pod([container]))]


def system_services(site: Site) -> list[Object]:
    """The claim, and one Service for each portal; all three lead to system-app."""
    portals = [service(site, name, ("http", 3000), of=APP) for name in APP_CONTAINERS]
    return [claim("system-storage", APP, shared=True, size="100Mi"), *portals]


def app_workload(site: Site) -> Object:
    pod = Pod([_portal(site, name) for name in APP_CONTAINERS], volumes=porta_volumes())
    return workload(site, APP, pod, hooks=None if site.has_deployments else _hooks())


def sidekiq_workload(site: Site) -> Object:
    waiting = porta_container(site, "check-svc", []) | {
        "args": ["bash", "-c", SIDEKIQ_CHECK],
        "env": [*porta_environment(site), INIT_PAUSE],
    }
    temporary = {"name": "system-tmp", "emptyDir": {"medium": "Memory"}}
    mounts = [*porta_mounts(site, SIDEKIQ), mount("system-tmp", site.home(SIDEKIQ) / "tmp")]
    container = porta_container(site, SIDEKIQ, ["bundle", "exec", "sidekiq"]) | {"volumeMounts": mounts}
    return workload(site, SIDEKIQ, Pod([container], init=[waiting], volumes=[temporary, *porta_volumes()]))


def hook_job(site: Site, name: str, generation: int) -> Object:
    """`generation` is that of the Deployment system-app for which the hook runs."""
    container = porta_container(site, name, ["bash", "-c", COMMANDS[name]]) | {"volumeMounts": porta_mounts(site, APP)}
    spec = {"restartPolicy": "Never", "serviceAccountName": "amp", "containers": [container], "volumes": porta_volumes()}
    job = {"completions": 1, "template": {"metadata": {}, "spec": spec}}
    return named("Job", name, {"spec": job}, labels=labels_of(APP), annotations={GENERATION: str(generation)})


def _portal(site: Site, name: str) -> Object:
    """The three portals of a pod share its one port here, so system-master listens for all of them."""
    container = porta_container(site, name, ["env", f"PORT={APP_CONTAINERS[name]}", "container-entrypoint", "bundle", "exec", "unicorn"])
    container |= {
        "ports": ports((name.removeprefix("system-"), APP_CONTAINERS[name])),
        "volumeMounts": porta_mounts(site, APP, read_only=name == "system-developer"),
    }
    return container | {"readinessProbe": listening_probe()}


def _hooks() -> Object:
    """Their environment is that of the container they are made from."""
    found = {}
    for moment, name, policy in (("pre", PRE_JOB, "Retry"), ("post", POST_JOB, "Abort")):
        pod = {
            "containerName": "system-master",
            "command": ["bash", "-c", COMMANDS[name]],
            "volumes": ["system-storage"],
        }
        found[moment] = {"failurePolicy": policy, "execNewPod": pod}
    return found
