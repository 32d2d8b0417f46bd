"""The JSON files of a bundle: Secrets, ConfigMaps and the APIManager, as they were printed on another cluster.

Pure but for the passwords. What `oc get -o json` prints of a live object is all there: uid, resourceVersion,
owners, managed fields, an annotation of an earlier apply. Of the cluster a restore goes to none of that is true.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

from orchestrator.rehearsal.components.configmaps import (
    apicast_environment,
    backend_configs,
    mysql_configs,
    system_configs,
)
from orchestrator.rehearsal.components.secrets import all_secrets
from orchestrator.rehearsal.installation import APIMANAGER, Database, Installation, Release
from orchestrator.rehearsal.lifecycle import Rehearsed
from orchestrator.rehearsal.objects import Object
from orchestrator.rehearsal.programs import write
from orchestrator.rehearsal.types import resource_type

OLD_NAMESPACE = "threescale-old"
CREATED = "2025-03-14T09:26:53Z"
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def backup_objects(installation: Installation, mark: str = "backup") -> dict[str, Object]:
    """Name of the object -> what its file `<name>.json` holds; `apimanager` is the custom resource.

    Passwords follow from the mark, so that two calls agree, and nobody else's installation has them. Routes
    and databases are not in here.
    """
    old = replace(installation, namespace=OLD_NAMESPACE, scope="whole")
    apimanager = old.apimanager()
    secrets = [with_data(obj) for obj in all_secrets(old, known_to_database(mark), inventor(mark))]
    configs = [*system_configs(old), *backend_configs(), apicast_environment({}), old.config_map()]
    if old.database == "mysql":
        configs += mysql_configs()
    owner = {
        "apiVersion": "apps.3scale.net/v1alpha1", "kind": "APIManager", "name": APIMANAGER, "uid": uid(mark, APIMANAGER),
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    found = {obj["metadata"]["name"]: printed(obj, mark, None) for obj in secrets}
    found |= {obj["metadata"]["name"]: printed(obj, mark, owner) for obj in configs}
    status = {"conditions": [{"type": "Available", "status": "True", "lastTransitionTime": CREATED}]}
    return found | {"apimanager": {**printed(apimanager, mark, None), "status": status}}


def write_objects(directory: Path, cluster: Rehearsed) -> None:
    """The JSON files, for the release and the kind of database that a cluster has, into a bundle."""
    installation = Installation(
        cast(Release, cluster.release), cluster.namespace, cluster.root, database=cast(Database, cluster.database), scope="whole"
    )
    for name, obj in backup_objects(installation).items():
        write(directory / f"{name}.json", json.dumps(obj, indent=2) + "\n", 0o600)


def printed(obj: Object, mark: str, owner: Object | None) -> Object:
    """The object as a live one is printed."""
    rt = resource_type(obj["kind"])
    whole: Object = {"apiVersion": rt.api_version, **obj}
    metadata = {
        **obj["metadata"],
        "namespace": OLD_NAMESPACE,
        "uid": uid(mark, rt.kind + obj["metadata"]["name"]) if obj["kind"] != "APIManager" else uid(mark, APIMANAGER),
        "resourceVersion": str(48_000_000 + int(uid(mark, obj["metadata"]["name"])[:4], 16)),
        "creationTimestamp": CREATED,
        "managedFields": [{"manager": "manager", "operation": "Update", "apiVersion": rt.api_version, "time": CREATED,
                           "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {}}}}],
    }  # fmt: skip
    applied = json.dumps({"apiVersion": rt.api_version, "kind": obj["kind"], "metadata": {"name": obj["metadata"]["name"]}})
    metadata["annotations"] = {**(metadata.get("annotations") or {}), APPLIED: applied}
    if rt.generation:
        metadata["generation"] = 7
    return {**whole, "metadata": metadata | ({"ownerReferences": [owner]} if owner else {})}


def known_to_database(mark: str) -> dict[str, dict[str, str]]:
    """The access tokens that the sample data of that mark has."""
    master, admin = f"{mark}-access-1", f"{mark}-access-2"
    return {
        "system-seed": {"MASTER_ACCESS_TOKEN": master, "ADMIN_ACCESS_TOKEN": admin},
        "system-master-apicast": {"ACCESS_TOKEN": master},
    }


def with_data(secret: Object) -> Object:
    data = {key: base64.b64encode(text.encode()).decode() for key, text in secret["stringData"].items()}
    return {key: part for key, part in secret.items() if key != "stringData"} | {"type": "Opaque", "data": data}


def inventor(mark: str) -> Callable[[], str]:
    """Makes passwords that follow from the mark, one after the other."""
    numbers = iter(range(1_000_000))
    return lambda: hashlib.sha256(f"{mark} {next(numbers)}".encode()).hexdigest()[:24]


def uid(mark: str, name: str) -> str:
    digits = hashlib.sha256(f"{mark} {name}".encode()).hexdigest()
    return "-".join((digits[:8], digits[8:12], "4" + digits[13:16], "a" + digits[17:20], digits[20:32]))
