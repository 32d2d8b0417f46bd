"""Jobs: pods that run to an end, as many as are wanted, with a limit on failures and on time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from orchestrator.rehearsal.controllers.base import (
    POD,
    Name,
    earliest,
    is_active,
    is_deleting,
    names_of,
    owned_by,
    phase,
    pod_from_template,
    ready_since,
    seconds_since,
    without_zeros,
)
from orchestrator.rehearsal.controllers.conditions import Condition, find_condition, set_condition
from orchestrator.rehearsal.history import Event
from orchestrator.rehearsal.objects import Object, timestamp
from orchestrator.rehearsal.recorder import Recorder
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type

BACK_OFF_SECONDS = 0.5
"""After the first failure, twice as long after each further one; a real cluster begins with 10 s."""
REACHED = "Reached expected number of succeeded pods"


class Jobs:
    """The controller of Jobs."""

    rt = resource_type("Job")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._failures: dict[str, tuple[int, float]] = {}
        self._recorder = Recorder(store, "job-controller")

    def concerned(self, event: Event) -> Iterable[Name]:
        return names_of(event, self.rt) if event.rt in (self.rt, POD) else ()

    def reconcile(self, namespace: str, name: str) -> float | None:
        job = self._store.find(self.rt, namespace, name)
        if job is None or is_deleting(job) or _finished(job):
            return None
        if job["spec"].get("suspend"):
            self._suspend(job)
            return None
        if not (job.get("status") or {}).get("startTime"):
            job = self._begin(job)
        pods = self._pods(job)
        verdict = _verdict(job, pods)
        if verdict:
            self._failures.pop(job["metadata"]["uid"], None)
            self._end(job, pods, *verdict)
            return None
        pause = self._back_off(job, _count(pods, "Failed"))
        if pause <= 0:
            self._create_missing(job, pods)
        self._report(job, [])
        return earliest(_seconds_left(job), pause if pause > 0 else None)

    def _back_off(self, job: Object, failures: int) -> float:
        """How many seconds the next attempt has to wait yet."""
        uid = job["metadata"]["uid"]
        known, since = self._failures.get(uid, (0, 0.0))
        if failures != known:
            since = time.monotonic()
            self._failures[uid] = failures, since
        return since + BACK_OFF_SECONDS * 2 ** (failures - 1) - time.monotonic() if failures else 0.0

    def _pods(self, job: Object) -> list[Object]:
        return owned_by(self._store, POD, job)

    def _begin(self, job: Object) -> Object:
        conditions = (job.get("status") or {}).get("conditions") or []
        if find_condition(conditions, "Suspended"):
            conditions = _with(conditions, "Suspended", "False", "JobResumed", "Job resumed")
        return self._write(job, {"startTime": timestamp(), "conditions": conditions})

    def _suspend(self, job: Object) -> None:
        self._delete_active(job, self._pods(job))
        conditions = (job.get("status") or {}).get("conditions") or []
        self._report(
            job, _with(conditions, "Suspended", "True", "JobSuspended", "Job suspended"), suspended=True
        )

    def _create_missing(self, job: Object, pods: Sequence[Object]) -> None:
        wanted = min(_parallelism(job), _completions(job) - _count(pods, "Succeeded"))
        active = sum(is_active(pod) for pod in pods)
        for _ in range(wanted - active):
            pod = _new_pod(job)
            created = self._store.create(POD, job["metadata"]["namespace"], pod)
            self._recorder.normal(job, "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")

    def _end(self, job: Object, pods: Sequence[Object], kind: str, reason: str, message: str) -> None:
        """Ends the Job as Complete or Failed; pods that still run are deleted."""
        self._delete_active(job, pods)
        first = "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget"
        conditions = (job.get("status") or {}).get("conditions") or []
        for condition in (first, kind):
            conditions = _with(conditions, condition, "True", reason, message)
        self._report(job, conditions)
        if kind == "Complete":
            self._recorder.normal(job, "Completed", "Job completed")
        else:
            self._recorder.warning(job, reason, message)

    def _delete_active(self, job: Object, pods: Sequence[Object]) -> None:
        for pod in pods:
            if is_active(pod):
                self._store.delete(POD, job["metadata"]["namespace"], pod["metadata"]["name"])

    def _report(self, job: Object, conditions: list[Condition], *, suspended: bool = False) -> None:
        pods = self._pods(job)
        counters = {
            "active": sum(is_active(pod) for pod in pods),
            "succeeded": _count(pods, "Succeeded"),
            "failed": _count(pods, "Failed"),
            "terminating": sum(is_deleting(pod) for pod in pods),
        }
        status: dict[str, Any] = {
            "ready": sum(is_active(pod) and ready_since(pod) is not None for pod in pods)
        }
        status |= without_zeros(counters) | {"terminating": counters["terminating"]}
        old = job.get("status") or {}
        kept = {} if suspended else {key: old[key] for key in ("startTime",) if key in old}
        status |= kept | {"conditions": conditions or old.get("conditions") or []}
        if find_condition(status["conditions"], "Complete"):
            status["completionTime"] = timestamp()
        self._write(job, {**status, "uncountedTerminatedPods": {}})

    def _write(self, job: Object, status: dict[str, Any]) -> Object:
        kept = {key: value for key, value in status.items() if value != []}

        def write(stored: Object) -> None:
            stored["status"] = kept

        metadata = job["metadata"]
        written = self._store.change(
            self.rt, metadata["namespace"], metadata["name"], write, subresource="status"
        )
        return written or job


def _verdict(job: Object, pods: Sequence[Object]) -> tuple[str, str, str] | None:
    """Condition, reason and message when the Job has ended now."""
    if _count(pods, "Succeeded") >= _completions(job):
        return "Complete", "CompletionsReached", REACHED
    failures = _count(pods, "Failed") + sum(_restarts(pod) for pod in pods if is_active(pod))
    if failures > job["spec"].get("backoffLimit", 6):
        return "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    left = _seconds_left(job)
    if left is not None and left <= 0:
        return "Failed", "DeadlineExceeded", "Job was active longer than specified deadline"
    return None


def _seconds_left(job: Object) -> float | None:
    deadline, started = job["spec"].get("activeDeadlineSeconds"), (job.get("status") or {}).get("startTime")
    return float(deadline) - seconds_since(started) if deadline is not None and started else None


def _new_pod(job: Object) -> Object:
    """A pod with the labels by which people find the pods of a Job."""
    metadata = job["metadata"]
    pod = pod_from_template(job["spec"]["template"], job, metadata["name"])
    names = {"job-name": metadata["name"], "controller-uid": metadata["uid"]}
    both = names | {f"batch.kubernetes.io/{key}": value for key, value in names.items()}
    pod["metadata"]["labels"] = {**pod["metadata"].get("labels", {}), **both}
    return pod


def _finished(job: Object) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or []
    ends = [find_condition(conditions, kind) for kind in ("Complete", "Failed")]
    return any(end is not None and end["status"] == "True" for end in ends)


def _count(pods: Sequence[Object], wanted: str) -> int:
    return sum(phase(pod) == wanted for pod in pods)


def _restarts(pod: Object) -> int:
    """Restarts of the containers: with restartPolicy OnFailure they count as failures."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return sum(int(status["restartCount"]) for status in statuses)


def _parallelism(job: Object) -> int:
    return int(job["spec"].get("parallelism", 1))


def _completions(job: Object) -> int:
    return int(job["spec"].get("completions") or 1)


def _with(
    conditions: Sequence[Condition], kind: str, status: str, reason: str, message: str
) -> list[Condition]:
    """As `set_condition`, with the time of the last probe that Jobs show instead of an update."""
    changed = set_condition(conditions, kind, status, reason, message)
    for condition in changed:
        condition.setdefault(
            "lastProbeTime", condition.pop("lastUpdateTime", condition["lastTransitionTime"])
        )
    return changed
