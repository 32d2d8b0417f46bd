"""Every change that this program can make to a cluster, as data. A closed list.

Effects are yielded by steps, which perform nothing, and are carried out by a Cluster. `say` is the
sentence that a plan shows. In-pod effects name the container they were decided for: the cluster refuses
them when another one has taken its place.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class EffectBase(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def say(self) -> str:
        raise NotImplementedError


class EditConfigMap(EffectBase):
    """Replace one key's text, only while it still is what was seen (a JSON patch with `test`)."""

    effect: Literal["edit_configmap"] = "edit_configmap"
    configmap: str
    key: str
    expected: str
    text: str

    def say(self) -> str:
        return f"edit {self.key} in ConfigMap {self.configmap}"


class RollOut(EffectBase):
    """Start a rollout: a Deployment by its restartedAt annotation, a DeploymentConfig by /instantiate.

    restarted_at None removes the annotation, which rolls out too when it was there.
    """

    effect: Literal["roll_out"] = "roll_out"
    kind: str
    workload: str
    restarted_at: str | None

    def say(self) -> str:
        return f"roll out {self.kind} {self.workload}"


class InPod(EffectBase):
    """An effect inside the pod of a workload. pod and container as they were seen."""

    kind: str
    workload: str
    pod: str
    container: str


class SetAside(InPod):
    """Rename path to aside in the same directory; refuses to overwrite anything."""

    effect: Literal["set_aside"] = "set_aside"
    path: str
    aside: str

    def say(self) -> str:
        return f"rename {self.path} to {self.aside}"


class PutBack(InPod):
    """Rename aside back to path; refuses to overwrite anything."""

    effect: Literal["put_back"] = "put_back"
    path: str
    aside: str

    def say(self) -> str:
        return f"rename {self.aside} back to {self.path}"


class RemovePath(InPod):
    """Remove a file, or a directory of Redis's own, that this run has made."""

    effect: Literal["remove_path"] = "remove_path"
    path: str

    def say(self) -> str:
        return f"remove {self.path}"


class CopyIn(InPod):
    """Copy a file of the bundle to path: to path.part chunk by chunk, compared, then renamed."""

    effect: Literal["copy_in"] = "copy_in"
    source: str
    path: str
    part: str
    size_bytes: int
    sha256: str

    def say(self) -> str:
        return f"copy {self.source} ({self.size_bytes} bytes) to {self.path}"


class RewriteAof(InPod):
    """BGREWRITEAOF."""

    effect: Literal["rewrite_aof"] = "rewrite_aof"

    def say(self) -> str:
        return f"redis-cli BGREWRITEAOF in {self.workload}"


class SwitchAppendingOn(InPod):
    """CONFIG SET appendonly yes in the running server: writes its AOF and keeps appending."""

    effect: Literal["switch_appending_on"] = "switch_appending_on"

    def say(self) -> str:
        return f"redis-cli CONFIG SET appendonly yes in {self.workload}"


Effect = (
    EditConfigMap | RollOut | SetAside | PutBack | RemovePath | CopyIn | RewriteAof | SwitchAppendingOn
)

ANY_EFFECT: TypeAdapter[Effect] = TypeAdapter(Annotated[Effect, Field(discriminator="effect")])
