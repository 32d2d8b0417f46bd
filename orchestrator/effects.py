"""Every change that this program can make to a cluster, as data. A closed list.

Effects are yielded by steps, which perform nothing, and are carried out by a Cluster. `say` is the
sentence that a plan shows. In-pod effects name the container they were decided for: the cluster refuses
them when another one has taken its place.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Engine = Literal["mysql", "postgresql"]
Program = Literal[
    "load-mysql", "load-postgresql", "dump-mysql", "dump-postgresql", "return-mysql", "return-postgresql", "rake"
]


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
        old, new = self.expected.splitlines(), self.text.splitlines()
        lines = [f"-{line}" for line in old if line not in new] + [f"+{line}" for line in new if line not in old]
        return f"edit {self.key} in ConfigMap {self.configmap}" + (f": {'; '.join(lines)}" if lines else "")


class RollOut(EffectBase):
    """Start a rollout: a Deployment by its restartedAt annotation, a DeploymentConfig by /instantiate.

    restarted_at None removes the annotation, which rolls out too when it was there.
    """

    effect: Literal["roll_out"] = "roll_out"
    kind: str
    workload: str
    restarted_at: str | None

    def say(self) -> str:
        mark = f", restarted at {self.restarted_at}" if self.restarted_at else ", without a restart mark"
        return f"roll out {self.kind} {self.workload}" + ("" if self.kind == "DeploymentConfig" else mark)


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
    """Copy a file of the bundle to path: to path.part chunk by chunk, compared, then renamed.

    origin: "copies" for a file that was copied out of a pod, and is kept on this machine.
    """

    effect: Literal["copy_in"] = "copy_in"
    source: str
    path: str
    part: str
    size_bytes: int
    sha256: str
    origin: Literal["bundle", "copies"] = "bundle"

    def say(self) -> str:
        return f"copy {self.source} ({self.size_bytes} bytes) to {self.path}"


class CopyOut(InPod):
    """Copy a file of a pod to this machine, to the directory of copies beside the journal: chunk by chunk,
    compared, then renamed to `target`. size_bytes and sha256 as they were seen in the pod.
    """

    effect: Literal["copy_out"] = "copy_out"
    path: str
    target: str
    size_bytes: int
    sha256: str

    def say(self) -> str:
        return f"copy {self.path} ({self.size_bytes} bytes) to this machine as {self.target}"


class RemoveCopy(EffectBase):
    """Remove a file that was copied out of a pod from this machine."""

    effect: Literal["remove_copy"] = "remove_copy"
    target: str

    def say(self) -> str:
        return f"remove {self.target} from this machine"


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


class SwitchSavingOn(InPod):
    """CONFIG SET save and appendonly in the running server, as its configuration says: it may have been started without."""

    effect: Literal["switch_saving_on"] = "switch_saving_on"
    save: str
    appendonly: Literal["yes", "no"]

    def say(self) -> str:
        return f'redis-cli CONFIG SET save "{self.save}", appendonly {self.appendonly} in {self.workload}'


class FlushRedis(InPod):
    """FLUSHDB of one database of the running server."""

    effect: Literal["flush_redis"] = "flush_redis"
    database: int

    def say(self) -> str:
        return f"redis-cli -n {self.database} FLUSHDB in {self.workload}"


class SetField(EffectBase):
    """Set or remove one field of the APIManager, only while it still is what was seen (JSON patch `test`).

    is_there False removes it, and with it those of its parents that are empty then and were not there: the
    first `parents` elements of the path stay.
    """

    effect: Literal["set_field"] = "set_field"
    manager: str
    path: tuple[str, ...]
    expected_is_there: bool
    expected: Any = None
    is_there: bool
    value: Any = None
    parents: int = 0

    def say(self) -> str:
        where = f"{'.'.join(self.path)} of APIManager {self.manager}"
        return f"set {where} to {self.value!r}" if self.is_there else f"remove {where}"


class ScaleWorkload(EffectBase):
    """Set the replicas of a workload, only while they still are what was seen."""

    effect: Literal["scale_workload"] = "scale_workload"
    kind: str
    workload: str
    expected: int | None
    replicas: int

    def say(self) -> str:
        return f"scale {self.kind} {self.workload} to {self.replicas}"


class DeleteJob(EffectBase):
    """Delete a Job, only while it is the one that was seen; the operator makes it anew."""

    effect: Literal["delete_job"] = "delete_job"
    job: str
    uid: str

    def say(self) -> str:
        return f"delete Job {self.job}"


class StartJob(InPod):
    """Start a program detached in the pod, with a directory of its own below `directory`.

    It outlives the exec that starts it and tells its own end. An older epoch than the newest that was seen
    in `directory` is refused there; so is a second start while one of that name runs.
    """

    effect: Literal["start_job"] = "start_job"
    directory: str
    job: str
    attempt: int
    epoch: int
    program: Program
    arguments: tuple[str, ...]

    def say(self) -> str:
        return f"start {self.program} {' '.join(self.arguments)} in {self.workload}"


class StopJob(InPod):
    """End a program that was started detached, and all its processes; returns when they are gone."""

    effect: Literal["stop_job"] = "stop_job"
    directory: str
    job: str
    epoch: int

    def say(self) -> str:
        return f"stop {self.job} in {self.workload}"


class ForgetMark(InPod):
    """Remove what our loads have written into a database besides the dump."""

    effect: Literal["forget_mark"] = "forget_mark"
    engine: Engine
    database: str

    def say(self) -> str:
        return f"remove this run's mark from database {self.database} of {self.workload}"


class SyncTree(InPod):
    """Bring a directory of the bundle into the pod: only what is missing or differs.

    What would be overwritten is set aside in `stash`, on the same volume, which also lists what is created.
    What only the pod has stays, unless `is_deleting`: then it is set aside too. Links are kept as links and
    never followed.
    """

    effect: Literal["sync_tree"] = "sync_tree"
    source: str
    path: str
    stash: str
    digest: str
    is_deleting: bool = False

    def say(self) -> str:
        also = ", and set aside what only the pod has" if self.is_deleting else ""
        return f"sync {self.source}/ to {self.path}{also}"


class PutTreeBack(InPod):
    """Remove what a sync has created, put back what it set aside, then remove the stash."""

    effect: Literal["put_tree_back"] = "put_tree_back"
    path: str
    stash: str

    def say(self) -> str:
        return f"put back what was replaced in {self.path}"


class StartHelper(EffectBase):
    """Start a pod of ours that has the volume at `path` mounted as the pods of a workload have it, and does nothing.

    It has their image, account and security context, so what it writes is as theirs; none of their environment.
    """

    effect: Literal["start_helper"] = "start_helper"
    kind: str
    workload: str
    path: str
    helper: str
    run: str

    def say(self) -> str:
        return f"start pod {self.helper} with {self.path} of {self.workload}"


class RemoveHelper(EffectBase):
    """Delete a pod that this run has started; another one of its name is refused."""

    effect: Literal["remove_helper"] = "remove_helper"
    helper: str
    run: str

    def say(self) -> str:
        return f"delete pod {self.helper}"


class ApplyObject(EffectBase):
    """Create or replace an object from its file in the bundle, sanitised; sha256 is the file's.

    uid is that of the object seen, "" to create it. What it held before is kept in the Secret `stash` first.
    """

    effect: Literal["apply_object"] = "apply_object"
    kind: str
    name: str
    source: str
    sha256: str
    uid: str
    stash: str

    def say(self) -> str:
        return f"{'replace' if self.uid else 'create'} {self.kind} {self.name} from {self.source}"


class PutObjectBack(EffectBase):
    """Bring an object back from its stash, and remove the stash; without a stash, delete the object."""

    effect: Literal["put_object_back"] = "put_object_back"
    kind: str
    name: str
    uid: str
    stash: str

    def say(self) -> str:
        return f"bring {self.kind} {self.name} back" if self.stash else f"delete {self.kind} {self.name}"


class RemoveStash(EffectBase):
    """Delete the Secret that keeps what an object held before, only while it is the one that was seen."""

    effect: Literal["remove_stash"] = "remove_stash"
    stash: str
    uid: str

    def say(self) -> str:
        return f"delete Secret {self.stash}"


class RemoveJobs(InPod):
    """Remove the directories that the jobs of a run keep in a pod."""

    effect: Literal["remove_jobs"] = "remove_jobs"
    run: str

    def say(self) -> str:
        return f"remove the directories of this run's jobs from {self.workload}"


class DeleteRoute(EffectBase):
    """Delete a Route, only while it is the one that was seen."""

    effect: Literal["delete_route"] = "delete_route"
    route: str
    host: str
    uid: str

    def say(self) -> str:
        return f"delete Route {self.route} of {self.host}"


Effect = (
    EditConfigMap | RollOut | SetAside | PutBack | RemovePath | CopyIn | CopyOut | RemoveCopy | RewriteAof
    | SwitchAppendingOn | SwitchSavingOn | FlushRedis | SetField | ScaleWorkload | DeleteJob | StartJob | StopJob | ForgetMark | SyncTree | PutTreeBack
    | StartHelper | RemoveHelper | ApplyObject | PutObjectBack | DeleteRoute | RemoveStash | RemoveJobs
)

ANY_EFFECT: TypeAdapter[Effect] = TypeAdapter(Annotated[Effect, Field(discriminator="effect")])
