"""ReplicationControllers: what a DeploymentConfig keeps its pods with."""

from __future__ import annotations

from orchestrator.rehearsal.controllers.replicasets import ReplicaSets
from orchestrator.rehearsal.types import resource_type


class ReplicationControllers(ReplicaSets):
    """The controller of ReplicationControllers."""

    rt = resource_type("ReplicationController")
    component = "replication-controller"
