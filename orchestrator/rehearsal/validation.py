"""What a server refuses to store, and in which words.

As much of the real rules as a client of this cluster can run into: names, labels, owners, replicas,
selectors, containers, immutable fields. No compiled schemas.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from orchestrator.rehearsal.apierrors import Cause
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.selectors import matches_selector
from orchestrator.rehearsal.types import ResourceType

LARGEST_DATA_BYTES = 1024 * 1024
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
ALPHANUMERIC = "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    f"'{SUBDOMAIN.pattern}')"
)
KEY_RULE = (
    f"name part must {ALPHANUMERIC} (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    f"'{QUALIFIED.pattern}')"
)
VALUE_RULE = (
    f"a valid label must be an empty string or {ALPHANUMERIC} (e.g. 'MyValue',  or 'my_value',  or '12345', "
    f"regex used for validation is '{LABEL_VALUE.pattern}')"
)
SECRET_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/basic-auth": ("username", "password"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
POD_RESTARTS = ("Always", "OnFailure", "Never")
JOB_RESTARTS = ("OnFailure", "Never")

Check = Callable[[Object, Object | None], Iterator[Cause]]


def findings(rt: ResourceType, new: Object, old: Object | None) -> list[Cause]:
    """Everything wrong with `new`; `old` is the stored object on an update."""
    found = list(_metadata(rt, new))
    check = _CHECKS.get(rt.kind)
    if check is not None:
        found += check(new, old)
    return found


def invalid(path: str, value: Any, why: str) -> Cause:
    shown = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Cause("FieldValueInvalid", f"Invalid value: {shown}: {why}", path)


def required(path: str, why: str = "") -> Cause:
    return Cause("FieldValueRequired", f"Required value: {why}" if why else "Required value", path)


def forbidden(path: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {why}", path)


def unsupported(path: str, value: str, supported: tuple[str, ...]) -> Cause:
    listed = ", ".join(f'"{item}"' for item in supported)
    return Cause("FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {listed}', path)


def _metadata(rt: ResourceType, obj: Object) -> Iterator[Cause]:
    metadata = obj["metadata"]
    name = metadata.get("name", "")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif rt.kind == "Namespace" and "." in name:
        yield invalid("metadata.name", name, "must not contain dots")
    elif not rt.group.startswith("rbac.") and not SUBDOMAIN.fullmatch(name):
        yield invalid("metadata.name", name, SUBDOMAIN_RULE)
    yield from _labels(metadata.get("labels") or {})
    for key in metadata.get("annotations") or {}:
        if not _is_qualified(key):
            yield invalid("metadata.annotations", key, KEY_RULE)
    yield from _owners(metadata.get("ownerReferences") or [])


def _labels(labels: Mapping[str, Any]) -> Iterator[Cause]:
    for key, value in labels.items():
        if not _is_qualified(key):
            yield invalid("metadata.labels", key, KEY_RULE)
        if not LABEL_VALUE.fullmatch(str(value)) or len(str(value)) > 63:
            yield invalid("metadata.labels", value, VALUE_RULE)


def _is_qualified(key: str) -> bool:
    return bool(QUALIFIED.fullmatch(key.rpartition("/")[2]))


def _owners(owners: list[Object]) -> Iterator[Cause]:
    for owner in owners:
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                yield invalid(f"metadata.ownerReferences.{field}", owner.get(field, ""), "must not be empty")
    controllers = [owner for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        first, second = (f"{owner.get('kind')}/{owner.get('name')}" for owner in controllers[:2])
        why = f'Only one reference can have Controller set to true. Found "true" in references for {first} and {second}'
        yield invalid("metadata.ownerReferences", None, why)


def _config_map(new: Object, old: Object | None) -> Iterator[Cause]:
    for key in new.get("data") or {}:
        if key in (new.get("binaryData") or {}):
            yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    yield from _too_much([*(new.get("data") or {}).values(), *(new.get("binaryData") or {}).values()], "[]")
    yield from _frozen(new, old, ("data", "binaryData"))


def _secret(new: Object, old: Object | None) -> Iterator[Cause]:
    if old is not None and new.get("type") != old.get("type"):
        yield invalid("type", new.get("type"), "field is immutable")
    for key in SECRET_KEYS.get(new.get("type", ""), ()):
        if key not in (new.get("data") or {}):
            yield required(f"data[{key}]")
    yield from _too_much(list((new.get("data") or {}).values()), "data")
    yield from _frozen(new, old, ("data",))


def _too_much(values: list[str], path: str) -> Iterator[Cause]:
    if sum(len(value.encode()) for value in values) > LARGEST_DATA_BYTES:
        yield Cause("FieldValueTooLong", f"Too long: may not be more than {LARGEST_DATA_BYTES} bytes", path)


def _frozen(new: Object, old: Object | None, fields: tuple[str, ...]) -> Iterator[Cause]:
    if old is None or not old.get("immutable"):
        return
    why = "field is immutable when `immutable` is set"
    if not new.get("immutable"):
        yield forbidden("immutable", why)
    for field in fields:
        if (new.get(field) or {}) != (old.get(field) or {}):
            yield forbidden(field, why)


def _service(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new["spec"]
    if old is not None and spec.get("clusterIP") != old["spec"].get("clusterIP"):
        yield invalid("spec.clusterIPs[0]", [spec.get("clusterIP")], "may not change once set")
    if not spec.get("ports") and spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName":
        yield required("spec.ports")


def _claim(new: Object, old: Object | None) -> Iterator[Cause]:
    def fixed(obj: Object) -> Object:
        return {key: value for key, value in obj["spec"].items() if key not in ("resources", "volumeName")}

    if old is not None and fixed(new) != fixed(old):
        why = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        yield forbidden("spec", why)
    if old is None and not new["spec"].get("accessModes"):
        yield required("spec.accessModes", "at least 1 access mode is required")


def _event(new: Object, old: Object | None) -> Iterator[Cause]:
    involved = (new.get("involvedObject") or {}).get("namespace", "")
    if involved and involved != new["metadata"].get("namespace"):
        yield invalid("involvedObject.namespace", involved, "does not match event.namespace")


def _pod(new: Object, old: Object | None) -> Iterator[Cause]:
    if old is not None and _fixed_pod(new) != _fixed_pod(old):
        why = (
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
        )
        yield forbidden("spec", why)
    yield from _pod_spec(new.get("spec") or {}, "spec", POD_RESTARTS)


def _fixed_pod(pod: Object) -> Object:
    changeable = ("activeDeadlineSeconds", "tolerations", "nodeName", "containers", "initContainers")
    fixed = {key: value for key, value in pod["spec"].items() if key not in changeable}
    for key in ("containers", "initContainers"):
        containers = pod["spec"].get(key) or []
        fixed[key] = [{name: item[name] for name in item if name != "image"} for item in containers]
    return fixed


def _pod_spec(spec: Object, path: str, restarts: tuple[str, ...]) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield required(f"{path}.containers")
    for key in ("initContainers", "containers"):
        seen: set[str] = set()
        for index, container in enumerate(spec.get(key) or []):
            here = f"{path}.{key}[{index}]"
            if container.get("name") in seen:
                yield Cause("FieldValueDuplicate", f'Duplicate value: "{container["name"]}"', f"{here}.name")
            seen.add(container.get("name", ""))
            yield from _container(container, here, spec)
    restart = spec.get("restartPolicy", "")
    if restarts is JOB_RESTARTS and restart not in restarts:
        yield required(f"{path}.restartPolicy", 'valid values: "OnFailure", "Never"')
    elif restart not in restarts:
        yield unsupported(f"{path}.restartPolicy", restart, restarts)


def _container(container: Object, path: str, spec: Object) -> Iterator[Cause]:
    if not container.get("name"):
        yield required(f"{path}.name")
    if not container.get("image"):
        yield required(f"{path}.image")
    volumes = {volume.get("name") for volume in spec.get("volumes") or []}
    for index, mount in enumerate(container.get("volumeMounts") or []):
        if mount.get("name") not in volumes:
            shown = f'Not found: "{mount.get("name", "")}"'
            yield Cause("FieldValueNotFound", shown, f"{path}.volumeMounts[{index}].name")
    for index, variable in enumerate(container.get("env") or []):
        if not variable.get("name"):
            yield required(f"{path}.env[{index}].name")


def _workload(new: Object, old: Object | None) -> Iterator[Cause]:
    """Deployments, ReplicaSets and StatefulSets."""
    spec = new.get("spec") or {}
    selector = spec.get("selector")
    yield from _replicas(spec)
    if not selector:
        yield required("spec.selector")
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not selector or not matches_selector(selector, labels):
        yield invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from _pod_spec(template.get("spec") or {}, "spec.template.spec", ("Always",))
    if old is not None and selector != old["spec"].get("selector"):
        yield invalid("spec.selector", selector, "field is immutable")


def _replicas(spec: Object) -> Iterator[Cause]:
    replicas = spec.get("replicas")
    if isinstance(replicas, int) and replicas < 0:
        yield invalid("spec.replicas", replicas, "must be greater than or equal to 0")


def _replication_controller(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    yield from _replicas(spec)
    if spec.get("template"):
        yield from _pod_spec(spec["template"].get("spec") or {}, "spec.template.spec", ("Always",))


def _job(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    if old is not None:
        # A suspended job that has not started may still have its template changed.
        free = (
            ("template",)
            if old["spec"].get("suspend") and not (old.get("status") or {}).get("startTime")
            else ()
        )
        for field in ("completions", "selector", "template", "completionMode"):
            if field not in free and spec.get(field) != old["spec"].get(field):
                yield invalid(f"spec.{field}", spec.get(field), "field is immutable")
    for field in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds"):
        if isinstance(spec.get(field), int) and spec[field] < 0:
            yield invalid(f"spec.{field}", spec[field], "must be greater than or equal to 0")
    yield from _pod_spec((spec.get("template") or {}).get("spec") or {}, "spec.template.spec", JOB_RESTARTS)


def _lease(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if duration is not None and duration <= 0:
        yield invalid("spec.leaseDurationSeconds", duration, "must be greater than 0")
    if transitions is not None and transitions < 0:
        yield invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0")


def _api_manager(new: Object, old: Object | None) -> Iterator[Cause]:
    """The published schema of the 3scale operator requires a status to list the deployments."""
    if new.get("status") is not None and "deployments" not in new["status"]:
        yield required("status.deployments")


def _deployment_config(new: Object, old: Object | None) -> Iterator[Cause]:
    yield from _replicas(new.get("spec") or {})


def _binding(new: Object, old: Object | None) -> Iterator[Cause]:
    role = new.get("roleRef") or {}
    if not role.get("name"):
        yield required("roleRef.name")
    if old is not None and role != old.get("roleRef"):
        yield invalid("roleRef", role, "cannot change roleRef")


_CHECKS: dict[str, Check] = {
    "ConfigMap": _config_map,
    "Secret": _secret,
    "Service": _service,
    "PersistentVolumeClaim": _claim,
    "Event": _event,
    "Pod": _pod,
    "Deployment": _workload,
    "ReplicaSet": _workload,
    "StatefulSet": _workload,
    "ReplicationController": _replication_controller,
    "Job": _job,
    "Lease": _lease,
    "APIManager": _api_manager,
    "DeploymentConfig": _deployment_config,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
}
