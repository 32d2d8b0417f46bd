"""DeploymentConfigs, OpenShift's own workload kind: a numbered ReplicationController for each rollout.

A rollout begins when the latest version is raised: by a change of the template (trigger ConfigChange) or by
`/instantiate` (`oc rollout latest`). What OpenShift leaves to a deployer pod is done here directly; hooks
run as pods of their own. A newer rollout cancels the one under way, a failed one leaves the last complete
one in service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from orchestrator.rehearsal.controllers import rolloutrecords as records
from orchestrator.rehearsal.controllers.base import (
    POD,
    Name,
    is_deleting,
    names_of,
    owned_by,
    phase,
    seconds_since,
)
from orchestrator.rehearsal.controllers.configstatus import config_status, note_created
from orchestrator.rehearsal.controllers.hooks import Hooks, HookState
from orchestrator.rehearsal.controllers.replicasets import pods_of
from orchestrator.rehearsal.controllers.rollouts import Share, bounds, next_scales
from orchestrator.rehearsal.history import Event
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.recorder import Recorder
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type

CONTROLLER = resource_type("ReplicationController")
TIMEOUT_SECONDS = 600


class DeploymentConfigs:
    """The controller of DeploymentConfigs."""

    rt = resource_type("DeploymentConfig")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hooks = Hooks(store)
        self._recorder = Recorder(store, "deploymentconfig-controller")

    def concerned(self, event: Event) -> Iterable[Name]:
        if event.rt in (self.rt, CONTROLLER):
            yield from names_of(event, self.rt)
        config = records.annotation(event.object, records.CONFIG) if event.rt == POD else ""
        if config:
            yield event.object["metadata"]["namespace"], config

    def reconcile(self, namespace: str, name: str) -> float | None:
        config = self._store.find(self.rt, namespace, name)
        if config is None or is_deleting(config):
            return None
        rollouts = self._rollouts(config)
        latest = next(
            (found for found in rollouts if records.version_of(found) == records.latest_version(config)), None
        )
        seconds = None
        if records.is_triggered(config, latest):
            self._write_status(
                config, lambda stored: records.trigger(stored, "ConfigChange", "config change")
            )
        elif latest is None and records.latest_version(config) > 0 and not config["spec"].get("paused"):
            self._begin(config, rollouts)
        elif latest is not None and records.is_under_way(latest):
            seconds = self._proceed(config, latest, [found for found in rollouts if found is not latest])
        else:
            self._keep(config, rollouts)
        self._report(namespace, name)
        return seconds

    # A rollout

    def _begin(self, config: Object, earlier: Sequence[Object]) -> None:
        for rollout in earlier:
            if records.is_under_way(rollout):
                self._annotate(rollout, {records.CANCELLED: "true"})
                self._fail(config, rollout, records.SUPERSEDED)
        created = self._store.create(CONTROLLER, config["metadata"]["namespace"], records.new_rollout(config))
        name, version = created["metadata"]["name"], records.version_of(created)
        message = f'Created new replication controller "{name}" for version {version}'
        self._recorder.normal(config, "DeploymentCreated", message)
        self._write_status(config, lambda stored: note_created(stored, name))

    def _proceed(self, config: Object, latest: Object, others: Sequence[Object]) -> float | None:
        """The next step of the rollout under way; returns the seconds until it has taken too long."""
        if records.phase_of_rollout(latest) != "Running":
            self._annotate(latest, {records.PHASE: "Running"})
        left = _timeout_seconds(config) - seconds_since(latest["metadata"]["creationTimestamp"])
        if left <= 0:
            self._fail(config, latest, "timed out")
            return None
        if records.annotation(latest, records.CANCELLED):
            self._fail(config, latest, "cancelled by the user")
            return None
        failed = self._stopped_by(config, latest, others)
        if failed:
            self._fail(config, latest, failed)
        return left

    def _stopped_by(self, config: Object, latest: Object, others: Sequence[Object]) -> str:
        """Runs the rollout as far as it goes now; returns the name of the hook that made it fail, or nothing."""
        for step in self._steps(config, latest, others):
            state = step()
            if state is not HookState.DONE:
                return "" if state is HookState.WAITING else "a hook has failed"
        self._annotate(latest, {records.PHASE: "Complete"})
        return ""

    def _steps(
        self, config: Object, latest: Object, others: Sequence[Object]
    ) -> list[Callable[[], HookState]]:
        def hook(moment: str) -> Callable[[], HookState]:
            return lambda: self._hooks.run(config, latest, moment)

        def scale(how: Callable[..., bool]) -> Callable[[], HookState]:
            return lambda: HookState.DONE if how(config, latest, others) else HookState.WAITING

        if (config["spec"].get("strategy") or {}).get("type") == "Recreate":
            return [hook("pre"), scale(self._emptied), hook("mid"), scale(self._filled), hook("post")]
        return [hook("pre"), scale(self._rolled), hook("post")]

    def _emptied(self, config: Object, latest: Object, others: Sequence[Object]) -> bool:
        """Whether the pods of the earlier rollouts are gone, to the last process."""
        for rollout in others:
            self._scale(rollout, 0)
        return all(phase(pod) in ("Succeeded", "Failed") for pod in pods_of(self._store, others))

    def _filled(self, config: Object, latest: Object, others: Sequence[Object]) -> bool:
        desired = records.desired_replicas(config)
        self._scale(latest, desired)
        return _available(latest) >= desired

    def _rolled(self, config: Object, latest: Object, others: Sequence[Object]) -> bool:
        """Moves the pods over a few at a time, by maxSurge and maxUnavailable."""
        parameters = (config["spec"].get("strategy") or {}).get("rollingParams") or {}
        limits = bounds(records.desired_replicas(config), parameters)
        scales = next_scales(limits, _share(latest), [_share(rollout) for rollout in others])
        for rollout in (latest, *others):
            self._scale(rollout, scales.get(rollout["metadata"]["name"], _wanted(rollout)))
        settled = _wanted(latest) == limits.desired and not any(_wanted(rollout) for rollout in others)
        return settled and not scales and _available(latest) >= limits.desired

    def _fail(self, config: Object, rollout: Object, why: str) -> None:
        self._annotate(rollout, {records.PHASE: "Failed", records.REASON: why})
        self._scale(rollout, 0)
        self._recorder.warning(config, "RolloutFailed", f"{rollout['metadata']['name']}: {why}")

    def _keep(self, config: Object, rollouts: Sequence[Object]) -> None:
        """No rollout under way: the newest complete one has all the pods."""
        complete = [found for found in rollouts if records.phase_of_rollout(found) == "Complete"]
        for rollout in rollouts:
            active = bool(complete) and rollout is complete[-1]
            self._scale(rollout, records.desired_replicas(config) if active else 0)
        surplus = len(rollouts) - 1 - config["spec"].get("revisionHistoryLimit", 10)
        for rollout in [found for found in rollouts if not complete or found is not complete[-1]][
            : max(0, surplus)
        ]:
            self._store.delete(CONTROLLER, rollout["metadata"]["namespace"], rollout["metadata"]["name"])

    # The store

    def _rollouts(self, config: Object) -> list[Object]:
        """The rollouts there were, oldest first."""
        return sorted(owned_by(self._store, CONTROLLER, config), key=records.version_of)

    def _scale(self, rollout: Object, replicas: int) -> None:
        def write(stored: Object) -> None:
            stored["spec"]["replicas"] = replicas

        if _wanted(rollout) != replicas:
            self._change(rollout, write)

    def _annotate(self, rollout: Object, values: dict[str, str]) -> None:
        def write(stored: Object) -> None:
            stored["metadata"].setdefault("annotations", {}).update(values)

        self._change(rollout, write)

    def _change(self, rollout: Object, write: Callable[[Object], None]) -> None:
        metadata = rollout["metadata"]
        self._store.change(CONTROLLER, metadata["namespace"], metadata["name"], write)

    def _write_status(self, config: Object, write: Callable[[Object], None]) -> None:
        metadata = config["metadata"]
        self._store.change(self.rt, metadata["namespace"], metadata["name"], write, subresource="status")

    def _report(self, namespace: str, name: str) -> None:
        config = self._store.find(self.rt, namespace, name)
        if config is None:
            return
        rollouts = self._rollouts(config)

        def write(stored: Object) -> None:
            stored["status"] = config_status(stored, rollouts)

        self._write_status(config, write)


def _timeout_seconds(config: Object) -> float:
    strategy = config["spec"].get("strategy") or {}
    parameters: dict[str, Any] = strategy.get("recreateParams") or strategy.get("rollingParams") or {}
    return float(parameters.get("timeoutSeconds") or TIMEOUT_SECONDS)


def _share(rollout: Object) -> Share:
    return Share(rollout["metadata"]["name"], _wanted(rollout), _available(rollout))


def _wanted(rollout: Object) -> int:
    return int(rollout["spec"].get("replicas", 1))


def _available(rollout: Object) -> int:
    return int((rollout.get("status") or {}).get("availableReplicas", 0))
