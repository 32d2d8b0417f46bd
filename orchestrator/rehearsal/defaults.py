"""The values a server fills in where the client left them out.

Applied on every write, so it has to be idempotent: a second application changes nothing. Custom kinds
have no defaults here, except those OpenShift gives a DeploymentConfig and a Route when it serves them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.types import ResourceType

SERVICE_NETWORK = "10.217"
PROTECTION = "kubernetes.io/pvc-protection"
STORAGE_CLASS = "rehearsal"
MODES = {
    "configMap": "defaultMode",
    "secret": "defaultMode",
    "projected": "defaultMode",
    "downwardAPI": "defaultMode",
}


def apply_defaults(rt: ResourceType, obj: Object, *, openshift: bool) -> None:
    """Fills in `obj` in place; `openshift` says that DeploymentConfig and Route are kinds with a schema."""
    if rt.custom and not openshift:
        return
    if not rt.custom:
        drop_empty(obj)
    if rt.kind in _DEFAULTS:
        _DEFAULTS[rt.kind](obj)


def drop_empty(value: Any) -> None:
    """Null and empty lists are not stored in the fields of built-in kinds: they read as left out."""
    if isinstance(value, dict):
        for key in [key for key, item in value.items() if item is None or item == []]:
            if key not in ("eventTime", "rules"):
                del value[key]
        for item in value.values():
            drop_empty(item)
    elif isinstance(value, list):
        for item in value:
            drop_empty(item)


def fill(target: Object, **values: Any) -> None:
    for key, value in values.items():
        target.setdefault(key, value)


def _namespace(obj: Object) -> None:
    labels = obj["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = obj["metadata"].get("name", "")
    if "deletionTimestamp" not in obj["metadata"]:
        obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    obj.setdefault("spec", {})
    obj.setdefault("status", {"phase": "Active"})


def _secret(obj: Object) -> None:
    given = obj.pop("stringData", None) or {}
    if given:
        data = obj.setdefault("data", {})
        data.update((key, base64.b64encode(value.encode()).decode()) for key, value in given.items())
    fill(obj, type="Opaque")
    _drop_empty_map(obj, "data")


def _config_map(obj: Object) -> None:
    for key in ("data", "binaryData"):
        _drop_empty_map(obj, key)


def _drop_empty_map(obj: Object, key: str) -> None:
    if obj.get(key) == {}:
        del obj[key]


def _service(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, type="ClusterIP", sessionAffinity="None", internalTrafficPolicy="Cluster")
    if spec["type"] != "ExternalName":
        fill(spec, clusterIP=_cluster_ip(obj["metadata"].get("uid", "")))
        fill(spec, clusterIPs=[spec["clusterIP"]], ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    for port in spec.get("ports") or []:
        fill(port, protocol="TCP", targetPort=port.get("port"))
    fill(obj, status={"loadBalancer": {}})


def _cluster_ip(uid: str) -> str:
    """An address of the service network that stays the same for the object's life. Nothing listens there."""
    third, fourth = hashlib.sha256(uid.encode()).digest()[:2]
    return f"{SERVICE_NETWORK}.{third}.{fourth}"


def _claim(obj: Object) -> None:
    metadata = obj["metadata"]
    if "deletionTimestamp" not in metadata:
        finalizers = metadata.setdefault("finalizers", [])
        if PROTECTION not in finalizers:
            finalizers.append(PROTECTION)
    fill(obj.setdefault("spec", {}), volumeMode="Filesystem", storageClassName=STORAGE_CLASS)
    fill(obj, status={"phase": "Pending"})


def _event(obj: Object) -> None:
    fill(obj, eventTime=None, reportingComponent="", reportingInstance="", source={})


def _pod(obj: Object) -> None:
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return
    fill(spec, serviceAccountName=spec.get("serviceAccount", "default"))
    fill(
        spec,
        serviceAccount=spec["serviceAccountName"],
        enableServiceLinks=True,
        preemptionPolicy="PreemptLowerPriority",
    )
    fill(spec, priority=0)
    pod_spec(spec)
    fill(obj, status={"phase": "Pending"})
    fill(obj["status"], qosClass=quality_of_service(spec))


def quality_of_service(spec: Object) -> str:
    """Guaranteed, Burstable or BestEffort, from the resources of the containers."""
    resources = [container.get("resources") or {} for container in _containers(spec)]
    if not any(item.get("requests") or item.get("limits") for item in resources):
        return "BestEffort"
    full = all(
        {"cpu", "memory"} <= (item.get("limits") or {}).keys()
        and item.get("requests", item.get("limits")) == item.get("limits")
        for item in resources
    )
    return "Guaranteed" if full else "Burstable"


def pod_spec(spec: Object) -> None:
    """The defaults of a pod's spec, also inside a template."""
    fill(spec, restartPolicy="Always", terminationGracePeriodSeconds=30, dnsPolicy="ClusterFirst",
         securityContext={}, schedulerName="default-scheduler")  # fmt: skip
    for container in _containers(spec):
        _container(container)
    for volume in spec.get("volumes") or []:
        for source, mode in MODES.items():
            if isinstance(volume.get(source), dict):
                fill(volume[source], **{mode: 420})
        if volume.keys() == {"name"}:
            volume["emptyDir"] = {}


