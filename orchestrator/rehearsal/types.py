"""The kinds this cluster serves: one table, nothing else.

Discovery, routing, validation and the store all read it. A kind that is not here does not exist.
The table knows names and verbs, never how a kind behaves beyond the few flags below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

BUILT_IN_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
SUBRESOURCE_VERBS = ("get", "patch", "update")


@dataclass(frozen=True)
class ResourceType:
    """One kind. `custom` is a kind without a compiled schema, which behaves as a CRD does."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...]
    namespaced: bool
    subresources: frozenset[str]
    verbs: tuple[str, ...]
    custom: bool
    generation: bool = False
    """Whether metadata.generation counts the changes of the spec."""
    categories: tuple[str, ...] = ()

    @cached_property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @cached_property
    def resource(self) -> str:
        """`deployments.apps`: how messages name the resource, and the key of its objects."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @cached_property
    def group_kind(self) -> str:
        """`Deployment.apps`: how messages of validation name the kind."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    def has_status(self) -> bool:
        return "status" in self.subresources

    def __hash__(self) -> int:
        return hash(self.resource)


def _type(
    api_version: str,
    kind: str,
    plural: str,
    *short_names: str,
    subresources: str = "",
    cluster: bool = False,
    custom: bool = False,
    generation: bool = False,
    verbs: tuple[str, ...] = (),
    everything: bool = False,
) -> ResourceType:
    group, _, version = api_version.rpartition("/")
    return ResourceType(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        short_names=short_names,
        namespaced=not cluster,
        subresources=frozenset(subresources.split()),
        verbs=verbs or (CUSTOM_VERBS if custom else BUILT_IN_VERBS),
        custom=custom,
        generation=generation or custom,
        categories=("all",) if everything else (),
    )


_CREATE = ("create",)
_RBAC = "rbac.authorization.k8s.io/v1"
_REVIEWS = "authorization.k8s.io/v1"

TYPES: tuple[ResourceType, ...] = (
    _type("v1", "ConfigMap", "configmaps", "cm"),
    _type("v1", "Endpoints", "endpoints", "ep"),
    _type("v1", "Event", "events", "ev"),
    _type("v1", "Namespace", "namespaces", "ns", subresources="status", cluster=True),
    _type("v1", "Node", "nodes", "no", subresources="status", cluster=True),
    _type("v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", subresources="status"),
    _type("v1", "PersistentVolume", "persistentvolumes", "pv", subresources="status", cluster=True),
    _type(
        "v1",
        "Pod",
        "pods",
        "po",
        subresources="attach eviction exec log status",
        generation=True,
        everything=True,
    ),
    _type(
        "v1",
        "ReplicationController",
        "replicationcontrollers",
        "rc",
        subresources="scale status",
        generation=True,
        everything=True,
    ),
    _type("v1", "Secret", "secrets"),
    _type("v1", "ServiceAccount", "serviceaccounts", "sa", subresources="token"),
    _type("v1", "Service", "services", "svc", subresources="status", everything=True),
    _type(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "crd",
        "crds",
        subresources="status",
        cluster=True,
        generation=True,
    ),
    _type(
        "apps/v1",
        "Deployment",
        "deployments",
        "deploy",
        subresources="scale status",
        generation=True,
        everything=True,
    ),
    _type(
        "apps/v1",
        "ReplicaSet",
        "replicasets",
        "rs",
        subresources="scale status",
        generation=True,
        everything=True,
    ),
    _type(
        "apps/v1",
        "StatefulSet",
        "statefulsets",
        "sts",
        subresources="scale status",
        generation=True,
        everything=True,
    ),
    _type("authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews", cluster=True, verbs=_CREATE),
    _type("authentication.k8s.io/v1", "TokenReview", "tokenreviews", cluster=True, verbs=_CREATE),
    _type(_REVIEWS, "LocalSubjectAccessReview", "localsubjectaccessreviews", verbs=_CREATE),
    _type(_REVIEWS, "SelfSubjectAccessReview", "selfsubjectaccessreviews", cluster=True, verbs=_CREATE),
    _type(_REVIEWS, "SelfSubjectRulesReview", "selfsubjectrulesreviews", cluster=True, verbs=_CREATE),
    _type(_REVIEWS, "SubjectAccessReview", "subjectaccessreviews", cluster=True, verbs=_CREATE),
    _type(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        "hpa",
        subresources="status",
        everything=True,
    ),
    _type("batch/v1", "CronJob", "cronjobs", "cj", subresources="status", generation=True, everything=True),
    _type("batch/v1", "Job", "jobs", subresources="status", generation=True, everything=True),
    _type("coordination.k8s.io/v1", "Lease", "leases"),
    _type(_RBAC, "ClusterRoleBinding", "clusterrolebindings", cluster=True),
    _type(_RBAC, "ClusterRole", "clusterroles", cluster=True),
    _type(_RBAC, "RoleBinding", "rolebindings"),
    _type(_RBAC, "Role", "roles"),
    _type("apps.3scale.net/v1alpha1", "APIManager", "apimanagers", subresources="status", custom=True),
    _type(
        "apps.openshift.io/v1",
        "DeploymentConfig",
        "deploymentconfigs",
        "dc",
        subresources="instantiate scale status",
        custom=True,
        everything=True,
    ),
    _type("route.openshift.io/v1", "Route", "routes", subresources="status", custom=True, everything=True),
)

_BY_KIND = {rt.kind: rt for rt in reversed(TYPES)}


def resource_type(kind: str) -> ResourceType:
    """The kind of that name (`Pod`, `DeploymentConfig`). KeyError if unknown."""
    return _BY_KIND[kind]


def as_kubernetes() -> tuple[ResourceType, ...]:
    """The table of a cluster where DeploymentConfig is a custom resource, as on plain Kubernetes."""
    return tuple(_without_instantiate(rt) for rt in TYPES)


def _without_instantiate(rt: ResourceType) -> ResourceType:
    return replace(rt, subresources=rt.subresources - {"instantiate"})


def group_versions(types: tuple[ResourceType, ...]) -> Iterator[str]:
    """Every `group/version` of the table once, in its order."""
    yield from dict.fromkeys(rt.api_version for rt in types)
