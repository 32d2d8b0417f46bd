"""Deployments: one ReplicaSet for each pod template there ever was, and the change from one to the next.

A scale in the midst of a rolling rollout goes to the new ReplicaSet, not to all in proportion.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from orchestrator.rehearsal.controllers.base import (
    POD,
    Name,
    controller_of,
    is_deleting,
    names_of,
    owned_by,
    owner_reference,
    phase,
)
from orchestrator.rehearsal.controllers.deploymentstatus import (
    Counts,
    deployment_status,
    seconds_to_deadline,
    with_new_replica_set,
)
from orchestrator.rehearsal.controllers.replicasets import pods_of
from orchestrator.rehearsal.controllers.rollouts import Bounds, Share, bounds, next_scales
from orchestrator.rehearsal.history import Event
from orchestrator.rehearsal.objects import SUFFIX_ALPHABET, Object, copy_json
from orchestrator.rehearsal.recorder import Recorder
from orchestrator.rehearsal.store import Store
from orchestrator.rehearsal.types import resource_type

REPLICA_SET = resource_type("ReplicaSet")
HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
NOT_COPIED = {
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MAXIMUM,
    "kubectl.kubernetes.io/last-applied-configuration",
}


class Deployments:
    """The controller of Deployments."""

    rt = resource_type("Deployment")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._recorder = Recorder(store, "deployment-controller")

    def concerned(self, event: Event) -> Iterable[Name]:
        if event.rt in (self.rt, REPLICA_SET):
            return names_of(event, self.rt)
        if event.rt == POD and event.type == "DELETED":
            return self._owners_of_pod(event.object)
        return ()

    def reconcile(self, namespace: str, name: str) -> float | None:
        deployment = self._store.find(self.rt, namespace, name)
        if deployment is None:
            return None
        if not is_deleting(deployment):
            self._proceed(deployment)
        return self._report(namespace, name)

    # Steps of a rollout

    def _proceed(self, deployment: Object) -> None:
        new, old = self._sets(deployment)
        spec = deployment["spec"]
        if spec.get("paused"):
            self._scale_paused(deployment, new, old)
        elif (spec.get("strategy") or {}).get("type") == "Recreate":
            self._recreate(deployment, new, old)
        else:
            self._roll(deployment, new, old)
        if new and not spec.get("paused"):
            self._forget_history(deployment, old)

    def _recreate(self, deployment: Object, new: Object | None, old: Sequence[Object]) -> None:
        """The new pods come when the last of the old ones has gone."""
        for replica_set in old:
            self._scale(deployment, replica_set, 0)
        if any(phase(pod) not in ("Succeeded", "Failed") for pod in pods_of(self._store, old)):
            return
        current = self._ensured(deployment, new, old, _replicas(deployment))
        self._scale(deployment, current, _replicas(deployment))

    def _roll(self, deployment: Object, new: Object | None, old: Sequence[Object]) -> None:
        limits = _limits(deployment)
        if new is None:
            room = limits.desired + limits.surge - sum(_replicas(found) for found in old)
            new = self._ensured(deployment, None, old, max(0, min(room, limits.desired)))
        else:
            new = self._ensured(deployment, new, old, 0)
        scales = next_scales(limits, _share(new), [_share(found) for found in old])
        for replica_set in (new, *old):
            wanted = scales.get(replica_set["metadata"]["name"], _replicas(replica_set))
            self._scale(deployment, replica_set, wanted)

    def _scale_paused(self, deployment: Object, new: Object | None, old: Sequence[Object]) -> None:
        """A paused Deployment keeps its templates, but the newest set with pods still follows the scale."""
        active = [found for found in (*old, *((new,) if new else ())) if _replicas(found)]
        if not active:
            return
        others = sum(_replicas(found) for found in active[:-1])
        self._scale(deployment, active[-1], max(0, _replicas(deployment) - others))

    def _forget_history(self, deployment: Object, old: Sequence[Object]) -> None:
        empty = [found for found in old if not _replicas(found) and not _status(found, "replicas")]
        surplus = len(empty) - deployment["spec"].get("revisionHistoryLimit", 10)
        for replica_set in empty[: max(0, surplus)]:
            metadata = replica_set["metadata"]
            self._store.delete(REPLICA_SET, metadata["namespace"], metadata["name"])

    # ReplicaSets

    def _sets(self, deployment: Object) -> tuple[Object | None, list[Object]]:
        """The set of the present template, if there is one, and the others, oldest revision first."""
        found = sorted(owned_by(self._store, REPLICA_SET, deployment), key=_revision)
        digest = template_hash(deployment["spec"]["template"])
        new = [entry for entry in found if (entry["metadata"].get("labels") or {}).get(HASH_LABEL) == digest]
        return (new[0] if new else None), [entry for entry in found if entry not in new]

    def _ensured(
        self, deployment: Object, new: Object | None, old: Sequence[Object], replicas: int
    ) -> Object:
        """The set of the present template, created if need be, and its revision as the newest."""
        revision = max([_revision(found) for found in old], default=0) + 1
        if new is None:
            new = self._create_set(deployment, replicas, revision)
        elif _revision(new) < revision:
            new = self._revived(new, revision)
        self._set_revision(deployment, str(_revision(new)))
        return new

    def _create_set(self, deployment: Object, replicas: int, revision: int) -> Object:
        metadata = deployment["metadata"]
        wanted = _new_replica_set(deployment, replicas, revision)
        created = self._store.create(REPLICA_SET, metadata["namespace"], wanted)
        name = created["metadata"]["name"]
        if replicas:
            message = f"Scaled up replica set {name} from 0 to {replicas}"
            self._recorder.normal(deployment, "ScalingReplicaSet", message)
        self._set_revision(deployment, str(revision))
        self._store.change(
            self.rt,
            metadata["namespace"],
            metadata["name"],
            lambda stored: with_new_replica_set(stored, name),
            subresource="status",
        )
        return created

    def _revived(self, replica_set: Object, revision: int) -> Object:
        """An earlier template is wanted again: its set becomes the newest revision."""

        def write(stored: Object) -> None:
            annotations = stored["metadata"].setdefault("annotations", {})
            past = [part for part in annotations.get(REVISION_HISTORY, "").split(",") if part]
            annotations[REVISION_HISTORY] = ",".join([*past, annotations.get(REVISION, "0")])
            annotations[REVISION] = str(revision)

        return self._changed_set(replica_set, write)

    def _scale(self, deployment: Object, replica_set: Object, replicas: int) -> None:
        before = _replicas(replica_set)
        wanted = _scale_annotations(deployment)

        def write(stored: Object) -> None:
            stored["spec"]["replicas"] = replicas
            stored["metadata"].setdefault("annotations", {}).update(wanted)

        if before == replicas and not replicas and deployment["spec"].get("replicas", 1):
            return  # an old, empty set keeps the numbers it had
        self._changed_set(replica_set, write)
        if before != replicas:
            name = replica_set["metadata"]["name"]
            direction = "up" if replicas > before else "down"
            message = f"Scaled {direction} replica set {name} from {before} to {replicas}"
            self._recorder.normal(deployment, "ScalingReplicaSet", message)

    def _changed_set(self, replica_set: Object, write: Any) -> Object:
        metadata = replica_set["metadata"]
        changed = self._store.change(REPLICA_SET, metadata["namespace"], metadata["name"], write)
        return changed or replica_set

    def _set_revision(self, deployment: Object, revision: str) -> None:
        def write(stored: Object) -> None:
            stored["metadata"].setdefault("annotations", {})[REVISION] = revision

        metadata = deployment["metadata"]
        self._store.change(self.rt, metadata["namespace"], metadata["name"], write)

    # Status

    def _report(self, namespace: str, name: str) -> float | None:
        deployment = self._store.find(self.rt, namespace, name)
        if deployment is None:
            return None
        new, old = self._sets(deployment)
        everything = [*old, *((new,) if new else ())]
        counts = Counts(
            wanted=sum(_replicas(found) for found in everything),
            replicas=sum(_status(found, "replicas") for found in everything),
            updated=_status(new, "replicas") if new else 0,
            ready=sum(_status(found, "readyReplicas") for found in everything),
            available=sum(_status(found, "availableReplicas") for found in everything),
        )
        limits, new_name = _limits(deployment), new["metadata"]["name"] if new else ""

        def write(stored: Object) -> None:
            stored["status"] = deployment_status(stored, counts, limits, new_name)

        written = self._store.change(self.rt, namespace, name, write, subresource="status")
        return seconds_to_deadline(written) if written else None

    def _owners_of_pod(self, pod: Object) -> Iterable[Name]:
        reference, namespace = controller_of(pod), pod["metadata"]["namespace"]
        if not reference or reference["kind"] != REPLICA_SET.kind:
            return
        replica_set = self._store.find(REPLICA_SET, namespace, reference["name"])
        owner = controller_of(replica_set) if replica_set else None
        if owner:
            yield namespace, owner["name"]


def template_hash(template: Object) -> str:
    """Ten letters that stand for a pod template, whatever its order of keys."""
    plain = copy_json(template)
    ((plain.get("metadata") or {}).get("labels") or {}).pop(HASH_LABEL, None)
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).digest()
    return "".join(SUFFIX_ALPHABET[byte % len(SUFFIX_ALPHABET)] for byte in digest[:10])


def _new_replica_set(deployment: Object, replicas: int, revision: int) -> Object:
    metadata, spec = deployment["metadata"], deployment["spec"]
    digest = template_hash(spec["template"])
    template = copy_json(spec["template"])
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    labels[HASH_LABEL] = digest
    selector = copy_json(spec["selector"])
    selector.setdefault("matchLabels", {})[HASH_LABEL] = digest
    annotations = {
        key: value for key, value in (metadata.get("annotations") or {}).items() if key not in NOT_COPIED
    }
    annotations |= _scale_annotations(deployment) | {REVISION: str(revision)}
    return {
        "metadata": {
            "name": f"{metadata['name']}-{digest}",
            "labels": dict(labels),
            "annotations": annotations,
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {
            "replicas": replicas,
            "selector": selector,
            "template": template,
            "minReadySeconds": spec.get("minReadySeconds", 0),
        },
    }


def _limits(deployment: Object) -> Bounds:
    spec, desired = deployment["spec"], _replicas(deployment)
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return Bounds(desired, 0, 0)
    return bounds(desired, strategy.get("rollingUpdate") or {})


def _scale_annotations(deployment: Object) -> dict[str, str]:
    limits = _limits(deployment)
    return {DESIRED: str(limits.desired), MAXIMUM: str(limits.desired + limits.surge)}


def _share(replica_set: Object) -> Share:
    return Share(
        replica_set["metadata"]["name"], _replicas(replica_set), _status(replica_set, "availableReplicas")
    )


def _replicas(obj: Object) -> int:
    return int(obj["spec"].get("replicas", 1))


def _status(obj: Object, counter: str) -> int:
    return int((obj.get("status") or {}).get(counter, 0))


def _revision(replica_set: Object) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, 0))