def _containers(spec: Object) -> Iterator[Object]:
    for key in ("initContainers", "containers"):
        yield from (item for item in spec.get(key) or [] if isinstance(item, dict))


def _container(container: Object) -> None:
    tag = str(container.get("image", "")).rpartition("/")[2].partition("@")[0].partition(":")[2]
    pinned = "@" in str(container.get("image", "")) or tag not in ("", "latest")
    fill(container, resources={}, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File",
         imagePullPolicy="IfNotPresent" if pinned else "Always")  # fmt: skip
    limits = container["resources"].get("limits")
    if limits:
        container["resources"]["requests"] = limits | (container["resources"].get("requests") or {})
    for port in container.get("ports") or []:
        fill(port, protocol="TCP")
    for variable in container.get("env") or []:
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference:
            fill(reference, apiVersion="v1")
        if variable.get("value") == "":
            del variable["value"]
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe):
            _probe(container[probe])


def _probe(probe: Object) -> None:
    fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    if "httpGet" in probe:
        fill(probe["httpGet"], path="/", scheme="HTTP")


def _template(obj: Object) -> Object:
    """The spec of a workload, its template completed."""
    spec: Object = obj.setdefault("spec", {})
    template = spec.get("template")
    if isinstance(template, dict):
        pod_spec(template.setdefault("spec", {}))
    return spec


def _replicated(obj: Object) -> None:
    fill(_template(obj), replicas=1)
    fill(obj, status={"replicas": 0})


def _replication_controller(obj: Object) -> None:
    spec = _template(obj)
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    fill(spec, selector=dict(labels))
    _replicated(obj)


def _deployment(obj: Object) -> None:
    spec = _template(obj)
    strategy = spec.setdefault("strategy", {})
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(strategy.setdefault("rollingUpdate", {}), maxUnavailable="25%", maxSurge="25%")
    fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    if spec.get("paused") is False:
        del spec["paused"]
    fill(obj, status={})


def _stateful_set(obj: Object) -> None:
    spec = _template(obj)
    fill(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady")
    fill(spec, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
    fill(obj, status={"replicas": 0})


def _job(obj: Object) -> None:
    spec: Object = obj.setdefault("spec", {})
    # A job's pods have no default restart policy: the client has to choose.
    template = (spec.get("template") or {}).get("spec")
    chosen = isinstance(template, dict) and "restartPolicy" in template
    _template(obj)
    if isinstance(template, dict) and not chosen:
        template["restartPolicy"] = ""
    if "parallelism" not in spec and "completions" not in spec:
        fill(spec, completions=1)
    fill(
        spec,
        parallelism=1,
        backoffLimit=6,
        completionMode="NonIndexed",
        suspend=False,
        podReplacementPolicy="TerminatingOrFailed",
    )
    uid = obj["metadata"].get("uid", "")
    labels = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": obj["metadata"].get("name", ""),
    }
    fill(spec, selector={"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})
    if isinstance(spec.get("template"), dict) and not spec.get("manualSelector"):
        older = {"controller-uid": uid, "job-name": obj["metadata"].get("name", "")}
        metadata = spec["template"].setdefault("metadata", {})
        fill(metadata.setdefault("labels", {}), **labels, **older)
    fill(obj, status={})


def _cron_job(obj: Object) -> None:
    fill(obj.setdefault("spec", {}), concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3,
         failedJobsHistoryLimit=1)  # fmt: skip
    fill(obj, status={})


def _role(obj: Object) -> None:
    if obj.get("rules") is None:
        obj["rules"] = []


def _binding(obj: Object) -> None:
    fill(obj.setdefault("roleRef", {}), apiGroup="rbac.authorization.k8s.io")
    for subject in obj.get("subjects") or []:
        if subject.get("kind") in ("User", "Group"):
            fill(subject, apiGroup="rbac.authorization.k8s.io")


def _deployment_config(obj: Object) -> None:
    spec = _template(obj)
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    fill(
        spec, replicas=0, selector=dict(labels), strategy={}, triggers=[{"type": "ConfigChange"}], test=False
    )
    fill(spec["strategy"], type="Rolling", activeDeadlineSeconds=21600)
    fill(obj, status={"latestVersion": 0, "observedGeneration": 0})


def _route(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, wildcardPolicy="None")
    fill(spec.setdefault("to", {}), kind="Service", weight=100)


_DEFAULTS: dict[str, Callable[[Object], None]] = {
    "Namespace": _namespace,
    "Secret": _secret,
    "ConfigMap": _config_map,
    "Service": _service,
    "PersistentVolumeClaim": _claim,
    "Event": _event,
    "Pod": _pod,
    "ReplicaSet": _replicated,
    "ReplicationController": _replication_controller,
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "Job": _job,
    "CronJob": _cron_job,
    "DeploymentConfig": _deployment_config,
    "Route": _route,
    "Role": _role,
    "ClusterRole": _role,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
}
