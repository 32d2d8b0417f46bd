"""The Table form of a list: the columns `kubectl get` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.selectors import selector_text
from orchestrator.rehearsal.types import ResourceType

NONE = "<none>"
WIDE = 1
Cells = Callable[[Object], list[Any]]


def table(
    rt: ResourceType, objects: Iterable[Object], metadata: Object, include: str, *, header: bool = True
) -> Object:
    """`include` is includeObject: Metadata (the default), Object or None."""
    columns, cells = _COLUMNS.get(rt.kind, _PLAIN)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [_column(name) for name in columns] if header else None,
        "rows": [{"cells": cells(obj), "object": _included(rt, obj, include)} for obj in objects],
    }


def metadata_only(obj: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _included(rt: ResourceType, obj: Object, include: str) -> Object | None:
    if include == "None":
        return None
    return obj if include == "Object" else metadata_only(obj)


def _column(name: str) -> Object:
    """A name that begins with `+` is shown only with `-o wide`."""
    plain = name.lstrip("+")
    form = "name" if plain == "Name" else ""
    priority = WIDE if name.startswith("+") else 0
    return {"name": plain, "type": "string", "format": form, "description": "", "priority": priority}


def age(obj: Object, path: str = "") -> str:
    """How long ago the object was created (or `path` happened), as kubectl shows it."""
    text = obj.get(path) if path else obj["metadata"].get("creationTimestamp")
    if not text:
        return "<unknown>"
    return duration(int((datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds()))


def duration(seconds: int) -> str:
    """`90s`, `5m10s`, `3h2m`, `4d`."""
    seconds = max(seconds, 0)
    if seconds < 120:
        return f"{seconds}s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 10:
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    if hours < 8:
        return f"{hours}h{minutes}m" if minutes else f"{hours}h"
    return f"{hours}h" if hours < 48 else f"{hours // 24}d"


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _status(obj: Object, field: str) -> Any:
    return (obj.get("status") or {}).get(field, 0)


def _containers(obj: Object) -> list[str]:
    containers = ((obj.get("spec") or {}).get("template") or {}).get("spec", {}).get("containers") or []
    return [
        ",".join(item.get("name", "") for item in containers),
        ",".join(item.get("image", "") for item in containers),
    ]


def _selector(obj: Object) -> str:
    return selector_text((obj.get("spec") or {}).get("selector")) or NONE


def _deployment(obj: Object) -> list[Any]:
    ready = f"{_status(obj, 'readyReplicas')}/{obj['spec'].get('replicas', 0)}"
    counts = [_status(obj, "updatedReplicas"), _status(obj, "availableReplicas")]
    return [_name(obj), ready, *counts, age(obj), *_containers(obj), _selector(obj)]


def _replica_set(obj: Object) -> list[Any]:
    counts = [obj["spec"].get("replicas", 0), _status(obj, "replicas"), _status(obj, "readyReplicas")]
    return [_name(obj), *counts, age(obj), *_containers(obj), _selector(obj)]


def _deployment_config(obj: Object) -> list[Any]:
    spec = obj.get("spec") or {}
    triggers = [
        "config" if item.get("type") == "ConfigChange" else "image" for item in spec.get("triggers") or []
    ]
    return [
        _name(obj),
        _status(obj, "latestVersion"),
        spec.get("replicas", 0),
        _status(obj, "replicas"),
        ",".join(triggers),
    ]


def _stateful_set(obj: Object) -> list[Any]:
    ready = f"{_status(obj, 'readyReplicas')}/{obj['spec'].get('replicas', 0)}"
    return [_name(obj), ready, age(obj), *_containers(obj)]


def _pod(obj: Object) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    containers = status.get("containerStatuses") or []
    ready = sum(1 for item in containers if item.get("ready"))
    restarts = sum(item.get("restartCount", 0) for item in containers)
    where = [
        status.get("podIP") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        NONE,
    ]
    return [
        _name(obj),
        f"{ready}/{len(spec.get('containers') or [])}",
        pod_status(obj),
        str(restarts),
        age(obj),
        *where,
    ]


def pod_status(obj: Object) -> str:
    """The STATUS column: the phase, or the reason that says more."""
    status = obj.get("status") or {}
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    shown = str(status.get("reason") or status.get("phase") or "Pending")
    for container in status.get("containerStatuses") or []:
        state = container.get("state") or {}
        for key in ("waiting", "terminated"):
            if (state.get(key) or {}).get("reason"):
                shown = str(state[key]["reason"])
    return shown


def _service(obj: Object) -> list[Any]:
    spec = obj.get("spec") or {}
    ports = ",".join(f"{port.get('port')}/{port.get('protocol', 'TCP')}" for port in spec.get("ports") or [])
    return [
        _name(obj),
        spec.get("type"),
        spec.get("clusterIP") or NONE,
        NONE,
        ports or NONE,
        age(obj),
        _selector(obj),
    ]


def _claim(obj: Object) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    modes = ",".join("".join(filter(str.isupper, mode)) for mode in status.get("accessModes") or [])
    capacity = (status.get("capacity") or {}).get("storage", "")
    place = [spec.get("volumeName", ""), capacity, modes, spec.get("storageClassName", ""), "<unset>"]
    return [_name(obj), status.get("phase"), *place, age(obj), spec.get("volumeMode")]


def _event(obj: Object) -> list[Any]:
    involved, source = obj.get("involvedObject") or {}, obj.get("source") or {}
    what = f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"
    last = obj.get("lastTimestamp") or obj.get("firstTimestamp")
    told = [
        obj.get("type"),
        obj.get("reason"),
        what,
        involved.get("fieldPath", ""),
        source.get("component", ""),
    ]
    first = age(obj, "firstTimestamp")
    return [age({"t": last}, "t"), *told, obj.get("message", ""), first, obj.get("count", 1), _name(obj)]


def _job(obj: Object) -> list[Any]:
    status = obj.get("status") or {}
    done = f"{status.get('succeeded', 0)}/{obj['spec'].get('completions', 1)}"
    conditions = {item["type"] for item in status.get("conditions") or [] if item.get("status") == "True"}
    state = next((name for name in ("Complete", "Failed", "Suspended") if name in conditions), "Running")
    return [_name(obj), state, done, _job_duration(status), age(obj), *_containers(obj), _selector(obj)]


def _job_duration(status: Mapping[str, Any]) -> str:
    if not status.get("startTime"):
        return ""
    start = datetime.fromisoformat(status["startTime"])
    ended = status.get("completionTime")
    end = datetime.fromisoformat(ended) if ended else datetime.now(UTC)
    return duration(int((end - start).total_seconds()))


def _node(obj: Object) -> list[Any]:
    conditions = (obj.get("status") or {}).get("conditions") or []
    ready = any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)
    state = ("Ready" if ready else "NotReady") + (
        ",SchedulingDisabled" if (obj.get("spec") or {}).get("unschedulable") else ""
    )
    version = ((obj.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion", "")
    return [_name(obj), state, NONE, age(obj), version]


def _route(obj: Object) -> list[Any]:
    spec = obj.get("spec") or {}
    admitted = (obj.get("status") or {}).get("ingress") or []
    host = spec.get("host", "") if admitted else ""
    port = (spec.get("port") or {}).get("targetPort", NONE)
    tls = (spec.get("tls") or {}).get("termination", "")
    return [
        _name(obj),
        host,
        spec.get("path", ""),
        (spec.get("to") or {}).get("name"),
        port,
        tls,
        spec.get("wildcardPolicy", "None"),
    ]


_TEMPLATE = ["+Containers", "+Images", "+Selector"]
_PLAIN: tuple[list[str], Cells] = (["Name", "Age"], lambda obj: [_name(obj), age(obj)])
_COLUMNS: dict[str, tuple[list[str], Cells]] = {
    "Deployment": (["Name", "Ready", "Up-to-date", "Available", "Age", *_TEMPLATE], _deployment),
    "ReplicaSet": (["Name", "Desired", "Current", "Ready", "Age", *_TEMPLATE], _replica_set),
    "ReplicationController": (["Name", "Desired", "Current", "Ready", "Age", *_TEMPLATE], _replica_set),
    "StatefulSet": (["Name", "Ready", "Age", "+Containers", "+Images"], _stateful_set),
    "DeploymentConfig": (["Name", "Revision", "Desired", "Current", "Triggered By"], _deployment_config),
    "Pod": (
        ["Name", "Ready", "Status", "Restarts", "Age", "+IP", "+Node", "+Nominated Node", "+Readiness Gates"],
        _pod,
    ),
    "Service": (["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "+Selector"], _service),
    "PersistentVolumeClaim": (
        [
            "Name",
            "Status",
            "Volume",
            "Capacity",
            "Access Modes",
            "StorageClass",
            "VolumeAttributesClass",
            "Age",
            "+VolumeMode",
        ],
        _claim,
    ),
    "Event": (
        [
            "Last Seen",
            "Type",
            "Reason",
            "Object",
            "+Subobject",
            "+Source",
            "Message",
            "+First Seen",
            "+Count",
            "+Name",
        ],
        _event,
    ),
    "Job": (["Name", "Status", "Completions", "Duration", "Age", *_TEMPLATE], _job),
    "Route": (["Name", "Host/Port", "Path", "Services", "Port", "Termination", "Wildcard"], _route),
    "ConfigMap": (
        ["Name", "Data", "Age"],
        lambda obj: [_name(obj), len(obj.get("data") or {}) + len(obj.get("binaryData") or {}), age(obj)],
    ),
    "Secret": (
        ["Name", "Type", "Data", "Age"],
        lambda obj: [_name(obj), obj.get("type"), len(obj.get("data") or {}), age(obj)],
    ),
    "Namespace": (
        ["Name", "Status", "Age"],
        lambda obj: [_name(obj), (obj.get("status") or {}).get("phase"), age(obj)],
    ),
    "Node": (["Name", "Status", "Roles", "Age", "Version"], _node),
    "Lease": (
        ["Name", "Holder", "Age"],
        lambda obj: [_name(obj), (obj.get("spec") or {}).get("holderIdentity", ""), age(obj)],
    ),
}
