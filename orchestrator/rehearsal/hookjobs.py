"""The hooks of system-app in 2.15: two Jobs that the operator keys to the generation of the Deployment.

As `system_reconciler.go` and `helper/job.go` of the operator 0.12 have it: every change of the Deployment's spec,
also of its replicas, has both Jobs deleted and made again. A Job that is not complete is not deleted,
so one that failed blocks until somebody deletes it.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.rehearsal.components.site import Site
from orchestrator.rehearsal.components.system import APP, GENERATION, POST_JOB, PRE_JOB, hook_job
from orchestrator.rehearsal.controllers.conditions import find_condition
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type

JOB = resource_type("Job")
DEPLOYMENT = resource_type("Deployment")


class HookJobs:
    """Both Jobs of one namespace."""

    def __init__(self, store: Store, site: Site, ensure: Callable[[Object], Object]) -> None:
        """`ensure` makes an object that is missing, as one that belongs to the APIManager."""
        self._store = store
        self._ensure = ensure
        self._site = site
        self._namespace = site.namespace
        self._generation = self._generation_of_app()

    def make_way(self) -> str:
        """Deletes Jobs of an earlier generation; says why when one may not be deleted."""
        for name in (PRE_JOB, POST_JOB):
            job = self._find(name)
            if job is None or self._store.find(DEPLOYMENT, self._namespace, APP) is None:
                continue
            if job["metadata"].get("annotations", {}).get(GENERATION, "1") == str(self._generation):
                continue
            if not is_complete(job):
                return f"won't delete job {name} because it's still running"
            self._store.delete(JOB, self._namespace, name, grace_seconds=0, propagation="Foreground")
        return ""

    def is_prepared(self) -> bool:
        """Whether the Job before the rollout is complete; makes it where there is none."""
        self._ensure(hook_job(self._site, PRE_JOB, self._generation))
        return is_complete(self._find(PRE_JOB))

    def finish(self) -> None:
        """Makes the Job after the rollout, once there is nothing left to roll out."""
        if is_complete(self._find(PRE_JOB)) and is_rolled_out(self._store.find(DEPLOYMENT, self._namespace, APP)):
            self._ensure(hook_job(self._site, POST_JOB, self._generation))

    def _find(self, name: str) -> Object | None:
        return self._store.find(JOB, self._namespace, name)

    def _generation_of_app(self) -> int:
        app = self._store.find(DEPLOYMENT, self._namespace, APP)
        return int(app["metadata"]["generation"]) if app else 1


def is_complete(job: Object | None) -> bool:
    complete = find_condition(((job or {}).get("status") or {}).get("conditions") or [], "Complete")
    return complete is not None and complete["status"] == "True"


def is_rolled_out(deployment: Object | None) -> bool:
    """Available, and not amid a rollout as `helper/deployment.go` has it."""
    status = (deployment or {}).get("status") or {}
    conditions = status.get("conditions") or []
    available, progressing = (find_condition(conditions, kind) for kind in ("Available", "Progressing"))
    is_amid = status.get("unavailableReplicas", 0) > 0 or (progressing or {}).get("reason") == "ReplicaSetUpdated"
    return available is not None and available["status"] == "True" and not is_amid
