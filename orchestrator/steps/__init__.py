"""The catalogue of step kinds: one file and one line a kind, in the order of the guide.

A closed union, so that pydantic and the type checker both know every kind. A kind that is not in this
list cannot be in a plan.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from orchestrator.steps.accept_irreversible import AcceptIrreversible
from orchestrator.steps.apply_object import ApplyObject
from orchestrator.steps.await_operator import AwaitOperator
from orchestrator.steps.base import Step
from orchestrator.steps.check_backend import CheckBackend
from orchestrator.steps.check_directory import CheckDirectory
from orchestrator.steps.check_redis_keys import CheckRedisKeys
from orchestrator.steps.check_rows import CheckRows
from orchestrator.steps.check_workloads import CheckWorkloads
from orchestrator.steps.copy_into_pod import CopyIntoPod
from orchestrator.steps.decide_queues import DecideQueues
from orchestrator.steps.edit_configmap import EditConfigMap
from orchestrator.steps.flush_queues import FlushQueues
from orchestrator.steps.keep_appending import KeepAppending
from orchestrator.steps.keep_saving import KeepSaving
from orchestrator.steps.load_dump import LoadDump
from orchestrator.steps.remove_helper import RemoveHelper
from orchestrator.steps.restart_workload import RestartWorkload
from orchestrator.steps.resync_routes import ResyncRoutes
from orchestrator.steps.rewrite_aof import RewriteAofFile
from orchestrator.steps.roll_out import RollOut
from orchestrator.steps.run_rake import RunRake
from orchestrator.steps.save_database import SaveDatabase
from orchestrator.steps.save_manager_spec import SaveManagerSpec
from orchestrator.steps.save_replica_spec import SaveReplicaSpec
from orchestrator.steps.scale_workload import ScaleWorkload
from orchestrator.steps.set_aside_file import SetAsideFile
from orchestrator.steps.sync_directory import SyncDirectory

AnyStep = Annotated[
    SaveReplicaSpec
    | SaveManagerSpec
    | ScaleWorkload
    | ApplyObject
    | AwaitOperator
    | CopyIntoPod
    | SaveDatabase
    | AcceptIrreversible
    | LoadDump
    | CheckRows
    | SyncDirectory
    | CheckDirectory
    | RemoveHelper
    | DecideQueues
    | EditConfigMap
    | RollOut
    | SetAsideFile
    | FlushQueues
    | RewriteAofFile
    | KeepAppending
    | KeepSaving
    | CheckRedisKeys
    | RestartWorkload
    | RunRake
    | ResyncRoutes
    | CheckBackend
    | CheckWorkloads,
    Field(discriminator="kind"),
]

__all__ = ["AnyStep", "Step"]
