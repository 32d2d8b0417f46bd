"""Writes `orchestrator/rehearsal/schemas.json` from the models of the Kubernetes client.

    python tests/rehearsal/schema_generator.py

The embedded cluster must not import the client (it takes a second), and needs only names and types.
DeploymentConfig and Route are written down here, from OpenShift's published API.
"""

from __future__ import annotations

import json
import types
import typing
from datetime import datetime
from pathlib import Path
from typing import Any

from kubernetes.client import models

TARGET = Path(__file__).parents[2] / "orchestrator" / "rehearsal" / "schemas.json"
ROOTS = {
    "Event": "CoreV1Event",
    "HorizontalPodAutoscaler": "V2HorizontalPodAutoscaler",
    "Subject": "RbacV1Subject",
}
KINDS = (
    "ClusterRole", "ClusterRoleBinding", "ConfigMap", "CronJob", "Deployment", "Endpoints",
    "Event", "HorizontalPodAutoscaler", "Job", "Lease", "Namespace", "Node", "PersistentVolume",
    "PersistentVolumeClaim", "Pod", "ReplicaSet", "ReplicationController", "Role", "RoleBinding", "Secret", "Service",
    "ServiceAccount", "StatefulSet",
)  # fmt: skip
QUANTITIES = frozenset((
    "limits", "requests", "capacity", "allocatable", "hard", "used", "overhead", "sizeLimit", "divisor", "min", "max",
    "default", "defaultRequest", "maxLimitRequestRatio", "averageValue", "value",
))  # fmt: skip
QUANTITY_OWNERS = (
    "ResourceRequirements",
    "EmptyDirVolumeSource",
    "ResourceFieldSelector",
    "MetricTarget",
    "PodSpec",
)
OPENSHIFT: dict[str, dict[str, str]] = {
    "DeploymentConfig": {
        "apiVersion": "string", "kind": "string", "metadata": "ObjectMeta", "spec": "DeploymentConfigSpec", "status": "any",
    },
    "DeploymentConfigSpec": {
        "strategy": "any", "minReadySeconds": "int", "triggers": "[any]", "replicas": "int", "revisionHistoryLimit": "int",
        "test": "bool", "paused": "bool", "selector": "{string}", "template": "PodTemplateSpec",
    },
    "Route": {"apiVersion": "string", "kind": "string", "metadata": "ObjectMeta", "spec": "RouteSpec", "status": "any"},
    "RouteSpec": {
        "host": "string", "subdomain": "string", "path": "string", "to": "any", "alternateBackends": "[any]",
        "port": "any", "tls": "any", "wildcardPolicy": "string", "httpHeaders": "any",
    },
}  # fmt: skip


def generate() -> str:
    """The text of the file: type name to {field: type}; `[T]` is a list, `{T}` a map."""
    found: dict[str, dict[str, str]] = {}
    for kind in KINDS:
        _describe(getattr(models, ROOTS.get(kind, f"V1{kind}")), kind, found)
    return json.dumps(found | OPENSHIFT, sort_keys=True, separators=(",", ":")).replace("},", "},\n") + "\n"


def _describe(model: Any, name: str, found: dict[str, dict[str, str]]) -> str:
    if name not in found:
        fields: dict[str, str] = {}
        found[name] = fields
        for attribute, info in model.model_fields.items():
            field = model.attribute_map.get(attribute) or model.attribute_map[info.alias]
            fields[field] = _type(info.annotation, field, name, found)
    return name


def _type(annotation: Any, field: str, owner: str, found: dict[str, dict[str, str]]) -> str:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _type(typing.get_args(annotation)[0], field, owner, found)
    if origin in (typing.Union, types.UnionType):
        parts = [part for part in typing.get_args(annotation) if part is not type(None)]
        named = {_type(part, field, owner, found) for part in parts}
        return named.pop() if len(named) == 1 else "any" if "any" in named else "int|string"
    if origin is list:
        return f"[{_type(typing.get_args(annotation)[0], field, owner, found)}]"
    if origin is dict:
        value = _type(typing.get_args(annotation)[1], field, owner, found)
        return "{any}" if field in QUANTITIES else f"{{{value}}}"
    return _scalar(annotation, field, owner, found)


def _scalar(annotation: Any, field: str, owner: str, found: dict[str, dict[str, str]]) -> str:
    if annotation is str and field in QUANTITIES and owner in QUANTITY_OWNERS:
        return "any"
    scalars = {str: "string", bytes: "string", datetime: "string", int: "int", bool: "bool", float: "number"}
    if annotation in scalars:
        return scalars[annotation]
    if isinstance(annotation, type) and hasattr(annotation, "attribute_map"):
        name = (
            annotation.__name__.removeprefix("V1")
            .removeprefix("V2")
            .removeprefix("CoreV1")
            .removeprefix("RbacV1")
        )
        return _describe(annotation, name, found)
    return "any"


if __name__ == "__main__":
    TARGET.write_text(generate())
