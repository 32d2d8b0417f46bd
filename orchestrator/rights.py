"""What a user has to be allowed to do so that a plan can be carried out and taken back. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from orchestrator.installation import Installation
from orchestrator.plan import Plan
from orchestrator.runbooks.options import Options
from orchestrator.runbooks.preflight import STOPPING
from orchestrator.steps import AnyStep


class Right(NamedTuple):
    verb: str
    group: str
    resource: str
    subresource: str = ""

    def say(self) -> str:
        return f"{self.verb} {self.resource}{'/' + self.subresource if self.subresource else ''}"


MANAGERS: Final = "apps.3scale.net"
ROUTES: Final = "route.openshift.io"
IN_POD: Final = (Right("get", "", "pods"), Right("list", "", "pods"), Right("create", "", "pods", "exec"))
MANAGER: Final = (Right("get", MANAGERS, "apimanagers"), Right("patch", MANAGERS, "apimanagers"))
JOBS: Final = (Right("get", "batch", "jobs"), Right("delete", "batch", "jobs"))
WORKLOADS: Final = {"Deployment": ("apps", "deployments"), "DeploymentConfig": ("apps.openshift.io", "deploymentconfigs")}
KINDS: Final = {"Secret": ("", "secrets"), "ConfigMap": ("", "configmaps"), "APIManager": (MANAGERS, "apimanagers")}
IN_POD_KINDS: Final = frozenset(
    {
        "copy_into_pod", "save_database", "load_dump", "check_rows", "sync_directory", "check_directory",
        "set_aside_file", "flush_queues", "rewrite_aof", "keep_appending", "keep_saving", "check_redis_keys", "run_rake",
        "check_backend", "resync_routes", "roll_out",
    }
)

# What is looked at before there is a plan; of the two kinds of workload an installation has one.
LOOKING: Final = (
    Right("get", "", "namespaces"), Right("list", MANAGERS, "apimanagers"), Right("get", "", "configmaps"),
    Right("get", "", "secrets"), *(Right("get", *kind) for kind in WORKLOADS.values()),
    Right("get", "", "replicationcontrollers"), *IN_POD,
)  # fmt: skip
# Without these a run goes on, and says so: nobody else is kept off the installation.
LEASING: Final = tuple(Right(verb, "coordination.k8s.io", "leases") for verb in ("get", "create", "update"))


def rights_to_see(found: Installation, options: Options) -> tuple[Right, ...]:
    """An APIManager that this user may not see has an operator all the same, which reverts what is scaled."""
    is_hidden = found.manager is None and bool(found.apps) and bool(STOPPING & options.named)
    return (Right("list", MANAGERS, "apimanagers"),) if is_hidden else ()


def rights_of(plan: Plan) -> tuple[Right, ...]:
    """Each right once, in the order of the steps that need it. Without those on Leases a run goes on, and says so."""
    found: dict[Right, None] = {}
    for step in plan.steps:
        found |= dict.fromkeys(rights_of_step(step))
    return tuple(found)


def looking_at(workload_kind: str) -> Iterator[Right]:
    """A workload is looked at with its pods; of a DeploymentConfig's rollout its ReplicationController tells the end."""
    yield Right("get", *WORKLOADS[workload_kind])
    yield Right("list", "", "pods")
    if workload_kind == "DeploymentConfig":
        yield Right("get", "", "replicationcontrollers")


def rights_of_step(step: AnyStep) -> Iterator[Right]:
    if step.kind in IN_POD_KINDS:
        yield from IN_POD
    if workload_kind := getattr(step, "workload_kind", ""):
        group, resource = WORKLOADS[workload_kind]
        yield from looking_at(workload_kind)
        if step.kind in ("roll_out", "restart_workload"):
            is_config = workload_kind == "DeploymentConfig"
            yield Right("create", group, resource, "instantiate") if is_config else Right("patch", group, resource)
        if step.kind == "scale_workload":  # a DeploymentConfig whose rollout failed is rolled out anew
            yield Right("patch", group, resource)
            yield from [Right("create", group, resource, "instantiate")] if workload_kind == "DeploymentConfig" else []
    match step.kind:
        case "edit_configmap":
            yield from (Right(verb, "", "configmaps") for verb in ("get", "patch"))
        case "scale_workload":
            yield from MANAGER if step.path else ()
            yield from JOBS if step.jobs else ()
        case "restart_workload":
            yield from JOBS if step.jobs else ()
        case "save_manager_spec" | "await_operator":
            yield MANAGER[0]
        case "check_workloads":
            yield MANAGER[0]
            for original in step.originals:
                yield from looking_at(original.kind)
        case "resync_routes":
            yield from (Right(verb, ROUTES, "routes") for verb in ("list", "delete"))
        case "remove_helper":  # which stands for what starts one as well
            yield from (Right(verb, "", "pods") for verb in ("get", "create", "delete"))
        case "apply_object":
            group, resource = KINDS[step.object_kind]
            yield from (Right(verb, group, resource) for verb in ("get", "create", "patch", "delete"))
            yield from (Right(verb, "", "secrets") for verb in ("get", "create", "delete"))
        case _:
            return
