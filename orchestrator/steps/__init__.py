"""The catalogue of step kinds: one file and one line a kind.

A closed union, so that pydantic and the type checker both know every kind. A kind that is not in this
list cannot be in a plan.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from orchestrator.steps.base import Step
from orchestrator.steps.check_redis_keys import CheckRedisKeys
from orchestrator.steps.copy_into_pod import CopyIntoPod
from orchestrator.steps.edit_configmap import EditConfigMap
from orchestrator.steps.keep_appending import KeepAppending
from orchestrator.steps.rewrite_aof import RewriteAofFile
from orchestrator.steps.roll_out import RollOut
from orchestrator.steps.save_replica_spec import SaveReplicaSpec
from orchestrator.steps.set_aside_file import SetAsideFile

AnyStep = Annotated[
    SaveReplicaSpec
    | EditConfigMap
    | RollOut
    | SetAsideFile
    | CopyIntoPod
    | RewriteAofFile
    | KeepAppending
    | CheckRedisKeys,
    Field(discriminator="kind"),
]

__all__ = ["AnyStep", "Step"]
